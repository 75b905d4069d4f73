"""Measure the text of a document in one walk, before it is validated and before anything runs.

What its answer can become is another question, which only a valid document is asked (`graph.outline`). Every
definition is walked once: what a fragment asks for is cached under its name and added wherever it is spread,
so that the time is linear in the text even if the expanded document is exponential.
"""

from collections import Counter
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

LIST_ITEMS = 10
SCHEMA_TYPES = 100
MOST_NESTED = 100
# Figures are capped here: a fragment bomb doubles them at each step, up to thousands of digits.
CEILING = 10**12
_INTROSPECTION = ("__schema", "__type")


@dataclass(slots=True)
class Measure:
    """What a selection asks for, its fragments expanded.

    `width` counts the fields beside each other at the top. Introspection is separate; its cost are the
    `values` below it, where each list counts as ten entries and the list of types as a hundred.
    """

    depth: int = 0
    fields: int = 0
    width: int = 0
    aliases: int = 0
    directives: int = 0
    values: int = 0
    introspection_depth: int = 0
    introspection_cost: int = 0

    def add(self, other: "Measure") -> None:
        """Add another selection beside this one."""
        self.depth = max(self.depth, other.depth)
        self.fields = min(CEILING, self.fields + other.fields)
        self.width = min(CEILING, self.width + other.width)
        self.aliases = min(CEILING, self.aliases + other.aliases)
        self.directives = min(CEILING, self.directives + other.directives)
        self.values = min(CEILING, self.values + other.values)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.introspection_cost = min(CEILING, self.introspection_cost + other.introspection_cost)


@dataclass(slots=True)
class Walk:
    """One walk over one document, which need not be valid; `visits` counts the selections, each once."""

    schema: GraphQLSchema
    document: DocumentNode
    visits: int = 0
    too_nested: bool = False
    operations: list[tuple[str | None, Measure]] = field(default_factory=list)
    fragments: dict[str, Measure] = field(default_factory=dict)
    _definitions: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    _keys: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Measure every operation and fragment, even those that will not run: all of them are validated."""
        operations = [d for d in self.document.definitions if isinstance(d, OperationDefinitionNode)]
        for definition in self.document.definitions:
            if isinstance(definition, FragmentDefinitionNode):
                self._definitions[definition.name.value] = definition
        for operation in operations:
            root = self.schema.get_root_type(operation.operation)
            measure = self._selections(operation.selection_set, root, 0)
            measure.directives += len(operation.directives or ())
            self.operations.append((operation.name.value if operation.name else None, measure))
        for name in self._definitions:
            self._fragment(name, 0)

    @property
    def repeats(self) -> int:
        """Return how many pairs of fields of one type under one response key validation has to compare."""
        return sum(times * times for times in self._keys.values() if times > 1)

    def _selections(
        self, selections: SelectionSetNode, parent: GraphQLNamedType | None, nested: int
    ) -> Measure:
        measure = Measure()
        if nested > MOST_NESTED:
            self.too_nested = True
            return measure
        for selection in selections.selections:
            self.visits += 1
            if isinstance(selection, FieldNode):
                measure.add(self._field(selection, parent, nested))
            elif isinstance(selection, FragmentSpreadNode):
                measure.add(self._fragment(selection.name.value, nested))
            elif isinstance(selection, InlineFragmentNode):
                on = selection.type_condition
                type_ = self.schema.get_type(on.name.value) if on else parent
                measure.add(self._selections(selection.selection_set, type_, nested + 1))
            measure.directives += len(selection.directives or ())
        return measure

    def _fragment(self, name: str, nested: int) -> Measure:
        if name not in self.fragments:
            # Stored before the fragment is walked, this also ends a cycle, which validation then reports.
            self.fragments[name] = Measure()
            definition = self._definitions.get(name)
            if definition is not None:
                on = self.schema.get_type(definition.type_condition.name.value)
                measure = self._selections(definition.selection_set, on, nested + 1)
                measure.directives += len(definition.directives or ())
                self.fragments[name] = measure
        return self.fragments[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None, nested: int) -> Measure:
        name = node.name.value
        key = node.alias.value if node.alias else name
        self._keys[(parent.name if parent else "", key)] += 1
        returns = self._returns(parent, name)
        named = get_named_type(returns) if returns else None
        below = self._selections(node.selection_set, named, nested + 1) if node.selection_set else Measure()
        measure = Measure(
            width=1, aliases=below.aliases + (node.alias is not None), directives=below.directives
        )
        if name in _INTROSPECTION:
            # Introspection has limits of its own: the explorer's long query passes, and adds no cost.
            measure.introspection_depth = below.depth + 1
            measure.introspection_cost = min(CEILING, below.values + 1)
            return measure
        measure.depth = below.depth + 1
        measure.fields = min(CEILING, below.fields + 1)
        is_list = returns is not None and is_list_type(get_nullable_type(returns))
        if is_list and is_composite_type(named):
            entries = SCHEMA_TYPES if parent is not None and parent.name == "__Schema" else LIST_ITEMS
            measure.values = min(CEILING, 1 + entries * (1 + below.values))
        else:
            measure.values = min(CEILING, 1 + below.values)
        return measure

    def _returns(self, parent: GraphQLNamedType | None, name: str) -> GraphQLOutputType | None:
        if parent is None or not is_composite_type(parent):
            return None
        definition = self.schema.get_field(parent, name)
        return definition.type if definition else None


def is_connection(type_: GraphQLNamedType) -> bool:
    """Return whether a type is a connection, whose `edges` and `nodes` are as many as `first` says."""
    return type_.name.endswith("Connection")


def number_of(value: object) -> int | None:
    """Return the number that a variable's value stands for: itself, or the length of a list."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return len(value) if isinstance(value, list) else None

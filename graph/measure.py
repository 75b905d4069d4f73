"""Measure how much a document asks for, in one walk before anything runs.

Every definition is walked once: what a fragment asks for is cached under its name and added wherever it is
spread, so that the time is linear in the text even if the expanded document is exponential.
"""

from collections import Counter
from collections.abc import Mapping
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
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

DEFAULT_PAGE = 50
LARGEST_PAGE = 500
LIST_ITEMS = 10
SCHEMA_TYPES = 100
MOST_NESTED = 100
HEAVY = {
    ("Portfolio", "rebalancePlan"): 10_000,
    ("Portfolio", "performance"): 200,
    ("Account", "performance"): 1_000,
    ("User", "performance"): 10_000,
}
"""Fields that cost more than reading them: a plan takes the optimiser a tenth of a second and more, and a
performance is counted from every day, an account's and a user's from every portfolio's.
"""
# Figures are capped here: a fragment bomb doubles them at each step, up to thousands of digits.
CEILING = 10**12
_INTROSPECTION = ("__schema", "__type")


@dataclass(slots=True)
class Measure:
    """What a selection asks for, its fragments expanded.

    `cost` counts the values of its largest possible answer; `paged` is the part of it that the connection
    above has yet to multiply. `width` counts the fields beside each other at the top. Introspection is
    separate.
    """

    depth: int = 0
    fields: int = 0
    width: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    paged: int = 0
    introspection_depth: int = 0
    introspection_cost: int = 0

    def add(self, other: "Measure") -> None:
        """Add another selection beside this one."""
        self.depth = max(self.depth, other.depth)
        self.fields = min(CEILING, self.fields + other.fields)
        self.width = min(CEILING, self.width + other.width)
        self.aliases = min(CEILING, self.aliases + other.aliases)
        self.directives = min(CEILING, self.directives + other.directives)
        self.cost = min(CEILING, self.cost + other.cost)
        self.paged = min(CEILING, self.paged + other.paged)
        self.introspection_depth = max(self.introspection_depth, other.introspection_depth)
        self.introspection_cost = min(CEILING, self.introspection_cost + other.introspection_cost)


@dataclass(slots=True)
class Walk:
    """One walk over one document, which need not be valid.

    `visits` counts the selections visited, each of them once. `consulted` names the variables that decided a
    size: a cached measure holds only for the same numbers in them.
    """

    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, object]
    visits: int = 0
    too_nested: bool = False
    consulted: set[str] = field(default_factory=set)
    operations: list[tuple[str | None, Measure]] = field(default_factory=list)
    fragments: dict[str, Measure] = field(default_factory=dict)
    _definitions: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    _defaults: dict[str, int] = field(default_factory=dict)
    _keys: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Measure every operation and fragment, even those that will not run: all of them are validated."""
        operations = [d for d in self.document.definitions if isinstance(d, OperationDefinitionNode)]
        for definition in self.document.definitions:
            if isinstance(definition, FragmentDefinitionNode):
                self._definitions[definition.name.value] = definition
        for operation in operations:
            self._note_defaults(operation)
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

    def numbers(self) -> tuple[int | None, ...]:
        """Return the values that the measure depends on, in the order of the variables' names."""
        return tuple(number_of(self.variables.get(name)) for name in sorted(self.consulted))

    def _note_defaults(self, operation: OperationDefinitionNode) -> None:
        # Fragments are measured once for all operations, so the largest default of a name stands for all.
        for variable in operation.variable_definitions or ():
            number = self._number(variable.default_value) if variable.default_value else None
            if number is not None:
                name = variable.variable.name.value
                self._defaults[name] = max(number, self._defaults.get(name, 0))

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
            measure.introspection_cost = min(CEILING, below.cost + 1)
            return measure
        measure.depth = below.depth + 1
        measure.fields = min(CEILING, below.fields + 1)
        each = below.cost + HEAVY.get((parent.name if parent else "", name), 1)
        if named is not None and is_connection(named):
            measure.cost = 1 + below.cost + self._page(node) * below.paged
        elif parent is not None and is_connection(parent) and name in ("edges", "nodes"):
            measure.paged = each
        elif returns is not None and is_list_type(get_nullable_type(returns)) and is_composite_type(named):
            measure.cost = 1 + self._items(node, parent) * each
        else:
            measure.cost = each + below.paged
        measure.cost, measure.paged = min(CEILING, measure.cost), min(CEILING, measure.paged)
        return measure

    def _returns(self, parent: GraphQLNamedType | None, name: str) -> GraphQLOutputType | None:
        if parent is None or not is_composite_type(parent):
            return None
        definition = self.schema.get_field(parent, name)
        return definition.type if definition else None

    def _page(self, node: FieldNode) -> int:
        requested = [
            self._number(argument.value)
            for argument in node.arguments or ()
            if argument.name.value in ("first", "last")
        ]
        sizes = [min(max(size, 1), LARGEST_PAGE) for size in requested if size is not None]
        return max(sizes, default=DEFAULT_PAGE)

    def _items(self, node: FieldNode, parent: GraphQLNamedType | None) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "ids":
                return max(self._number(argument.value) or 1, 1)
        return SCHEMA_TYPES if parent is not None and parent.name == "__Schema" else LIST_ITEMS

    def _number(self, value: ValueNode) -> int | None:
        if isinstance(value, IntValueNode):
            # Python refuses to parse an integer of thousands of digits; ten digits count as the largest page.
            return int(value.value) if len(value.value) < 10 else LARGEST_PAGE
        if isinstance(value, ListValueNode):
            return len(value.values)
        if isinstance(value, VariableNode):
            name = value.name.value
            self.consulted.add(name)
            given = number_of(self.variables.get(name))
            return self._defaults.get(name) if given is None else given
        return None


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

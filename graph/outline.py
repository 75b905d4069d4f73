"""An operation's outline: what decides how large its answer can become, with everything else left out.

It is drawn once for a document, its fragments expanded, and holds for any variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_enum_type,
    is_list_type,
    is_object_type,
)

from graph.charges import (
    BYTES,
    DEFAULT_PAGE,
    HEAVY,
    ITEMS,
    LARGEST_PAGE,
    MESSAGE_BYTES,
    ROWS,
    TEXTS,
    TOTAL,
    Items,
)
from graph.measure import is_connection, number_of

PART, ROW, CONNECTION, PAGE, LIST, ROW_LIST = range(6)
"""How objects are reached from their parents.

PART: one that belongs to its parent alone. ROW: one that many parents may share. CONNECTION: a connection.
PAGE: the entries of the connection above. LIST and ROW_LIST: the entries of a list without pages, which
belong to their parent or may be shared.
"""

_SIZES = {"first": LARGEST_PAGE, "last": LARGEST_PAGE}
_BETWEEN = 4  # The quotes, the colon and the comma around a key.


class Size(NamedTuple):
    """How many entries are asked for: `least`, or the largest of what variables say if that is more."""

    least: int
    most: int = LARGEST_PAGE
    variables: tuple[tuple[int, int | None], ...] = ()
    otherwise: int = DEFAULT_PAGE


class Charge(NamedTuple):
    """The part of a heavy field's price that its owner's rows decide; `kind` is their place in RowCounts."""

    kind: int
    per_row: int
    assumed: int
    bytes_per_row: int


@dataclass(slots=True)
class Step:
    """Objects of one selection: how they are reached, and the values and bytes of each without those below.

    What bounds how many there are: `page` or `items`, and `kind`, the place of their rows in RowCounts.
    """

    parent: int
    how: int
    values: int = 1
    size: int = 0
    page: Size | None = None
    items: Items | None = None
    kind: int | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """The steps of an operation, parents first, its charges by step, and the variables that decide sizes."""

    steps: tuple[Step, ...]
    charges: tuple[tuple[int, Charge], ...]
    variables: tuple[str, ...]
    reads_only: bool

    def numbers(self, variables: Mapping[str, object]) -> tuple[int | None, ...]:
        """Return what the given variables say about sizes."""
        return tuple([number_of(variables.get(name)) for name in self.variables])


def outline_of(schema: GraphQLSchema, document: DocumentNode, name: str | None) -> Outline:
    """Return the outline of an operation of a valid document; `name` is None where it has none."""
    fragments = {}
    operations = {}
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
        elif isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else None] = definition
    return _Drawing(schema, fragments, operations[name]).done()


class _Drawing:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        operation: OperationDefinitionNode,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation
        self._steps = [Step(-1, PART, values=0, size=len('{"data":{}}'))]
        self._charges: list[tuple[int, Charge]] = []
        self._variables: dict[str, int] = {}
        self._defaults: dict[str, int | None] = {
            variable.variable.name.value: _constant(variable.default_value)
            for variable in operation.variable_definitions or ()
        }

    def done(self) -> Outline:
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None, "a valid operation has a root type"
        self._select(self._operation.selection_set, root, 0)
        is_query = self._operation.operation is OperationType.QUERY
        return Outline(tuple(self._steps), tuple(self._charges), tuple(self._variables), is_query)

    def _select(self, selections: SelectionSetNode, parent: GraphQLNamedType, step: int) -> None:
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                self._field(selection, parent, step)
                continue
            if isinstance(selection, FragmentSpreadNode):
                within: Any = self._fragments[selection.name.value]
            else:
                within = selection
            on = within.type_condition
            type_ = self._schema.get_type(on.name.value) if on else parent
            assert type_ is not None, "a valid fragment is on a type"
            self._select(within.selection_set, type_, step)

    def _field(self, node: FieldNode, parent: GraphQLNamedType, step: int) -> None:
        name = node.name.value
        if name in ("__schema", "__type"):
            return
        definition = self._schema.get_field(parent, name)  # type: ignore[arg-type]
        assert definition is not None, "a valid field is defined"
        named = get_named_type(definition.type)
        place = (parent.name, name)
        key = _BETWEEN + len(node.alias.value if node.alias else name)
        price = HEAVY.get(place)
        if price is not None:
            self._steps[step].values += price.each - 1
            if price.of is not None:
                charge = Charge(ROWS[price.of], price.per_row, price.assumed, price.bytes_per_row)
                self._charges.append((step, charge))
        if not is_composite_type(named):
            is_total = name == "totalCount" and is_connection(parent)
            self._steps[step].values += TOTAL if is_total else 1
            self._steps[step].size += key + _bytes_of(place, named)
            return
        self._steps[step].size += key
        is_list = is_list_type(get_nullable_type(definition.type))
        below = self._step(node, parent, step, named, is_list=is_list)
        self._steps.append(below)
        assert node.selection_set is not None, "a valid object has a selection"
        self._select(node.selection_set, named, len(self._steps) - 1)

    def _step(
        self, node: FieldNode, parent: GraphQLNamedType, step: int, named: GraphQLNamedType, *, is_list: bool
    ) -> Step:
        name = node.name.value
        if is_connection(named):
            sizes = [a for a in node.arguments or () if a.name.value in ("first", "last")]
            kind = ROWS.get(named.name.removesuffix("Connection"))
            return Step(step, CONNECTION, size=2, page=self._size(sizes), kind=kind)
        if is_connection(parent) and name in ("edges", "nodes"):
            return Step(step, PAGE, size=3)
        is_edge = parent.name.endswith("Edge") and name == "node"
        is_row = not is_edge and self._is_row(named)
        if not is_list:
            return Step(step, ROW if is_row else PART, size=2)
        # The list itself is a value too.
        self._steps[step].values += 1
        items = ITEMS.get((parent.name, name), Items())
        how = ROW_LIST if is_row else LIST
        ids = [a for a in node.arguments or () if a.name.value == "ids"]
        page = self._size(ids, most=LARGEST_PAGE, otherwise=1) if ids else None
        return Step(step, how, size=3, page=page, items=items, kind=ROWS.get(items.of or ""))

    def _is_row(self, type_: GraphQLNamedType) -> bool:
        """Return whether objects of a type are rows of their own, which several others may refer to."""
        return not is_object_type(type_) or any(one.name == "Node" for one in type_.interfaces)

    def _size(
        self, arguments: list[ArgumentNode], most: int = LARGEST_PAGE, otherwise: int = DEFAULT_PAGE
    ) -> Size:
        constants, variables = [0], []
        for argument in arguments:
            if isinstance(argument.value, VariableNode):
                name = argument.value.name.value
                index = self._variables.setdefault(name, len(self._variables))
                variables.append((index, self._defaults.get(name)))
            else:
                number = _constant(argument.value)
                constants.append(0 if number is None else min(max(number, 1), most))
        least = max(constants)
        return Size(least if least or variables else otherwise, most, tuple(variables), otherwise)


def _constant(value: ValueNode | None) -> int | None:
    """Return the number that a value in a document says; None for null and for what is no number."""
    if isinstance(value, IntValueNode):
        return int(value.value)
    return len(value.values) if isinstance(value, ListValueNode) else None


def _bytes_of(place: tuple[str, str], type_: GraphQLNamedType) -> int:
    if place in TEXTS:
        return TEXTS[place]
    if is_enum_type(type_):
        return 2 + max(map(len, type_.values))
    return (
        MESSAGE_BYTES if place[1] in ("message", "formula", "method", "source") else BYTES.get(type_.name, 24)
    )

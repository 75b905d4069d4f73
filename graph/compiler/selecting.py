"""From an operation to a selection of rows: plain data, from which `db.reading` writes the statement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    is_abstract_type,
)

from db.pages import Page as PageArguments
from db.reading.selection import (
    Constant,
    Cursor,
    Edges,
    Entry,
    FoundRow,
    Nodes,
    Object,
    OwnRow,
    PageEntry,
    PageFact,
    PageFacts,
    Place,
    Related,
    Root,
    RootEntry,
    SelectedPage,
    Several,
    ShortList,
    TotalCount,
    Value,
)
from graph.compiler.describing import (
    Computed,
    DescribedType,
    Leaf,
    Readables,
    ToFew,
    ToMany,
    ToOne,
)
from graph.compiler.sites import (
    Evaluated,
    Site,
    ids_site,
    page_site,
    value_site,
    variant_site,
    wanted_site,
)

FromSites = Callable[[Sequence[Evaluated]], object]
"""A parameter: takes its value from what a request's sites were evaluated to."""

_PAGE_FACTS = {
    "hasNextPage": PageFact.HAS_NEXT,
    "hasPreviousPage": PageFact.HAS_PREVIOUS,
    "startCursor": PageFact.START_CURSOR,
    "endCursor": PageFact.END_CURSOR,
}


class NotCompiled(Exception):
    """The resolvers have to answer; the message says why."""


@dataclass(frozen=True)
class ComputedPlace:
    """A place that the resolvers fill: the fields of one response key, below a type, or at the root."""

    type_name: str | None
    key: str
    nodes: tuple[FieldNode, ...]


@dataclass
class Selecting:
    """Makes the selection of one operation, for one shape of its variables.

    `number_of` has the number of each site that depends on variables, by its node; `evaluated` what they are.
    """

    readables: Readables
    fragments: Mapping[str, FragmentDefinitionNode]
    number_of: Mapping[int, int]
    evaluated: Sequence[Evaluated]
    places: list[ComputedPlace] = field(default_factory=list)

    def select(self, operation: OperationDefinitionNode) -> Root:
        """Return the selection of a query. Raise NotCompiled."""
        fields = self._collect("Query", [operation.selection_set])
        entries: list[tuple[str, RootEntry]] = []
        for key, nodes in fields.items():
            entries.append((key, self._root(key, nodes)))
        if any(isinstance(entry, Place) for _, entry in entries):
            if not any(isinstance(entry, OwnRow | FoundRow | Several | SelectedPage) for _, entry in entries):
                raise NotCompiled("nothing of it is stored")
        return Root(tuple(entries))

    def _root(self, key: str, nodes: list[FieldNode]) -> RootEntry:
        node, name = nodes[0], nodes[0].name.value
        readables = self.readables
        if name == "__typename":
            return Constant('"Query"')
        if name.startswith("__"):
            raise NotCompiled("introspection")
        if name == "me":
            return OwnRow(self._object("User", nodes))
        definition = readables.schema.query_type.fields[name]  # type: ignore[union-attr]
        if name in readables.lists:
            return self._page(node, nodes, readables.lists[name], definition)
        if name in readables.lookups:
            type_name, lookup = readables.lookups[name]
            _, take = self._evaluate(node, lambda: value_site(readables.arguments, node, definition))
            entity = readables.types[type_name].entity_name
            return FoundRow(entity, lookup, take, self._object(type_name, nodes))
        if name in ("node", "nodes"):
            evaluated, take = self._evaluate(node, lambda: ids_site(readables.arguments, node, definition))
            type_names = cast("tuple[str, ...]", evaluated.shape)
            found = tuple(
                self._node(type_name, nodes, _item(take, number))
                for number, type_name in enumerate(type_names)
            )
            return found[0] if name == "node" else Several(found)
        return self._place(None, key, nodes)

    def _node(self, type_name: str, nodes: list[FieldNode], parameter: FromSites) -> FoundRow:
        described = self.readables.types.get(type_name)
        if described is None or "id" not in described.fields:
            raise NotCompiled(f"there is no type {type_name} with ids")
        return FoundRow(described.entity_name, "id", parameter, self._object(type_name, nodes), marked=True)

    def _object(self, type_name: str, nodes: list[FieldNode]) -> Object:
        described = self.readables.types[type_name]
        entries: list[tuple[str, Entry]] = []
        for key, below in self._fields(type_name, nodes).items():
            entries.append((key, self._entry(described, key, below)))
        return Object(tuple(entries))

    def _entry(self, described: DescribedType, key: str, nodes: list[FieldNode]) -> Entry:
        node, name = nodes[0], nodes[0].name.value
        if name == "__typename":
            return Constant(f'"{described.name}"')
        match described.fields[name]:
            case Leaf(entry, by_argument):
                if by_argument and isinstance(entry, Value):
                    definition = self._definition(described.name, name)
                    site = lambda: variant_site(self.readables.arguments, node, definition)  # noqa: E731
                    evaluated, _ = self._evaluate(node, site)
                    return Value(entry.field, entry.kind, entry.nullable, str(evaluated.shape))
                return entry
            case ToOne(relation, type_name):
                return Related(relation, self._object(type_name, nodes))
            case ToFew(relation, of):
                return ShortList(relation, of if isinstance(of, Value) else self._object(of, nodes))
            case ToMany() as to:
                return self._page(node, nodes, to, self._definition(described.name, name))
            case Computed():
                if "id" not in described.fields:
                    raise NotCompiled(f"{described.name}.{name} is computed, and its type has no ids")
                return self._place(described.name, key, nodes)
        raise AssertionError(name)

    def _definition(self, type_name: str, name: str) -> Any:
        type_ = self.readables.schema.get_type(type_name)
        assert isinstance(type_, GraphQLObjectType)
        return type_.fields[name]

    def _place(self, type_name: str | None, key: str, nodes: list[FieldNode]) -> Place:
        self.places.append(ComputedPlace(type_name, key, tuple(nodes)))
        return Place(len(self.places) - 1)

    def _page(self, node: FieldNode, nodes: list[FieldNode], to: ToMany, definition: Any) -> SelectedPage:
        site = lambda: page_site(self.readables.arguments, node, definition, to)  # noqa: E731
        evaluated, take = self._evaluate(node, site)
        page: PageArguments = evaluated.value
        is_fixed = id(node) not in self.number_of
        keys = range(len(to.many.listing.order))
        return SelectedPage(
            relation=to.relation,
            size=page.limit if is_fixed else _attribute(take, "limit"),
            backward=page.backward,
            after=page.after and tuple(_key(take, "after", number) for number in keys),
            before=page.before and tuple(_key(take, "before", number) for number in keys),
            filters=tuple((name, _filter(take, number)) for number, (name, _) in enumerate(page.filters)),
            entries=self._page_entries(to, nodes),
        )

    def _page_entries(self, to: ToMany, nodes: list[FieldNode]) -> tuple[tuple[str, PageEntry], ...]:
        entries: list[tuple[str, PageEntry]] = []
        for key, below in self._fields(to.type_name, nodes).items():
            match below[0].name.value:
                case "__typename":
                    entries.append((key, Constant(f'"{to.type_name}"')))
                case "nodes":
                    entries.append((key, Nodes(self._object(to.node_type, below))))
                case "edges":
                    entries.append((key, self._edges(to, below)))
                case "pageInfo":
                    entries.append((key, self._page_info(below)))
                case "totalCount":
                    entries.append((key, TotalCount()))
                case name:
                    raise NotCompiled(f"{to.type_name}.{name}")
        return tuple(entries)

    def _edges(self, to: ToMany, nodes: list[FieldNode]) -> Edges:
        entries: list[tuple[str, Constant | Cursor | Object]] = []
        for key, below in self._fields(to.edge_type, nodes).items():
            match below[0].name.value:
                case "__typename":
                    entries.append((key, Constant(f'"{to.edge_type}"')))
                case "cursor":
                    entries.append((key, Cursor()))
                case _:
                    entries.append((key, self._object(to.node_type, below)))
        return Edges(tuple(entries))

    def _page_info(self, nodes: list[FieldNode]) -> PageFacts:
        entries: list[tuple[str, Constant | PageFact]] = []
        for key, below in self._fields("PageInfo", nodes).items():
            name = below[0].name.value
            entries.append((key, Constant('"PageInfo"') if name == "__typename" else _PAGE_FACTS[name]))
        return PageFacts(tuple(entries))

    def _fields(self, type_name: str, nodes: list[FieldNode]) -> dict[str, list[FieldNode]]:
        return self._collect(type_name, [node.selection_set for node in nodes if node.selection_set])

    def _collect(
        self,
        type_name: str,
        selection_sets: Sequence[SelectionSetNode],
        into: dict[str, list[FieldNode]] | None = None,
    ) -> dict[str, list[FieldNode]]:
        """Return the fields by response key, in order: fragments opened, directives applied, keys merged."""
        into = {} if into is None else into
        for selection_set in selection_sets:
            for selection in selection_set.selections:
                if not self._is_wanted(selection):
                    continue
                if isinstance(selection, FieldNode):
                    into.setdefault((selection.alias or selection.name).value, []).append(selection)
                elif self._applies(part := self._part(selection), type_name):
                    self._collect(type_name, [part.selection_set], into)
        return into

    def _part(self, selection: SelectionNode) -> InlineFragmentNode | FragmentDefinitionNode:
        if isinstance(selection, FragmentSpreadNode):
            return self.fragments[selection.name.value]
        assert isinstance(selection, InlineFragmentNode)
        return selection

    def _applies(self, part: InlineFragmentNode | FragmentDefinitionNode, type_name: str) -> bool:
        if part.type_condition is None or part.type_condition.name.value == type_name:
            return True
        schema = self.readables.schema
        on, type_ = schema.get_type(part.type_condition.name.value), schema.get_type(type_name)
        return (
            is_abstract_type(on)
            and isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
            and schema.is_sub_type(on, type_)
        )

    def _is_wanted(self, selection: SelectionNode) -> bool:
        if not selection.directives:
            return True
        evaluated, _ = self._evaluate(selection, lambda: wanted_site(selection), directives=True)
        return bool(evaluated.shape)

    def _evaluate(
        self, node: SelectionNode, site: Callable[[], Site], *, directives: bool = False
    ) -> tuple[Evaluated, FromSites]:
        """Return what a site is evaluated to, and the parameter that takes it from a request."""
        number = self.number_of.get(-id(node) if directives else id(node))
        if number is None:
            constant = site()(None)
            return constant, lambda _: constant.value
        return self.evaluated[number], lambda sites: sites[number].value


def _attribute(take: FromSites, name: str) -> FromSites:
    return lambda sites: getattr(take(sites), name)


def _item(take: FromSites, number: int) -> FromSites:
    return lambda sites: take(sites)[number]  # type: ignore[index]


def _key(take: FromSites, side: str, number: int) -> FromSites:
    return lambda sites: getattr(take(sites), side)[number]


def _filter(take: FromSites, number: int) -> FromSites:
    return lambda sites: take(sites).filters[number][1]  # type: ignore[attr-defined]

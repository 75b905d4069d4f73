"""How the types of a schema are read from entities: given where names differ, and derived otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)
from graphql.execution.values import VariableValues
from strawberry.types.arguments import StrawberryArgument, convert_arguments

from db.entities import Entity, Many
from db.reading.selection import GlobalId, Kind, Value

Filters = Callable[..., Mapping[str, object]]
"""Returns the filters of a list from the other arguments of its field, as Python names them."""

ArgumentsOf = Callable[[FieldNode, GraphQLField, VariableValues | None], dict[str, Any]]
"""Returns a field's arguments as its resolver would get them."""

_KINDS: Mapping[str, Kind] = {
    "Decimal": Kind.DECIMAL,
    "DateTime": Kind.INSTANT,
    "Date": Kind.DATE,
    "LocalTime": Kind.TIME,
    "Int": Kind.INT,
    "Boolean": Kind.BOOL,
    "String": Kind.TEXT,
    "CurrencyCode": Kind.WORD,
}


@dataclass(frozen=True)
class ReadableType:
    """How a GraphQL type is read.

    `names` has the column, figure or relation of a field where it is not the field's own name in snake case;
    with a dot, it is a value of each row of a short list. `ids` has the type of the object that a field of
    type ID names. `words` are fields of type String in which JSON escapes nothing. Fields of `computed` are
    computed in Python.
    """

    entity: str
    names: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, Filters] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Leaf:
    """A value; `by_argument` says that the field's only argument chooses among a figure's variants."""

    entry: Value | GlobalId
    by_argument: bool = False


@dataclass(frozen=True)
class ToOne:
    """A related object of this type."""

    relation: str
    type_name: str


@dataclass(frozen=True)
class ToFew:
    """A short list: of objects of a type, or of values."""

    relation: str
    of: str | Value


@dataclass(frozen=True)
class ToMany:
    """A connection: the types of its nodes, of itself and of its edges, and the list below it."""

    relation: str
    many: Many
    node_type: str
    type_name: str
    edge_type: str
    filters: Filters | None = None


@dataclass(frozen=True)
class Computed:
    """A field that Python computes."""


DescribedField = Leaf | ToOne | ToFew | ToMany | Computed


@dataclass(frozen=True)
class DescribedType:
    """A GraphQL type, the entity that it is read from, and all its fields."""

    name: str
    entity_name: str
    fields: Mapping[str, DescribedField]


@dataclass(frozen=True)
class Readables:
    """All that is read of a schema."""

    schema: GraphQLSchema
    types: Mapping[str, DescribedType]
    lists: Mapping[str, ToMany]
    lookups: Mapping[str, tuple[str, str]]
    arguments: ArgumentsOf


@dataclass(frozen=True)
class Arguments:
    """Converts arguments as Strawberry does, for a schema's scalars and configuration."""

    schema: Any

    def of(self, node: FieldNode, definition: GraphQLField, values: VariableValues | None) -> dict[str, Any]:
        """Return a field's arguments by their names in Python."""
        given = get_argument_values(definition, node, values)
        extension = definition.extensions["strawberry-definition"]
        arguments: list[StrawberryArgument] = extension.arguments
        registry = self.schema.schema_converter.scalar_registry
        return convert_arguments(given, arguments, registry, self.schema.config)


class NotDescribed(Exception):
    """A field of a readable type is neither described nor named as computed: a mistake in the code."""


def describe(
    schema: GraphQLSchema, readables: Mapping[str, ReadableType], entities: Mapping[str, Entity]
) -> Mapping[str, DescribedType]:
    """Return the readable types with all their fields. Raise NotDescribed."""
    described = {}
    for name, readable in readables.items():
        type_ = schema.get_type(name)
        assert isinstance(type_, GraphQLObjectType), name
        entity = entities[readable.entity]
        described[name] = DescribedType(
            name,
            readable.entity,
            {key: _field(name, key, each, readable, entity, readables) for key, each in type_.fields.items()},
        )
    return described


def connection_of(name: str, definition: GraphQLField, many: Many, filters: Filters | None) -> ToMany:
    """Return the description of a connection, from the type of its field."""
    type_ = get_named_type(definition.type)
    assert isinstance(type_, GraphQLObjectType)
    edge = get_named_type(type_.fields["edges"].type)
    assert isinstance(edge, GraphQLObjectType)
    node = get_named_type(edge.fields["node"].type)
    return ToMany(name, many, node.name, type_.name, edge.name, filters)


def _field(
    type_name: str,
    key: str,
    definition: GraphQLField,
    readable: ReadableType,
    entity: Entity,
    readables: Mapping[str, ReadableType],
) -> DescribedField:
    name = readable.names.get(key, snake_case(key))
    named = get_named_type(definition.type)
    if key in readable.computed:
        return Computed()
    if "." in name:
        relation, _, column = name.partition(".")
        return ToFew(relation, Value(column, _kind(named, key in readable.words)))
    if is_leaf_type(named) and (name in entity.listing.columns or name in entity.figures):
        return _leaf(type_name, key, name, definition, readable, entity)
    if name in entity.lists:
        return connection_of(name, definition, entity.lists[name], readable.filters.get(key))
    if named.name in readables and name in entity.few:
        return ToFew(name, named.name)
    if named.name in readables and name in entity.ones:
        return ToOne(name, named.name)
    raise NotDescribed(f"{type_name}.{key}")


def _leaf(
    type_name: str, key: str, name: str, definition: GraphQLField, readable: ReadableType, entity: Entity
) -> Leaf:
    nullable = not isinstance(definition.type, GraphQLNonNull)
    named = get_named_type(definition.type)
    if named.name == "ID" and (key == "id" or key in readable.ids):
        return Leaf(GlobalId(readable.ids.get(key, type_name), name, nullable))
    if is_list_type(get_nullable_type(definition.type)):
        return Leaf(Value(name, Kind.TEXTS, nullable))
    figure = entity.figures.get(name)
    value = Value(name, _kind(named, key in readable.words), nullable)
    return Leaf(value, by_argument=figure is not None and bool(figure.variants))


def _kind(named: GraphQLNamedType, is_word: bool) -> Kind:
    if is_word or isinstance(named, GraphQLEnumType) or named.name == "ID":
        return Kind.WORD
    return _KINDS[named.name]


def snake_case(name: str) -> str:
    """Return a name of GraphQL as it is written in Python and in SQL."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)

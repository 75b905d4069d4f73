"""Documents made from the schema: what a type holds, and the way from the root to every field."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    Undefined,
    get_named_type,
    is_composite_type,
)

from tests.graph.ownership.shape import CURSORS, LEADING, SCHEMA, is_id, valid

HEAVY = frozenset({"RebalancePlan", "Performance"})
"""What costs too much to be asked for beside everything else: the way that ends there asks for it."""

Composite = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True)
class Way:
    """The fields from the root to one that leads to an object, each by its type's name and its own."""

    steps: tuple[tuple[str, str], ...]

    @property
    def last(self) -> GraphQLField:
        """The field that it ends with."""
        type_name, name = self.steps[-1]
        return fields_of(type_name)[name]

    def __str__(self) -> str:
        return ".".join(name for _, name in self.steps)

    def query(
        self, ids: dict[str, str], arguments: dict[str, Any], **cursors: str
    ) -> tuple[str, dict[str, Any]]:
        """The document and its variables: on the way only what is needed, at its end everything."""
        body = "{ reached: __typename " + holds(get_named_type(self.last.type).name, 1) + " }"
        given: dict[str, tuple[str, Any]] = {}
        for depth, (type_name, name) in reversed(list(enumerate(self.steps))):
            field = fields_of(type_name)[name]
            # Short pages on the way, or the server would refuse the whole for its cost.
            values = required(name, field, ids) | ({"first": 20} if "first" in field.args else {})
            if depth == len(self.steps) - 1:
                values |= {**arguments, **cursors}
            names = {argument: f"{argument}_{depth}" for argument in values}
            given.update({names[a]: (str(field.args[a].type), value) for a, value in values.items()})
            passed = ", ".join(f"{argument}: ${variable}" for argument, variable in names.items())
            body = f"{{ {name}{f'({passed})' if passed else ''} {body} }}"
        declared = ", ".join(f"${name}: {type_}" for name, (type_, _) in given.items())
        return f"query{f'({declared})' if declared else ''} {body}", {n: v for n, (_, v) in given.items()}


def fields_of(type_name: str) -> dict[str, GraphQLField]:
    """The fields of an object or an interface."""
    type_ = SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType), type_name
    fields: dict[str, GraphQLField] = type_.fields
    return fields


def required(name: str, field: GraphQLField, ids: dict[str, str]) -> dict[str, Any]:
    """What the field cannot be asked without."""
    needed = {
        n: a
        for n, a in field.args.items()
        if (n in LEADING or (str(a.type).endswith("!") and a.default_value is Undefined)) and not is_id(n, a)
    }
    return valid(name, needed, ids)


def optional(type_name: str, name: str, ids: dict[str, str]) -> dict[str, Any]:
    """Every argument but ids and cursors, each with a sample value."""
    arguments = fields_of(type_name)[name].args.items()
    known = {n: a for n, a in arguments if n not in CURSORS and not is_id(n, a)}
    return valid(f"{type_name}.{name}", known, ids)


def holds(type_name: str, depth: int) -> str:
    """A selection of all that the type holds, through objects as deep as that."""
    type_ = SCHEMA.type_map[type_name]
    parts = ["__typename"]
    for name, field in fields_of(type_name).items():
        inner = get_named_type(field.type)
        if not is_composite_type(inner):
            parts.append(name)
        elif inner.name in HEAVY:
            continue
        elif depth > 0 or inner.name == "PageInfo":
            # A page has no depth of its own: a list counts as one step.
            step = 0 if type_name.endswith(("Connection", "Edge")) else 1
            few = "(first: 3)" if "first" in field.args else ""
            parts.append(f"{name}{few} {{ {holds(inner.name, depth - step)} }}")
    if isinstance(type_, GraphQLInterfaceType):
        own = set(type_.fields)
        for kind in SCHEMA.get_possible_types(type_):
            more = [
                n
                for n, f in kind.fields.items()
                if n not in own and not is_composite_type(get_named_type(f.type))
            ]
            if type_name != "Node" and more:
                parts.append(f"... on {kind.name} {{ {' '.join(more)} }}")
    return " ".join(parts)


def ways() -> Iterator[Way]:
    """The shortest way from the root to every field that leads to objects, each once."""
    found: set[str] = {"Query"}
    waiting: deque[tuple[str, Way]] = deque([("Query", Way(()))])
    while waiting:
        type_name, way = waiting.popleft()
        for name, field in fields_of(type_name).items():
            inner = get_named_type(field.type)
            # By an id one comes straight to a type: that has a test of its own. Edges lead where nodes do.
            if (
                not is_composite_type(inner)
                or name == "edges"
                or any(is_id(n, a) for n, a in field.args.items())
            ):
                continue
            here = Way((*way.steps, (type_name, name)))
            # What a list consists of is in the selection of the list itself.
            if not type_name.endswith("Connection"):
                yield here
            if inner.name not in found:
                found.add(inner.name)
                waiting.append((inner.name, here))

"""Random queries of a schema: aliases, merged fields, fragments, directives, variables, pages and filters."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

PAGE_SIZES = (1, 2, 3, 7, 50)


@dataclass
class Pool:
    """What documents may name: ids, cursors by the name of their list, symbols, and days."""

    ids: Sequence[str]
    cursors: Mapping[str, Sequence[str]]
    symbols: Sequence[str]
    days: Sequence[str] = ("2020-01-01", "2024-03-01", "2025-06-30", "2026-11-30")


@dataclass
class Document:
    """A query under construction."""

    random: random.Random
    schema: GraphQLSchema
    pool: Pool
    skipped: Callable[[str, str], bool]
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    _cursors: Sequence[str] = ()

    def text(self, depth: int) -> str:
        """The text of a whole query; its variables are in `variables`."""
        query = self.schema.query_type
        assert query is not None
        roots = [self._root(query) for _ in range(self.random.choice((1, 1, 1, 2)))]
        types = [get_named_type(query.fields[root.partition("(")[0]].type) for root in roots]
        body = " ".join(
            f"r{number}: {root}{self._selection(type_, depth)}"
            for number, (root, type_) in enumerate(zip(roots, types, strict=True))
        )
        declared = f"query({', '.join(self.declared)}) " if self.declared else ""
        return f"{declared}{{ {body} }}" + "".join(self.fragments)

    @staticmethod
    def is_found(body: bytes) -> bool:
        """Whether nothing that the answer was asked for by its id is missing."""
        return b"null,{" not in body and b'":null}}' not in body

    def _root(self, query: GraphQLObjectType) -> str:
        name = self.random.choice(("me", "me", "me", "node", "nodes", "instrument", "instruments"))
        return name + self._arguments(name, query.fields[name])

    def _selection(self, type_: Any, depth: int) -> str:
        if type_.name == "Node":
            parts = [
                f"... on {name} {self._selection(self.schema.get_type(name), depth)}"
                for name in ("Account", "Portfolio", "Position", "Transaction", "Instrument", "Alert", "User")
            ]
            return "{ id __typename " + " ".join(parts) + " }"
        fields = [
            name
            for name, each in type_.fields.items()
            if not self.skipped(type_.name, name) and (depth > 0 or is_leaf_type(get_named_type(each.type)))
        ]
        chosen = self.random.sample(fields, min(len(fields), self.random.randint(1, 6)))
        parts = [self._field(type_, name, depth) for name in chosen]
        if self.random.random() < 0.2 or not parts:
            parts.append("__typename")
        return "{ " + " ".join(self._wrapped(type_, part) for part in parts) + " }"

    def _field(self, type_: GraphQLObjectType, name: str, depth: int) -> str:
        definition = type_.fields[name]
        named = get_named_type(definition.type)
        text = name + self._arguments(name, definition)
        if not is_leaf_type(named):
            text += self._selection(named, depth - 1)
        if self.random.random() < 0.15 or definition.args:
            # Fields with arguments get keys of their own: others of the same key could not be merged.
            text = f"a{self.random.randrange(10**6)}: {text}"
        return text

    def _wrapped(self, type_: GraphQLObjectType, part: str) -> str:
        chance = self.random.random()
        if chance < 0.06:
            return f"... {{ {part} }}"
        if chance < 0.12:
            return f"... on {type_.name} {{ {part} }}"
        if chance < 0.16 and any(each.name == "Node" for each in type_.interfaces):
            return f"{part} ... on Node {{ id }}"
        if chance < 0.22:
            name = f"F{len(self.fragments)}"
            self.fragments.append(f" fragment {name} on {type_.name} {{ {part} }}")
            return f"...{name}"
        if chance < 0.30:
            word, value = self.random.choice(("include", "skip")), self.random.random() < 0.6
            given = self._variable("Boolean!", value) if self.random.random() < 0.5 else str(value).lower()
            return f"... @{word}(if: {given}) {{ {part} }}"
        return part

    def _arguments(self, field_name: str, definition: GraphQLField) -> str:
        given = []
        names = set(definition.args)
        if "first" in names:
            forward = self.random.random() < 0.7
            names -= {"last", "before"} if forward else {"first", "after"}
        for name in sorted(names):
            argument = definition.args[name]
            if name in ("after", "before"):
                self._cursors = self.pool.cursors.get(field_name, ())
                if self.random.random() < 0.02:
                    self._cursors = [each for some in self.pool.cursors.values() for each in some]
                if not self._cursors:
                    continue
            required = isinstance(argument.type, GraphQLNonNull) and name in ("id", "ids", "symbol")
            if required or self.random.random() < 0.4:
                given.append(f"{name}: {self._argument(name, argument)}")
        return f"({', '.join(given)})" if given else ""

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        value = self._value(name, argument.type)
        if self.random.random() < 0.4:
            return self._variable(str(argument.type), value)
        return self._literal(argument.type, value)

    def _variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self.declared)}"
        self.declared.append(f"${name}: {type_}")
        self.variables[name] = value
        return f"${name}"

    def _value(self, name: str, type_: Any) -> Any:
        pool, choose = self.pool, self.random.choice
        nullable = get_nullable_type(type_)
        if nullable is type_ and self.random.random() < 0.1:
            return None
        if is_list_type(nullable):
            return [self._value(name, nullable.of_type) for _ in range(self.random.randint(0, 3))]
        named = get_named_type(type_)
        if isinstance(named, GraphQLEnumType):
            return choose(list(named.values))
        if isinstance(named, GraphQLInputObjectType):
            fields = [each for each in named.fields if self.random.random() < 0.4]
            return {each: self._value(each, named.fields[each].type) for each in fields}
        match named.name:
            case "Int":
                return choose(PAGE_SIZES)
            case "Boolean":
                return choose((True, False))
            case "ID":
                return choose(pool.ids)
            case "Date":
                return choose(pool.days)
            case "DateTime":
                return f"{choose(pool.days)}T12:00:00Z"
            case "Decimal":
                return choose(("0", "0.03"))
        if name in ("after", "before"):
            return choose(self._cursors)
        return choose(pool.symbols) if name in ("symbol", "symbols") else choose(("a", "A", "e", "%", ""))

    def _literal(self, type_: Any, value: Any) -> str:
        nullable = get_nullable_type(type_)
        if value is None:
            return "null"
        if isinstance(value, list):
            return f"[{', '.join(self._literal(nullable.of_type, each) for each in value)}]"
        named = get_named_type(type_)
        if isinstance(named, GraphQLInputObjectType):
            parts = (
                f"{name}: {self._literal(named.fields[name].type, each)}" for name, each in value.items()
            )
            return f"{{{', '.join(parts)}}}"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int) or isinstance(named, GraphQLEnumType):
            return str(value)
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

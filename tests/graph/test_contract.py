"""The schema against the contract that clients rely on, and against its own rules."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    find_breaking_changes,
    get_named_type,
    is_interface_type,
    is_introspection_type,
    is_non_null_type,
    is_specified_scalar_type,
    print_ast,
    print_schema,
)
from graphql import build_schema as parse_schema

from db.codes import UserErrorCode
from graph.schema import build_schema
from graph.user_errors import USER_ERRORS

ROOT = Path(__file__).parent.parent.parent

MARK = re.compile(r"\[(\w+)\]")
TO_COME = frozenset({"account", "brokers", "currencies", "dashboard"})
"""Marks of the contract whose names come with work that is not done yet."""


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema()._schema


def test_the_contract_is_kept(schema: GraphQLSchema) -> None:
    contract = parse_schema((ROOT / "tests" / "contract.graphql").read_text())
    missing = {change.description for change in find_breaking_changes(contract, schema)}
    marked = {coordinate for coordinate, mark in _marks(contract) if mark in TO_COME}
    to_come = marked | (set(contract.type_map) - _reached(contract, marked))
    assert {text for text in missing if not _coordinates(text) & to_come} == set()


def test_the_defaults_of_inputs_are_kept(schema: GraphQLSchema) -> None:
    contract = parse_schema((ROOT / "tests" / "contract.graphql").read_text())
    marked = {coordinate for coordinate, mark in _marks(contract) if mark in TO_COME}
    inputs = [type for type in contract.type_map.values() if isinstance(type, GraphQLInputObjectType)]
    due = {
        f"{type.name}.{name}": field.ast_node.default_value
        for type in inputs
        for name, field in type.fields.items()
        if not {type.name, f"{type.name}.{name}"} & marked
    }
    printed = parse_schema(print_schema(schema))
    for coordinate, default in due.items():
        type_name, name = coordinate.split(".")
        type = printed.type_map[type_name]
        assert isinstance(type, GraphQLInputObjectType)
        given = type.fields[name].ast_node.default_value
        # Null by default is as good as no default.
        texts = [None if node is None else print_ast(node) for node in (default, given)]
        assert texts[0] == (None if texts[1] == "null" else texts[1]), coordinate


def test_every_mark_of_the_contract_is_known() -> None:
    contract = parse_schema((ROOT / "tests" / "contract.graphql").read_text())
    assert {mark for _, mark in _marks(contract)} >= TO_COME


def _marks(contract: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """The coordinate of each name whose description begins with a mark, and the mark."""
    for place, description in _descriptions(contract):
        if mark := MARK.match(description or ""):
            yield place, mark[1]


def _reached(contract: GraphQLSchema, marked: Collection[str]) -> set[str]:
    """Return the types that unmarked names lead to: what only a marked name leads to comes with that."""
    roots = (contract.query_type, contract.mutation_type, contract.subscription_type)
    waiting: list[GraphQLNamedType] = [root for root in roots if root is not None]
    found: set[str] = set()
    while waiting:
        type = waiting.pop()
        if type.name in found or type.name in marked:
            continue
        found.add(type.name)
        if is_interface_type(type):
            waiting += contract.get_implementations(type).objects
        for name, field in getattr(type, "fields", {}).items():
            if f"{type.name}.{name}" not in marked:
                waiting.append(get_named_type(field.type))
                waiting += [get_named_type(argument.type) for argument in getattr(field, "args", {}).values()]
    return found


def _coordinates(change: str) -> set[str]:
    """The schema coordinates that a change's text names, each with the type that it belongs to."""
    found = set(re.findall(r"\w+\.\w+\(\w+|\w+\.\w+|\w+", change))
    found = {name + ")" if "(" in name else name for name in found}
    return found | {name.split(".")[0] for name in found}


def test_the_exported_schema_is_current() -> None:
    exported = (ROOT / "schema.graphql").read_text()
    assert exported == build_schema().as_str() + "\n", "run: python3 run.py export-schema"


def test_every_mutation_takes_one_input(schema: GraphQLSchema) -> None:
    assert schema.mutation_type is not None
    kinds = {}
    for name, field in schema.mutation_type.fields.items():
        assert list(field.args) == ["input"], name
        kinds[name] = str(field.args["input"].type)
    shared = {"deposit": "CashInput!", "withdraw": "CashInput!"}
    assert kinds == {name: f"{name[0].upper()}{name[1:]}Input!" for name in kinds} | shared


def test_a_field_that_fails_blanks_no_other(schema: GraphQLSchema) -> None:
    """A root field that may not be null would take all the others' answers with it."""
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        assert [name for name, field in root.fields.items() if is_non_null_type(field.type)] == []


def test_fractions_are_not_percent(schema: GraphQLSchema) -> None:
    assert [place for place, _ in _descriptions(schema) if "percent" in place.lower()] == []


def test_json_is_for_the_audit_log_alone(schema: GraphQLSchema) -> None:
    fields = [
        f"{type.name}.{name}"
        for type in schema.type_map.values()
        for name, field in getattr(type, "fields", {}).items()
        if get_named_type(field.type).name == "JSON"
    ]
    assert fields == ["AuditEntry.details"]


def test_what_has_a_symbol_has_its_instrument(schema: GraphQLSchema) -> None:
    objects = [type for type in schema.type_map.values() if isinstance(type, GraphQLObjectType)]
    without = {type.name for type in objects if "symbol" in type.fields and "instrument" not in type.fields}
    # The instrument itself, and the one that there is not.
    assert without == {"Instrument", "UnknownInstrument"}


def test_scalars_say_where_they_are_specified(schema: GraphQLSchema) -> None:
    scalars = [type for type in schema.type_map.values() if isinstance(type, GraphQLScalarType)]
    own = {type.name: type.specified_by_url for type in scalars if not is_specified_scalar_type(type)}
    assert sorted(own) == ["CurrencyCode", "Date", "DateTime", "Decimal", "JSON", "LocalTime"]
    assert [name for name, url in own.items() if not (url or "").startswith("https://")] == []


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in USER_ERRORS]
    assert sorted(codes) == sorted(UserErrorCode)


def test_everything_is_described(schema: GraphQLSchema) -> None:
    assert [place for place, description in _descriptions(schema) if not (description or "").strip()] == []


def test_amounts_never_go_through_a_float(schema: GraphQLSchema) -> None:
    assert "Float" not in schema.type_map


def _descriptions(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    for name, type in schema.type_map.items():
        if is_introspection_type(type) or is_specified_scalar_type(type):
            continue
        yield name, type.description
        if isinstance(type, GraphQLEnumType):
            for value_name, value in type.values.items():
                yield f"{name}.{value_name}", value.description
        elif isinstance(type, GraphQLInputObjectType):
            for field_name, input_field in type.fields.items():
                yield f"{name}.{field_name}", input_field.description
        elif isinstance(type, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in type.fields.items():
                yield f"{name}.{field_name}", field.description
                for argument_name, argument in field.args.items():
                    yield f"{name}.{field_name}({argument_name})", argument.description

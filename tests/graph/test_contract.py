"""The schema against the contract that clients rely on, and against its own rules."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    find_breaking_changes,
    is_introspection_type,
    is_specified_scalar_type,
)
from graphql import build_schema as parse_schema

from graph.schema import build_schema

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema()._schema


def test_the_contract_is_kept(schema: GraphQLSchema) -> None:
    contract = parse_schema((ROOT / "tests" / "contract.graphql").read_text())
    assert {change.description for change in find_breaking_changes(contract, schema)} == set()


def test_the_exported_schema_is_current() -> None:
    exported = (ROOT / "schema.graphql").read_text()
    assert exported == build_schema().as_str() + "\n", "run: python3 run.py export-schema"


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

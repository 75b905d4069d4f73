"""Build input objects quickly whose fields are all scalars or enums.

Strawberry resolves the type of each field anew for each request, which for a trade takes as long as writing
its SQL. Where no field has to be converted, a mapping of names is all there is to do.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry.scalars import is_scalar
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField


def build_flat_inputs_quickly(schema: strawberry.Schema) -> list[str]:
    """Let all flat inputs of a schema be built from their values as they are; return the names of these."""
    found = []
    for name, type_ in schema.schema_converter.type_map.items():
        definition = type_.definition
        if isinstance(definition, StrawberryObjectDefinition) and definition.is_input:
            if all(_is_flat(schema, definition, field) for field in definition.fields):
                definition.from_input = _FromInput(schema, definition)
                found.append(name)
    return sorted(found)


class _FromInput:
    """Builds one input type as Strawberry would: what is missing has its default, or is None without one."""

    def __init__(self, schema: strawberry.Schema, definition: StrawberryObjectDefinition) -> None:
        name_of = schema.config.name_converter.from_field
        self._names = tuple((name_of(field), field.python_name) for field in definition.fields)
        self._missing = dict.fromkeys(
            field.python_name
            for field in definition.fields
            if field.default_value is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )

    def __call__(self, type_: type, value: Mapping[str, Any], _: InputContext) -> Any:
        given = {python_name: value[name] for name, python_name in self._names if name in value}
        return type_(**{**self._missing, **given})


def _is_flat(
    schema: strawberry.Schema, definition: StrawberryObjectDefinition, field: StrawberryField
) -> bool:
    type_ = field.resolve_type(type_definition=definition)
    if isinstance(type_, StrawberryMaybe):
        return False
    if isinstance(type_, StrawberryOptional):
        type_ = type_.of_type
    return (
        is_scalar(type_, schema.schema_converter.scalar_registry)
        or isinstance(type_, StrawberryEnumDefinition)
        or isinstance(getattr(type_, "__strawberry_definition__", None), StrawberryEnumDefinition)
    )

"""Flat inputs are the same objects as those that Strawberry builds field by field."""

from itertools import product
from typing import Any

from strawberry import UNSET
from strawberry.types.arguments import convert_argument

from graph.inputs import build_flat_inputs_quickly
from graph.schema import build_schema


def test_flat_inputs() -> None:
    """With all fields, with none and with each alone, left out, null or given."""
    schema = build_schema()
    registry, name_of = schema.schema_converter.scalar_registry, schema.config.name_converter.from_field
    flat = build_flat_inputs_quickly(schema)
    assert {"RecordTransactionInput", "PlaceOrderInput", "CancelOrderInput", "CashInput"} <= set(flat)
    for name in flat:
        definition: Any = schema.schema_converter.type_map[name].definition
        fields = [name_of(field) for field in definition.fields]
        quick = definition.from_input
        for field, value in product([*fields, None], ["text", None, UNSET]):
            for rest in ({}, dict.fromkeys(fields, "other")):
                given: dict[str, Any] = {**rest, **({} if field is None else {field: value})}
                found = []
                for way in (quick, None):
                    definition.from_input = way
                    found.append(vars(convert_argument(given, definition.origin, registry, schema.config)))
                assert found[0] == found[1]
        definition.from_input = quick


def test_other_inputs_are_left_alone() -> None:
    """Those with a list or with another input among their fields."""
    assert not {"ImportTransactionsInput", "CreateWatchlistInput"} & set(
        build_flat_inputs_quickly(build_schema())
    )

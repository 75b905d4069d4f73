"""The types of rows have the columns of their statements, as PostgreSQL describes these."""

from __future__ import annotations

import datetime as dt
import re
import types
import typing
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db.canonical import DecimalText, JsonObject
from db.pages import Listing
from tests.db.owners.calls import functions, listings, statements
from tests.db.owners.recording import Sent

# A connection for reading gives decimals as text, any other as Decimal: tests/db/test_sessions.py.
TYPES: dict[str, tuple[Any, ...]] = {
    "bool": (bool,),
    "bytea": (bytes,),
    "date": (dt.date,),
    "int4": (int,),
    "int8": (int,),
    "jsonb": (JsonObject,),
    "numeric": (Decimal, DecimalText),
    "text": (str,),
    "time": (dt.time,),
    "timestamptz": (dt.datetime,),
    "uuid": (UUID,),
}


WITHOUT_ID = {"LEGS", "LOT_USES", "PRICE_BARS"}


def _described(type: asyncpg.Type) -> tuple[str, bool]:
    """Return the name of a type, or of its elements, and whether it is an array."""
    return type.name.removesuffix("[]"), type.kind == "array"


def _fits(hint: Any, type: asyncpg.Type) -> bool:
    """Return whether values of the type have the hint, which may also allow null."""
    some = [one for one in _alternatives(hint) if one is not types.NoneType]
    name, is_array = _described(type)
    if is_array:
        some = [one for each in some for one in _alternatives(typing.get_args(each)[0])]
    return any(one in TYPES[name] for one in some if one is not types.NoneType)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    return typing.get_args(hint) if is_union else (hint,)


def row_types(hint: Any) -> set[Any]:
    """Return the types of rows within a type."""
    if typing.is_typeddict(hint):
        return {hint}
    return {one for part in typing.get_args(hint) for one in row_types(part)}


@pytest.fixture(scope="module")
async def sent() -> list[Sent]:
    return await statements()


@pytest.fixture
async def connection(owner_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    opened = await asyncpg.connect(owner_url)
    yield opened
    await opened.close()


async def test_rows_have_the_columns_of_their_statements(
    connection: asyncpg.Connection[asyncpg.Record], sent: list[Sent]
) -> None:
    kinds: dict[str, set[Any]] = {
        function.name: row_types(typing.get_type_hints(function.call).get("return"))
        for function in functions()
    }
    kinds |= {name: {listing.row} for name, listing in listings() if isinstance(listing, Listing)}
    different = []
    matched: dict[str, set[str]] = {}
    for caller, sql in dict.fromkeys((one.caller, one.sql) for one in sent):
        for kind in kinds.get(caller, ()):
            columns = await _columns_of(connection, sql)
            if columns is None:
                assert caller.rpartition(".")[2] in WITHOUT_ID
                continue
            hints = typing.get_type_hints(kind)
            key = f"{caller} {kind.__name__}"
            # A function may send more than what its rows come from.
            if set(columns) != set(hints):
                matched.setdefault(key, set(columns) ^ set(hints))
                continue
            matched[key] = set()
            different += [
                f"{kind.__name__}.{name}: {hints[name]} is {type.name}"
                for name, type in columns.items()
                if not _fits(hints[name], type)
            ]
    assert different == []
    assert {key: different for key, different in matched.items() if different} == {}
    assert len(matched) > 60


async def _columns_of(
    connection: asyncpg.Connection[asyncpg.Record], sql: str
) -> dict[str, asyncpg.Type] | None:
    """Return the columns that a statement returns; None for a list that is asked for an id and has none."""
    try:
        # Whatever stands for several values is one here.
        statement = await connection.prepare(re.sub(r"__\[POSTCOMPILE_\w+\]", "NULL", sql))
    except asyncpg.UndefinedColumnError:
        return None
    columns = {attribute.name: attribute.type for attribute in statement.get_attributes()}
    columns.pop("parent_id", None)
    return columns

"""Instruments and quotes in bulk, within a load of price bars."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.ids import uuid7
from db.market.bars import BarLoad
from db.market.splits import FOLLOW_QUOTES
from db.market.ticks import IN_ITS_UNITS, PREVIOUS
from db.vocabulary import AssetClass, PriceBasis

_NEW_INSTRUMENT = """
INSERT INTO instruments (id, owner_id, symbol, name, asset_class, currency, exchange, price_basis)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_KNOWN = """
SELECT symbol, price_basis, ARRAY(SELECT date FROM price_bars WHERE instrument_id = i.id) AS dates
FROM instruments i
WHERE symbol = ANY($1) AND owner_id IS NOT DISTINCT FROM $2::uuid
"""

_PRESENT = """
SELECT DISTINCT ON (former) former, symbol
FROM instruments, unnest(former_symbols) former
WHERE former = ANY($1) AND owner_id IS NULL
  AND NOT EXISTS (SELECT FROM instruments taken WHERE taken.symbol = former AND taken.owner_id IS NULL)
ORDER BY former, id DESC
"""

_NEWEST = """
SELECT i.id AS instrument_id, newest.close, newest.date
FROM instruments i
CROSS JOIN LATERAL (
    SELECT close, date FROM price_bars WHERE instrument_id = i.id ORDER BY date DESC LIMIT 1
) newest
WHERE i.symbol = ANY($1) AND i.owner_id IS NOT DISTINCT FROM $2::uuid
"""

# The same instant with another price is a corrected bar; an older instant never replaces a newer one.
_QUOTE = f"""
INSERT INTO quotes AS q (instrument_id, price, as_of, owner_id)
SELECT new.*, $4::uuid FROM unnest($1::uuid[], $2::numeric[], $3::timestamptz[]) new
ON CONFLICT (instrument_id) DO UPDATE SET price = excluded.price, as_of = excluded.as_of,
    previous_price = {PREVIOUS}, units_of = NULL
WHERE q.as_of < excluded.as_of OR (q.as_of = excluded.as_of AND q.price <> {IN_ITS_UNITS})
"""


class NewInstrument(NamedTuple):
    """The initial values of an instrument; `db.models.market.Instrument` describes each."""

    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    exchange: str | None
    price_basis: PriceBasis


class KnownInstrument(NamedTuple):
    """A stored instrument, and the days that it has bars for."""

    price_basis: PriceBasis
    dates: frozenset[dt.date]


class NewestBar(NamedTuple):
    """The last stored close of an instrument."""

    instrument_id: UUID
    close: Decimal
    date: dt.date


async def known_instruments(load: BarLoad, symbols: Sequence[str]) -> dict[str, KnownInstrument]:
    """Return those of the symbols that are stored already."""
    rows = await load.connection.fetch(_KNOWN, symbols, load.owner_id)
    return {
        row["symbol"]: KnownInstrument(PriceBasis(row["price_basis"]), frozenset(row["dates"]))
        for row in rows
    }


async def present_symbols(load: BarLoad, former: Sequence[str]) -> dict[str, str]:
    """Return the present symbols of renamed instruments, by former symbol.

    Former symbols that another instrument has by now are left out.
    """
    return {row["former"]: row["symbol"] for row in await load.connection.fetch(_PRESENT, former)}


async def stored_bases(load: BarLoad) -> dict[str, PriceBasis]:
    """Return what the closes of each instrument that has any are adjusted for."""
    rows = await load.connection.fetch(
        "SELECT symbol, price_basis FROM instruments i WHERE owner_id IS NOT DISTINCT FROM $1::uuid "
        "AND (price_basis <> 'RAW' OR EXISTS (SELECT FROM price_bars b WHERE b.instrument_id = i.id))",
        load.owner_id,
    )
    return {row["symbol"]: PriceBasis(row["price_basis"]) for row in rows}


async def set_basis(load: BarLoad, symbols: Iterable[str], basis: PriceBasis) -> None:
    """Note what the closes of these instruments, which have none yet, are adjusted for."""
    await load.connection.execute(
        "UPDATE instruments SET price_basis = $2 WHERE symbol = ANY($1) AND price_basis <> $2 "
        "AND owner_id IS NOT DISTINCT FROM $3::uuid",
        list(symbols),
        basis.value,
        load.owner_id,
    )


async def staged_symbols(load: BarLoad) -> dict[str, bool]:
    """Return the symbols of the staged bars, in order, and whether each is known."""
    rows = await load.connection.fetch(
        "SELECT s.symbol, i.id IS NOT NULL AS known FROM (SELECT DISTINCT symbol FROM staged_bars) s "
        "LEFT JOIN instruments i ON i.symbol = s.symbol AND i.owner_id IS NOT DISTINCT FROM $1::uuid "
        "ORDER BY s.symbol",
        load.owner_id,
    )
    return {row["symbol"]: row["known"] for row in rows}


async def add_instruments(load: BarLoad, instruments: Iterable[NewInstrument]) -> None:
    """Add instruments, none of which may exist already."""
    rows = [(uuid7(), load.owner_id, *instrument) for instrument in instruments]
    await load.connection.executemany(_NEW_INSTRUMENT, rows)


async def shared_symbols(load: BarLoad, symbols: Sequence[str]) -> frozenset[str]:
    """Return those of the symbols that shared instruments have."""
    rows = await load.connection.fetch(
        "SELECT symbol FROM instruments WHERE symbol = ANY($1) AND owner_id IS NULL", symbols
    )
    return frozenset(row["symbol"] for row in rows)


async def count_own(load: BarLoad) -> int:
    """Return how many instruments the load's owner has, and keep others from adding one meanwhile."""
    await load.connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", load.owner_id)
    count: int = await load.connection.fetchval(
        "SELECT count(*) FROM instruments WHERE owner_id = $1", load.owner_id
    )
    return count


async def newest_bars(load: BarLoad, symbols: Sequence[str]) -> list[NewestBar]:
    """Return the newest stored bar of each instrument that has any."""
    return [NewestBar(*row) for row in await load.connection.fetch(_NEWEST, symbols, load.owner_id)]


async def update_quotes(load: BarLoad, quotes: Sequence[tuple[UUID, Decimal, dt.datetime]]) -> int:
    """Replace quotes (instrument, price, as of) by newer ones, or add them; return how many were written."""
    ids, prices, instants = ([quote[field] for quote in quotes] for field in range(3))
    tag = await load.connection.execute(_QUOTE, ids, prices, instants, load.owner_id)
    # A close from before a split that has taken effect.
    await load.connection.execute(FOLLOW_QUOTES)
    return int(tag.rpartition(" ")[2])

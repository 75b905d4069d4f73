"""Writing ticks, which replace quotes, and reading the quotes that have changed since a mark."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from db.market.splits import MARKET_TODAY, QUOTE_UNITS
from db.sessions import Row, Session, Sessions


class Tick(NamedTuple):
    """An incoming price, in the instrument's currency.

    `previous_price` is the last one of the trading day before, for a feed that knows it; if left out, it
    follows from the quote that is replaced. `owner_id` is the owner whose own instrument the symbol means,
    None for the shared one.
    """

    symbol: str
    price: Decimal
    as_of: dt.datetime
    previous_price: Decimal | None = None
    owner_id: UUID | None = None


class QuoteRow(NamedTuple):
    """A stored quote."""

    instrument_id: UUID
    symbol: str
    price: Decimal
    as_of: dt.datetime
    previous_price: Decimal | None
    time_zone: str = "America/New_York"
    """The time zone of the instrument's trading days."""


MARKET_ZONE = "CASE WHEN i.asset_class = 'CRYPTO' THEN 'UTC' ELSE 'America/New_York' END"
"""The time zone of the trading days of an instrument `i`, in SQL.

What is traded around the clock has UTC's days.
"""

_DAY = "(excluded.as_of AT TIME ZONE 'America/New_York')::date"

# The last price of the trading day before, unless that is older than a long weekend with holidays, for a
# share that the new price is for.
PREVIOUS = f"""round(restated(CASE
    WHEN (SELECT (q.as_of AT TIME ZONE z.zone)::date = (excluded.as_of AT TIME ZONE z.zone)::date
          FROM (SELECT {MARKET_ZONE} AS zone FROM instruments i WHERE i.id = q.instrument_id) z)
    THEN q.previous_price
    WHEN excluded.as_of < q.as_of + interval '10 days' THEN q.price
END, q.instrument_id, {QUOTE_UNITS}, coalesce(excluded.units_of, {_DAY})), 10)"""

IN_ITS_UNITS = f"round(restated(excluded.price, q.instrument_id, {_DAY}, coalesce(q.units_of, {_DAY})), 10)"
"""A new price as one for the share that the quote `q` is for, in SQL."""

# A tick from before a split that arrives after the split has taken effect is one for a share of today.
_SAVE = f"""
WITH given AS (
    SELECT i.id, i.symbol, i.owner_id, g.as_of, s.units_of, {MARKET_ZONE} AS time_zone,
           round(restated(g.price, i.id, d.day, coalesce(s.units_of, d.day)), 10) AS price,
           round(restated(g.previous_price, i.id, d.day, coalesce(s.units_of, d.day)), 10) AS previous_price
    FROM unnest(CAST(:symbols AS text[]), CAST(:prices AS numeric[]), CAST(:instants AS timestamptz[]),
                CAST(:previous AS numeric[]), CAST(:owners AS uuid[]))
        AS g(symbol, price, as_of, previous_price, owner_id)
    JOIN instruments i ON i.symbol = g.symbol AND i.owner_id IS NOT DISTINCT FROM g.owner_id
    CROSS JOIN LATERAL (SELECT (g.as_of AT TIME ZONE 'America/New_York')::date AS day) d
    LEFT JOIN LATERAL (
        SELECT max(x.ex_date) AS units_of FROM instrument_splits x
        WHERE x.instrument_id = i.id AND x.ex_date > d.day AND x.ex_date <= {MARKET_TODAY}
    ) s ON true
), saved AS (
    INSERT INTO quotes AS q (instrument_id, price, as_of, previous_price, units_of, owner_id)
    SELECT id, price, as_of, previous_price, units_of, owner_id FROM given ORDER BY id
    ON CONFLICT (instrument_id) DO UPDATE SET price = excluded.price, as_of = excluded.as_of,
        previous_price = coalesce(excluded.previous_price, {PREVIOUS}), units_of = excluded.units_of
    WHERE q.as_of < excluded.as_of
    RETURNING q.instrument_id, q.price, q.as_of, q.previous_price
)
SELECT g.symbol, s.instrument_id, s.price, s.as_of, s.previous_price, g.time_zone
FROM given g LEFT JOIN saved s ON s.instrument_id = g.id
"""


class Saved(NamedTuple):
    """The result of saving ticks: the quotes that they replaced, and the unknown symbols."""

    quotes: Sequence[QuoteRow]
    unknown: frozenset[str]


async def save_ticks(session: Session, ticks: Sequence[Tick]) -> Saved:
    """Save the ticks as quotes, at most one per symbol; ignore one that is not newer than its quote."""
    symbols = [tick.symbol for tick in ticks]
    columns = {
        "symbols": symbols,
        "prices": [tick.price for tick in ticks],
        "instants": [tick.as_of for tick in ticks],
        "previous": [tick.previous_price for tick in ticks],
        "owners": [tick.owner_id for tick in ticks],
    }
    rows = (await session.execute(text(_SAVE), columns)).all()
    quotes = [
        QuoteRow(row.instrument_id, row.symbol, row.price, row.as_of, row.previous_price, row.time_zone)
        for row in rows
        if row.instrument_id is not None
    ]
    return Saved(quotes, frozenset(symbols) - {row.symbol for row in rows})


_CHANGED = f"""
SELECT i.id AS instrument_id, i.symbol, q.price, q.as_of, q.previous_price, {MARKET_ZONE} AS time_zone
FROM quotes q JOIN instruments i ON i.id = q.instrument_id
WHERE q.changed >= $1 AND ($1 = 0 OR q.changed < pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
"""
# Where a backup of a busier server was restored, rows are from transaction ids that are still to come here.

MARK = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""A horizon: every transaction before it has ended, and what it wrote is visible now."""


async def quotes_changed(sessions: Sessions, since: int) -> tuple[Sequence[QuoteRow], int]:
    """Return the quotes that have changed since the mark, and the next mark; 0 reads all of them.

    Some may be returned twice; none is missed, however late its transaction commits.
    """
    async with sessions.reading(None, whole_market=True) as connection:
        mark: int = await connection.fetchval(MARK)
        rows = await connection.fetch(_CHANGED, since)
    return [_quote(row) for row in rows], mark


def _quote(row: Row) -> QuoteRow:
    previous = row["previous_price"]
    return QuoteRow(
        row["instrument_id"],
        row["symbol"],
        Decimal(row["price"]),
        row["as_of"],
        None if previous is None else Decimal(previous),
        row["time_zone"],
    )

"""Price bars in bulk: COPY into a staging table, then into `price_bars`, in one transaction.

All of this runs as the owner of the tables: the application's role may read market data, not write it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import islice
from typing import NamedTuple
from uuid import UUID

import asyncpg

from db.market.snapshot_invalidation import mark_stale
from db.market.splits import CONTRADICTED, add_staged_splits
from db.sessions import Connection

_STAGING = """
CREATE TEMPORARY TABLE staged_bars (
    symbol text NOT NULL, date date NOT NULL, open numeric(28, 10), high numeric(28, 10), low numeric(28, 10),
    close numeric(28, 10) NOT NULL, adjusted_close numeric(28, 10), volume numeric(38, 18),
    line bigint NOT NULL, split_quantity numeric(38, 18), split_for numeric(38, 18)
) ON COMMIT DROP
"""

# A column that a staged bar leaves empty keeps its stored value, as long as that fits the staged close: a
# range must contain it, and an adjusted close belongs to the raw close that it was made from.
_MERGED = {
    **{
        column: "CASE WHEN num_nonnulls(s.open, s.high, s.low) > 0 THEN s."
        + column
        + " WHEN s.close BETWEEN "
        "coalesce(b.low, s.close) AND coalesce(b.high, s.close) THEN b." + column + " END"
        for column in ("open", "high", "low")
    },
    "close": "s.close",
    "adjusted_close": "coalesce(s.adjusted_close, CASE WHEN s.close = b.close THEN b.adjusted_close END)",
    "volume": "coalesce(s.volume, b.volume)",
}

# An update and an insert rather than ON CONFLICT, which would lock, and so write, every unchanged row.
_CHANGE = f"""
UPDATE price_bars b SET {", ".join(f"{column} = {merged}" for column, merged in _MERGED.items())}
FROM staged_bars s JOIN instruments i ON i.symbol = s.symbol AND i.owner_id IS NOT DISTINCT FROM $1::uuid
WHERE b.instrument_id = i.id AND b.date = s.date
  AND ({", ".join(f"b.{column}" for column in _MERGED)}) IS DISTINCT FROM ({", ".join(_MERGED.values())})
RETURNING b.instrument_id, b.date
"""

_INSERT = """
INSERT INTO price_bars (instrument_id, date, open, high, low, close, adjusted_close, volume, owner_id)
SELECT i.id, s.date, s.open, s.high, s.low, s.close, s.adjusted_close, s.volume, i.owner_id
FROM staged_bars s JOIN instruments i ON i.symbol = s.symbol AND i.owner_id IS NOT DISTINCT FROM $1::uuid
WHERE NOT EXISTS (SELECT FROM price_bars b WHERE b.instrument_id = i.id AND b.date = s.date)
ORDER BY i.id, s.date
RETURNING instrument_id, date
"""

# The rows that a statement wrote, by instrument: their number, and the first day of them.
_WRITTEN = (
    "WITH written AS ({}) SELECT instrument_id, count(*) AS count, min(date) AS first FROM written GROUP BY 1"
)

_REPEATED = """
SELECT line, first FROM (
    SELECT line, first_value(line) OVER (PARTITION BY symbol, date ORDER BY line) AS first FROM staged_bars
) every WHERE line > first ORDER BY line
"""

_FORGET_REPEATED = """
DELETE FROM staged_bars s USING (
    SELECT symbol, date, min(line) AS first FROM staged_bars GROUP BY symbol, date HAVING count(*) > 1
) r WHERE s.symbol = r.symbol AND s.date = r.date AND s.line > r.first
"""


class DailyBar(NamedTuple):
    """One day of one instrument to be stored; prices in the instrument's currency, volume in shares."""

    symbol: str
    date: dt.date
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal
    adjusted_close: Decimal | None
    volume: Decimal | None
    line: int = 0
    """The bar's line in its file, counted from 1."""
    split_quantity: Decimal | None = None
    split_for: Decimal | None = None
    """On an ex-date: the ratio of a split, as new shares and the old shares that they replace."""


class Stored(NamedTuple):
    """The result of storing the staged bars."""

    inserted: int
    changed: int
    unchanged: int


class BarLoad:
    """An open load: stage bars, then store them; nothing is visible to others before the commit."""

    def __init__(self, connection: Connection, owner_id: UUID | None = None) -> None:
        self.connection = connection
        self.owner_id = owner_id
        """The owner of the instruments that the bars belong to; None for shared instruments."""
        self.discarded = False
        self.first_changed: dict[UUID, dt.date] = {}
        self.splits_added = 0
        self._staged = 0

    def discard(self) -> None:
        """End the load and roll it back, as an exception would."""
        self.discarded = True

    async def lock(self) -> None:
        """Lock `price_bars` so that one load at a time writes bars; reading goes on."""
        await self.connection.execute("LOCK TABLE price_bars IN SHARE ROW EXCLUSIVE MODE")

    async def stage(self, bars: Iterable[DailyBar]) -> None:
        """COPY bars into the staging table as they arrive, with at most a few thousand in memory."""
        tag = await self.connection.copy_to_table("staged_bars", source=_copy_text(bars))
        self._staged += _count(tag)
        await self.connection.execute("ANALYZE staged_bars")

    async def repeated(self) -> AsyncIterator[tuple[int, int]]:
        """Yield each line that repeats an earlier line's symbol and date, with that line; unstage it."""
        found = False
        async for row in self.connection.cursor(_REPEATED, prefetch=1000):
            found = True
            yield row["line"], row["first"]
        if found:
            self._staged -= _count(await self.connection.execute(_FORGET_REPEATED))

    async def contradicted(self) -> AsyncIterator[tuple[int, str]]:
        """Yield the lines whose split is stored with another ratio, with that ratio."""
        for row in await self.connection.fetch(CONTRADICTED, self.owner_id):
            yield row["line"], f"{row['quantity']}-for-{row['split_for']}"

    async def store(self) -> Stored:
        """Write the staged bars of known instruments where they differ, and empty the staging table.

        Splits that are not known yet are added too; known ones stay as they are.
        """
        self.splits_added += await add_staged_splits(self.connection, self.owner_id)
        changed = await self._write(_CHANGE)
        inserted = await self._write(_INSERT)
        stored = Stored(inserted, changed, self._staged - inserted - changed)
        await self.connection.execute("TRUNCATE staged_bars")
        self._staged = 0
        return stored

    async def _write(self, statement: str) -> int:
        count = 0
        for row in await self.connection.fetch(_WRITTEN.format(statement), self.owner_id):
            id, first = row["instrument_id"], row["first"]
            self.first_changed[id] = min(first, self.first_changed.get(id, first))
            count += row["count"]
        return count

    async def analyze(self) -> None:
        """Update the planner's statistics; autovacuum would do so only a minute after the commit."""
        await self.connection.execute("ANALYZE instruments, price_bars")


@asynccontextmanager
async def bar_load(owner_url: str, owner_id: UUID | None = None) -> AsyncIterator[BarLoad]:
    """Yield a load in one transaction, committed at the end of the block unless it was discarded.

    The load is of shared instruments, or of a user's own. The snapshots of portfolios that held what it
    changed are marked stale from the first changed day on.
    """
    connection: Connection = await asyncpg.connect(
        owner_url, server_settings={"jit": "off", "timezone": "UTC"}
    )
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(_STAGING)
        # Row-level security applies to the owner of the tables as well.
        await connection.execute("SELECT set_config('app.user_id', $1, true)", str(owner_id or ""))
        load = BarLoad(connection, owner_id)
        yield load
        # Without this line a failed or discarded load is rolled back by closing the connection.
        if not load.discarded:
            await mark_stale(connection, load.first_changed)
            await transaction.commit()
    finally:
        await connection.close()


async def _copy_text(bars: Iterable[DailyBar]) -> AsyncIterator[bytes]:
    """Encode bars in COPY's text format.

    No value can contain a tab or a backslash: they are symbols, dates and numbers.
    """
    lines: Iterator[str] = (
        "\t".join("\\N" if value is None else str(value) for value in bar) + "\n" for bar in bars
    )
    while chunk := "".join(islice(lines, 2000)):
        yield chunk.encode()


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])

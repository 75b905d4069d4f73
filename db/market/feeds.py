"""The state of price feeds, and the days that a replay feed can replay."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from db.sessions import Sessions

_LEASE = """
INSERT INTO market_feeds AS f (name, holder, leased_until)
VALUES (:name, :holder, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until
WHERE f.holder = excluded.holder OR f.leased_until < clock_timestamp()
RETURNING f.position
"""


class Lease(NamedTuple):
    """A feed that this process runs, and the day that it has reached; None for a new one."""

    position: dt.date | None


async def take_lease(sessions: Sessions, name: str, holder: UUID, seconds: float) -> Lease | None:
    """Take the feed for `seconds`, or keep it; return None while another process has it."""
    async with sessions.begin(None) as session:
        values = {"name": name, "holder": holder, "seconds": seconds}
        row = (await session.execute(text(_LEASE), values)).first()
    return None if row is None else Lease(row.position)


async def move(sessions: Sessions, name: str, holder: UUID, position: dt.date) -> None:
    """Record the day that the feed has reached, as long as this process has the feed."""
    async with sessions.begin(None) as session:
        await session.execute(
            text("UPDATE market_feeds SET position = :position WHERE name = :name AND holder = :holder"),
            {"name": name, "holder": holder, "position": position},
        )


# Each instrument's own last days, whenever they were: shifted by whole weeks, so that weekdays match.
_SHIFTED = """
WITH ends AS (
    SELECT i.id, i.symbol, last.date FROM instruments i CROSS JOIN LATERAL (
        SELECT date FROM price_bars WHERE instrument_id = i.id ORDER BY date DESC LIMIT 1
    ) last
    -- What is somebody's own has no market that could be replayed.
    WHERE i.owner_id IS NULL
), shifted AS (
    SELECT id, symbol, ((SELECT max(date) FROM ends) - date + 6) / 7 * 7 AS shift FROM ends
)
"""

_LAST = f"{_SHIFTED} SELECT max(date) FROM ends"

_NEXT = f"""
{_SHIFTED}
SELECT min(next.date + s.shift) FROM shifted s CROSS JOIN LATERAL (
    SELECT date FROM price_bars WHERE instrument_id = s.id AND date > $1::date - s.shift ORDER BY date LIMIT 1
) next
"""

_CLOSES = f"""
{_SHIFTED}
SELECT s.symbol, b.close,
       round(restated(before.close, s.id, before.units, b.date), 10) AS previous
FROM shifted s
JOIN price_bars b ON b.instrument_id = s.id AND b.date = $1::date - s.shift
LEFT JOIN LATERAL (
    -- Closes that are adjusted for a split do not fall by it.
    SELECT p.close, CASE WHEN i.price_basis = 'RAW' THEN p.date ELSE b.date END AS units
    FROM price_bars p JOIN instruments i ON i.id = p.instrument_id
    WHERE p.instrument_id = s.id AND p.date < b.date ORDER BY p.date DESC LIMIT 1
) before ON true
ORDER BY s.symbol
"""


class LastClose(NamedTuple):
    """An instrument's close, and that of its trading day before, where there is one."""

    symbol: str
    price: Decimal
    previous: Decimal | None


async def next_day(sessions: Sessions, position: dt.date | None, span: dt.timedelta) -> dt.date | None:
    """Return the next day with prices after the position; after the last, the first of the span before it.

    Days are those of the instrument with the newest prices. None where there are no prices at all.
    """
    async with sessions.reading(None) as connection:
        following: dt.date | None = None
        if position is not None:
            following = await connection.fetchval(_NEXT, position)
        if following is not None:
            return following
        last: dt.date | None = await connection.fetchval(_LAST)
        if last is None:
            return None
        first: dt.date | None = await connection.fetchval(_NEXT, last - span)
        return first


async def closes_of(sessions: Sessions, day: dt.date) -> Sequence[LastClose]:
    """Return the closes of a day, by symbol; if an instrument's prices end earlier, of its own last days."""
    async with sessions.reading(None) as connection:
        rows = await connection.fetch(_CLOSES, day)
    return [
        LastClose(row["symbol"], Decimal(row["close"]), row["previous"] and Decimal(row["previous"]))
        for row in rows
    ]

"""Reading what each position gained, day by day, and its contribution to a return."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import NamedTuple, cast
from uuid import UUID

from db.account.days import day_of
from db.portfolio.pricing import (
    ZONES,
    Shift,
    close_on,
    older_prices,
    price_at_end,
    shift_columns,
    shifts_from,
    splits_of,
)
from db.portfolio.rows import GainRow
from db.sessions import Connection

_DAY = day_of("t.executed_at", "s.time_zone")


# A position's gain on a day is its value at the end of the day, less its value on the day before, plus the
# cash that it brought in and less the cash that it took in between. What belongs to no instrument, such as
# interest, is the gain of cash. Days with flows have no weight and count only as the beginning of the next
# day; what moves inside a scope on other days cancels out.
@cache
def _gains(shifted: bool) -> str:
    price = price_at_end("c.day")
    return f"""
WITH scopes AS (
    SELECT * FROM unnest($2::uuid[], $3::text[], $4::date[], $5::date[])
        AS s(scope_id, time_zone, since, until)
), {shifts_from(13)}, {ZONES}, moves AS MATERIALIZED (
    SELECT s.scope_id, s.time_zone, t.portfolio_id, t.instrument_id, greatest({_DAY}, s.since) AS day,
           sum(t.cash_delta) AS cash, sum(t.quantity_delta) AS quantity
    FROM scopes s JOIN unnest($6::uuid[], $7::uuid[]) AS p(scope_id, portfolio_id) USING (scope_id)
    JOIN transactions t ON t.owner_id = $1 AND t.portfolio_id = p.portfolio_id
    WHERE {_DAY} <= s.until
    GROUP BY 1, 2, 3, 4, 5
), days AS MATERIALIZED (
    SELECT * FROM unnest($8::uuid[], $9::date[], $10::numeric[]) AS d(scope_id, day, weight)
), held AS MATERIALIZED (
    SELECT scope_id, time_zone, portfolio_id, instrument_id, min(day) AS first
    FROM moves WHERE instrument_id IS NOT NULL GROUP BY 1, 2, 3, 4
), {splits_of("held")}, cells AS (
    SELECT h.scope_id, h.time_zone, h.portfolio_id, h.instrument_id, d.day, d.weight,
           coalesce(m.cash, 0) AS cash,
           sum(coalesce(m.quantity, 0)) OVER (
               PARTITION BY h.scope_id, h.portfolio_id, h.instrument_id ORDER BY d.day) AS quantity
    FROM held h JOIN days d ON d.scope_id = h.scope_id AND d.day >= h.first
    LEFT JOIN moves m ON m.scope_id = h.scope_id AND m.portfolio_id = h.portfolio_id
        AND m.instrument_id = h.instrument_id AND m.day = d.day
), gains AS (
    SELECT c.scope_id, c.instrument_id, c.day, c.weight,
           v.value - coalesce(lag(v.value) OVER (
                 PARTITION BY c.scope_id, c.portfolio_id, c.instrument_id ORDER BY c.day), 0)
           + c.cash AS gain
    FROM cells c
    {close_on("c.instrument_id", "c.day", "c.time_zone", shifted=shifted, portfolio="c.portfolio_id")}
    {older_prices("c.instrument_id", "c.day", "c.time_zone", shifted=shifted, portfolio="c.portfolio_id")}
    -- Without a price nothing is held: who asks for gains has made sure of that.
    CROSS JOIN LATERAL (SELECT round(c.quantity * coalesce({price}, 0), 10) AS value) v
), of_cash AS (
    SELECT m.scope_id, NULL::uuid AS instrument_id, m.day, d.weight, m.cash AS gain
    FROM moves m JOIN days d USING (scope_id, day) WHERE m.instrument_id IS NULL
    UNION ALL
    SELECT s.scope_id, NULL, d.day, d.weight, t.cash_delta
    FROM scopes s JOIN unnest($11::uuid[], $12::uuid[]) AS a(scope_id, account_id) USING (scope_id)
    JOIN transactions t ON t.owner_id = $1 AND t.account_id = a.account_id AND t.portfolio_id IS NULL
    JOIN days d ON d.scope_id = s.scope_id AND d.day = {_DAY}
)
SELECT g.scope_id, g.instrument_id, sum(g.gain) AS gain, sum(g.gain * g.weight) AS contribution
FROM (SELECT * FROM gains UNION ALL SELECT * FROM of_cash) g JOIN scopes s USING (scope_id)
WHERE g.day > s.since AND g.weight IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
"""


class GainDay(NamedTuple):
    """A day, and what a unit of gain adds to the return on it; None for a day with flows."""

    date: dt.date
    weight: Decimal | None


@dataclass(frozen=True, slots=True)
class GainScope:
    """Parts, a time zone and days; gains begin on the first day, which has none of its own."""

    id: UUID
    time_zone: str
    portfolio_ids: Sequence[UUID]
    account_ids: Sequence[UUID]
    days: Sequence[GainDay]


async def fetch_gains(
    connection: Connection, owner_id: UUID, requested: Sequence[GainScope], shifts: Sequence[Shift] = ()
) -> Sequence[GainRow]:
    """Return by scope and instrument the `gain` over the days without flows, and its weighted sum.

    The instrument is null for what cash gained. Neither is rounded. One statement reads any number of scopes.
    """
    scopes = [(one.id, one.time_zone, one.days[0].date, one.days[-1].date) for one in requested]
    places = [(one.id, id) for one in requested for id in one.portfolio_ids]
    days = [(one.id, *day) for one in requested for day in one.days]
    own = [(one.id, id) for one in requested for id in one.account_ids]
    tables: list[tuple[Sequence[tuple[object, ...]], int]] = [(scopes, 4), (places, 2), (days, 3), (own, 2)]
    columns = [[row[n] for row in rows] for rows, width in tables for n in range(width)]
    return cast(
        "Sequence[GainRow]",
        await connection.fetch(_gains(bool(shifts)), owner_id, *columns, *shift_columns(shifts)),
    )

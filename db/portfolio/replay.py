"""The ledger replayed day by day: what portfolios held at the end of each day, and its value.

A portfolio has a day wherever something happened in it that was not reversed, or a holding has a price of
that day: a close, or where there is none a trade of the owner's. On the day after such a trade the last close
applies again, so that is a day as well.
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from typing import cast
from uuid import UUID

from db.account.days import day_of
from db.portfolio.pricing import (
    IS_TRADE,
    ZONES,
    Shift,
    close_on,
    closes,
    is_quoted,
    older_prices,
    price_at_end,
    shift_columns,
    shifts_from,
    spacing_of_closes,
    splits_of,
)
from db.portfolio.rows import ReplayedDayRow, WorthRow
from db.sessions import Connection

_DAY = day_of("t.executed_at", "$3")
_PRICE = price_at_end("c.day")
_IS_QUOTED = is_quoted("e.day", "g.day", "c.day")


@cache
def _replay(shifted: bool) -> str:
    """Return the common tables: `cash` by day, and `cells`, what is held of each instrument by day.

    All that was before the first requested day is one move on the day before it. `$1` is the owner, `$2` the
    portfolios, `$3` the time zone and `$4` the first requested day.
    """
    of_all = closes("$3", shifted=shifted)
    return f"""
WITH {shifts_from(5)}, {ZONES}, moves AS MATERIALIZED (
    SELECT t.portfolio_id, greatest({_DAY}, $4::date - 1) AS day, t.instrument_id, sum(t.cash_delta) AS cash,
           sum(t.quantity_delta) AS quantity, count(*) FILTER (WHERE t.type IN ('BUY', 'SELL')) AS trades,
           bool_or(t.reverses_id IS NULL AND r.id IS NULL) AS stands
    FROM transactions t LEFT JOIN transactions r ON r.owner_id = $1 AND r.reverses_id = t.id
    WHERE t.owner_id = $1 AND t.portfolio_id = ANY($2::uuid[])
    GROUP BY 1, 2, 3
), instruments_held AS MATERIALIZED (
    SELECT portfolio_id, instrument_id, min(day) AS first FROM moves WHERE quantity <> 0 GROUP BY 1, 2
), {splits_of("instruments_held")}, loose AS MATERIALIZED (
    -- Trades of days without a close.
    SELECT DISTINCT h.portfolio_id, h.instrument_id, x.day
    FROM instruments_held h JOIN positions o ON o.owner_id = $1 AND o.instrument_id = h.instrument_id
    CROSS JOIN LATERAL (
        SELECT {_DAY} AS day FROM transactions t
        WHERE t.owner_id = $1 AND t.portfolio_id = o.portfolio_id AND t.instrument_id = h.instrument_id
            AND t.executed_at >= ($4::date - 1)::timestamp AT TIME ZONE $3 AND {IS_TRADE}
    ) x
    WHERE x.day >= h.first AND NOT EXISTS (
        SELECT FROM ({of_all}) c WHERE c.instrument_id = h.instrument_id AND c.day = x.day
            AND c.date BETWEEN x.day - 1 AND x.day + 1)
), repriced AS MATERIALIZED (
    SELECT l.portfolio_id, l.day FROM (
        SELECT portfolio_id, instrument_id, day FROM loose
        UNION
        SELECT portfolio_id, instrument_id, day + 1 FROM loose l
        WHERE day < {day_of("now()", "$3")} AND EXISTS (
            SELECT FROM ({of_all}) c WHERE c.instrument_id = l.instrument_id AND c.day < l.day)
    ) l
    WHERE l.day >= $4 AND 0 <> (
        SELECT sum(m.quantity) FROM moves m
        WHERE m.portfolio_id = l.portfolio_id AND m.instrument_id = l.instrument_id AND m.day <= l.day)
), candidates AS MATERIALIZED (
    SELECT portfolio_id, day, bool_or(is_repriced) AS is_repriced FROM (
        SELECT DISTINCT portfolio_id, day, false AS is_repriced FROM moves
        UNION ALL
        SELECT portfolio_id, day, true FROM repriced
        UNION ALL
        SELECT DISTINCT h.portfolio_id, b.day, false FROM instruments_held h
        CROSS JOIN LATERAL (
            SELECT c.day FROM ({of_all}) c
            WHERE c.instrument_id = h.instrument_id AND c.date >= greatest(h.first, $4::date) - 1
        ) b
        WHERE b.day >= greatest(h.first, $4::date)
    ) d GROUP BY 1, 2
), cash AS MATERIALIZED (
    SELECT portfolio_id, day, coalesce(bool_or(m.stands), false) AS has_moved,
           bool_or(is_repriced) AS is_repriced,
           coalesce(sum(m.trades), 0)::int AS trades,
           sum(coalesce(sum(m.cash), 0)) OVER (PARTITION BY portfolio_id ORDER BY day) AS cash_value
    FROM candidates LEFT JOIN moves m USING (portfolio_id, day) GROUP BY 1, 2
), cells AS (
    SELECT portfolio_id, c.day, h.instrument_id,
           sum(coalesce(m.quantity, 0)) OVER (
               PARTITION BY portfolio_id, h.instrument_id ORDER BY c.day) AS quantity
    FROM candidates c JOIN instruments_held h USING (portfolio_id)
    LEFT JOIN moves m USING (portfolio_id, day, instrument_id)
)"""


@cache
def _prices(shifted: bool, more: str = "") -> str:
    return f"""FROM cells c
    {close_on("c.instrument_id", "c.day", "$3", shifted=shifted, portfolio="c.portfolio_id")}
    {older_prices("c.instrument_id", "c.day", "$3", shifted=shifted, portfolio="c.portfolio_id")}
    {more}
    WHERE c.day >= $4 AND c.quantity <> 0"""


@cache
def _days(shifted: bool) -> str:
    return f"""{_replay(shifted)}, priced AS (
    SELECT c.portfolio_id, c.day, bool_or(b.close IS NOT NULL) AS has_price,
           coalesce(sum(round(c.quantity * {_PRICE}, 10)), 0) AS positions_value,
           count(*)::int AS num_positions,
           (count(*) FILTER (WHERE {_PRICE} IS NULL))::int AS unpriced_positions,
           (count(*) FILTER (WHERE b.close IS NULL))::int AS stale_positions,
           (count(*) FILTER (WHERE b.close IS NULL AND NOT {_IS_QUOTED}))::int AS unquoted_positions
    {_prices(shifted, spacing_of_closes("c.instrument_id", "$3", shifted=shifted))}
    GROUP BY 1, 2
)
SELECT c.portfolio_id, c.day AS date, c.cash_value, coalesce(p.positions_value, 0) AS positions_value,
       coalesce(p.num_positions, 0) AS num_positions, coalesce(p.unpriced_positions, 0) AS unpriced_positions,
       coalesce(p.stale_positions, 0) AS stale_positions,
       coalesce(p.unquoted_positions, 0) AS unquoted_positions, c.trades AS num_trades
FROM cash c LEFT JOIN priced p USING (portfolio_id, day)
WHERE c.day >= $4 AND (c.has_moved OR c.is_repriced OR p.has_price)
ORDER BY 1, 2
"""


# The same days, except those on which a position had no price yet, with the value of each position: as text,
# which is parsed where it holds up nobody else.
@cache
def _worth(shifted: bool) -> str:
    return f"""{_replay(shifted)}, worth AS MATERIALIZED (
    SELECT c.portfolio_id, c.day, bool_or(b.close IS NOT NULL) AS has_price,
           bool_or({_PRICE} IS NULL) AS is_unpriced,
           json_object_agg(c.instrument_id, round(c.quantity * {_PRICE}, 10)::text)::text AS market_values
    {_prices(shifted)}
    GROUP BY 1, 2
)
SELECT c.day AS date, c.cash_value, coalesce(w.market_values, '{{}}') AS market_values
FROM cash c LEFT JOIN worth w USING (portfolio_id, day)
WHERE c.day BETWEEN $4 AND $10 AND (c.has_moved OR c.is_repriced OR w.has_price) AND w.is_unpriced IS NOT TRUE
ORDER BY 1
"""


async def fetch_days(
    connection: Connection,
    owner_id: UUID,
    portfolio_ids: Sequence[UUID],
    time_zone: str,
    since: dt.date,
    shifts: Sequence[Shift] = (),
) -> Sequence[ReplayedDayRow]:
    """Return the days of each portfolio in this time zone from then on, in order.

    Each has the cash and the positions at the day's end, and how many positions there are, have no price,
    have no close of their own on that day, and for how many of these no close is expected any more
    (`is_quoted`); `num_trades` counts the day's purchases and sales, including reversed ones and their
    reversals.
    """
    sql = _days(bool(shifts))
    return cast(
        "Sequence[ReplayedDayRow]",
        await connection.fetch(sql, owner_id, portfolio_ids, time_zone, since, *shift_columns(shifts)),
    )


async def fetch_worth(
    connection: Connection,
    owner_id: UUID,
    portfolio_id: UUID,
    time_zone: str,
    between: tuple[dt.date, dt.date],
    shifts: Sequence[Shift] = (),
) -> Sequence[WorthRow]:
    """Return the days of a portfolio between two, except those on which a position had no price yet.

    Each has the cash, and the value of each position: `market_values`, the text of a JSON object with a
    decimal string for each instrument's id.
    """
    since, until = between
    sql = _worth(bool(shifts))
    parameters = [[portfolio_id], time_zone, since, *shift_columns(shifts), until]
    return cast("Sequence[WorthRow]", await connection.fetch(sql, owner_id, *parameters))

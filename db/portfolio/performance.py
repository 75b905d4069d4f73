"""Reading performance: the days of portfolios, accounts and users, and what each position gained.

A scope is what figures are asked of: a portfolio, an account, or all that a user has. What moves between the
portfolios of a scope cancels out when their flows are added up: a transfer's two sides have one instant, and
shares one price on a day.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from uuid import UUID

from db.market.splits import comparable
from db.portfolio.snapshots import DAY, EXTERNAL
from db.sessions import Connection, Row


class ScopeKind(Enum):
    """What figures are asked of."""

    PORTFOLIO = "portfolio"
    ACCOUNT = "account"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Scope:
    """One of them with its parts.

    `stale_from` is the first day whose values do not hold. Unallotted cash of `account_ids` is part of it.
    """

    id: UUID
    currencies: frozenset[str]
    stale_from: dt.date | None
    portfolio_ids: tuple[UUID, ...]
    account_ids: tuple[UUID, ...]


_COLUMNS = """array_agg(DISTINCT {currency}) AS currencies, min(p.snapshots_stale_from) AS stale_from,
    array_remove(array_agg(DISTINCT p.id), NULL) AS portfolio_ids"""

_SCOPES = {
    ScopeKind.PORTFOLIO: f"""
        SELECT p.id, {_COLUMNS.format(currency="p.currency")}, '{{}}'::uuid[] AS account_ids
        FROM portfolios p WHERE p.owner_id = $1 AND p.id = ANY($2::uuid[]) GROUP BY p.id""",
    ScopeKind.ACCOUNT: f"""
        SELECT a.id, {_COLUMNS.format(currency="a.currency")}, array_agg(DISTINCT a.id) AS account_ids
        FROM accounts a LEFT JOIN portfolios p ON p.owner_id = $1 AND p.account_id = a.id
        WHERE a.owner_id = $1 AND a.id = ANY($2::uuid[]) GROUP BY a.id""",
    ScopeKind.USER: f"""
        SELECT a.owner_id AS id, {_COLUMNS.format(currency="a.currency")},
               array_agg(DISTINCT a.id) AS account_ids
        FROM accounts a LEFT JOIN portfolios p ON p.owner_id = $1 AND p.account_id = a.id
        WHERE a.owner_id = $1 AND a.owner_id = ANY($2::uuid[]) GROUP BY a.owner_id""",
}

# A portfolio keeps its value on days that are none of its own, so a scope's is the running sum of changes.
_POINTS = f"""
WITH moves AS (
    SELECT s.scope_id, h.date, h.net_flow,
           h.total_value - coalesce(lag(h.total_value) OVER w, 0) AS value,
           h.unpriced_positions - coalesce(lag(h.unpriced_positions) OVER w, 0) AS unpriced
    FROM unnest($2::uuid[], $3::uuid[], $4::date[]) AS s(scope_id, portfolio_id, until)
    JOIN performance_history h ON h.owner_id = $1 AND h.portfolio_id = s.portfolio_id AND h.date <= s.until
    WINDOW w AS (PARTITION BY s.scope_id, h.portfolio_id ORDER BY h.date)
    UNION ALL
    SELECT s.scope_id, t.day, t.net_flow, t.cash_delta, 0
    FROM unnest($5::uuid[], $6::uuid[], $7::date[]) AS s(scope_id, account_id, until)
    CROSS JOIN LATERAL (
        SELECT {DAY} AS day, cash_delta, CASE WHEN {EXTERNAL} THEN cash_delta ELSE 0 END AS net_flow
        FROM transactions
        WHERE owner_id = $1 AND account_id = s.account_id AND portfolio_id IS NULL AND {DAY} <= s.until
    ) t
), points AS MATERIALIZED (
    SELECT scope_id, date, sum(net_flow) AS net_flow,
           sum(sum(value)) OVER (PARTITION BY scope_id ORDER BY date) AS total_value,
           sum(sum(unpriced)) OVER (PARTITION BY scope_id ORDER BY date) AS unpriced_positions
    FROM moves GROUP BY scope_id, date
)
SELECT p.scope_id, p.date, p.total_value, p.net_flow, p.unpriced_positions::int
FROM points p
LEFT JOIN (SELECT scope_id, max(date) AS date FROM points WHERE date <= $8 GROUP BY 1) f USING (scope_id)
WHERE f.date IS NULL OR p.date >= f.date
ORDER BY 1, 2
"""

# A position's gain on a day is what it is worth at its end, less what it was worth on the day before, and
# with what it paid and cost in between; shares that came or went over the border are neither. What belongs
# to no instrument, such as interest, is the gain of cash.
_GAINS = f"""
WITH moves AS MATERIALIZED (
    SELECT s.scope_id, t.portfolio_id, t.instrument_id, t.day,
           sum(t.cash_delta - t.flow) AS cash, sum(t.quantity_delta) AS quantity, sum(t.moved) AS moved
    FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::date[]) AS s(scope_id, portfolio_id, since, until)
    CROSS JOIN LATERAL (
        SELECT portfolio_id, instrument_id, greatest({DAY}, s.since) AS day, cash_delta, quantity_delta,
               CASE WHEN {EXTERNAL} THEN cash_delta ELSE 0 END AS flow,
               CASE WHEN {EXTERNAL} THEN quantity_delta ELSE 0 END AS moved
        FROM transactions
        WHERE owner_id = $1 AND portfolio_id = s.portfolio_id AND {DAY} <= s.until
    ) t
    GROUP BY 1, 2, 3, 4
), days AS MATERIALIZED (
    SELECT * FROM unnest($6::uuid[], $7::date[], $8::numeric[]) AS d(scope_id, day, weight)
), held AS MATERIALIZED (
    SELECT scope_id, portfolio_id, instrument_id, min(day) AS first
    FROM moves WHERE instrument_id IS NOT NULL GROUP BY 1, 2, 3
), cells AS (
    SELECT h.scope_id, h.portfolio_id, h.instrument_id, d.day, d.weight, coalesce(m.cash, 0) AS cash,
           coalesce(m.moved, 0) AS moved,
           sum(coalesce(m.quantity, 0)) OVER (
               PARTITION BY h.scope_id, h.portfolio_id, h.instrument_id ORDER BY d.day) AS quantity
    FROM held h JOIN days d ON d.scope_id = h.scope_id AND d.day >= h.first
    LEFT JOIN moves m ON m.scope_id = h.scope_id AND m.portfolio_id = h.portfolio_id
        AND m.instrument_id = h.instrument_id AND m.day = d.day
), gains AS (
    SELECT c.scope_id, c.instrument_id, c.day, c.weight,
           round(c.quantity * p.close, 10)
           - coalesce(lag(round(c.quantity * p.close, 10)) OVER (
                 PARTITION BY c.scope_id, c.portfolio_id, c.instrument_id ORDER BY c.day), 0)
           + c.cash - round(c.moved * p.close, 10) AS gain
    FROM cells c
    LEFT JOIN price_bars b ON b.instrument_id = c.instrument_id AND b.date = c.day
    LEFT JOIN LATERAL (
        SELECT close FROM price_bars
        WHERE b.close IS NULL AND instrument_id = c.instrument_id AND date < c.day
        ORDER BY date DESC LIMIT 1
    ) e ON true
    -- Without a price nothing is held: who asks for gains has made sure of that.
    CROSS JOIN LATERAL (SELECT coalesce(b.close, e.close, 0) AS close) p
), of_cash AS (
    SELECT m.scope_id, NULL::uuid AS instrument_id, m.day, d.weight, m.cash AS gain
    FROM moves m JOIN days d USING (scope_id, day) WHERE m.instrument_id IS NULL
    UNION ALL
    SELECT s.scope_id, NULL, d.day, d.weight, t.cash_delta
    FROM unnest($9::uuid[], $10::uuid[]) AS s(scope_id, account_id)
    JOIN transactions t ON t.owner_id = $1 AND t.account_id = s.account_id AND t.portfolio_id IS NULL
        AND NOT ({EXTERNAL})
    JOIN days d ON d.scope_id = s.scope_id AND d.day = {DAY}
)
SELECT g.scope_id, g.instrument_id, sum(g.gain) AS gain, sum(g.gain * g.weight) AS contribution
FROM (SELECT * FROM gains UNION ALL SELECT * FROM of_cash) g
JOIN (SELECT scope_id, min(day) AS first FROM days GROUP BY 1) f USING (scope_id)
WHERE g.day > f.first
GROUP BY 1, 2
ORDER BY 1, 2
"""

_BENCHMARKS = f"""
SELECT i.symbol, i.currency, b.date, {comparable("b.close", "i.id", "b.date", "w.until")} AS close,
       b.adjusted_close
FROM unnest($1::text[], $2::date[], $3::date[]) AS w(symbol, since, until)
JOIN instruments i ON i.symbol = w.symbol
JOIN price_bars b ON b.instrument_id = i.id AND b.date <= w.until AND b.date >= coalesce(
    (SELECT max(date) FROM price_bars WHERE instrument_id = i.id AND date <= w.since), w.since)
ORDER BY 1, 3
"""

FOREVER = dt.date.max


async def fetch_scopes(
    connection: Connection, owner_id: UUID, kind: ScopeKind, ids: Sequence[UUID]
) -> dict[UUID, Scope]:
    """Each scope; one that has nothing in it is not there."""
    rows = await connection.fetch(_SCOPES[kind], owner_id, ids)
    return {
        row["id"]: Scope(
            row["id"],
            frozenset(row["currencies"]),
            row["stale_from"],
            tuple(row["portfolio_ids"]),
            tuple(row["account_ids"]),
        )
        for row in rows
    }


async def fetch_points(
    connection: Connection,
    owner_id: UUID,
    scopes: Sequence[tuple[Scope, dt.date]],
    since: dt.date | None,
) -> Sequence[Row]:
    """The days of each scope until its day, in order, from the last one on or before `since` on.

    Where there is none before, or no `since`, from the first one on. One statement, whatever the number.
    """
    places = [(s.id, id, until) for s, until in scopes for id in s.portfolio_ids]
    own = [(s.id, id, until) for s, until in scopes for id in s.account_ids]
    return await connection.fetch(_POINTS, owner_id, *_columns(places, 3), *_columns(own, 3), since)


@dataclass(frozen=True, slots=True)
class Weighted:
    """The days of a scope over which gains are asked for, the first one to begin with; each with what a unit
    of gain adds to the return on that day.
    """

    scope: Scope
    days: Sequence[tuple[dt.date, Decimal]]


async def fetch_gains(connection: Connection, owner_id: UUID, asked: Sequence[Weighted]) -> Sequence[Row]:
    """By scope and instrument the `gain` over the days, and the sum of gains by their weights.

    The instrument is null for what cash gained. Neither is rounded. One statement, whatever the number.
    """
    places = [
        (one.scope.id, id, one.days[0][0], one.days[-1][0]) for one in asked for id in one.scope.portfolio_ids
    ]
    days = [(one.scope.id, date, weight) for one in asked for date, weight in one.days]
    own = [(one.scope.id, id) for one in asked for id in one.scope.account_ids]
    return await connection.fetch(
        _GAINS, owner_id, *_columns(places, 4), *_columns(days, 3), *_columns(own, 2)
    )


async def fetch_benchmarks(
    connection: Connection, asked: Sequence[tuple[str, dt.date, dt.date]]
) -> Sequence[Row]:
    """The closes of these symbols between two days, and the last one before, in order of symbol and day.

    Each `close` is for one share of the last of the days, whatever splits there were until then.
    """
    return await connection.fetch(_BENCHMARKS, *_columns(asked, 3))


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[n] for row in rows] for n in range(width)]

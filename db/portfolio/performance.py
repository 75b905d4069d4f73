"""Reading performance: the days of portfolios, accounts and users.

A scope is what figures are computed for: a portfolio, an account, or all that a user has. Its days are those
of its time zone: that of the account, or for all that a user has the user's.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import cast
from uuid import UUID

from db.account.days import day_of
from db.market.splits import comparable
from db.market.symbols import MEANT_BY_ONE
from db.portfolio.pricing import STANDS, quoted_until
from db.portfolio.rows import BenchmarkRow, PointRow
from db.sessions import Connection

_DAY = day_of("t.executed_at", "s.time_zone")


class ScopeKind(Enum):
    """The kind of object that figures are computed for."""

    PORTFOLIO = "portfolio"
    ACCOUNT = "account"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope with its parts, and the time zone of its days.

    `stale_from` is the first day whose values are stale. Unallotted cash of `account_ids` is part of it.
    `is_mixed` says that an account has days of another zone, so that its stored days do not apply to this
    scope.
    """

    id: UUID
    currencies: frozenset[str]
    stale_from: dt.date | None
    portfolio_ids: tuple[UUID, ...]
    account_ids: tuple[UUID, ...]
    time_zone: str
    is_mixed: bool = False


_COLUMNS = """array_agg(DISTINCT {currency}) AS currencies, min(p.snapshots_stale_from) AS stale_from,
    array_remove(array_agg(DISTINCT p.id), NULL) AS portfolio_ids"""

_SCOPES = {
    ScopeKind.PORTFOLIO: f"""
        SELECT p.id, {_COLUMNS.format(currency="p.currency")}, '{{}}'::uuid[] AS account_ids,
               min(a.time_zone) AS time_zone, false AS is_mixed
        FROM portfolios p JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
        WHERE p.owner_id = $1 AND p.id = ANY($2::uuid[]) GROUP BY p.id""",
    ScopeKind.ACCOUNT: f"""
        SELECT a.id, {_COLUMNS.format(currency="a.currency")}, array_agg(DISTINCT a.id) AS account_ids,
               min(a.time_zone) AS time_zone, false AS is_mixed
        FROM accounts a LEFT JOIN portfolios p ON p.owner_id = $1 AND p.account_id = a.id
        WHERE a.owner_id = $1 AND a.id = ANY($2::uuid[]) GROUP BY a.id""",
    ScopeKind.USER: f"""
        SELECT a.owner_id AS id, {_COLUMNS.format(currency="a.currency")},
               array_agg(DISTINCT a.id) AS account_ids, min(u.time_zone) AS time_zone,
               bool_or(a.time_zone <> u.time_zone) AS is_mixed
        FROM accounts a JOIN users u ON u.id = $1
        LEFT JOIN portfolios p ON p.owner_id = $1 AND p.account_id = a.id
        WHERE a.owner_id = $1 AND a.owner_id = ANY($2::uuid[]) GROUP BY a.owner_id""",
}

# A portfolio keeps its value on days that are none of its own, so a scope's is the running sum of changes.
# Nothing that it holds has a close on such a day; where days without a close are many, no further close is
# expected.
_POINTS = f"""
WITH days AS MATERIALIZED (
    SELECT s.scope_id, s.portfolio_id, s.time_zone, h.date, lead(h.date) OVER w AS next,
           h.num_positions - h.unquoted_positions AS quoted,
           h.total_value - coalesce(lag(h.total_value) OVER w, 0) AS value,
           h.unpriced_positions - coalesce(lag(h.unpriced_positions) OVER w, 0) AS unpriced,
           h.unquoted_positions - coalesce(lag(h.unquoted_positions) OVER w, 0) AS unquoted,
           h.num_positions - coalesce(lag(h.num_positions) OVER w, 0) AS positions,
           h.num_positions - h.stale_positions AS fresh
    FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::text[]) AS s(scope_id, portfolio_id, until, time_zone)
    JOIN performance_history h ON h.owner_id = $1 AND h.portfolio_id = s.portfolio_id AND h.date <= s.until
    WINDOW w AS (PARTITION BY s.scope_id, h.portfolio_id ORDER BY h.date)
), moves AS MATERIALIZED (
    SELECT scope_id, date, value, unpriced, unquoted, positions, fresh FROM days
    UNION ALL
    SELECT s.scope_id, d.day, t.cash_delta, 0, 0, 0, 0
    FROM unnest($6::uuid[], $7::uuid[], $8::date[], $9::text[]) AS s(scope_id, account_id, until, time_zone)
    JOIN transactions t ON t.owner_id = $1 AND t.account_id = s.account_id AND t.portfolio_id IS NULL
        AND {STANDS}
    CROSS JOIN LATERAL (SELECT {_DAY} AS day) d
    WHERE d.day <= s.until
), without_closes AS (
    SELECT d.scope_id, d.next, d.quoted,
           {quoted_until("d.portfolio_id", "d.date", "d.time_zone")} AS until
    FROM days d
    WHERE d.quoted > 0 AND (d.next IS NULL OR d.next > d.date + 10) AND EXISTS (
        SELECT FROM moves m WHERE m.scope_id = d.scope_id AND m.date > d.date + 10
            AND (d.next IS NULL OR m.date < d.next))
), points AS MATERIALIZED (
    SELECT scope_id, date, bool_or(is_day) AS is_day, sum(fresh) AS fresh,
           sum(sum(value)) OVER w AS total_value,
           sum(sum(unpriced)) OVER w AS unpriced_positions,
           sum(sum(unquoted)) OVER w AS unquoted_positions,
           sum(sum(positions)) OVER w AS num_positions
    FROM (
        SELECT *, true AS is_day FROM moves
        UNION ALL
        SELECT scope_id, until + 1, 0, 0, quoted, 0, 0, false FROM without_closes
        WHERE next IS NULL OR until + 1 < next
        UNION ALL
        SELECT scope_id, next, 0, 0, -quoted, 0, 0, false FROM without_closes WHERE until + 1 < next
    ) m GROUP BY scope_id, date
    WINDOW w AS (PARTITION BY scope_id ORDER BY date)
)
SELECT p.scope_id, p.date, p.total_value, p.unpriced_positions::int, p.num_positions::int,
       (p.num_positions - p.fresh)::int AS stale_positions, p.unquoted_positions::int
FROM points p
LEFT JOIN (SELECT scope_id, max(date) AS date FROM points WHERE is_day AND date <= $10 GROUP BY 1) f
    USING (scope_id)
WHERE p.is_day AND (f.date IS NULL OR p.date >= f.date)
ORDER BY 1, 2
"""

_QUOTED_UNTIL = f"""
SELECT s.portfolio_id, s.day, {quoted_until("s.portfolio_id", "s.day", "$4")} AS until
FROM unnest($2::uuid[], $3::date[]) AS s(portfolio_id, day)
"""

_BENCHMARKS = f"""
SELECT i.symbol, i.currency, i.exchange, b.date,
       {comparable("b.close", "i.id", "b.date", "w.until")} AS close, b.adjusted_close
FROM unnest($1::text[], $2::date[], $3::date[]) AS w(symbol, since, until)
JOIN {MEANT_BY_ONE.format(symbol="w.symbol", owner="$4")} i ON true
JOIN price_bars b ON b.instrument_id = i.id AND b.date <= w.until AND b.date >= coalesce(
    (SELECT max(date) FROM price_bars WHERE instrument_id = i.id AND date < w.since - 1), w.since - 1)
ORDER BY 1, 3
"""

FOREVER = dt.date.max


async def fetch_scopes(
    connection: Connection, owner_id: UUID, kind: ScopeKind, ids: Sequence[UUID]
) -> dict[UUID, Scope]:
    """Return each scope by id; empty scopes are missing."""
    rows = await connection.fetch(_SCOPES[kind], owner_id, ids)
    return {
        row["id"]: Scope(
            row["id"],
            frozenset(row["currencies"]),
            row["stale_from"],
            tuple(row["portfolio_ids"]),
            tuple(row["account_ids"]),
            row["time_zone"],
            row["is_mixed"],
        )
        for row in rows
    }


async def fetch_points(
    connection: Connection,
    owner_id: UUID,
    scopes: Sequence[tuple[Scope, dt.date]],
    since: dt.date | None,
) -> Sequence[PointRow]:
    """Return the days of each scope until its day, in order, starting with the last one not after `since`.

    Without a day on or before `since`, or without `since`, they start with the first day. A mixed scope has
    only its unallotted cash. One statement reads any number of scopes.
    """
    places = [
        (s.id, id, until, s.time_zone) for s, until in scopes for id in s.portfolio_ids if not s.is_mixed
    ]
    own = [(s.id, id, until, s.time_zone) for s, until in scopes for id in s.account_ids]
    return cast(
        "Sequence[PointRow]",
        await connection.fetch(_POINTS, owner_id, *_columns(places, 4), *_columns(own, 4), since),
    )


async def fetch_quoted_until(
    connection: Connection, owner_id: UUID, places: Sequence[tuple[UUID, dt.date]], time_zone: str
) -> dict[tuple[UUID, dt.date], dt.date]:
    """Return until when a close of what each portfolio held on its day is expected, if none arrives."""
    rows = await connection.fetch(_QUOTED_UNTIL, owner_id, *_columns(places, 2), time_zone)
    return {(row["portfolio_id"], row["day"]): row["until"] for row in rows if row["until"] is not None}


async def fetch_benchmarks(
    connection: Connection, owner_id: UUID, requested: Sequence[tuple[str, dt.date, dt.date]]
) -> Sequence[BenchmarkRow]:
    """Return the closes of what these symbols mean to the owner, in order of symbol and day.

    They are those from a day before the first day to the last day, and the last one before. Each `close` is
    for one share of the last of the days, whatever splits there were until then.
    """
    return cast(
        "Sequence[BenchmarkRow]", await connection.fetch(_BENCHMARKS, *_columns(requested, 3), owner_id)
    )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[n] for row in rows] for n in range(width)]

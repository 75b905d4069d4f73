"""What a split affects of an owner: portfolios that have held the instrument, and their open orders.

Everything runs in the caller's transaction, on the owner's behalf.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from db.account.days import day_of
from db.market.splits import MARKET_TODAY
from db.models.trading import IS_OPEN
from db.sessions import Session
from db.writing import RawConnection

_REACHED = f"""
SELECT EXISTS (SELECT FROM positions WHERE owner_id = :owner AND instrument_id = :instrument)
    OR EXISTS (SELECT FROM orders WHERE owner_id = :owner AND instrument_id = :instrument AND {IS_OPEN})
       AS trades,
    EXISTS (SELECT FROM alert_rules WHERE owner_id = :owner AND instrument_id = :instrument
            AND kind IN ('PRICE_ABOVE', 'PRICE_BELOW')) AS watches,
    (SELECT min(begins) FROM (SELECT CAST(:day AS date)::timestamp AT TIME ZONE time_zone AS begins
                              FROM accounts WHERE owner_id = :owner) a
     WHERE begins > clock_timestamp()) AS next_begin
"""


class SplitReach(NamedTuple):
    """What a split affects of an owner: `trades` (holdings, now or ever, and orders), and `watches`.

    `next_begin` is when the ex-date begins next in one of their accounts, None where it has begun in all.
    """

    trades: bool
    watches: bool
    next_begin: dt.datetime | None


async def find_reached(session: Session, owner_id: UUID, instrument_id: UUID, day: dt.date) -> SplitReach:
    """Return what a split of that day affects of the owner."""
    given = {"owner": owner_id, "instrument": instrument_id, "day": day}
    return SplitReach(*(await session.execute(text(_REACHED), given)).one())


# As far back as an owner's entry can represent the split; where quantities were recorded that are adjusted
# already, back to the first of them all, as what moved before them is now for other shares.
_STARTS = """
SELECT p.id, CASE WHEN EXISTS (
        SELECT FROM transactions t WHERE t.owner_id = $1 AND t.portfolio_id = p.id
            AND t.instrument_id = $2 AND t.is_split_adjusted
    ) THEN (SELECT min(t.executed_at) FROM transactions t WHERE t.owner_id = $1 AND t.portfolio_id = p.id
            AND t.instrument_id = $2)
    ELSE ($3::date - 8)::timestamp AT TIME ZONE a.time_zone END AS executed_at
FROM portfolios p JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
WHERE p.owner_id = $1 AND (
    p.id IN (SELECT portfolio_id FROM positions WHERE owner_id = $1 AND instrument_id = $2)
    OR p.id IN (SELECT portfolio_id FROM orders WHERE owner_id = $1 AND instrument_id = $2)
)
ORDER BY p.id
"""


async def find_starts(
    connection: RawConnection, owner_id: UUID, instrument_id: UUID, day: dt.date
) -> dict[UUID, dt.datetime]:
    """Return the portfolios that have ever held or ordered the instrument, with the first affected instant.

    That is the instant from which on a split of that day can change the holding.
    """
    rows = await connection.fetch(_STARTS, owner_id, instrument_id, day)
    return {row["id"]: row["executed_at"] for row in rows}


class SplitHolding(NamedTuple):
    """An instrument with splits that an account has held; `first_day` is the day before the first of them."""

    instrument_id: UUID
    symbol: str
    first_day: dt.date


_SPLIT_HOLDINGS = f"""
SELECT h.instrument_id, i.symbol, min(x.ex_date) - 1 AS first_day
FROM portfolios p JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id
JOIN instruments i ON i.id = h.instrument_id
JOIN instrument_splits x ON x.instrument_id = h.instrument_id AND x.ex_date <= {MARKET_TODAY}
WHERE p.owner_id = $1 AND p.account_id = $2
GROUP BY 1, 2 ORDER BY 1
"""


async def find_split_holdings(
    connection: RawConnection, owner_id: UUID, account_id: UUID
) -> Sequence[SplitHolding]:
    """Return the instruments with splits that an account has ever held."""
    rows = await connection.fetch(_SPLIT_HOLDINGS, owner_id, account_id)
    return [SplitHolding(**row) for row in rows]


class SplitOrder(NamedTuple):
    """An open order at the paper broker that may have to follow a split."""

    id: UUID
    client_order_id: UUID
    portfolio_id: UUID
    instrument_id: UUID
    symbol: str
    side: str
    quantity: Decimal
    filled_quantity: Decimal
    limit_price: Decimal | None
    worst_price: Decimal | None
    reserved_cash: Decimal
    broker_order_id: str | None
    units_of: dt.date | None
    followed_splits: Sequence[dt.date]
    submitted_at: dt.datetime
    fractional_shares: bool


_ORDERS = f"""
SELECT o.id, o.client_order_id, o.portfolio_id, o.instrument_id, i.symbol, o.side, o.quantity,
       o.filled_quantity, o.limit_price, o.worst_price, o.reserved_cash, o.broker_order_id, o.units_of,
       o.followed_splits, o.submitted_at, p.fractional_shares
FROM orders o
JOIN instruments i ON i.id = o.instrument_id
JOIN portfolios p ON p.owner_id = $1 AND p.id = o.portfolio_id
WHERE o.owner_id = $1 AND o.instrument_id = $2 AND o.broker = 'PAPER' AND o.{IS_OPEN}
    AND o.portfolio_id = ANY($3::uuid[])
ORDER BY o.id
FOR NO KEY UPDATE OF o
"""


async def lock_orders(
    connection: RawConnection, owner_id: UUID, instrument_id: UUID, portfolio_ids: Sequence[UUID]
) -> Sequence[SplitOrder]:
    """Lock and return the paper broker's open orders for the instrument in these locked portfolios.

    Each has its symbol, and whether its portfolio may hold fractional shares.
    """
    rows = await connection.fetch(_ORDERS, owner_id, instrument_id, list(portfolio_ids))
    return [SplitOrder(**row) for row in rows]


_MARK = f"""
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from, t.first)
FROM (SELECT x.portfolio_id, min({day_of("x.executed_at", "a.time_zone")}) AS first
      FROM transactions x JOIN accounts a ON a.owner_id = $1 AND a.id = x.account_id
      WHERE x.owner_id = $1 AND x.instrument_id = $2 GROUP BY 1) t
WHERE p.owner_id = $1 AND p.id = t.portfolio_id
"""


async def mark_stale(connection: RawConnection, owner_id: UUID, instrument_id: UUID) -> None:
    """Mark snapshots as stale from the instrument's first trade on: its prices are read differently now."""
    await connection.execute(_MARK, owner_id, instrument_id)


async def change_paper_order(
    connection: RawConnection,
    client_order_id: UUID,
    values: Mapping[str, Sequence[dt.date] | Decimal | dt.date | str | None],
) -> None:
    """Change an open order in the paper broker's books, which is locked."""
    changed = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 2))
    sql = f"UPDATE paper_orders SET {changed} WHERE client_order_id = $1 AND status = 'OPEN'"
    await connection.execute(sql, client_order_id, *values.values())


class MatchedSplit(NamedTuple):
    """A split of the instrument, and the portfolio's entry of it, None without one."""

    ex_date: dt.date
    transaction_id: UUID | None


_MATCHED = """
SELECT s.ex_date, (
    SELECT t.id FROM transactions t
    WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = s.instrument_id
        AND t.type = 'SPLIT' AND t.reverses_id IS NULL AND t.quantity * s.split_for = t.split_for * s.quantity
        AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - s.ex_date) <= 7
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
    ORDER BY t.executed_at, t.id LIMIT 1
) AS transaction_id
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
JOIN instrument_splits s ON s.instrument_id = $3
    AND $5::numeric * s.split_for = $6::numeric * s.quantity
    AND abs(s.ex_date - ($4::timestamptz AT TIME ZONE a.time_zone)::date) <= 7
WHERE p.owner_id = $1 AND p.id = $2
ORDER BY abs(s.ex_date - ($4::timestamptz AT TIME ZONE a.time_zone)::date) LIMIT 1
"""


async def find_matched(
    connection: RawConnection,
    owner_id: UUID,
    portfolio_id: UUID,
    instrument_id: UUID,
    at: dt.datetime,
    quantity: Decimal,
    split_for: Decimal,
) -> MatchedSplit | None:
    """Return the instrument's split that matches this ratio and time, or None."""
    values = (owner_id, portfolio_id, instrument_id, at, quantity, split_for)
    row = await connection.fetchrow(_MATCHED, *values)
    return None if row is None else MatchedSplit(**row)


_NEWEST = """
SELECT t.instrument_id, max(t.executed_at) AS executed_at FROM transactions t
WHERE t.owner_id = $1 AND t.portfolio_id = $2 AND t.type = 'SPLIT' AND t.reverses_id IS NULL
    AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
GROUP BY 1
"""


async def newest_splits(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID
) -> dict[UUID, dt.datetime]:
    """Return by instrument the newest split that a portfolio has on its ledger."""
    rows = await connection.fetch(_NEWEST, owner_id, portfolio_id)
    return {row["instrument_id"]: row["executed_at"] for row in rows}

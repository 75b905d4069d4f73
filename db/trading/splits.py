"""What of an owner's a split reaches: portfolios that have held the instrument, and their open orders.

Everything runs in the caller's transaction, on the owner's behalf.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from db.account.days import day_of
from db.market.splits import MARKET_TODAY
from db.models.trading import IS_OPEN
from db.sessions import Session

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

# As far back as an owner's entry can stand for the split; where quantities were recorded that are adjusted
# already, to the first of them all, as what moved before them is for other shares now.
_STARTS = """
SELECT p.id, CASE WHEN EXISTS (
        SELECT FROM transactions t WHERE t.owner_id = :owner AND t.portfolio_id = p.id
            AND t.instrument_id = :instrument AND t.is_split_adjusted
    ) THEN (SELECT min(t.executed_at) FROM transactions t WHERE t.owner_id = :owner AND t.portfolio_id = p.id
            AND t.instrument_id = :instrument)
    ELSE (CAST(:day AS date) - 8)::timestamp AT TIME ZONE a.time_zone END AS executed_at
FROM portfolios p JOIN accounts a ON a.owner_id = :owner AND a.id = p.account_id
WHERE p.owner_id = :owner AND (
    p.id IN (SELECT portfolio_id FROM positions WHERE owner_id = :owner AND instrument_id = :instrument)
    OR p.id IN (SELECT portfolio_id FROM orders WHERE owner_id = :owner AND instrument_id = :instrument)
)
ORDER BY p.id
"""

_SPLIT_HOLDINGS = f"""
SELECT h.instrument_id, i.symbol, min(x.ex_date) - 1 AS first_day
FROM portfolios p JOIN positions h ON h.owner_id = :owner AND h.portfolio_id = p.id
JOIN instruments i ON i.id = h.instrument_id
JOIN instrument_splits x ON x.instrument_id = h.instrument_id AND x.ex_date <= {MARKET_TODAY}
WHERE p.owner_id = :owner AND p.account_id = :account
GROUP BY 1, 2 ORDER BY 1
"""

_ORDERS = f"""
SELECT o.*, i.symbol, p.fractional_shares
FROM orders o
JOIN instruments i ON i.id = o.instrument_id
JOIN portfolios p ON p.owner_id = :owner AND p.id = o.portfolio_id
WHERE o.owner_id = :owner AND o.instrument_id = :instrument AND o.broker = 'PAPER' AND o.{IS_OPEN}
    AND o.portfolio_id = ANY(:portfolios)
ORDER BY o.id
FOR NO KEY UPDATE OF o
"""

_MARK = f"""
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from, t.first)
FROM (SELECT x.portfolio_id, min({day_of("x.executed_at", "a.time_zone")}) AS first
      FROM transactions x JOIN accounts a ON a.owner_id = :owner AND a.id = x.account_id
      WHERE x.owner_id = :owner AND x.instrument_id = :instrument GROUP BY 1) t
WHERE p.owner_id = :owner AND p.id = t.portfolio_id
"""


async def find_reached(session: Session, owner_id: UUID, instrument_id: UUID, day: dt.date) -> RowMapping:
    """Return what of the owner's a split reaches: `trades` (holdings, now or ever, and orders), `watches`.

    `next_begin` is when that day begins next in one of their accounts, None where it has in all.
    """
    given = {"owner": owner_id, "instrument": instrument_id, "day": day}
    return (await session.execute(text(_REACHED), given)).mappings().one()


async def find_starts(
    session: Session, owner_id: UUID, instrument_id: UUID, day: dt.date
) -> dict[UUID, dt.datetime]:
    """Return the portfolios that have ever held or ordered the instrument, and from when on a split of that
    day can change what they hold.
    """
    given = {"owner": owner_id, "instrument": instrument_id, "day": day}
    return {row.id: row.executed_at for row in await session.execute(text(_STARTS), given)}


async def find_split_holdings(session: Session, owner_id: UUID, account_id: UUID) -> Sequence[RowMapping]:
    """Return the instruments with splits that an account has ever held: `instrument_id`, `symbol`.

    `first_day` is the day before the first of those splits.
    """
    given = {"owner": owner_id, "account": account_id}
    return (await session.execute(text(_SPLIT_HOLDINGS), given)).mappings().all()


async def lock_orders(
    session: Session, owner_id: UUID, instrument_id: UUID, portfolio_ids: Sequence[UUID]
) -> Sequence[RowMapping]:
    """Return the open orders of the paper broker's for the instrument in these locked portfolios, locked too.

    Each with its symbol and whether its portfolio holds parts of shares.
    """
    statement = text(_ORDERS).bindparams(bindparam("portfolios", type_=ARRAY(PgUUID(as_uuid=True))))
    given = {"owner": owner_id, "instrument": instrument_id, "portfolios": list(portfolio_ids)}
    return (await session.execute(statement, given)).mappings().all()


async def mark_stale(session: Session, owner_id: UUID, instrument_id: UUID) -> None:
    """Mark snapshots as stale from where the instrument was first traded: its prices read otherwise now."""
    await session.execute(text(_MARK), {"owner": owner_id, "instrument": instrument_id})


async def change_paper_order(
    session: Session,
    client_order_id: UUID,
    values: Mapping[str, Sequence[dt.date] | Decimal | dt.date | str | None],
) -> bool:
    """Change an open order in the paper broker's book, and lock it; return whether it has it open."""
    changed = ", ".join(f"{name} = :{name}" for name in values)
    sql = f"UPDATE paper_orders SET {changed} WHERE client_order_id = :id AND status = 'OPEN'"
    done: Any = await session.execute(text(sql), {"id": client_order_id, **values})
    return bool(done.rowcount)


_MATCHED = """
SELECT s.ex_date, (
    SELECT t.id FROM transactions t
    WHERE t.owner_id = :owner AND t.portfolio_id = p.id AND t.instrument_id = s.instrument_id
        AND t.type = 'SPLIT' AND t.reverses_id IS NULL AND t.quantity * s.split_for = t.split_for * s.quantity
        AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - s.ex_date) <= 7
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)
    ORDER BY t.executed_at, t.id LIMIT 1
) AS transaction_id
FROM portfolios p
JOIN accounts a ON a.owner_id = :owner AND a.id = p.account_id
JOIN instrument_splits s ON s.instrument_id = :instrument
    AND CAST(:quantity AS numeric) * s.split_for = CAST(:split_for AS numeric) * s.quantity
    AND abs(s.ex_date - (CAST(:at AS timestamptz) AT TIME ZONE a.time_zone)::date) <= 7
WHERE p.owner_id = :owner AND p.id = :portfolio
ORDER BY abs(s.ex_date - (CAST(:at AS timestamptz) AT TIME ZONE a.time_zone)::date) LIMIT 1
"""


async def find_matched(
    session: Session,
    owner_id: UUID,
    portfolio_id: UUID,
    instrument_id: UUID,
    at: dt.datetime,
    quantity: Decimal,
    split_for: Decimal,
) -> RowMapping | None:
    """Return the instrument's split that one of this ratio and time is the same as, None where there is none.

    With the `transaction_id` of the entry that the portfolio has of it, null where it has none.
    """
    given = {
        "owner": owner_id,
        "portfolio": portfolio_id,
        "instrument": instrument_id,
        "at": at,
        "quantity": quantity,
        "split_for": split_for,
    }
    return (await session.execute(text(_MATCHED), given)).mappings().one_or_none()


_NEWEST = """
SELECT t.instrument_id, max(t.executed_at) AS executed_at FROM transactions t
WHERE t.owner_id = :owner AND t.portfolio_id = :portfolio AND t.type = 'SPLIT' AND t.reverses_id IS NULL
    AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)
GROUP BY 1
"""


async def newest_splits(session: Session, owner_id: UUID, portfolio_id: UUID) -> dict[UUID, dt.datetime]:
    """Return by instrument the newest split that a portfolio has on its ledger."""
    given = {"owner": owner_id, "portfolio": portfolio_id}
    return {row.instrument_id: row.executed_at for row in await session.execute(text(_NEWEST), given)}

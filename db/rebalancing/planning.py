"""Reading the basis of a plan: a portfolio's settings, its holdings, and the prices of its universe."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import select, text

from db.market.splits import MARKET_TODAY, comparable
from db.market.symbols import MEANT
from db.models import Account, Lot, Portfolio
from db.models.trading import IS_OPEN
from db.rebalancing.rows import OpenLotRow, PlannedHoldingRow, RebalancedPortfolioRow
from db.sessions import Connection, Session


async def find_rebalanced(
    session: Session, owner_id: UUID, portfolio_id: UUID, *, lock: bool = False
) -> RebalancedPortfolioRow | None:
    """Return the portfolio's settings for plans, and the broker, state and time zone of its account.

    With `lock`, the portfolio is locked until the transaction ends.
    """
    columns = [
        column for column in Portfolio.__table__.columns if column.name not in ("created_at", "updated_at")
    ]
    statement = (
        select(*columns, Account.broker, Account.is_active.label("account_is_active"), Account.time_zone)
        .join(Account, (Account.owner_id == Portfolio.owner_id) & (Account.id == Portfolio.account_id))
        .where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    )
    if lock:
        statement = statement.with_for_update(key_share=True, of=Portfolio)
    return cast("RebalancedPortfolioRow | None", (await session.execute(statement)).mappings().one_or_none())


_HELD = f"""
SELECT i.id AS instrument_id, i.symbol, i.currency, q.price, q.as_of,
       coalesce(p.quantity, 0) AS quantity, coalesce(p.reserved_quantity, 0) AS reserved_quantity,
       coalesce(p.cost_basis, 0) AS cost_basis,
       coalesce((SELECT sum(o.quantity - o.filled_quantity) FROM orders o
                 WHERE o.owner_id = :owner AND o.portfolio_id = :portfolio AND o.instrument_id = i.id
                       AND o.side = 'BUY' AND o.{IS_OPEN}), 0) AS incoming_quantity
FROM instruments i
LEFT JOIN positions p ON p.owner_id = :owner AND p.portfolio_id = :portfolio AND p.instrument_id = i.id
LEFT JOIN quotes q ON q.instrument_id = i.id
WHERE i.id IN (SELECT instrument_id FROM positions
               WHERE owner_id = :owner AND portfolio_id = :portfolio AND quantity > 0
               UNION SELECT id FROM {MEANT.format(symbols=":symbols", owner=":owner")} meant)
ORDER BY i.symbol
"""


async def find_held(
    session: Session, owner_id: UUID, portfolio_id: UUID, symbols: Sequence[str]
) -> Sequence[PlannedHoldingRow]:
    """Return the portfolio's holdings and these instruments by symbol, each with its quote, if any."""
    parameters = {"owner": owner_id, "portfolio": portfolio_id, "symbols": list(symbols)}
    return cast(
        "Sequence[PlannedHoldingRow]", (await session.execute(text(_HELD), parameters)).mappings().all()
    )


async def find_all_lots(session: Session, owner_id: UUID, portfolio_id: UUID) -> Sequence[OpenLotRow]:
    """Return every open lot of the portfolio, oldest first."""
    statement = (
        select(
            Lot.instrument_id,
            Lot.transaction_id,
            Lot.number,
            Lot.opened_at,
            Lot.remaining_quantity,
            Lot.remaining_cost,
        )
        .where(Lot.owner_id == owner_id, Lot.portfolio_id == portfolio_id, Lot.remaining_quantity > 0)
        .order_by(Lot.instrument_id, Lot.opened_at, Lot.transaction_id, Lot.number)
    )
    return cast("Sequence[OpenLotRow]", (await session.execute(statement)).mappings().all())


class History(NamedTuple):
    """The extent of an instrument's daily bars."""

    symbol: str
    days: int
    first: dt.date | None
    last: dt.date | None


_HISTORIES = f"""
SELECT i.symbol, count(b.date) AS days, min(b.date) AS first, max(b.date) AS last
FROM {MEANT.format(symbols="$2", owner="$1")} i LEFT JOIN price_bars b ON b.instrument_id = i.id
GROUP BY i.symbol ORDER BY i.symbol
"""

_NEWEST = f"""
SELECT i.symbol, (SELECT max(b.date) FROM price_bars b WHERE b.instrument_id = i.id) AS newest
FROM {MEANT.format(symbols="$2", owner="$1")} i
"""

# A return spans two days of the common calendar, between adjusted closes where both days have them, else
# between closes for one share of today. There is no return after a close of 0.
_RETURNS = f"""
WITH meant AS MATERIALIZED (
    SELECT id, symbol FROM {MEANT.format(symbols="$2", owner="$1")} m
), bars AS MATERIALIZED (
    SELECT b.instrument_id, b.date,
           ({comparable("b.close", "b.instrument_id", "b.date", MARKET_TODAY)})::float8 AS close,
           b.adjusted_close::float8 AS adjusted
    FROM price_bars b
    WHERE b.instrument_id IN (SELECT id FROM meant) AND b.date >= $5
), days AS (
    SELECT date FROM bars GROUP BY date HAVING count(*) = $3 ORDER BY date DESC LIMIT $4
), changes AS (
    SELECT instrument_id, date,
           coalesce(adjusted / nullif(lag(adjusted) OVER day, 0), close / nullif(lag(close) OVER day, 0)) - 1
               AS change
    FROM bars JOIN days USING (date) WINDOW day AS (PARTITION BY instrument_id ORDER BY date)
)
SELECT i.symbol, c.returns, c.last
FROM (SELECT instrument_id, array_agg(change ORDER BY date) FILTER (WHERE change IS NOT NULL) AS returns,
             max(date) AS last
      FROM changes GROUP BY instrument_id) c
JOIN meant i ON i.id = c.instrument_id ORDER BY i.symbol
"""


async def fetch_newest_dates(
    connection: Connection, owner_id: UUID, symbols: Sequence[str]
) -> dict[str, dt.date | None]:
    """Return the day of the newest bar of each instrument that these symbols mean to the owner."""
    return {row["symbol"]: row["newest"] for row in await connection.fetch(_NEWEST, owner_id, symbols)}


async def fetch_histories(connection: Connection, owner_id: UUID, symbols: Sequence[str]) -> list[History]:
    """Return how many daily bars each of these instruments has, and their dates."""
    return [History(*row) for row in await connection.fetch(_HISTORIES, owner_id, symbols)]


async def fetch_returns(
    connection: Connection,
    owner_id: UUID,
    symbols: Sequence[str],
    days: int,
    since: dt.date = dt.date.min,
) -> tuple[dict[str, list[float]], dt.date | None]:
    """Return the latest `days` daily returns of each instrument, oldest first, and the last returns' day.

    Only days from `since` on at which all of them have a price count; there are fewer returns where there are
    fewer such days, and fewer of an instrument whose close was 0. Statistics, not money: floats.
    """
    rows = await connection.fetch(_RETURNS, owner_id, symbols, len(symbols), days + 1, since)
    last = rows[0]["last"] if rows else None
    return {row["symbol"]: row["returns"] or [] for row in rows}, last

"""Stored orders, and their owners.

Changes of an order are written with the ledger (`db.trading.ledger_writes`), in a transaction that has locked
the portfolio first.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text

from db.models import OrderWork
from db.models.trading import IS_OPEN
from db.sessions import Session, Sessions
from db.writing import RawConnection


class OrderRow(NamedTuple):
    """An order with its symbol."""

    id: UUID
    client_order_id: UUID
    portfolio_id: UUID
    instrument_id: UUID
    symbol: str
    broker: str
    broker_order_id: str | None
    side: str
    type: str
    status: str
    time_in_force: str
    quantity: Decimal
    filled_quantity: Decimal
    limit_price: Decimal | None
    worst_price: Decimal | None
    reserved_cash: Decimal
    expires_at: dt.datetime | None


_ORDER = """
SELECT o.id, o.client_order_id, o.portfolio_id, o.instrument_id, i.symbol, o.broker, o.broker_order_id,
       o.side, o.type, o.status, o.time_in_force, o.quantity, o.filled_quantity, o.limit_price,
       o.worst_price, o.reserved_cash, o.expires_at
FROM orders o JOIN instruments i ON i.id = o.instrument_id
WHERE o.owner_id = $1 AND o.id = $2
"""


async def find_order(connection: RawConnection, owner_id: UUID, id: UUID) -> OrderRow | None:
    """Return the order; every change of it locks its portfolio."""
    row = await connection.fetchrow(_ORDER, owner_id, id)
    return None if row is None else OrderRow(**row)


_OPEN_ORDERS = f"""
SELECT count(*) FROM orders o JOIN portfolios p ON p.owner_id = :owner AND p.id = o.portfolio_id
WHERE o.owner_id = :owner AND (p.id = :id OR p.account_id = :id) AND o.{IS_OPEN}
"""


async def count_open_orders(session: Session, owner_id: UUID, id: UUID) -> int:
    """Return how many orders are open in a portfolio, or in all portfolios of an account."""
    return int(await session.scalar(text(_OPEN_ORDERS), {"owner": owner_id, "id": id}) or 0)


async def owners_of(sessions: Sessions, order_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the owners of those of these orders that are open."""
    async with sessions.begin(None) as session:
        found = await session.execute(
            select(OrderWork.order_id, OrderWork.owner_id).where(OrderWork.order_id.in_(order_ids))
        )
        return {row.order_id: row.owner_id for row in found}

"""Writing orders: what they reserve, how they change, and who looks after them.

Everything runs in the caller's transaction, which has locked the portfolio before anything of it changes.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, insert, literal_column, select, text, update

from db.market.splits import QUOTE_TODAY
from db.market.symbols import meant
from db.models import Account, Instrument, Order, OrderWork, Portfolio, Position, Quote, Transaction
from db.models.trading import IS_OPEN
from db.sessions import Session, Sessions


async def lock_trader(session: Session, owner_id: UUID, portfolio_id: UUID) -> RowMapping | None:
    """Return the portfolio's row, locked until the transaction ends, with its account's broker and zone."""
    statement = (
        select(
            Portfolio.id,
            Portfolio.account_id,
            Portfolio.currency,
            Portfolio.margin,
            Portfolio.cash_balance,
            Portfolio.reserved_cash,
            Portfolio.max_position_size,
            Portfolio.is_active,
            Account.broker,
            Account.is_active.label("account_is_active"),
            Account.time_zone,
        )
        .join(Account, (Account.owner_id == Portfolio.owner_id) & (Account.id == Portfolio.account_id))
        .where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
        .with_for_update(key_share=True, of=Portfolio)
    )
    return (await session.execute(statement)).mappings().one_or_none()


async def find_quoted(session: Session, owner_id: UUID, symbol: str) -> RowMapping | None:
    """Return the instrument that the symbol means to the owner, and its quote where it has one."""
    statement = (
        meant(owner_id, [symbol])
        .outerjoin(Quote, Quote.instrument_id == Instrument.id)
        .with_only_columns(
            Instrument.id,
            Instrument.symbol,
            Instrument.currency,
            Instrument.asset_class,
            Instrument.exchange,
            literal_column(QUOTE_TODAY.replace("q.", "quotes."), Quote.price.type).label("price"),
            Quote.as_of,
        )
    )
    found: RowMapping | None = (await session.execute(statement)).mappings().one_or_none()
    return found


EXPOSURE = f"""
SELECT s.total_value,
       coalesce((SELECT quantity FROM positions
                 WHERE owner_id = :owner AND portfolio_id = :portfolio AND instrument_id = :instrument), 0)
       + coalesce((SELECT sum(quantity - filled_quantity) FROM orders
                   WHERE owner_id = :owner AND portfolio_id = :portfolio AND instrument_id = :instrument
                         AND side = 'BUY' AND {IS_OPEN}), 0) AS quantity
FROM portfolio_summary s WHERE s.owner_id = :owner AND s.portfolio_id = :portfolio
"""


async def find_exposure(
    session: Session, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID
) -> RowMapping:
    """`quantity`, held and still to be bought by open orders, and the portfolio's `total_value`."""
    parameters = {"owner": owner_id, "portfolio": portfolio_id, "instrument": instrument_id}
    return (await session.execute(text(EXPOSURE), parameters)).mappings().one()


async def reserve(
    session: Session,
    owner_id: UUID,
    portfolio_id: UUID,
    instrument_id: UUID,
    cash: Decimal,
    quantity: Decimal,
) -> None:
    """Reserves so much more, or so much less where it is negative; the rule has agreed."""
    if cash:
        await session.execute(
            update(Portfolio)
            .where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
            .values(reserved_cash=Portfolio.reserved_cash + cash)
        )
    if quantity:
        await session.execute(
            update(Position)
            .where(
                Position.owner_id == owner_id,
                Position.portfolio_id == portfolio_id,
                Position.instrument_id == instrument_id,
            )
            .values(reserved_quantity=Position.reserved_quantity + quantity)
        )


async def insert_order(session: Session, values: Mapping[str, Any], due_at: dt.datetime) -> None:
    """Adds an order, and the work of looking after it."""
    await session.execute(insert(Order).values(**values))
    await session.execute(
        insert(OrderWork).values(owner_id=values["owner_id"], order_id=values["id"], due_at=due_at)
    )


async def insert_filled_order(session: Session, values: Mapping[str, Any]) -> None:
    """Adds an order that has ended already, so that nobody has to look after it."""
    await session.execute(insert(Order).values(**values))


async def find_order(session: Session, owner_id: UUID, id: UUID, *, lock: bool = False) -> RowMapping | None:
    """The order with its symbol; locked until the transaction ends if asked, after its portfolio."""
    columns = [column for column in Order.__table__.columns if column.name != "created_at"]
    statement = (
        select(*columns, Instrument.symbol)
        .join(Instrument, Instrument.id == Order.instrument_id)
        .where(Order.owner_id == owner_id, Order.id == id)
    )
    if lock:
        statement = statement.with_for_update(key_share=True, of=Order)
    return (await session.execute(statement)).mappings().one_or_none()


async def update_order(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Changes a locked order; its version grows by one."""
    await session.execute(
        update(Order)
        .where(Order.owner_id == owner_id, Order.id == id)
        .values(version=Order.version + 1, **values)
    )


async def is_executed(session: Session, owner_id: UUID, execution_id: str) -> bool:
    """Whether the execution is on the ledger already."""
    statement = select(Transaction.id).where(
        Transaction.owner_id == owner_id, Transaction.execution_id == execution_id
    )
    return (await session.execute(statement)).first() is not None


async def filled_value(session: Session, owner_id: UUID, order_id: UUID) -> Decimal:
    """Quantity x price over all that the order traded, not rounded."""
    statement = select(func.sum(Transaction.quantity * Transaction.price)).where(
        Transaction.owner_id == owner_id, Transaction.order_id == order_id
    )
    return (await session.execute(statement)).scalar_one() or Decimal(0)


async def set_work(session: Session, owner_id: UUID, order_id: UUID, due_at: dt.datetime | None) -> None:
    """When the order is looked after next; None once it has ended."""
    mine = (OrderWork.owner_id == owner_id, OrderWork.order_id == order_id)
    if due_at is None:
        await session.execute(delete(OrderWork).where(*mine))
    else:
        await session.execute(update(OrderWork).where(*mine).values(due_at=due_at))


async def owners_of(sessions: Sessions, order_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The owners of those of these orders that are open."""
    async with sessions.begin(None) as session:
        found = await session.execute(
            select(OrderWork.order_id, OrderWork.owner_id).where(OrderWork.order_id.in_(order_ids))
        )
        return {row.order_id: row.owner_id for row in found}

"""Writing the ledger: locks, projections and the transactions themselves.

Everything runs in the caller's transaction. Locks are taken from the top of the tree down and by id, the
account before its portfolios, so that two writers never wait for each other.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Account, Instrument, Lot, Portfolio, Position, Transaction


async def lock_account(session: AsyncSession, owner_id: UUID, account_id: UUID) -> RowMapping | None:
    """The account's row, held until the transaction ends."""
    statement = select(
        Account.id, Account.currency, Account.account_type, Account.unallotted_cash, Account.is_active
    ).where(Account.owner_id == owner_id, Account.id == account_id)
    return (await session.execute(statement.with_for_update(key_share=True))).mappings().one_or_none()


async def lock_portfolio(session: AsyncSession, owner_id: UUID, portfolio_id: UUID) -> RowMapping | None:
    """The portfolio's row, held until the transaction ends, and whether its account is active."""
    account = select(Account.is_active).where(
        Account.owner_id == owner_id, Account.id == Portfolio.account_id
    )
    statement = select(
        Portfolio.id,
        Portfolio.account_id,
        Portfolio.currency,
        Portfolio.margin,
        Portfolio.cash_balance,
        Portfolio.reserved_cash,
        Portfolio.is_active,
        account.scalar_subquery().label("account_is_active"),
    ).where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    return (await session.execute(statement.with_for_update(key_share=True))).mappings().one_or_none()


async def find_instrument(session: AsyncSession, symbol: str) -> RowMapping | None:
    """The instrument with this symbol."""
    statement = select(Instrument.id, Instrument.symbol, Instrument.currency)
    return (await session.execute(statement.where(Instrument.symbol == symbol))).mappings().one_or_none()


async def find_position(
    session: AsyncSession, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID
) -> RowMapping | None:
    """The position, whose portfolio the caller has locked."""
    statement = select(
        Position.id,
        Position.quantity,
        Position.reserved_quantity,
        Position.cost_basis,
        Position.realized_pnl,
    )
    found = await session.execute(
        statement.where(
            Position.owner_id == owner_id,
            Position.portfolio_id == portfolio_id,
            Position.instrument_id == instrument_id,
        )
    )
    return found.mappings().one_or_none()


async def find_lots(
    session: AsyncSession, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID, *, open_only: bool
) -> Sequence[RowMapping]:
    """The position's lots, oldest first."""
    statement = select(Lot.transaction_id, Lot.opened_at, Lot.remaining_quantity, Lot.remaining_cost).where(
        Lot.owner_id == owner_id, Lot.portfolio_id == portfolio_id, Lot.instrument_id == instrument_id
    )
    if open_only:
        statement = statement.where(Lot.remaining_quantity > 0)
    return (await session.execute(statement.order_by(Lot.opened_at, Lot.transaction_id))).mappings().all()


async def share_history(
    session: AsyncSession, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID
) -> Sequence[RowMapping]:
    """Every transaction that changed the holding, in the ledger's order."""
    statement = (
        select(
            Transaction.id,
            Transaction.type,
            Transaction.executed_at,
            Transaction.amount,
            Transaction.commission,
            Transaction.quantity,
            Transaction.price,
            Transaction.split_for,
            Transaction.realized_pnl,
        )
        .where(
            Transaction.owner_id == owner_id,
            Transaction.portfolio_id == portfolio_id,
            Transaction.instrument_id == instrument_id,
            Transaction.quantity_delta != 0,
        )
        .order_by(Transaction.executed_at, Transaction.id)
    )
    return (await session.execute(statement)).mappings().all()


async def latest_share_change(
    session: AsyncSession, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID
) -> dt.datetime | None:
    """When the holding last changed."""
    statement = select(func.max(Transaction.executed_at)).where(
        Transaction.owner_id == owner_id,
        Transaction.portfolio_id == portfolio_id,
        Transaction.instrument_id == instrument_id,
        Transaction.quantity_delta != 0,
    )
    return (await session.execute(statement)).scalar_one()


async def insert_transaction(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Adds one transaction. The ledger only ever grows."""
    await session.execute(insert(Transaction).values(**values))


async def save_position(
    session: AsyncSession,
    owner_id: UUID,
    portfolio_id: UUID,
    instrument_id: UUID,
    new_id: UUID,
    *,
    quantity: Decimal,
    cost_basis: Decimal,
    realized_pnl: Decimal,
) -> None:
    """Writes what the portfolio now holds; `new_id` is used for the first holding of an instrument."""
    figures = {"quantity": quantity, "cost_basis": cost_basis, "realized_pnl": realized_pnl}
    statement = upsert(Position).values(
        owner_id=owner_id, id=new_id, portfolio_id=portfolio_id, instrument_id=instrument_id, **figures
    )
    key = ["owner_id", "portfolio_id", "instrument_id"]
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=figures))


async def save_lots(session: AsyncSession, lots: Sequence[Mapping[str, Any]]) -> None:
    """Writes lots as they now are, each found by the transaction that opened it."""
    if not lots:
        return
    statement = upsert(Lot)
    changed = {
        "remaining_quantity": statement.excluded.remaining_quantity,
        "remaining_cost": statement.excluded.remaining_cost,
    }
    await session.execute(
        statement.on_conflict_do_update(index_elements=["owner_id", "transaction_id"], set_=changed),
        [dict(lot) for lot in lots],
    )


async def save_realized(session: AsyncSession, owner_id: UUID, gains: Mapping[UUID, Decimal]) -> None:
    """Refreshes what sales have realised, after an entry before them."""
    for transaction_id, gain in gains.items():
        await session.execute(
            update(Transaction)
            .where(Transaction.owner_id == owner_id, Transaction.id == transaction_id)
            .values(realized_pnl=gain)
        )


async def add_portfolio_cash(
    session: AsyncSession, owner_id: UUID, portfolio_id: UUID, delta: Decimal
) -> None:
    """Moves the portfolio's cash; the row is locked and the rule has agreed."""
    await session.execute(
        update(Portfolio)
        .where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
        .values(cash_balance=Portfolio.cash_balance + delta)
    )


async def add_account_cash(session: AsyncSession, owner_id: UUID, account_id: UUID, delta: Decimal) -> None:
    """Moves the account's unallotted cash; the row is locked and the rule has agreed."""
    await session.execute(
        update(Account)
        .where(Account.owner_id == owner_id, Account.id == account_id)
        .values(unallotted_cash=Account.unallotted_cash + delta)
    )


# Backwards from the balance of now, so that only what came later is read: nothing, for an entry of today.
_LOWEST_CASH = """
WITH later AS (
    SELECT executed_at, cash_delta, sum(cash_delta) OVER (ORDER BY executed_at DESC, id DESC) AS since_then
    FROM transactions
    WHERE owner_id = :owner AND account_id = :account AND portfolio_id {portfolio} AND executed_at > :since
), final AS (
    SELECT {balance} AS balance
), ledger AS (
    SELECT CAST(:since AS timestamptz) AS executed_at,
           final.balance - (SELECT coalesce(sum(cash_delta), 0) FROM later) AS balance
    FROM final
    UNION ALL
    SELECT later.executed_at, final.balance - later.since_then + later.cash_delta FROM later, final
)
SELECT executed_at, balance FROM ledger ORDER BY balance, executed_at LIMIT 1
"""
_OF_ACCOUNT = {
    "portfolio": "IS NULL",
    "balance": "(SELECT unallotted_cash FROM accounts WHERE owner_id = :owner AND id = :account)",
}
_OF_PORTFOLIO = {
    "portfolio": "= :portfolio",
    "balance": "(SELECT cash_balance FROM portfolios WHERE owner_id = :owner AND id = :portfolio)",
}


async def lowest_cash_since(
    session: AsyncSession, owner_id: UUID, account_id: UUID, portfolio_id: UUID | None, since: dt.datetime
) -> RowMapping:
    """The lowest cash balance from an entry of then on, which is written already, and when that was."""
    parameters = {"owner": owner_id, "account": account_id, "since": since}
    if portfolio_id is not None:
        parameters["portfolio"] = portfolio_id
    statement = _LOWEST_CASH.format(**(_OF_ACCOUNT if portfolio_id is None else _OF_PORTFOLIO))
    return (await session.execute(text(statement), parameters)).mappings().one()

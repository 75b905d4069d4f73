"""Imports and exports: what many new transactions meet, written in bulk, and a whole ledger read by pages."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, case, insert, select
from sqlalchemy.orm import aliased

from db.models import Import, Instrument, Portfolio, Transaction
from db.sessions import Connection, Row, Session
from db.vocabulary import TransactionType

CHUNK = 5000


async def find_instruments(session: Session, symbols: Sequence[str]) -> dict[str, RowMapping]:
    """Return id, currency and price basis of the instruments with these symbols."""
    statement = select(Instrument.symbol, Instrument.id, Instrument.currency, Instrument.price_basis)
    found = await session.execute(statement.where(Instrument.symbol.in_(symbols)))
    return {row["symbol"]: row for row in found.mappings()}


async def recorded_at(
    session: Session, owner_id: UUID, portfolio_id: UUID, instants: Sequence[dt.datetime]
) -> list[RowMapping]:
    """What the portfolio has on its ledger at exactly these instants, also what was reversed since: to import
    it again does not bring it back. The amount of shares from another portfolio is what they cost, as it is
    in an export.
    """
    moved = and_(
        Transaction.type == TransactionType.TRANSFER_IN.value,
        Transaction.transfer_id.is_not(None),
        Transaction.instrument_id.is_not(None),
    )
    amount = case((moved, Transaction.cost_delta), else_=Transaction.amount).label("amount")
    rows: list[RowMapping] = []
    for start in range(0, len(instants), CHUNK):
        statement = select(
            Transaction.type,
            Transaction.instrument_id,
            Transaction.quantity,
            Transaction.price,
            amount,
            Transaction.commission,
            Transaction.split_for,
            Transaction.executed_at,
        ).where(
            Transaction.owner_id == owner_id,
            Transaction.portfolio_id == portfolio_id,
            Transaction.reverses_id.is_(None),
            Transaction.executed_at.in_(instants[start : start + CHUNK]),
        )
        rows += (await session.execute(statement)).mappings().all()
    return rows


async def cash_moves_after(
    session: Session, owner_id: UUID, portfolio_id: UUID, since: dt.datetime
) -> Sequence[tuple[dt.datetime, Decimal]]:
    """The portfolio's cash deltas later than that, in the ledger's order, without what was reversed."""
    reversal = aliased(Transaction)
    reversals = select(reversal.id).where(
        reversal.owner_id == owner_id, reversal.reverses_id == Transaction.id
    )
    statement = (
        select(Transaction.executed_at, Transaction.cash_delta)
        .where(
            Transaction.owner_id == owner_id,
            Transaction.portfolio_id == portfolio_id,
            Transaction.executed_at > since,
            Transaction.reverses_id.is_(None),
            ~reversals.exists(),
        )
        .order_by(Transaction.executed_at, Transaction.id)
    )
    return [(row.executed_at, row.cash_delta) for row in await session.execute(statement)]


async def insert_transactions(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds transactions, all with the same columns."""
    await session.execute(insert(Transaction), [dict(row) for row in rows])


async def insert_import(session: Session, values: Mapping[str, Any]) -> None:
    """Keeps what came of an import."""
    await session.execute(insert(Import).values(**values))


async def find_import(session: Session, owner_id: UUID, id: UUID) -> RowMapping:
    """What came of an import."""
    statement = select(Import.report).where(Import.owner_id == owner_id, Import.id == id)
    return (await session.execute(statement)).mappings().one()


async def find_portfolios(session: Session, owner_id: UUID, name: str) -> Sequence[UUID]:
    """The portfolios of the owner that have this name, each in an account of its own."""
    statement = select(Portfolio.id).where(Portfolio.owner_id == owner_id, Portfolio.name == name)
    return (await session.execute(statement.order_by(Portfolio.id))).scalars().all()


async def has_portfolio(session: Session, owner_id: UUID, id: UUID) -> bool:
    """Whether the owner has a portfolio of this id."""
    statement = select(Portfolio.id).where(Portfolio.owner_id == owner_id, Portfolio.id == id)
    return (await session.execute(statement)).first() is not None


# A transaction that was reversed and its reversal are together nothing, and so are left out together.
_NOT_REVERSED = """
t.owner_id = $1 AND t.portfolio_id = $2 AND t.reverses_id IS NULL
AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
"""
_PAGE = f"""
SELECT t.id, t.type, i.symbol, t.quantity, t.price,
       CASE WHEN t.type = 'TRANSFER_IN' AND t.transfer_id IS NOT NULL AND t.instrument_id IS NOT NULL
            THEN t.cost_delta ELSE t.amount END AS amount, t.commission, t.split_for, t.executed_at,
       t.notes
FROM transactions t LEFT JOIN instruments i ON i.id = t.instrument_id
WHERE {_NOT_REVERSED} AND (t.executed_at, t.id) > ($3, $4)
ORDER BY t.executed_at, t.id LIMIT {CHUNK}
"""
_EARLIEST = (dt.datetime.min.replace(tzinfo=dt.UTC), UUID(int=0))


async def ledger_pages(
    connection: Connection, owner_id: UUID, portfolio_id: UUID
) -> AsyncIterator[Sequence[Row]]:
    """The portfolio's transactions in the ledger's order, a few thousand at a time, all of one instant."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        after = _EARLIEST
        while rows := await connection.fetch(_PAGE, owner_id, portfolio_id, *after):
            yield rows
            after = (rows[-1]["executed_at"], rows[-1]["id"])


async def count_ledger(connection: Connection, owner_id: UUID, portfolio_id: UUID) -> int:
    """How many transactions `ledger_pages` gives."""
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM transactions t WHERE {_NOT_REVERSED}", owner_id, portfolio_id
    )
    return count

"""Imports and exports: what many new transactions meet, written in bulk, and a whole ledger read by pages."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from db.models import Import, Instrument, Lot, Portfolio, Position, Transaction
from db.sessions import Connection, Row, Session
from db.trading import writes

CHUNK = 5000


async def find_instruments(session: Session, symbols: Sequence[str]) -> dict[str, RowMapping]:
    """Id and currency of the instruments with these symbols."""
    statement = select(Instrument.symbol, Instrument.id, Instrument.currency)
    found = await session.execute(statement.where(Instrument.symbol.in_(symbols)))
    return {row["symbol"]: row for row in found.mappings()}


async def recorded_at(
    session: Session, owner_id: UUID, portfolio_id: UUID, instants: Sequence[dt.datetime]
) -> list[RowMapping]:
    """What the portfolio has on its ledger at exactly these instants."""
    rows: list[RowMapping] = []
    for start in range(0, len(instants), CHUNK):
        statement = select(
            Transaction.type,
            Transaction.instrument_id,
            Transaction.quantity,
            Transaction.price,
            Transaction.amount,
            Transaction.commission,
            Transaction.split_for,
            Transaction.executed_at,
        ).where(
            Transaction.owner_id == owner_id,
            Transaction.portfolio_id == portfolio_id,
            Transaction.executed_at.in_(instants[start : start + CHUNK]),
        )
        rows += (await session.execute(statement)).mappings().all()
    return rows


async def cash_moves_after(
    session: Session, owner_id: UUID, portfolio_id: UUID, since: dt.datetime
) -> Sequence[tuple[dt.datetime, Decimal]]:
    """The portfolio's cash deltas later than that, in the ledger's order."""
    statement = (
        select(Transaction.executed_at, Transaction.cash_delta)
        .where(
            Transaction.owner_id == owner_id,
            Transaction.portfolio_id == portfolio_id,
            Transaction.executed_at > since,
        )
        .order_by(Transaction.executed_at, Transaction.id)
    )
    return [(row.executed_at, row.cash_delta) for row in await session.execute(statement)]


async def latest_share_changes(
    session: Session, owner_id: UUID, portfolio_id: UUID, instrument_ids: Sequence[UUID]
) -> dict[UUID, dt.datetime]:
    """When each of these holdings last changed; those that never did are not among them."""
    statement = (
        select(Transaction.instrument_id, func.max(Transaction.executed_at).label("latest"))
        .where(
            Transaction.owner_id == owner_id,
            Transaction.portfolio_id == portfolio_id,
            Transaction.instrument_id.in_(instrument_ids),
            Transaction.quantity_delta != 0,
        )
        .group_by(Transaction.instrument_id)
    )
    return {row.instrument_id: row.latest for row in await session.execute(statement)}


async def find_positions(
    session: Session, owner_id: UUID, portfolio_id: UUID, instrument_ids: Sequence[UUID]
) -> dict[UUID, RowMapping]:
    """What the portfolio holds of these instruments; the caller has locked it."""
    statement = select(
        Position.instrument_id,
        Position.quantity,
        Position.reserved_quantity,
        Position.cost_basis,
        Position.realized_pnl,
    ).where(
        Position.owner_id == owner_id,
        Position.portfolio_id == portfolio_id,
        Position.instrument_id.in_(instrument_ids),
    )
    return {row["instrument_id"]: row for row in (await session.execute(statement)).mappings()}


async def find_lots(
    session: Session, owner_id: UUID, portfolio_id: UUID, instrument_ids: Sequence[UUID]
) -> Sequence[RowMapping]:
    """All lots of these holdings, used up or not, oldest first."""
    statement = (
        select(
            Lot.instrument_id, Lot.transaction_id, Lot.opened_at, Lot.remaining_quantity, Lot.remaining_cost
        )
        .where(
            Lot.owner_id == owner_id,
            Lot.portfolio_id == portfolio_id,
            Lot.instrument_id.in_(instrument_ids),
        )
        .order_by(Lot.opened_at, Lot.transaction_id)
    )
    return (await session.execute(statement)).mappings().all()


async def insert_transactions(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds transactions, all with the same columns."""
    await session.execute(insert(Transaction), [dict(row) for row in rows])


async def save_positions(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes what the portfolio now holds of each instrument."""
    statement = upsert(Position)
    figures = {name: statement.excluded[name] for name in ("quantity", "cost_basis", "realized_pnl")}
    key = ["owner_id", "portfolio_id", "instrument_id"]
    await session.execute(
        statement.on_conflict_do_update(index_elements=key, set_=figures), [dict(row) for row in rows]
    )


async def save_lots(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes lots as they now are, a bounded number at a time."""
    for start in range(0, len(rows), CHUNK):
        await writes.save_lots(session, rows[start : start + CHUNK])


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
SELECT t.id, t.type, i.symbol, t.quantity, t.price, t.amount, t.commission, t.split_for, t.executed_at,
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

"""Writing what follows from transactions: positions, lots, what used them, and gains; only what changed."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Base, Lot, LotUse, Position, Transaction

Rows = Sequence[Mapping[str, Any]]


async def save_positions(session: AsyncSession, rows: Rows) -> None:
    """Writes what portfolios now hold; a row's `id` is used for the first holding of an instrument."""
    await _save(
        session,
        Position,
        rows,
        key=("owner_id", "portfolio_id", "instrument_id"),
        changing=("quantity", "cost_basis", "realized_pnl", "realized_pnl_fifo"),
    )


async def save_lots(session: AsyncSession, rows: Rows) -> None:
    """Writes lots as they now are, each found by the transaction that opened it and its number."""
    await _save(
        session,
        Lot,
        rows,
        key=("owner_id", "transaction_id", "number"),
        changing=("opened_at", "remaining_quantity", "remaining_cost"),
    )


async def save_uses(session: AsyncSession, rows: Rows) -> None:
    """Writes what transactions did to lots."""
    await _save(
        session,
        LotUse,
        rows,
        key=("owner_id", "transaction_id", "lot_transaction_id", "lot_number"),
        changing=("quantity_delta", "cost_delta", "gain"),
    )


async def _save(
    session: AsyncSession, table: type[Base], rows: Rows, *, key: Sequence[str], changing: Sequence[str]
) -> None:
    if not rows:
        return
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in changing}
    await session.execute(
        statement.on_conflict_do_update(index_elements=key, set_=changed), [dict(row) for row in rows]
    )


async def save_derived(session: AsyncSession, owner_id: UUID, rows: Rows) -> None:
    """Refreshes what follows of later transactions, each named by `transaction_id`."""
    if not rows:
        return
    names = ("quantity_delta", "cost_delta", "realized_pnl", "realized_pnl_fifo")
    statement = (
        update(Transaction)
        .where(Transaction.owner_id == owner_id, Transaction.id == bindparam("transaction_id"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    values = [
        {"transaction_id": row["transaction_id"], **{f"new_{name}": row[name] for name in names}}
        for row in rows
    ]
    connection = await session.connection()
    await connection.execute(statement, values)


async def delete_uses(session: AsyncSession, owner_id: UUID, keys: Sequence[tuple[UUID, UUID, int]]) -> None:
    """Forgets uses that are none any more: by transaction, the lot's transaction and its number."""
    for some in _in_parts(keys):
        key = tuple_(LotUse.transaction_id, LotUse.lot_transaction_id, LotUse.lot_number)
        await session.execute(delete(LotUse).where(LotUse.owner_id == owner_id, key.in_(some)))


async def delete_lots(session: AsyncSession, owner_id: UUID, keys: Sequence[tuple[UUID, int]]) -> None:
    """Forgets lots that nothing opened any more, and that nothing uses."""
    for some in _in_parts(keys):
        key = tuple_(Lot.transaction_id, Lot.number)
        await session.execute(delete(Lot).where(Lot.owner_id == owner_id, key.in_(some)))


def _in_parts(keys: Sequence[Any]) -> Sequence[Sequence[Any]]:
    # A statement has 32,767 parameters at the most.
    return [keys[start : start + 5000] for start in range(0, len(keys), 5000)]

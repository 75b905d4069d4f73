"""Writing a whole user's tree at once, in the caller's transaction.

COPY is not possible under row-level security, so a batch of rows goes in as one array for each column, which
takes a third of the time of row after row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Insert, Table, bindparam, func, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import (
    Account,
    Base,
    Lot,
    LotUse,
    Portfolio,
    Position,
    RebalanceDue,
    Transaction,
    Watchlist,
    WatchlistItem,
)
from db.models.auth import AuditEntry, User
from db.sessions import APP_ROLE

BATCH = 1000
"""Rows between two reports of progress."""

Rows = list[dict[str, Any]]

_ARRAYS = (Transaction, Lot)
"""The tables of many rows, none of whose columns is an array itself."""


@dataclass
class Tree:
    """All rows of a user's, by table. Their projections already say what the transactions add up to."""

    accounts: Rows = field(default_factory=list)
    portfolios: Rows = field(default_factory=list)
    dues: Rows = field(default_factory=list)
    transactions: Rows = field(default_factory=list)
    positions: Rows = field(default_factory=list)
    lots: Rows = field(default_factory=list)
    lot_uses: Rows = field(default_factory=list)
    watchlists: Rows = field(default_factory=list)
    watchlist_items: Rows = field(default_factory=list)

    def by_table(self) -> Sequence[tuple[type[Base], Rows]]:
        """In an order in which every row finds the rows that it points at."""
        return (
            (Account, self.accounts),
            (Portfolio, self.portfolios),
            (RebalanceDue, self.dues),
            (Transaction, self.transactions),
            (Position, self.positions),
            (Lot, self.lots),
            (LotUse, self.lot_uses),
            (Watchlist, self.watchlists),
            (WatchlistItem, self.watchlist_items),
        )


async def add_tree(session: AsyncSession, tree: Tree, report: Callable[[int, int], None]) -> None:
    """Inserts every row; `report` is told how many there are so far, and of how many."""
    total = sum(len(rows) for _, rows in tree.by_table())
    done = 0
    for table, rows in tree.by_table():
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            if table in _ARRAYS:
                await session.execute(_insert_arrays(Base.metadata.tables[table.__tablename__], batch))
            else:
                await session.execute(insert(table), batch)
            done += len(batch)
            report(done, total)


def _insert_arrays(table: Table, rows: Rows) -> Insert:
    names = list(rows[0])
    arrays = [
        func.unnest(bindparam(f"{name}s", [row[name] for row in rows], ARRAY(table.c[name].type)))
        for name in names
    ]
    return insert(table).from_select(names, select(*arrays), include_defaults=False)


async def lock_user(session: AsyncSession, user_id: UUID) -> None:
    """Makes others who would build the same user's tree wait until the transaction ends."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


async def allow_long_statements(session: AsyncSession) -> None:
    """Lift the time limit of statements in this transaction.

    The planner knows nothing of rows that are not committed yet, so that valuing them may take longer than a
    request may, on a slow machine longer than half a minute.
    """
    await session.execute(text("SET LOCAL statement_timeout = 0"))


async def was_done(session: AsyncSession, user_id: UUID, action: str) -> bool:
    """Whether the user's audit log has the action."""
    statement = select(func.count()).where(AuditEntry.owner_id == user_id, AuditEntry.action == action)
    return bool(await session.scalar(statement))


async def analyze_uncommitted(session: AsyncSession) -> None:
    """Tell the planner of what this transaction has added, which nobody else can see or count yet.

    Without it the planner takes the tables for empty, and valuing what was added takes ten times as long.
    Only their owner may, so the session has to be on the owner's address; on any other nothing is done. It
    goes on as the application's role.
    """
    await session.execute(text("SET LOCAL ROLE NONE"))
    await session.execute(text("ANALYZE accounts, portfolios, transactions, positions, lots, lot_uses"))
    await session.execute(text(f"SET LOCAL ROLE {APP_ROLE}"))


async def analyze(owner_url: str) -> None:
    """Tells the planner what came in; its own daemon would only see it a minute later."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            "ANALYZE accounts, portfolios, transactions, positions, lots, lot_uses, performance_history"
        )
    finally:
        await connection.close()

"""Writing all rows of a user at once, in the caller's transaction.

COPY is not possible under row-level security, so a batch of rows is inserted as one array for each column,
which takes a third of the time of inserting row after row.
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
"""The number of rows between two reports of progress."""

Rows = list[dict[str, Any]]

_ARRAYS = (Transaction, Lot)
"""The tables with many rows, none of whose columns is itself an array."""


@dataclass
class Tree:
    """All rows of a user, by table; their projections already contain the sums of the transactions."""

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
        """Return the tables in an order in which every row comes after the rows that it refers to."""
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
    """Insert every row; call `report` with the number of rows so far, and the total."""
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
    """Make others who would write the same user's rows wait until the transaction ends."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


async def allow_long_statements(session: AsyncSession) -> None:
    """Lift the time limit of statements in this transaction.

    The planner knows nothing of uncommitted rows, so that valuing them may take longer than a request may: on
    a slow machine longer than half a minute.
    """
    await session.execute(text("SET LOCAL statement_timeout = 0"))


async def was_done(session: AsyncSession, user_id: UUID, action: str) -> bool:
    """Return whether the user's audit log contains the action."""
    statement = select(func.count()).where(AuditEntry.owner_id == user_id, AuditEntry.action == action)
    return bool(await session.scalar(statement))


async def analyze_uncommitted(session: AsyncSession) -> None:
    """Update the planner's statistics on the uncommitted rows of this transaction.

    Nobody else can see or count them yet. Without it the planner takes the tables for empty, and valuing the
    new rows takes ten times as long. Only the owner of the tables may do so: the session must be on the
    owner's address; on any other, nothing is done. The session continues as the application's role.
    """
    await session.execute(text("SET LOCAL ROLE NONE"))
    await session.execute(text("ANALYZE accounts, portfolios, transactions, positions, lots, lot_uses"))
    await session.execute(text(f"SET LOCAL ROLE {APP_ROLE}"))


async def analyze(owner_url: str) -> None:
    """Update the planner's statistics; autovacuum would do so only a minute later."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            "ANALYZE accounts, portfolios, transactions, positions, lots, lot_uses, performance_history"
        )
    finally:
        await connection.close()

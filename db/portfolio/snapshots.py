"""Snapshots: finding stale ones, reading the days that are current, and replacing the others.

Everything runs in the caller's transaction, which has locked the portfolio.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Date, bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db.models import Account, PerformanceSnapshot, PerformanceWork, Portfolio
from db.portfolio.rows import PastSnapshotRow, StaleRow
from db.sessions import Session, Sessions, announce
from db.vocabulary import Topic


async def lock_stale(session: Session, owner_id: UUID, portfolio_id: UUID) -> StaleRow | None:
    """Lock the portfolio; return the first day whose snapshot is stale, or None where all are current.

    The row has that day as `since`, and the account's `time_zone`.
    """
    zone = select(Account.time_zone).where(Account.owner_id == owner_id, Account.id == Portfolio.account_id)
    statement = select(
        Portfolio.snapshots_stale_from.label("since"), zone.scalar_subquery().label("time_zone")
    ).where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    found = await session.execute(statement.with_for_update(key_share=True, of=Portfolio))
    row = found.mappings().one_or_none()
    return cast("StaleRow | None", None if row is None or row["since"] is None else row)


async def find_past(
    session: Session, owner_id: UUID, portfolio_id: UUID, before: dt.date
) -> Sequence[PastSnapshotRow]:
    """Return the stored days before one: cash and positions, the flows and the number of positions."""
    statement = select(
        PerformanceSnapshot.date,
        PerformanceSnapshot.cash_value,
        PerformanceSnapshot.positions_value,
        PerformanceSnapshot.net_flow,
        PerformanceSnapshot.num_positions,
        PerformanceSnapshot.unpriced_positions,
        PerformanceSnapshot.stale_positions,
        PerformanceSnapshot.unquoted_positions,
        PerformanceSnapshot.flows,
    ).where(
        PerformanceSnapshot.owner_id == owner_id,
        PerformanceSnapshot.portfolio_id == portfolio_id,
        PerformanceSnapshot.date < before,
    )
    return cast(
        "Sequence[PastSnapshotRow]",
        (await session.execute(statement.order_by(PerformanceSnapshot.date))).mappings().all(),
    )


async def replace_snapshots(
    session: Session,
    owner_id: UUID,
    portfolio_id: UUID,
    since: dt.date,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Replace the snapshots from that day on by these, and announce them.

    A snapshot whose day remains keeps its id, and only those that changed are written.
    """
    announce(session, owner_id, Topic.PORTFOLIOS)
    mine = (
        PerformanceSnapshot.owner_id == owner_id,
        PerformanceSnapshot.portfolio_id == portfolio_id,
        PerformanceSnapshot.date >= since,
    )
    dates = bindparam(None, [row["date"] for row in rows], type_=ARRAY(Date))
    await session.execute(
        delete(PerformanceSnapshot).where(*mine, PerformanceSnapshot.date != func.all(dates))
    )
    if not rows:
        return
    columns = PerformanceSnapshot.__table__.c
    arrays = [
        func.unnest(bindparam(None, [row[name] for row in rows], type_=ARRAY(columns[name].type)))
        for name in rows[0]
    ]
    statement = insert(PerformanceSnapshot).from_select(
        list(rows[0]), select(*arrays), include_defaults=False
    )
    figures = [name for name in rows[0] if name not in ("owner_id", "id", "portfolio_id", "date")]
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["owner_id", "portfolio_id", "date"],
            set_={name: statement.excluded[name] for name in figures},
            where=or_(*(columns[name].is_distinct_from(statement.excluded[name]) for name in figures)),
        )
    )


async def clear_stale(session: Session, owner_id: UUID, portfolio_id: UUID) -> None:
    """Record that all snapshots of the locked portfolio are current."""
    mine = (Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    await session.execute(update(Portfolio).where(*mine).values(snapshots_stale_from=None))
    await session.execute(
        delete(PerformanceWork).where(
            PerformanceWork.owner_id == owner_id, PerformanceWork.portfolio_id == portfolio_id
        )
    )


async def count_work(sessions: Sessions) -> int:
    """Return how many portfolios are stale and not claimed."""
    async with sessions.begin(None) as session:
        sql = "SELECT count(*) FROM performance_work WHERE due_at <= clock_timestamp()"
        return int((await session.execute(text(sql))).scalar_one())

"""Price rules as every process sees them, before it is known which owners a price concerns."""

import datetime as dt
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select, update

from db.alerts.rows import LockedWatchRow, PriceWatchRow
from db.market.ticks import MARK
from db.models import AlertWatch
from db.sessions import Session, Sessions

_COLUMNS = "owner_id, rule_id, instrument_id, kind, threshold, hysteresis, is_armed, quiet_until, as_of"

_PAGE = f"""
SELECT {_COLUMNS} FROM alert_watches WHERE (owner_id, rule_id) > ($1, $2) ORDER BY owner_id, rule_id LIMIT $3
"""

_CHANGED = f"""
SELECT {_COLUMNS} FROM alert_watches
WHERE changed >= $1 AND changed < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""


async def watches_mark(sessions: Sessions) -> int:
    """Return the mark to read changes from, for a caller that reads all watches after this."""
    async with sessions.reading(None) as connection:
        mark: int = await connection.fetchval(MARK)
        return mark


async def all_watches(sessions: Sessions, at_once: int) -> AsyncIterator[Sequence[PriceWatchRow]]:
    """Yield every watch, `at_once` at a time."""
    after = (UUID(int=0), UUID(int=0))
    while True:
        async with sessions.reading(None) as connection:
            found = await connection.fetch(_PAGE, *after, at_once)
        rows = cast("Sequence[PriceWatchRow]", found)
        if rows:
            yield rows
        if len(rows) < at_once:
            return
        after = (rows[-1]["owner_id"], rows[-1]["rule_id"])


async def watches_changed(sessions: Sessions, since: int) -> tuple[Sequence[PriceWatchRow], int]:
    """Return the watches that have changed since the mark, and the next mark; none is missed."""
    async with sessions.reading(None) as connection:
        mark: int = await connection.fetchval(MARK)
        return cast("Sequence[PriceWatchRow]", await connection.fetch(_CHANGED, since)), mark


async def lock_watches(
    session: Session, owner_id: UUID, rule_ids: Collection[UUID]
) -> Mapping[UUID, LockedWatchRow]:
    """Return and lock the watches of the owner's rules, by rule; the rules are locked before."""
    statement = (
        select(*AlertWatch.__table__.columns)
        .where(AlertWatch.owner_id == owner_id, AlertWatch.rule_id.in_(rule_ids))
        .order_by(AlertWatch.rule_id)
        .with_for_update(key_share=True)
    )
    return cast(
        "Mapping[UUID, LockedWatchRow]",
        {row["rule_id"]: row for row in (await session.execute(statement)).mappings()},
    )


async def update_watch(
    session: Session,
    owner_id: UUID,
    rule_id: UUID,
    is_armed: bool,
    quiet_until: dt.datetime | None,
    as_of: dt.datetime,
) -> None:
    """Save the state of a locked watch after this tick."""
    values: dict[str, Any] = {"is_armed": is_armed, "quiet_until": quiet_until, "as_of": as_of}
    mine = (AlertWatch.owner_id == owner_id, AlertWatch.rule_id == rule_id)
    await session.execute(update(AlertWatch).where(*mine).values(**values))

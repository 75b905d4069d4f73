"""Writing alerts. Each function is a part of the caller's transaction, on the owner's behalf."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from db.alerts.rows import AcknowledgedRow
from db.models import Alert, AlertSequence
from db.sessions import Session


class Numbers(NamedTuple):
    """Numbers that a user's sequence has issued: `first` and those after it, in this epoch."""

    epoch: UUID
    first: int


async def take_numbers(session: Session, owner_id: UUID, count: int) -> Numbers:
    """Take the next numbers of the user's alerts; lock the sequence until the transaction ends.

    So they are committed in order, and no reader misses one. Take them last.
    """
    statement = upsert(AlertSequence).values(owner_id=owner_id, seq=count)
    taken = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["owner_id"], set_={"seq": AlertSequence.seq + statement.excluded.seq}
        ).returning(AlertSequence.epoch, AlertSequence.seq)
    )
    epoch, last = taken.one()
    return Numbers(epoch, last - count + 1)


async def insert_alerts(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add alerts, each with the number that was taken for it."""
    await session.execute(insert(Alert), rows)


async def acknowledge(session: Session, owner_id: UUID, ids: Sequence[UUID]) -> Sequence[AcknowledgedRow]:
    """Acknowledge these alerts, those not yet acknowledged; lock them in the order of their ids.

    Returns the ids of those that the owner has, with whether each is newly acknowledged.
    """
    mine = (Alert.owner_id == owner_id, Alert.id.in_(ids))
    found = await session.execute(
        select(Alert.id, Alert.acknowledged_at.is_(None).label("is_new"))
        .where(*mine)
        .order_by(Alert.id)
        .with_for_update(key_share=True)
    )
    rows = found.mappings().all()
    if any(row["is_new"] for row in rows):
        await session.execute(
            update(Alert).where(*mine, Alert.acknowledged_at.is_(None)).values(acknowledged_at=func.now())
        )
    return cast("Sequence[AcknowledgedRow]", rows)


async def purge(session: Session, owner_id: UUID, seconds: float, most: int) -> int:
    """Delete up to `most` of the owner's alerts that are older than `seconds`; return how many.

    They are always the beginning of the sequence, and their end is recorded first, so that a cursor into it
    is recognized as expired.
    """
    old = (
        select(Alert.seq)
        .where(
            Alert.owner_id == owner_id,
            Alert.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds),
        )
        .order_by(Alert.seq)
        .limit(most)
        .subquery()
    )
    last = await session.scalar(select(func.max(old.c.seq)))
    if last is None:
        return 0
    await session.execute(
        update(AlertSequence).where(AlertSequence.owner_id == owner_id).values(purged_seq=last)
    )
    gone = await session.execute(
        delete(Alert).where(Alert.owner_id == owner_id, Alert.seq <= last).returning(Alert.id)
    )
    return len(gone.all())


async def renew_epochs(session: Session, owner_id: UUID) -> None:
    """Invalidate every cursor that was issued so far: for use after a backup was restored."""
    await session.execute(
        update(AlertSequence).where(AlertSequence.owner_id == owner_id).values(epoch=func.gen_random_uuid())
    )

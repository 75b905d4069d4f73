"""The devices that a user has logged in from; each function is a part of the caller's transaction."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.auth import KnownDevice

MOST_DEVICES = 500
"""How many devices a user may have; the one that was used longest ago gives way to a new one."""

_DAY = dt.timedelta(days=1)


async def remember(
    session: AsyncSession, owner_id: UUID, digests: Sequence[bytes], life: dt.timedelta
) -> None:
    """Remember devices for the time `life` from now, and forget what has expired or is one too many.

    A device that was renewed within the last day is left alone: clients refresh their logins all day.
    """
    until = func.now() + life
    # In order, so that two logins at once wait for each other without a deadlock.
    rows = [{"owner_id": owner_id, "digest": digest, "expires_at": until} for digest in sorted(digests)]
    if rows:
        added = insert(KnownDevice).values(rows)
        renewed = added.on_conflict_do_update(
            index_elements=["owner_id", "digest"],
            set_={"expires_at": added.excluded.expires_at},
            where=KnownDevice.expires_at < added.excluded.expires_at - _DAY,
        )
        await session.execute(renewed)
    await _forget_old(session, owner_id)


async def known_of(session: AsyncSession, owner_id: UUID, digests: Sequence[bytes]) -> list[bytes]:
    """Return which of the digests are devices of the user."""
    of_owner = (KnownDevice.owner_id == owner_id, KnownDevice.digest.in_(digests))
    found = await session.scalars(
        select(KnownDevice.digest).where(*of_owner, KnownDevice.expires_at > func.now())
    )
    return list(found)


async def forget_devices(session: AsyncSession, owner_id: UUID) -> None:
    """Forget all devices of a user: whoever knew the former password may have logged in from one."""
    await session.execute(delete(KnownDevice).where(KnownDevice.owner_id == owner_id))


async def _forget_old(session: AsyncSession, owner_id: UUID) -> None:
    newest = (
        select(KnownDevice.digest)
        .where(KnownDevice.owner_id == owner_id, KnownDevice.expires_at > func.now())
        .order_by(KnownDevice.expires_at.desc())
        .limit(MOST_DEVICES)
    )
    # What another login holds at the moment is skipped: this one must not wait for it now.
    old = (
        select(KnownDevice.digest)
        .where(KnownDevice.owner_id == owner_id, KnownDevice.digest.not_in(newest))
        .with_for_update(skip_locked=True)
    )
    await session.execute(
        delete(KnownDevice).where(KnownDevice.owner_id == owner_id, KnownDevice.digest.in_(old))
    )

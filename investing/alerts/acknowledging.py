"""Acknowledge alerts, and purge old ones."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from db.alerts import writes
from db.alerts.owners import every_user
from db.sessions import Sessions
from investing.actor import Actor
from investing.audit import note
from investing.rules.errors import InvalidInput, NotFound

MOST_AT_ONCE = 500
PURGED_AT_ONCE = 1_000


async def acknowledge_alerts(actor: Actor, ids: Sequence[UUID]) -> None:
    """Record that the owner has seen these alerts, all or none; earlier acknowledgements keep their time.

    Raise InvalidInput for too many, NotFound if one is not the owner's.
    """
    if len(ids) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE} alerts at once.", ("ids",))
    async with actor.sessions.begin(actor.id) as session:
        found = await writes.acknowledge(session, actor.id, ids)
        if len(found) < len(set(ids)):
            raise NotFound("There is no such alert.", ("ids",))
        for row in found:
            if row["is_new"]:
                await note(session, actor.id, actor.client, "alert.acknowledged", "Alert", row["id"])


async def purge_alerts(sessions: Sessions, older_than: dt.timedelta) -> int:
    """Delete every user's alerts older than this, a thousand per transaction; return how many."""
    purged = 0
    for owner_id in await every_user(sessions):
        while True:
            async with sessions.begin(owner_id) as session:
                deleted = await writes.purge(session, owner_id, older_than.total_seconds(), PURGED_AT_ONCE)
            purged += deleted
            if deleted < PURGED_AT_ONCE:
                break
    return purged

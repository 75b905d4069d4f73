"""Taking note of alerts, and forgetting those that are old."""

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
    """Notes that the owner has seen these, all or none; those noted before keep their time.

    Raises InvalidInput for too many, and NotFound where one is not the owner's.
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
    """Deletes every user's alerts that are older than that, a thousand to a transaction. How many."""
    purged = 0
    for owner_id in await every_user(sessions):
        while True:
            async with sessions.begin(owner_id) as session:
                gone = await writes.purge(session, owner_id, older_than.total_seconds(), PURGED_AT_ONCE)
            purged += gone
            if gone < PURGED_AT_ONCE:
                break
    return purged

"""What users may change about themselves."""

from collections.abc import Mapping
from typing import Any

from db.auth.writes import lock_user, update_user
from investing.actor import Actor
from investing.audit import note
from investing.rules.auth.registration import full_name
from investing.rules.time_zones import checked_time_zone
from investing.time_zones import check_known


async def change_user(actor: Actor, changes: Mapping[str, str | None]) -> None:
    """Change the viewer's `full_name` (None for none) and `time_zone`, those that are given.

    Raise InvalidInput if one is not valid.
    """
    values: dict[str, Any] = {}
    if "full_name" in changes:
        values["full_name"] = full_name(changes["full_name"])
    if (time_zone := changes.get("time_zone")) is not None:
        values["time_zone"] = checked_time_zone(time_zone)
    if not values:
        return
    async with actor.sessions.begin(actor.id) as session:
        await lock_user(session, actor.id)
        if "time_zone" in values:
            await check_known(session, values["time_zone"])
        await update_user(session, actor.id, values)
        await note(session, actor.id, actor.client, "user.changed", "User", actor.id, **values)

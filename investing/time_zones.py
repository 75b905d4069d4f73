"""Time zones, which PostgreSQL has to know as well as Python does."""

from db.account.zones import knows_time_zone
from db.sessions import Session, Sessions
from investing.rules.time_zones import DEFAULT, no_such_time_zone


async def is_known(sessions: Sessions, time_zone: str) -> bool:
    """Return whether PostgreSQL knows a time zone."""
    async with sessions.begin(None) as session:
        return await knows_time_zone(session, time_zone)


async def check_known(session: Session, time_zone: str) -> None:
    """Raise InvalidInput for a time zone that PostgreSQL does not know."""
    if time_zone != DEFAULT and not await knows_time_zone(session, time_zone):
        raise no_such_time_zone()

"""The time zones that the database knows."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.sessions import Session

_INVALID_PARAMETER = "22023"


async def knows_time_zone(session: Session, name: str) -> bool:
    """Return whether PostgreSQL knows a time zone, whose data may be older than Python's."""
    try:
        async with session.begin_nested():
            await session.execute(text("SELECT now() AT TIME ZONE :name"), {"name": name})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _INVALID_PARAMETER:
            return False
        raise
    return True

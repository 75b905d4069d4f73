"""The owners that may have alerts: every user, since no policy lets anybody see who has some."""

from collections.abc import Sequence
from uuid import UUID

from db.sessions import Sessions


async def every_user(sessions: Sessions) -> Sequence[UUID]:
    """Return every user, by id."""
    async with sessions.reading(None) as connection:
        rows = await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1")
    return [row["user_id"] for row in rows]

"""Reading how far the making of a demo user has come."""

from uuid import UUID

from db.sessions import Sessions

_ACTIONS = """
SELECT action FROM audit_log
WHERE owner_id = $1 AND user_agent = $2 AND ip_address IS NULL AND action = ANY($3::text[])
"""


async def fetch_actions(sessions: Sessions, user_id: UUID, user_agent: str, actions: list[str]) -> set[str]:
    """Return which of the actions this user agent, without a network address, has done to the user."""
    async with sessions.reading(user_id) as connection:
        return {row["action"] for row in await connection.fetch(_ACTIONS, user_id, user_agent, actions)}

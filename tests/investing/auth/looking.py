"""What tests read past the service, with the rights of the user whose rows they are."""

from typing import Any
from uuid import UUID

from db.sessions import Sessions


async def rows(sessions: Sessions, user_id: UUID, query: str, *arguments: object) -> list[dict[str, Any]]:
    async with sessions.reading(user_id) as connection:
        return [dict(row) for row in await connection.fetch(query, *arguments)]


async def actions(sessions: Sessions, user_id: UUID) -> list[str]:
    """What the audit log says that the user did, in order."""
    query = "SELECT action FROM audit_log WHERE owner_id = $1 ORDER BY id"
    return [row["action"] for row in await rows(sessions, user_id, query, user_id)]


async def families(sessions: Sessions, user_id: UUID) -> list[tuple[int, int, bool]]:
    """Each login of the user, in order: its links, how many are used, and whether it has ended."""
    query = """
        SELECT count(*) AS links, count(used_at) AS used, bool_or(revoked_at IS NOT NULL) AS ended
        FROM refresh_tokens WHERE owner_id = $1 GROUP BY family_id ORDER BY family_id
    """
    return [(r["links"], r["used"], r["ended"]) for r in await rows(sessions, user_id, query, user_id)]

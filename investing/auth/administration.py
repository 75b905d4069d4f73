"""What an administrator does to users by command: each act is in that user's audit log."""

from uuid import UUID

from db.auth import audit, queries, writes
from db.sessions import Sessions
from investing.rules import registration

_BY = {"by": "command"}


class NoSuchUser(Exception):
    """Nobody has this username or e-mail address."""


async def set_administrator(sessions: Sessions, identifier: str, value: bool) -> bool:
    """Makes a user an administrator, or no longer one. Whether that changed anything. Raises NoSuchUser."""
    user_id = await _find(sessions, identifier)
    async with sessions.begin(user_id) as session:
        changed = await writes.set_administrator(session, user_id, value)
        if changed:
            action = "user.made_administrator" if value else "user.unmade_administrator"
            await audit.record(
                session, user_id, action, audit.Origin(), entity=("user", user_id), details=_BY
            )
    return changed


async def set_active(sessions: Sessions, identifier: str, value: bool) -> bool:
    """Lets a user in again, or shuts them out and ends all their sessions. Whether that changed anything.

    Raises NoSuchUser.
    """
    user_id = await _find(sessions, identifier)
    async with sessions.begin(user_id) as session:
        changed = await writes.set_active(session, user_id, value)
        ended = 0 if value else await writes.revoke_all(session, user_id)
        if changed or ended:
            action = "user.activated" if value else "user.deactivated"
            details = _BY if value else {**_BY, "sessions_ended": ended}
            await audit.record(
                session, user_id, action, audit.Origin(), entity=("user", user_id), details=details
            )
    return changed


async def _find(sessions: Sessions, identifier: str) -> UUID:
    user_id = await queries.user_id_of(sessions, registration.as_login(identifier))
    if user_id is None:
        raise NoSuchUser(f"There is no user {identifier}.")
    return user_id

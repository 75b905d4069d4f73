"""What an administrator does to users by command; each act is in that user's audit log."""

from uuid import UUID

from db.auth import audit, queries, writes
from db.auth.devices import forget_devices
from db.sessions import Session, Sessions
from investing.auth.passwords import Passwords
from investing.rules.auth import registration
from investing.rules.errors import shortened

_BY = {"by": "command"}


class NoSuchUser(Exception):
    """Nobody has this username or e-mail address."""


async def find_user(sessions: Sessions, identifier: str) -> UUID:
    """Return the id of the user with this username or e-mail address; raise NoSuchUser if there is none."""
    return await _find(sessions, identifier)


async def set_administrator(sessions: Sessions, identifier: str, value: bool) -> bool:
    """Make a user an administrator, or no longer one; return whether that changed anything.

    Raise NoSuchUser if there is no such user.
    """
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
    """Activate a user, or deactivate one and end all their sessions; return whether that changed anything.

    Raise NoSuchUser if there is no such user.
    """
    user_id = await _find(sessions, identifier)
    async with sessions.begin(user_id) as session:
        changed = await writes.set_active(session, user_id, value)
        ended = 0 if value else await _end_all(session, user_id)
        if changed or ended:
            action = "user.activated" if value else "user.deactivated"
            details = _BY if value else {**_BY, "sessions_ended": ended}
            await audit.record(
                session, user_id, action, audit.Origin(), entity=("user", user_id), details=details
            )
    return changed


async def set_password(sessions: Sessions, identifier: str, password: str) -> None:
    """Give a user another password and end all their sessions.

    Raise NoSuchUser, WeakPassword or InvalidInput.
    """
    registration.password(password)
    user_id = await _find(sessions, identifier)
    password_hash = await _hash(password)
    async with sessions.begin(user_id) as session:
        ended = await replace_password(session, user_id, password_hash)
        details = {**_BY, "sessions_ended": ended}
        await audit.record(
            session,
            user_id,
            "user.password_set",
            audit.Origin(),
            entity=("user", user_id),
            details=details,
        )


async def replace_password(session: Session, user_id: UUID, password_hash: str) -> int:
    """Store a password's hash and end all earlier sessions; return how many there were.

    No device is known any more: somebody who knew the former password may have logged in from it.
    """
    await writes.set_password(session, user_id, password_hash)
    return await _end_all(session, user_id)


async def _end_all(session: Session, user_id: UUID) -> int:
    # In this order, in which a refresh locks its session and its device as well.
    ended = await writes.revoke_all(session, user_id)
    await forget_devices(session, user_id)
    return ended


async def _hash(password: str) -> str:
    passwords = Passwords(at_once=1)
    try:
        return await passwords.hash(password)
    finally:
        passwords.close()


async def _find(sessions: Sessions, identifier: str) -> UUID:
    user_id = await queries.user_id_of(sessions, registration.normalize_identifier(identifier))
    if user_id is None:
        raise NoSuchUser(f"There is no user {shortened(identifier)}.")
    return user_id

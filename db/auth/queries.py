"""Reads of authentication: a name's user, a session's viewer, a token of a refresh chain."""

from collections.abc import Sequence
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.rows import ViewerRow
from db.models.auth import RefreshToken, User
from db.sessions import Sessions

_USER_ID = "SELECT user_id FROM logins WHERE identifier = $1"

# Joined to the id, so that the devices of nobody are looked up as well: it takes equally long.
_CREDENTIALS = """
SELECT u.password_hash, u.is_active,
       ARRAY(SELECT d.digest FROM known_devices d
             WHERE d.owner_id = $1 AND d.digest = ANY($2::bytea[]) AND d.expires_at > now()) AS known
FROM (SELECT $1::uuid AS id) one
LEFT JOIN users u ON u.id = $1
"""

# Run for every operation, so two look-ups by primary key and no more. The first token of a family has the
# family's id and represents it: see `db.auth.writes`. Naming family_id as well would tempt the planner to use
# the other index, and to read all the tokens of a long login.
_VIEWER = """
SELECT u.id, u.username, u.email, u.full_name, u.currency, u.time_zone, u.is_admin, u.is_active,
       u.created_at, u.last_login_at
FROM users u
JOIN refresh_tokens s ON s.owner_id = $1 AND s.id = $2 AND s.revoked_at IS NULL
WHERE u.id = $1 AND u.is_active
"""


class LoginCredentials(NamedTuple):
    """What a login is checked against.

    The hash is None where there is no active user; `known` are those of the digests that the user knows.
    """

    password_hash: str | None
    known: list[bytes]


class Link(NamedTuple):
    """A stored refresh token; `revoked` is its family's state, `active` its user's."""

    id: UUID
    family_id: UUID
    revoked: bool
    used: bool
    expired: bool
    active: bool


async def user_id_of(sessions: Sessions, identifier: str) -> UUID | None:
    """Return the user with this username or e-mail address, given in lower case."""
    async with sessions.reading(None) as connection:
        user_id: UUID | None = await connection.fetchval(_USER_ID, identifier)
        return user_id


async def credentials(sessions: Sessions, user_id: UUID, digests: Sequence[bytes]) -> LoginCredentials:
    """Return the password's hash, and which of the digests are devices of the user.

    For a user who does not exist it takes equally long.
    """
    async with sessions.reading(user_id) as connection:
        row = await connection.fetchrow(_CREDENTIALS, user_id, list(digests))
    assert row is not None, "the id is always there"
    return LoginCredentials(row["password_hash"] if row["is_active"] else None, row["known"])


async def viewer(sessions: Sessions, user_id: UUID, session_id: UUID) -> ViewerRow | None:
    """Return the active user of a session that has not been revoked, or None, by one statement."""
    async with sessions.reading(user_id) as connection:
        return cast("ViewerRow | None", await connection.fetchrow(_VIEWER, user_id, session_id))


async def lock_link(session: AsyncSession, owner_id: UUID, token_hash: bytes) -> Link | None:
    """Return a refresh token, locking its family until the transaction ends; None if it is not stored."""
    link = RefreshToken.__table__.alias("link")
    family = RefreshToken.__table__.alias("family")
    of_owner = (link.c.owner_id == owner_id, link.c.token_hash == token_hash)
    family_id = await session.scalar(
        select(family.c.id)
        .join_from(family, link, family.c.id == link.c.family_id)
        .where(family.c.owner_id == owner_id, *of_owner)
        .with_for_update(of=family)
    )
    if family_id is None:
        return None
    # A statement of its own: the one above may have waited, and saw the token as it was before the wait.
    row = (
        await session.execute(
            select(
                link.c.id,
                link.c.family_id,
                family.c.revoked_at.is_not(None).label("revoked"),
                link.c.used_at.is_not(None).label("used"),
                (link.c.expires_at <= func.now()).label("expired"),
                User.is_active.label("active"),
            )
            .join_from(link, family, family.c.id == link.c.family_id)
            .join(User, User.id == owner_id)
            .where(family.c.owner_id == owner_id, *of_owner)
        )
    ).one()
    return Link(*row)

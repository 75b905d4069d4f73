"""Writes of authentication; each function is a part of the caller's transaction.

A login is a family of refresh tokens. Its first token has the family's id and represents it: every change in
the family locks that row first, and its `revoked_at` is the family's end (later tokens have none). So ending
a login changes one row, and finding out whether it has ended is one look-up by primary key.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Update, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import uuid7
from db.models.auth import Login, RefreshToken, User


async def add_user(
    session: AsyncSession,
    user_id: UUID,
    username: str,
    email: str,
    full_name: str | None,
    password_hash: str,
    time_zone: str,
) -> set[str]:
    """Add a user who logs in with either name; return the identifiers that are taken.

    Identifiers are in lower case. Where any are taken, the caller rolls back.
    """
    await session.execute(
        insert(User).values(
            id=user_id,
            username=username,
            email=email,
            full_name=full_name,
            password_hash=password_hash,
            time_zone=time_zone,
            last_login_at=func.now(),
        )
    )
    # In order, so that two users who want the same names wait for each other without a deadlock.
    identifiers = sorted({username.lower(), email.lower()})
    added = await session.scalars(
        insert_or(Login)
        .values([{"identifier": identifier, "user_id": user_id} for identifier in identifiers])
        .on_conflict_do_nothing()
        .returning(Login.identifier)
    )
    return set(identifiers) - set(added)


async def record_login(
    session: AsyncSession, user_id: UUID, checked: str, renewed: str | None = None
) -> bool:
    """Record the login's time and lock the user.

    `checked` is the hash that the password was checked against, `renewed` the one to store instead of it.
    Return False if the user has been deactivated or has another hash meanwhile.
    """
    unchanged = (User.id == user_id, User.is_active, User.password_hash == checked)
    values = {"last_login_at": func.now(), **({} if renewed is None else {"password_hash": renewed})}
    statement = update(User).where(*unchanged).values(values).returning(User.id)
    return await session.scalar(statement) is not None


async def start_family(session: AsyncSession, owner_id: UUID, token_hash: bytes, life: dt.timedelta) -> UUID:
    """Store the first refresh token of a login; return the family's id."""
    family_id = uuid7()
    await _add_link(session, owner_id, family_id, family_id, token_hash, life)
    return family_id


async def replace_link(
    session: AsyncSession,
    owner_id: UUID,
    family_id: UUID,
    link_id: UUID,
    token_hash: bytes,
    life: dt.timedelta,
) -> None:
    """Mark a token of a locked family as used, and store the next one."""
    link = (RefreshToken.owner_id == owner_id, RefreshToken.id == link_id)
    await session.execute(update(RefreshToken).where(*link).values(used_at=func.now()))
    await _add_link(session, owner_id, family_id, uuid7(), token_hash, life)


async def revoke_family(session: AsyncSession, owner_id: UUID, family_id: UUID) -> None:
    """End a login."""
    await session.execute(_revoke(owner_id).where(RefreshToken.id == family_id))


async def revoke_all(session: AsyncSession, owner_id: UUID) -> int:
    """End all logins of a user whose row is locked; return how many there were."""
    first_links = _revoke(owner_id).where(RefreshToken.id == RefreshToken.family_id)
    ended = await session.scalars(first_links.returning(RefreshToken.id))
    return len(ended.all())


async def set_password(session: AsyncSession, user_id: UUID, password_hash: str) -> None:
    """Store another password's hash, which also locks the user's row."""
    await session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))


async def lock_user(session: AsyncSession, user_id: UUID) -> None:
    """Lock the user's row until the transaction ends; foreign keys to it are not blocked.

    Every writer of a name that is unique among a user's objects takes this lock first: of two transactions
    that check at once whether it is taken, both would find that it is not.
    """
    await session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


async def update_user(session: AsyncSession, user_id: UUID, values: Mapping[str, Any]) -> None:
    """Change columns of a user's own row."""
    await session.execute(update(User).where(User.id == user_id).values(**values))


async def set_administrator(session: AsyncSession, user_id: UUID, value: bool) -> bool:
    """Set whether a user is an administrator; return whether that changed anything."""
    changed = update(User).where(User.id == user_id, User.is_admin != value).values(is_admin=value)
    return await session.scalar(changed.returning(User.id)) is not None


async def set_active(session: AsyncSession, user_id: UUID, value: bool) -> bool:
    """Set whether a user is active; return whether that changed anything.

    The user's row is locked in any case. The lock does not block foreign keys: a refresh that holds its
    family's row, which `revoke_all` will want, must not wait for this one.
    """
    await lock_user(session, user_id)
    changed = update(User).where(User.id == user_id, User.is_active != value).values(is_active=value)
    return await session.scalar(changed.returning(User.id)) is not None


async def _add_link(
    session: AsyncSession,
    owner_id: UUID,
    family_id: UUID,
    link_id: UUID,
    token_hash: bytes,
    life: dt.timedelta,
) -> None:
    await session.execute(
        insert(RefreshToken).values(
            owner_id=owner_id,
            id=link_id,
            family_id=family_id,
            token_hash=token_hash,
            expires_at=func.now() + life,
        )
    )


def _revoke(owner_id: UUID) -> Update:
    return (
        update(RefreshToken)
        .where(
            RefreshToken.owner_id == owner_id,
            RefreshToken.revoked_at.is_(None),
        )
        .values(revoked_at=func.now())
    )

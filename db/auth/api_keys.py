"""Writing broker keys. Each function is a part of the caller's transaction, on the owner's behalf."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from db.auth.rows import DeletedKeyRow
from db.models import Account, ApiKey
from db.sessions import Session


async def find_api_key(session: Session, owner_id: UUID, broker: str, label: str) -> UUID | None:
    """Return the id of the key with this label for the broker."""
    wanted = (ApiKey.owner_id == owner_id, ApiKey.broker == broker, ApiKey.label == label)
    return await session.scalar(select(ApiKey.id).where(*wanted))


async def count_api_keys(session: Session, owner_id: UUID) -> int:
    """Return how many keys the owner has."""
    statement = select(func.count()).where(ApiKey.owner_id == owner_id)
    return (await session.execute(statement)).scalar_one()


async def broker_of(session: Session, owner_id: UUID, account_id: UUID) -> str | None:
    """Return the broker of an account, or None if the owner has no account with this id."""
    statement = select(Account.broker).where(Account.owner_id == owner_id, Account.id == account_id)
    return await session.scalar(statement)


async def insert_api_key(session: Session, values: Mapping[str, Any]) -> None:
    """Add a key."""
    await session.execute(insert(ApiKey).values(**values))


async def replace_api_key(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Replace the credentials of a key by others, as if the key were new."""
    changes = {**values, "created_at": func.now(), "last_used_at": None}
    await session.execute(
        update(ApiKey).where(ApiKey.owner_id == owner_id, ApiKey.id == id).values(**changes)
    )


async def delete_api_key(session: Session, owner_id: UUID, id: UUID) -> DeletedKeyRow | None:
    """Delete a key; return its `broker`, `label` and `key_hint`, or None if the owner has no such key."""
    statement = (
        delete(ApiKey)
        .where(ApiKey.owner_id == owner_id, ApiKey.id == id)
        .returning(ApiKey.broker, ApiKey.label, ApiKey.key_hint)
    )
    return cast("DeletedKeyRow | None", (await session.execute(statement)).mappings().one_or_none())

"""Writing broker keys. Each function is a part of the caller's transaction, on the owner's behalf."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from db.auth.rows import DeletedKeyRow
from db.models import Account, ApiKey
from db.sessions import Session


async def find_api_key(session: Session, owner_id: UUID, broker: str, label: str) -> UUID | None:
    """The id of the key of this label for the broker."""
    wanted = (ApiKey.owner_id == owner_id, ApiKey.broker == broker, ApiKey.label == label)
    return await session.scalar(select(ApiKey.id).where(*wanted))


async def count_api_keys(session: Session, owner_id: UUID) -> int:
    """How many keys the owner has."""
    statement = select(func.count()).where(ApiKey.owner_id == owner_id)
    return (await session.execute(statement)).scalar_one()


async def broker_of(session: Session, owner_id: UUID, account_id: UUID) -> str | None:
    """The broker of an account; None where the owner has none of this id."""
    statement = select(Account.broker).where(Account.owner_id == owner_id, Account.id == account_id)
    return await session.scalar(statement)


async def insert_api_key(session: Session, values: Mapping[str, Any]) -> None:
    """Adds a key."""
    await session.execute(insert(ApiKey).values(**values))


async def replace_api_key(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Puts other credentials in the place of those that are there, as if they were new."""
    changes = {**values, "created_at": func.now(), "last_used_at": None}
    await session.execute(
        update(ApiKey).where(ApiKey.owner_id == owner_id, ApiKey.id == id).values(**changes)
    )


async def delete_api_key(session: Session, owner_id: UUID, id: UUID) -> DeletedKeyRow | None:
    """Removes a key; its `broker`, `label` and `key_hint`, or None where the owner has none of this id."""
    statement = (
        delete(ApiKey)
        .where(ApiKey.owner_id == owner_id, ApiKey.id == id)
        .returning(ApiKey.broker, ApiKey.label, ApiKey.key_hint)
    )
    return cast("DeletedKeyRow | None", (await session.execute(statement)).mappings().one_or_none())

"""Idempotency keys: claimed in the same transaction as the effect that they identify."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.rows import IdempotencyRow
from db.models import IdempotencyKey


async def claim(session: AsyncSession, owner_id: UUID, key: UUID, field: str, arguments_hash: bytes) -> bool:
    """Claim the key, and return whether it is new; wait for a transaction that is claiming the same key."""
    statement = insert(IdempotencyKey).values(
        owner_id=owner_id, key=key, field=field, arguments_hash=arguments_hash
    )
    claimed = await session.execute(
        statement.on_conflict_do_nothing(index_elements=["owner_id", "key"]).returning(IdempotencyKey.key)
    )
    return claimed.one_or_none() is not None


async def find(session: AsyncSession, owner_id: UUID, key: UUID) -> IdempotencyRow:
    """Return what was done under the key."""
    statement = select(IdempotencyKey.field, IdempotencyKey.arguments_hash, IdempotencyKey.outcome).where(
        IdempotencyKey.owner_id == owner_id, IdempotencyKey.key == key
    )
    return cast("IdempotencyRow", (await session.execute(statement)).mappings().one())


async def find_if_there(session: AsyncSession, owner_id: UUID, key: UUID) -> IdempotencyRow | None:
    """Return what was done under the key, or None."""
    statement = select(IdempotencyKey.field, IdempotencyKey.arguments_hash, IdempotencyKey.outcome).where(
        IdempotencyKey.owner_id == owner_id, IdempotencyKey.key == key
    )
    return cast("IdempotencyRow | None", (await session.execute(statement)).mappings().one_or_none())


async def keep(session: AsyncSession, owner_id: UUID, key: UUID, outcome: dict[str, Any]) -> None:
    """Store the outcome: ids, or the refusal."""
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.owner_id == owner_id, IdempotencyKey.key == key)
        .values(outcome=outcome)
    )

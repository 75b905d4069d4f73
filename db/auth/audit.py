"""The audit log: each action is recorded in the transaction that does it."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, insert, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import uuid7
from db.models.auth import AuditEntry, User


class Origin(NamedTuple):
    """The origin of an action; on the command line it has neither part."""

    ip_address: str | None = None
    user_agent: str | None = None


async def record(
    session: AsyncSession,
    owner_id: UUID,
    action: str,
    origin: Origin,
    *,
    entity: tuple[str, UUID] | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Record what a user did, or what was done to them.

    `entity` is the kind and the id of what was acted on; `details` never contain a secret.
    """
    row = entry_row(owner_id, action, origin, entity=entity, details=details)
    await session.execute(insert(AuditEntry).values(**row))


def entry_row(
    owner_id: UUID,
    action: str,
    origin: Origin,
    *,
    entity: tuple[str, UUID] | None = None,
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the row that `record` adds."""
    entity_type, entity_id = entity or (None, None)
    return {
        "owner_id": owner_id,
        "id": uuid7(),
        "action": action,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "details": details or {},
        "ip_address": origin.ip_address,
        "user_agent": origin.user_agent,
    }


async def record_if_known(
    session: AsyncSession, owner_id: UUID, action: str, origin: Origin, details: dict[str, Any]
) -> None:
    """Record the same for a user who may not exist, in equal time, so that the time reveals nothing.

    For the same reason it does not wait for the disk: a crash of the database may lose the last second of
    these entries.
    """
    await session.execute(text("SET LOCAL synchronous_commit = off"))
    columns = ["owner_id", "id", "action", "details", "ip_address", "user_agent"]
    values = select(
        literal(owner_id),
        literal(uuid7()),
        literal(action),
        literal(details, JSONB),
        literal(origin.ip_address),
        literal(origin.user_agent),
    ).where(exists().where(User.id == owner_id))
    await session.execute(insert(AuditEntry).from_select(columns, values, include_defaults=False))

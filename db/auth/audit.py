"""Writing the audit log."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert

from db.ids import uuid7
from db.models import AuditEntry
from db.sessions import Session


async def insert_entry(session: Session, owner_id: UUID, **values: Any) -> None:
    """Adds one entry to the owner's log."""
    await session.execute(insert(AuditEntry).values(owner_id=owner_id, id=uuid7(), **values))

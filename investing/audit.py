"""The audit log: what a user did, written in the transaction that does it."""

from typing import Protocol
from uuid import UUID

from db.auth.audit import insert_entry
from db.sessions import Session


class Caller(Protocol):
    """Where a request came from."""

    @property
    def ip_address(self) -> str | None: ...

    @property
    def user_agent(self) -> str | None: ...


async def note(
    session: Session,
    owner_id: UUID,
    caller: Caller,
    action: str,
    entity_type: str | None = None,
    entity_id: UUID | None = None,
    **details: object,
) -> None:
    """Adds an entry. Details hold names and figures, never a secret."""
    await insert_entry(
        session,
        owner_id,
        action=action,
        entity_type=entity_type,
        entity_id=entity_id,
        details={name: value if value is None else str(value) for name, value in details.items()},
        ip_address=caller.ip_address,
        user_agent=caller.user_agent,
    )

"""The audit log: what a user did, written in the transaction that does it."""

from uuid import UUID

from db.auth.audit import Origin, entry_row, record
from db.sessions import Session
from db.write_batch import WriteBatch
from investing.actor import RequestOrigin
from investing.rules.auth.registration import is_printable

_LONGEST = 500


async def note(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    action: str,
    entity_type: str,
    entity_id: UUID,
    **details: object,
) -> None:
    """Adds an entry. Details hold names and figures, never a secret."""
    entity = (entity_type, entity_id)
    await record(session, owner_id, action, origin_of(client), entity=entity, details=_told(details))


def add_note(
    parts: WriteBatch,
    owner_id: UUID,
    client: RequestOrigin,
    action: str,
    entity_type: str,
    entity_id: UUID,
    **details: object,
) -> None:
    """The same as one of the writes of a statement."""
    entity = (entity_type, entity_id)
    row = entry_row(owner_id, action, origin_of(client), entity=entity, details=_told(details))
    parts.insert("audit_log", row)


def _told(details: dict[str, object]) -> dict[str, str | None]:
    return {name: value if value is None else str(value) for name, value in details.items()}


def origin_of(client: RequestOrigin) -> Origin:
    """Where a request came from, in text that can be stored."""
    return Origin(_storable(client.ip_address), _storable(client.user_agent))


def _storable(text: str | None) -> str | None:
    return text and "".join(c for c in text[:_LONGEST] if is_printable(c))

"""The audit log: what a user did, written in the transaction that does it."""

from uuid import UUID

from db.auth.audit import Origin, entry_row, record
from db.sessions import Session
from db.trading.ledger import LedgerTransaction
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
    """Add an entry. Details contain names and figures, never a secret."""
    entity = (entity_type, entity_id)
    await record(session, owner_id, action, origin_of(client), entity=entity, details=_as_text(details))


def add_note(
    ledger: LedgerTransaction,
    client: RequestOrigin,
    action: str,
    entity_type: str,
    entity_id: UUID,
    **details: object,
) -> None:
    """Add an entry to what a transaction of the ledger writes."""
    entity = (entity_type, entity_id)
    row = entry_row(ledger.owner_id, action, origin_of(client), entity=entity, details=_as_text(details))
    ledger.batch.insert("audit_log", row)


def _as_text(details: dict[str, object]) -> dict[str, str | None]:
    return {name: value if value is None else str(value) for name, value in details.items()}


def origin_of(client: RequestOrigin) -> Origin:
    """Return where a request came from, in text that can be stored."""
    return Origin(_storable(client.ip_address), _storable(client.user_agent))


def _storable(text: str | None) -> str | None:
    return text and "".join(c for c in text[:_LONGEST] if is_printable(c))

"""The names that a rule's channels may have."""

from collections.abc import Collection
from uuid import UUID

from db.notifications.destinations import names_of
from db.sessions import Session


async def known_channels(session: Session, owner_id: UUID) -> Collection[str]:
    """Return the names of the owner's destinations, confirmed or not."""
    return await names_of(session, owner_id)

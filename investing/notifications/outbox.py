"""The outbox: what is to be sent is written in the transaction that causes it, and so is never lost."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from db.ids import uuid7
from db.notifications.outbox import find_ready, insert_deliveries
from db.sessions import Session
from db.vocabulary import DeliveryKind


class Addressed(Protocol):
    """An alert with the names of the destinations that it goes to."""

    @property
    def id(self) -> UUID: ...

    @property
    def channels(self) -> Sequence[str]: ...


async def enqueue(session: Session, owner_id: UUID, alerts: Sequence[Addressed]) -> None:
    """Add a delivery for each alert and each of its channels that the owner has confirmed.

    It is part of the transaction that adds the alerts, and comes after them.
    """
    names = {name for alert in alerts for name in alert.channels}
    if not names:
        return
    ready = {row["name"]: row["id"] for row in await find_ready(session, owner_id, sorted(names))}
    deliveries = [
        {
            "owner_id": owner_id,
            "id": uuid7(),
            "kind": DeliveryKind.ALERT.value,
            "alert_id": alert.id,
            "destination_id": ready[name],
            "channel": name,
        }
        for alert in alerts
        for name in dict.fromkeys(alert.channels)
        if name in ready
    ]
    if deliveries:
        await insert_deliveries(session, deliveries)

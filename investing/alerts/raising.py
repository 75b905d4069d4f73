"""Raising alerts: the one place where they come into being, in the transaction that has the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from db.alerts.writes import insert_alerts, take_numbers
from db.ids import uuid7
from db.sessions import Session, announce
from db.vocabulary import AlertKind, AlertSeverity, Topic
from investing.notifications.outbox import enqueue


@dataclass(frozen=True)
class NewAlert:
    """Something that a user is to be told. `metrics` are the figures behind it, as decimal strings.

    `channels` are the rule's: the names of the destinations that it goes to besides the stream.
    """

    kind: AlertKind
    severity: AlertSeverity
    title: str
    message: str
    metrics: Mapping[str, str]
    rule_id: UUID | None = None
    portfolio_id: UUID | None = None
    instrument_id: UUID | None = None
    channels: Sequence[str] = ()
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True)
class Raised:
    """Alerts that have their numbers: `first_seq` and those after it, in the order they were given."""

    epoch: UUID
    first_seq: int
    ids: Sequence[UUID]


async def raise_alerts(session: Session, owner_id: UUID, alerts: Sequence[NewAlert]) -> Raised | None:
    """Adds alerts in the caller's transaction, which is the owner's; None where there are none.

    Call it last before the commit: from here on the user's sequence is locked, so that numbers are committed
    in order, and whatever else the transaction locked later could close a circle. A transaction that raises
    for several users takes them by id.
    """
    if not alerts:
        return None
    announce(session, owner_id, Topic.ALERTS)
    numbers = await take_numbers(session, owner_id, len(alerts))
    await insert_alerts(
        session,
        [
            {
                "owner_id": owner_id,
                "id": alert.id,
                "seq": numbers.first + place,
                "kind": alert.kind.value,
                "severity": alert.severity.value,
                "title": alert.title,
                "message": alert.message,
                "metrics": dict(alert.metrics),
                "rule_id": alert.rule_id,
                "portfolio_id": alert.portfolio_id,
                "instrument_id": alert.instrument_id,
            }
            for place, alert in enumerate(alerts)
        ],
    )
    await enqueue(session, owner_id, alerts)
    return Raised(numbers.epoch, numbers.first, [alert.id for alert in alerts])

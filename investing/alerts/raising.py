"""Raise alerts: the one place that creates them, in the transaction of whatever causes them."""

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
    """An alert to raise. `metrics` are the figures behind it, as decimal strings.

    `channels` are the rule's: the names of the destinations that the alert goes to besides the stream.
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
    """Raised alerts with their numbers: `first_seq` and those after it, in the order of `ids`."""

    epoch: UUID
    first_seq: int
    ids: Sequence[UUID]


async def raise_alerts(session: Session, owner_id: UUID, alerts: Sequence[NewAlert]) -> Raised | None:
    """Add alerts in the caller's transaction, which is the owner's; return None if there are none.

    Call it last before the commit: it locks the user's sequence, so that numbers are committed in order, and
    whatever the transaction locked later could cause a deadlock. A transaction that raises alerts for several
    users takes the users in order of their ids.
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
                "seq": numbers.first + offset,
                "kind": alert.kind.value,
                "severity": alert.severity.value,
                "title": alert.title,
                "message": alert.message,
                "metrics": dict(alert.metrics),
                "rule_id": alert.rule_id,
                "portfolio_id": alert.portfolio_id,
                "instrument_id": alert.instrument_id,
            }
            for offset, alert in enumerate(alerts)
        ],
    )
    await enqueue(session, owner_id, alerts)
    return Raised(numbers.epoch, numbers.first, [alert.id for alert in alerts])

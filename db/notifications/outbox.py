"""The outbox: deliveries that are due, and the result of each."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from db.models import Alert, Delivery, DeliveryWork, Instrument, NotificationDestination, User
from db.notifications.rows import ReadyDestinationRow, ToldAlertRow
from db.sessions import Session
from db.vocabulary import DeliveryKind, DeliveryStatus

UNDER_WAY = (DeliveryStatus.PENDING.value, DeliveryStatus.FAILED.value)


async def find_ready(session: Session, owner_id: UUID, names: Sequence[str]) -> Sequence[ReadyDestinationRow]:
    """Return the ids and names of the owner's destinations that are confirmed and enabled."""
    found = await session.execute(
        select(NotificationDestination.id, NotificationDestination.name).where(
            NotificationDestination.owner_id == owner_id,
            NotificationDestination.name.in_(names),
            NotificationDestination.confirmed_at.is_not(None),
            NotificationDestination.is_active,
        )
    )
    return cast("Sequence[ReadyDestinationRow]", found.mappings().all())


async def insert_deliveries(
    session: Session, rows: Sequence[Mapping[str, Any]], due_at: dt.datetime | None = None
) -> None:
    """Add deliveries, all with the same columns, and the work of making them, due now by default."""
    await session.execute(insert(Delivery), list(rows))
    work = [{"owner_id": row["owner_id"], "delivery_id": row["id"]} for row in rows]
    await session.execute(
        insert(DeliveryWork), [{**one, "due_at": due_at} for one in work] if due_at else work
    )


async def is_active(session: Session, owner_id: UUID) -> bool:
    """Return whether the owner is active."""
    return bool(await session.scalar(select(User.is_active).where(User.id == owner_id)))


async def set_work(session: Session, owner_id: UUID, delivery_id: UUID, due_at: dt.datetime | None) -> None:
    """Set when the delivery is attempted next; None for never again."""
    if due_at is None:
        mine = (DeliveryWork.owner_id == owner_id, DeliveryWork.delivery_id == delivery_id)
        await session.execute(delete(DeliveryWork).where(*mine))
        return
    statement = upsert(DeliveryWork).values(owner_id=owner_id, delivery_id=delivery_id, due_at=due_at)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["owner_id", "delivery_id"], set_={"due_at": statement.excluded.due_at}
        )
    )


async def find_delivery(session: Session, owner_id: UUID, id: UUID, *, lock: bool = False) -> Any | None:
    """Return the delivery; with `lock`, locked after its destination until the transaction ends."""
    columns = [column for column in Delivery.__table__.columns if column.name != "updated_at"]
    statement = select(*columns).where(Delivery.owner_id == owner_id, Delivery.id == id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    return (await session.execute(statement)).one_or_none()


async def update_delivery(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Change a locked delivery."""
    await session.execute(
        update(Delivery).where(Delivery.owner_id == owner_id, Delivery.id == id).values(**values)
    )


async def end_digested(session: Session, owner_id: UUID, digest_id: UUID, values: Mapping[str, Any]) -> None:
    """Give the unfinished deliveries that a digest contains the digest's own result."""
    await session.execute(
        update(Delivery)
        .where(
            Delivery.owner_id == owner_id,
            Delivery.digest_id == digest_id,
            Delivery.status.in_(UNDER_WAY),
        )
        .values(**values)
    )


async def end_all(session: Session, owner_id: UUID, destination_id: UUID, error: str) -> None:
    """Give up the unfinished deliveries to a locked destination."""
    under_way = (
        Delivery.owner_id == owner_id,
        Delivery.destination_id == destination_id,
        Delivery.status.in_(UNDER_WAY),
    )
    ended = await session.scalars(
        update(Delivery)
        .where(*under_way)
        .values(status=DeliveryStatus.DEAD.value, next_attempt_at=None, last_error=error)
        .returning(Delivery.id)
    )
    await session.execute(
        delete(DeliveryWork).where(
            DeliveryWork.owner_id == owner_id, DeliveryWork.delivery_id.in_(ended.all())
        )
    )


_TAKE = """
INSERT INTO notification_budgets AS b (owner_id, window_start, sent) VALUES (:owner, now(), 1)
ON CONFLICT (owner_id) DO UPDATE SET
    sent = CASE WHEN b.window_start + make_interval(secs => :window) <= now() THEN 1
                ELSE least(b.sent + 1, :per_hour + 1) END,
    window_start = CASE WHEN b.window_start + make_interval(secs => :window) <= now() THEN now()
                        ELSE b.window_start END
RETURNING sent, window_start + make_interval(secs => :window) AS ends
"""


async def take_budget(session: Session, owner_id: UUID, per_hour: int, window: float) -> dt.datetime | None:
    """Count one more alert in the window; return None if it fits in, else when the window ends."""
    parameters = {"owner": owner_id, "per_hour": per_hour, "window": window}
    taken = (await session.execute(text(_TAKE), parameters)).one()
    return taken.ends if taken.sent > per_hour else None


async def find_open_digest(session: Session, owner_id: UUID, destination_id: UUID) -> Any | None:
    """Return the digest of a locked destination that is still open, as nobody has tried to send it."""
    statement = (
        select(Delivery.id, Delivery.next_attempt_at)
        .where(
            Delivery.owner_id == owner_id,
            Delivery.destination_id == destination_id,
            Delivery.kind == DeliveryKind.DIGEST.value,
            Delivery.status == DeliveryStatus.PENDING.value,
            Delivery.attempts == 0,
        )
        .limit(1)
    )
    return (await session.execute(statement)).one_or_none()


async def purge_own(session: Session, owner_id: UUID, before: dt.datetime) -> None:
    """Delete the owner's old digests and confirmations, which are not deleted along with any alert."""
    await session.execute(
        delete(Delivery).where(
            Delivery.owner_id == owner_id,
            Delivery.alert_id.is_(None),
            Delivery.created_at < before,
            Delivery.status.not_in(UNDER_WAY),
        )
    )


async def fetch_alerts(
    session: Session, owner_id: UUID, delivery: Any, most: int
) -> tuple[Sequence[ToldAlertRow], int]:
    """Return up to `most` of the alerts that a delivery contains, oldest first, and their total number."""
    one = Delivery.id == delivery.id
    many = Delivery.digest_id == delivery.id
    # Deliveries that were retried individually, or have ended, are not the digest's any more.
    of_it = (
        Delivery.owner_id == owner_id,
        one if delivery.kind == DeliveryKind.ALERT.value else many & Delivery.status.in_(UNDER_WAY),
    )
    on_alert = (Alert.owner_id == Delivery.owner_id) & (Alert.id == Delivery.alert_id)
    columns = [
        *(Alert.id, Alert.kind, Alert.severity, Alert.title, Alert.message, Alert.metrics, Alert.created_at),
        Instrument.symbol,
    ]
    found = await session.execute(
        select(*columns)
        .select_from(Delivery)
        .join(Alert, on_alert)
        .outerjoin(Instrument, Instrument.id == Alert.instrument_id)
        .where(*of_it, Alert.owner_id == owner_id)
        .order_by(Alert.seq)
        .limit(most)
    )
    total = await session.execute(select(func.count()).select_from(Delivery).where(*of_it))
    return cast("Sequence[ToldAlertRow]", found.mappings().all()), total.scalar_one()

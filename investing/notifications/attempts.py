"""One attempt at a delivery: what is recorded before it, and what after it."""

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.notifications import destinations, outbox
from db.notifications.rows import ToldAlertRow
from db.sessions import Session
from db.vocabulary import DeliveryKind, DeliveryStatus, DestinationKind
from investing.actor import RequestOrigin
from investing.audit import note
from investing.auth.encryption import DecryptionFailed, SecretBox, UnknownKey
from investing.notifications.channels.protocol import OpenedDestination, Undelivered
from investing.notifications.contents import Contents, unseal
from investing.rules.notifications.deliveries import DeliveryPolicy, next_wait
from investing.rules.notifications.messages import (
    MOST_IN_A_DIGEST,
    Fact,
    Message,
    of_alert,
    of_confirmation,
    of_digest,
)

KEPT = dt.timedelta(days=30)
"""How long digests and confirmations are kept once they have ended."""


@dataclass(frozen=True)
class SendContext:
    """What every attempt needs. `alert_id` converts an alert's id to the one that clients see."""

    secret_box: SecretBox
    policy: DeliveryPolicy
    alert_id: Callable[[UUID], str]


@dataclass(frozen=True)
class SendAttempt:
    """A delivery that is to be attempted now."""

    kind: DestinationKind
    target: OpenedDestination
    message: Message


async def begin(
    session: Session, context: SendContext, owner_id: UUID, id: UUID
) -> SendAttempt | Undelivered | None:
    """Count the attempt, and return what is to be sent.

    Return None if nothing is to be sent, after recording why, and Undelivered if the destination cannot be
    decrypted. An attempt is counted before it is made: one whose process is killed counts as made.
    """
    destination, delivery = await _locked(session, owner_id, id)
    if delivery is None or delivery.status not in outbox.UNDER_WAY:
        await outbox.set_work(session, owner_id, id, None)
        return None
    is_active_user = await outbox.is_active(session, owner_id)
    reason = _why_not(destination, delivery) if is_active_user else "The user is deactivated."
    if reason is not None:
        await _give_up(session, owner_id, delivery, reason)
        return None
    if delivery.kind == DeliveryKind.ALERT and delivery.attempts == 0:
        ends = await outbox.take_budget(session, owner_id, context.policy.per_hour, context.policy.window)
        if ends is not None:
            await _hold(session, owner_id, delivery, ends)
            return None
    await outbox.update_delivery(session, owner_id, id, {"attempts": delivery.attempts + 1})
    try:
        return await _prepared(session, context, owner_id, destination, delivery)
    except DecryptionFailed as error:
        return Undelivered(str(error), is_final=not isinstance(error, UnknownKey), is_ours=True)


async def end(
    session: Session, context: SendContext, owner_id: UUID, id: UUID, failure: Undelivered | None
) -> None:
    """Record the outcome of an attempt: sent, to be retried, or dead."""
    destination, delivery = await _locked(session, owner_id, id)
    if delivery is None or delivery.status == DeliveryStatus.SENT:
        return
    now = dt.datetime.now(dt.UTC)
    if failure is None:
        await _sent(session, owner_id, destination, delivery, now)
        return
    is_switched_off = False
    if destination is not None and delivery.kind != DeliveryKind.CONFIRMATION and not failure.is_ours:
        is_switched_off = await _count_failure(session, context, owner_id, destination, failure.reason)
    wait = (
        None
        if failure.is_final
        else next_wait(context.policy, delivery.attempts, random.random(), failure.requested)
    )
    if wait is None or delivery.status == DeliveryStatus.DEAD:
        await _give_up(session, owner_id, delivery, failure.reason)
    else:
        changes = {
            "status": DeliveryStatus.FAILED.value,
            "last_error": failure.reason,
            "next_attempt_at": now + wait,
        }
        await outbox.update_delivery(session, owner_id, id, changes)
        await outbox.set_work(session, owner_id, id, now + wait)
    if is_switched_off:
        reason = f"The destination was switched off after failing repeatedly: {failure.reason}"
        await outbox.end_all(session, owner_id, delivery.destination_id, reason)


async def _count_failure(
    session: Session, context: SendContext, owner_id: UUID, destination: Any, reason: str
) -> bool:
    """Count a failure of a locked destination; return whether that switched it off, which is audited."""
    failures = destination["failures"] + 1
    is_too_often = failures >= context.policy.give_up_after
    changes = {"failures": failures, "is_active": destination["is_active"] and not is_too_often}
    await destinations.update_destination(session, owner_id, destination["id"], changes)
    if not (destination["is_active"] and is_too_often):
        return False
    facts = {"name": destination["name"], "failures": failures, "reason": reason}
    action, entity = "notificationDestination.switchedOff", "NotificationDestination"
    await note(session, owner_id, RequestOrigin(), action, entity, destination["id"], **facts)
    return True


async def _locked(session: Session, owner_id: UUID, id: UUID) -> tuple[Any | None, Any | None]:
    """Return the destination and the delivery, locked in this order."""
    found = await outbox.find_delivery(session, owner_id, id)
    if found is None:
        return None, None
    destination = found.destination_id and await destinations.lock_destination(
        session, owner_id, found.destination_id
    )
    return destination, await outbox.find_delivery(session, owner_id, id, lock=True)


def _why_not(destination: Any | None, delivery: Any) -> str | None:
    if destination is None:
        return "The destination was deleted."
    if delivery.kind == DeliveryKind.CONFIRMATION:
        return None
    if destination["confirmed_at"] is None:
        return "The destination is not confirmed."
    return None if destination["is_active"] else "The destination is switched off."


async def _give_up(session: Session, owner_id: UUID, delivery: Any, reason: str) -> None:
    values = {"status": DeliveryStatus.DEAD.value, "last_error": reason, "next_attempt_at": None}
    await outbox.update_delivery(session, owner_id, delivery.id, values)
    await outbox.set_work(session, owner_id, delivery.id, None)
    if delivery.kind == DeliveryKind.DIGEST:
        await outbox.end_digested(session, owner_id, delivery.id, values)


async def _sent(
    session: Session, owner_id: UUID, destination: Any | None, delivery: Any, now: dt.datetime
) -> None:
    values = {
        "status": DeliveryStatus.SENT.value,
        "sent_at": now,
        "last_error": None,
        "next_attempt_at": None,
    }
    await outbox.update_delivery(session, owner_id, delivery.id, values)
    await outbox.set_work(session, owner_id, delivery.id, None)
    if delivery.kind == DeliveryKind.DIGEST:
        await outbox.end_digested(session, owner_id, delivery.id, values)
    if destination is not None:
        changes = {"failures": 0, "last_sent_at": now}
        await destinations.update_destination(session, owner_id, destination["id"], changes)


async def _hold(session: Session, owner_id: UUID, delivery: Any, ends: dt.datetime) -> None:
    """Leave an alert to the digest that the destination gets when the hour is over."""
    digest = await outbox.find_open_digest(session, owner_id, delivery.destination_id)
    if digest is None:
        await outbox.purge_own(session, owner_id, dt.datetime.now(dt.UTC) - KEPT)
        digest_id, due_at = uuid7(), ends
        new = {
            "owner_id": owner_id,
            "id": digest_id,
            "kind": DeliveryKind.DIGEST.value,
            "destination_id": delivery.destination_id,
            "channel": delivery.channel,
            "next_attempt_at": due_at,
        }
        await outbox.insert_deliveries(session, [new], due_at)
    else:
        digest_id, due_at = digest.id, digest.next_attempt_at
    changes = {"digest_id": digest_id, "next_attempt_at": due_at}
    await outbox.update_delivery(session, owner_id, delivery.id, changes)
    await outbox.set_work(session, owner_id, delivery.id, None)


async def _prepared(
    session: Session, context: SendContext, owner_id: UUID, destination: Any, delivery: Any
) -> SendAttempt | None:
    contents = unseal(
        context.secret_box,
        owner_id,
        destination["id"],
        destination["ciphertext"],
        destination["encryption_key_id"],
    )
    message = await _message(session, context, owner_id, contents, delivery)
    if message is None:
        await _give_up(session, owner_id, delivery, "There was nothing left to send.")
        return None
    secrets = contents.signing_secrets(dt.datetime.now(dt.UTC))
    return SendAttempt(
        DestinationKind(destination["kind"]), OpenedDestination(contents.address, secrets), message
    )


async def _message(
    session: Session, context: SendContext, owner_id: UUID, contents: Contents, delivery: Any
) -> Message | None:
    if delivery.kind == DeliveryKind.CONFIRMATION:
        return of_confirmation(contents.code) if contents.code else None
    rows, total = await outbox.fetch_alerts(session, owner_id, delivery, MOST_IN_A_DIGEST)
    facts = [_fact(context, row) for row in rows]
    if not facts:
        return None
    if delivery.kind == DeliveryKind.DIGEST:
        return of_digest(facts, total, context.policy.per_hour)
    return of_alert(facts[0])


def _fact(context: SendContext, row: ToldAlertRow) -> Fact:
    return Fact(
        id=context.alert_id(row["id"]),
        kind=row["kind"],
        severity=row["severity"],
        title=row["title"],
        message=row["message"],
        metrics=row["metrics"],
        symbol=row["symbol"],
        created_at=row["created_at"],
    )

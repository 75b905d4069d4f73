"""Create, confirm and delete destinations, and retry dead deliveries."""

import asyncio
import datetime as dt
import hmac
import secrets
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from db.auth.writes import lock_user
from db.ids import uuid7
from db.notifications import destinations as rows
from db.notifications import outbox
from db.sessions import Session
from db.vocabulary import DeliveryKind, DeliveryStatus, DestinationKind
from investing.actor import Actor
from investing.audit import note
from investing.auth.encryption import SecretBox
from investing.notifications.contents import Contents, seal, unseal
from investing.rules.errors import (
    DeliveryNotDead,
    InvalidInput,
    KindUnavailable,
    LimitReached,
    NameTaken,
    NotFound,
    UnknownDestination,
    WrongCode,
)
from investing.rules.names import checked_name
from investing.rules.notifications.destinations import (
    CODE_HOURS,
    CODE_LENGTH,
    CODE_LETTERS,
    CODE_TRIES,
    CODES_PER_DAY,
    CODES_PER_HOUR,
    MOST_DESTINATIONS,
    checked_address,
    hint_of,
)

TYPE = "NotificationDestination"


@dataclass(frozen=True)
class CreatedDestination:
    """A new destination. The signing secret is a webhook's, and is shown only this once."""

    id: UUID
    signing_secret: str | None


class Destinations:
    """The users' operations on their destinations.

    `allow_private` permits private addresses; `mail` is whether an SMTP server is configured.
    """

    def __init__(self, secret_box: SecretBox, *, allow_private: bool = False, mail: bool = False) -> None:
        self._secret_box = secret_box
        self._allow_private = allow_private
        self._mail = mail

    async def create(
        self, actor: Actor, name: str, kind: DestinationKind, address: str
    ) -> CreatedDestination:
        """Create a destination, and send it the code that confirms it.

        Raise InvalidInput, AddressRefused, KindUnavailable, NameTaken or LimitReached.
        """
        name = checked_name(name)
        address = checked_address(kind, address, allow_private=self._allow_private)
        await self._check_kind(kind, address)
        id, secret = uuid7(), None
        if kind is DestinationKind.WEBHOOK:
            from investing.notifications.channels.webhook import new_signing_secret

            secret = new_signing_secret()
        async with actor.sessions.begin(actor.id) as session:
            # So that two requests cannot both find a name free, or a place left, at the same time.
            await lock_user(session, actor.id)
            names = await rows.names_of(session, actor.id)
            if name in names:
                raise NameTaken(f"You already have a destination {name}.", ("name",))
            if len(names) >= MOST_DESTINATIONS:
                raise LimitReached(f"There can be {MOST_DESTINATIONS} destinations.", limit=MOST_DESTINATIONS)
            shown = {"name": name, "kind": kind.value, "hint": hint_of(kind, address)}
            contents = Contents(address, secret=secret)
            sealed = seal(self._secret_box, actor.id, id, contents)
            await rows.insert_destination(session, {"owner_id": actor.id, "id": id, **shown, **sealed})
            await self._send_code(session, actor.id, id, name, contents)
            await note(session, actor.id, actor.client, "notificationDestination.created", TYPE, id, **shown)
        return CreatedDestination(id, secret)

    async def confirm(self, actor: Actor, id: UUID, code: str) -> None:
        """Confirm a destination with the code that was sent to it.

        One that is already confirmed stays so, whatever the code. Raise NotFound or WrongCode.
        """
        tries_left: int | None = None
        async with actor.sessions.begin(actor.id) as session:
            row = await _lock(session, actor.id, id)
            if _is_ready(row):
                return
            contents = unseal(self._secret_box, actor.id, id, row["ciphertext"], row["encryption_key_id"])
            now = dt.datetime.now(dt.UTC)
            is_open = row["code_tries"] < CODE_TRIES and row["code_expires_at"] > now
            given = code.strip().upper().encode()
            if is_open and contents.code and hmac.compare_digest(contents.code.encode(), given):
                sealed = seal(self._secret_box, actor.id, id, replace(contents, code=None))
                fresh = {"confirmed_at": now, "is_active": True, "failures": 0, "code_expires_at": None}
                await rows.update_destination(session, actor.id, id, {**fresh, **sealed})
                action = "notificationDestination.confirmed"
            else:
                tries_left = max(0, CODE_TRIES - row["code_tries"] - 1) if is_open else 0
                tries = min(CODE_TRIES, row["code_tries"] + 1)
                await rows.update_destination(session, actor.id, id, {"code_tries": tries})
                action = "notificationDestination.wrongCode"
            await note(session, actor.id, actor.client, action, TYPE, id, name=row["name"])
        # Raised after the commit, so that the wrong try is counted.
        if tries_left is not None:
            message = "The code is wrong or no longer valid." + ("" if tries_left else " Ask for a new one.")
            raise WrongCode(message, ("code",), attempts_left=tries_left)

    async def resend_code(self, actor: Actor, id: UUID) -> None:
        """Send another code to a destination that is not confirmed or was switched off; the former is void.

        Raise NotFound or LimitReached.
        """
        async with actor.sessions.begin(actor.id) as session:
            await lock_user(session, actor.id)
            row = await _lock(session, actor.id, id)
            if _is_ready(row):
                return
            contents = unseal(self._secret_box, actor.id, id, row["ciphertext"], row["encryption_key_id"])
            await self._send_code(session, actor.id, id, row["name"], contents)
            action = "notificationDestination.codeSent"
            await note(session, actor.id, actor.client, action, TYPE, id, name=row["name"])

    async def rotate_secret(self, actor: Actor, id: UUID) -> str:
        """Return a new signing secret for a webhook, shown only this once; the former also signs for a day.

        Raise NotFound, or InvalidInput if it is not a webhook.
        """
        from investing.notifications.channels.webhook import new_signing_secret

        secret = new_signing_secret()
        async with actor.sessions.begin(actor.id) as session:
            row = await _lock(session, actor.id, id)
            if row["kind"] != DestinationKind.WEBHOOK:
                raise InvalidInput("Only webhooks are signed.", ("notificationDestinationId",))
            contents = unseal(self._secret_box, actor.id, id, row["ciphertext"], row["encryption_key_id"])
            sealed = seal(
                self._secret_box, actor.id, id, contents.with_secret(secret, dt.datetime.now(dt.UTC))
            )
            await rows.update_destination(session, actor.id, id, sealed)
            action = "notificationDestination.secretRotated"
            await note(session, actor.id, actor.client, action, TYPE, id, name=row["name"])
        return secret

    async def delete(self, actor: Actor, id: UUID) -> None:
        """Delete a destination, remove it from rules and give up its deliveries.

        Raise NotFound if the owner has no such destination.
        """
        async with actor.sessions.begin(actor.id) as session:
            await lock_user(session, actor.id)
            row = await _lock(session, actor.id, id)
            await outbox.end_all(session, actor.id, id, "The destination was deleted.")
            await rows.delete_destination(session, actor.id, id, row["name"])
            action = "notificationDestination.deleted"
            await note(session, actor.id, actor.client, action, TYPE, id, name=row["name"])

    async def retry(self, actor: Actor, delivery_id: UUID) -> None:
        """Retry a dead delivery from the beginning, on its own if it was in a digest.

        Raise NotFound, DeliveryNotDead or UnknownDestination.
        """
        async with actor.sessions.begin(actor.id) as session:
            found = await outbox.find_delivery(session, actor.id, delivery_id)
            if found is None:
                raise NotFound("There is no such delivery.", ("deliveryId",))
            ready = found.destination_id and await rows.lock_destination(
                session, actor.id, found.destination_id
            )
            delivery = await outbox.find_delivery(session, actor.id, delivery_id, lock=True)
            assert delivery is not None, "it was there, and its destination is locked"
            if delivery.status != DeliveryStatus.DEAD:
                message = f"The delivery is {delivery.status}: only one that is DEAD can be tried again."
                raise DeliveryNotDead(message, ("deliveryId",), delivery_status=delivery.status)
            if not ready or not _is_ready(ready):
                message = f"{delivery.channel} is not a confirmed and active destination."
                raise UnknownDestination(message, ("deliveryId",), name=delivery.channel)
            now = dt.datetime.now(dt.UTC)
            again = {"status": DeliveryStatus.PENDING.value, "attempts": 0, "digest_id": None}
            await outbox.update_delivery(
                session, actor.id, delivery_id, {**again, "next_attempt_at": now, "last_error": None}
            )
            await outbox.set_work(session, actor.id, delivery_id, now)
            facts = {"channel": delivery.channel}
            await note(session, actor.id, actor.client, "delivery.retried", "Delivery", delivery_id, **facts)

    async def _check_kind(self, kind: DestinationKind, address: str) -> None:
        if kind is DestinationKind.EMAIL and not self._mail:
            raise KindUnavailable("This server has no SMTP server to send mails with.", ("kind",))
        if kind is DestinationKind.APPRISE:
            from investing.notifications.channels.services import load

            if await asyncio.to_thread(load, address) is None:
                message = "The service's URL is incomplete: apprise's documentation says what it consists of."
                raise InvalidInput(message, ("address",))

    async def _send_code(
        self, session: Session, owner_id: UUID, id: UUID, name: str, contents: Contents
    ) -> None:
        now = dt.datetime.now(dt.UTC)
        for limit, hours, span in ((CODES_PER_HOUR, 1, "hour"), (CODES_PER_DAY, 24, "day")):
            if await rows.count_codes(session, owner_id, now - dt.timedelta(hours=hours)) >= limit:
                raise LimitReached(f"{limit} codes were sent within the {span}: wait a while.", limit=limit)
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        sealed = seal(self._secret_box, owner_id, id, replace(contents, code=code))
        expires_at = now + dt.timedelta(hours=CODE_HOURS)
        changes = {**sealed, "code_expires_at": expires_at, "code_tries": 0}
        await rows.update_destination(session, owner_id, id, changes)
        delivery: dict[str, Any] = {
            "owner_id": owner_id,
            "id": uuid7(),
            "destination_id": id,
            "channel": name,
        }
        await outbox.insert_deliveries(session, [{**delivery, "kind": DeliveryKind.CONFIRMATION.value}])


def _is_ready(row: Any) -> bool:
    return row["confirmed_at"] is not None and row["is_active"]


async def _lock(session: Session, owner_id: UUID, id: UUID) -> Any:
    row = await rows.lock_destination(session, owner_id, id)
    if row is None:
        raise NotFound("There is no such destination.", ("notificationDestinationId",))
    return row

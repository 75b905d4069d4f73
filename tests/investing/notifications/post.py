"""A post office for the tests: destinations, alerts, and a sender that the test drives."""

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from db.sessions import Sessions
from db.vocabulary import AlertKind, AlertSeverity, DestinationKind
from investing.actor import Actor
from investing.alerts.raising import NewAlert, raise_alerts
from investing.auth.encryption import SecretBox
from investing.auth.keys import KeyRing
from investing.notifications.channels.smtp import SmtpConfig
from investing.notifications.contents import unseal
from investing.notifications.destinations import CreatedDestination, Destinations
from investing.notifications.sender import Sender, channels_of
from investing.rules.notifications.deliveries import DeliveryPolicy
from tests.investing.exchange import Exchange

KIND, WEBHOOK = AlertKind.PRICE_ABOVE, DestinationKind.WEBHOOK
AT_ONCE = DeliveryPolicy(first_wait=0, timeout=2, lease=30)
"""A failure is tried again in the same moment."""


@dataclass
class Post:
    """One user's post. `pace` and `allow_private` are the sender's."""

    sessions: Sessions
    exchange: Exchange
    actor: Actor
    pace: DeliveryPolicy = AT_ONCE
    allow_private: bool = True
    smtp_config: SmtpConfig | None = None
    secret_box: SecretBox = field(default_factory=lambda: SecretBox(KeyRing.generate))

    @property
    def desk(self) -> Destinations:
        """Where destinations are made."""
        return Destinations(self.secret_box, allow_private=True, mail=True)

    @property
    def sender(self) -> Sender:
        """A new sender, as a process that has just started has one."""
        channels = channels_of(
            smtp_config=self.smtp_config, allow_private=self.allow_private, timeout=self.pace.timeout
        )
        return Sender(self.sessions, self.secret_box, channels, policy=self.pace)

    async def send(self) -> None:
        """Sends all that is due."""
        await drain(self.sender)

    async def made(self, name: str, address: str, kind: DestinationKind = WEBHOOK) -> CreatedDestination:
        """A destination to which nothing has been sent yet."""
        return await self.desk.create(self.actor, name, kind, address)

    async def confirmed(self, name: str, address: str, kind: DestinationKind = WEBHOOK) -> CreatedDestination:
        """A destination that its owner has confirmed; the code is read from where it is stored."""
        made = await self.made(name, address, kind)
        await self.desk.confirm(self.actor, made.id, await self.code(made.id))
        await self.run("DELETE FROM deliveries WHERE destination_id = $1", made.id)
        return made

    async def code(self, id: UUID) -> str:
        """The code that confirms a destination."""
        row = await self.destination(id)
        contents = unseal(self.secret_box, self.actor.id, id, row["ciphertext"], row["encryption_key_id"])
        assert contents.code is not None
        return contents.code

    async def alert(self, *channels: str, title: str = "AAPL is above 200", **more: Any) -> UUID:
        """Raises an alert for these channels: its id."""
        facts = {"message": "AAPL costs 201.50.", "metrics": {"price": "201.5"}, **more}
        new = NewAlert(KIND, AlertSeverity.WARNING, title, channels=channels, **facts)
        async with self.sessions.begin(self.actor.id) as session:
            await raise_alerts(session, self.actor.id, [new])
        return new.id

    async def destination(self, id: UUID) -> Any:
        """A destination's row."""
        async with self.sessions.reading(self.actor.id) as connection:
            return await connection.fetchrow("SELECT * FROM notification_destinations WHERE id = $1", id)

    async def deliveries(self, kind: str = "ALERT") -> list[Any]:
        """The deliveries of a kind, oldest first."""
        async with self.sessions.reading(self.actor.id) as connection:
            return await connection.fetch(
                "SELECT * FROM deliveries WHERE kind = $1 ORDER BY created_at, id", kind
            )

    async def statuses(self) -> list[tuple[str, int, str | None]]:
        """Status, attempts and last error of each alert's delivery."""
        return [(row["status"], row["attempts"], row["last_error"]) for row in await self.deliveries()]

    async def work(self) -> Any:
        """How many deliveries are still to be made."""
        return await self.exchange.value(
            "SELECT count(*) FROM delivery_work WHERE owner_id = $1", self.actor.id
        )

    async def run(self, statement: str, *arguments: object) -> None:
        """A statement by the superuser."""
        await self.exchange.run(statement, *arguments)

    async def pass_hours(self, hours: float) -> None:
        """Makes everything that is stored of this user's post so much older."""
        ago = dt.timedelta(hours=hours)
        for table, column in (
            ("delivery_work", "due_at"),
            ("deliveries", "next_attempt_at"),
            ("deliveries", "created_at"),
            ("notification_budgets", "window_start"),
            ("notification_destinations", "code_expires_at"),
        ):
            await self.run(
                f"UPDATE {table} SET {column} = {column} - $2::interval WHERE owner_id = $1",
                self.actor.id,
                ago,
            )


async def drain(sender: Sender) -> None:
    """Send all that is due now, and return when nothing is on its way."""
    # A claim passes over what is finished while it looks, and then may have looked at nothing else.
    in_vain = 0
    while in_vain < 2:
        in_vain = 0 if await sender.take() or sender._under_way else in_vain + 1
        if sender._under_way:
            await asyncio.wait(sender._under_way, return_when=asyncio.FIRST_COMPLETED)

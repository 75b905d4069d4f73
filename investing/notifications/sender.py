"""The sender: takes what is due from the outbox and sends it. Any number of processes may run one."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from uuid import UUID

from db.claims import DELIVERIES, claim
from db.outages import Faults, Outage
from db.sessions import Session, Sessions, is_away
from db.vocabulary import DestinationKind
from investing.auth.encryption import SecretBox
from investing.notifications import attempts
from investing.notifications.attempts import SendAttempt, SendContext
from investing.notifications.channels.protocol import Channel, Undelivered
from investing.notifications.channels.smtp import SmtpConfig
from investing.rules.notifications.deliveries import DeliveryPolicy

logger = logging.getLogger("graphfolio.notifications")
ResultT = TypeVar("ResultT")

ABREAST = 8
"""How many deliveries a process sends at a time."""

OF_ONE_OWNER = 4
"""How many of them may be one owner's, so that slow receivers do not hold up other owners for long."""

SECONDS_TO_FINISH = 3.0
"""What is not done by then is sent again by another process: a server has to shut down in time."""


class Sender:
    """Send what is due. The channels are made at the first use, because they take long to import."""

    def __init__(
        self,
        sessions: Sessions,
        secret_box: SecretBox,
        channels: Callable[[], Mapping[DestinationKind, Channel]],
        alert_id: Callable[[UUID], str] = str,
        policy: DeliveryPolicy | None = None,
    ) -> None:
        self._sessions = sessions
        self._policy = policy or DeliveryPolicy()
        self._context = SendContext(secret_box, self._policy, alert_id)
        self._make_channels = channels
        self._channels: Mapping[DestinationKind, Channel] | None = None
        self._under_way: dict[asyncio.Task[None], UUID] = {}
        self._outbox = Outage(logger, "Reading the outbox")
        self._keys = Outage(logger, "Opening destinations")
        self.outages = (self._outbox, self._keys)
        self._faults = Faults(logger)
        self._kinds = {kind: Outage(logger, f"Sending by {kind}") for kind in DestinationKind}

    async def run(self, every_seconds: float = 1.0) -> None:
        """Send for ever. When this is cancelled, deliveries in progress get a few seconds to finish."""
        try:
            while True:
                taken = 0
                if len(self._under_way) < ABREAST:
                    with self._outbox.survived():
                        taken = await self.take()
                if len(self._under_way) >= ABREAST:
                    await asyncio.wait(
                        self._under_way, timeout=every_seconds, return_when=asyncio.FIRST_COMPLETED
                    )
                elif not taken:
                    await asyncio.sleep(every_seconds)
        finally:
            await self._finish()

    async def take(self) -> int:
        """Claim what is due, as much as there is capacity for, and start it; return how much."""
        room = ABREAST - len(self._under_way)
        if not room:
            return 0
        counts = Counter(self._under_way.values())
        busy = [owner_id for owner_id, count in counts.items() if count >= OF_ONE_OWNER]
        work = await claim(self._sessions, DELIVERIES, self._policy.lease, room, busy)
        for owner_id, id in work:
            task = asyncio.create_task(self._deliver(owner_id, id))
            self._under_way[task] = owner_id
            task.add_done_callback(self._under_way.pop)
        return len(work)

    async def _deliver(self, owner_id: UUID, id: UUID) -> None:
        """Make one attempt. After a fault the work stays as it is: it is due again when its lease ends."""
        try:
            send_attempt = await self._write(
                owner_id, lambda session: attempts.begin(session, self._context, owner_id, id)
            )
            if send_attempt is None:
                return
            failure = (
                send_attempt if isinstance(send_attempt, Undelivered) else await self._send(send_attempt, id)
            )
            self._log_outcome(send_attempt, failure)
            await self._write(
                owner_id, lambda session: attempts.end(session, self._context, owner_id, id, failure)
            )
        except Exception as error:
            if is_away(error):
                self._outbox.began(error)
            else:
                self._faults.met(error, "Something went wrong with the delivery %s.", id)

    async def _send(self, send_attempt: SendAttempt, id: UUID) -> Undelivered | None:
        """Send a message; return why it did not arrive, or None.

        Of an unexpected error only the type is reported.
        """
        if self._channels is None:
            self._channels = await asyncio.to_thread(self._make_channels)
        channel = self._channels.get(send_attempt.kind)
        if channel is None:
            reason = f"This server cannot send to destinations of the kind {send_attempt.kind}."
            return Undelivered(reason, is_ours=True)
        try:
            async with asyncio.timeout(self._policy.timeout):
                await channel.send(send_attempt.target, send_attempt.message, id)
        except Undelivered as failure:
            return failure
        except TimeoutError:
            # The receiver of a mail is the operator's own mail server, so the fault is ours.
            return Undelivered(
                "The receiver took too long.", is_ours=send_attempt.kind is DestinationKind.EMAIL
            )
        except Exception as error:
            logger.error("The delivery %s failed unexpectedly: %s.", id, type(error).__name__)
            return Undelivered(f"It could not be sent: {type(error).__name__}.")
        return None

    def _log_outcome(self, send_attempt: SendAttempt | Undelivered, failure: Undelivered | None) -> None:
        """Log what the operator has to fix, and when it is fixed; reasons contain no secrets."""
        if isinstance(send_attempt, Undelivered):
            self._keys.began(send_attempt.reason)
            return
        self._keys.over()
        if failure is None:
            self._kinds[send_attempt.kind].over()
        elif failure.is_ours:
            self._kinds[send_attempt.kind].began(failure.reason)

    async def _write(self, owner_id: UUID, work: Callable[[Session], Awaitable[ResultT]]) -> ResultT:
        return await self._sessions.transact(owner_id, work)

    async def _finish(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=SECONDS_TO_FINISH)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


def channels_of(
    *, smtp_config: SmtpConfig | None, allow_private: bool, timeout: float
) -> Callable[[], Mapping[DestinationKind, Channel]]:
    """Return a factory of channels: webhooks and services, and mail if there is an SMTP server."""

    def make() -> Mapping[DestinationKind, Channel]:
        # Imported here, and in a thread: a server that has sent nothing yet starts without them.
        from investing.notifications.channels.mail import MailChannel
        from investing.notifications.channels.services import AppriseChannel
        from investing.notifications.channels.webhook import WebhookChannel

        channels: dict[DestinationKind, Channel] = {
            DestinationKind.WEBHOOK: WebhookChannel(allow_private=allow_private, timeout=timeout),
            DestinationKind.APPRISE: AppriseChannel(timeout=timeout),
        }
        if smtp_config is not None:
            channels[DestinationKind.EMAIL] = MailChannel(smtp_config, timeout=timeout)
        return channels

    return make

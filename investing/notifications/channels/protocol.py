"""The protocol of a channel: one attempt to send one message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from investing.rules.notifications.messages import Message


class Undelivered(Exception):
    """An attempt that failed. The reason is stored and shown to the owner, so it contains no secret.

    `is_final` means that another attempt would fail in the same way, `is_ours` that the fault is this
    server's and not the destination's. `requested` is how many seconds the receiver asks to be left alone.
    """

    def __init__(
        self, reason: str, *, is_final: bool = False, is_ours: bool = False, requested: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final
        self.is_ours = is_ours
        self.requested = requested


@dataclass(frozen=True)
class OpenedDestination:
    """A decrypted destination. `signing_secrets` are a webhook's, the newest first."""

    address: str = field(repr=False)
    signing_secrets: Sequence[str] = field(default=(), repr=False)


class Channel(Protocol):
    """One way of sending."""

    async def send(self, target: OpenedDestination, message: Message, delivery_id: UUID) -> None:
        """Send the message with the delivery's id, so that a receiver can drop duplicates.

        Raise Undelivered if it fails.
        """
        ...

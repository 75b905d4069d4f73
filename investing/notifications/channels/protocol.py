"""What a carrier does: one attempt to bring one message somewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from investing.rules.notifications.messages import Message


class Undelivered(Exception):
    """An attempt that failed. The reason is stored and shown to the owner, so it holds no secret.

    `is_final` says that another attempt would fail just so, `is_ours` that the destination is not to blame,
    but what this server sends with. `asked` is how many seconds the receiver wants to be left alone.
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
    """An opened destination. `signing_secrets` are a webhook's, the newest first."""

    address: str = field(repr=False)
    signing_secrets: Sequence[str] = field(default=(), repr=False)


class Channel(Protocol):
    """One way of sending."""

    async def send(self, target: OpenedDestination, message: Message, delivery_id: UUID) -> None:
        """Sends it with the delivery's id, by which a receiver can drop doubles. Raises Undelivered."""
        ...

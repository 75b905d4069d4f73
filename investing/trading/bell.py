"""A doorbell inside the process: somebody's orders have changed, look again.

It carries nothing and may be missed, for instance where another process made the change: whoever waits for
it looks every second anyway.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID


class Doorbell:
    """Rings for an owner. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}

    def ring(self, owner_id: UUID) -> None:
        """Wakes everybody who listens for this owner; only after the commit that they are to see."""
        for event in self._waiting.get(owner_id, ()):
            event.set()

    @contextmanager
    def listening(self, owner_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set by every ring from now on."""
        event = asyncio.Event()
        self._waiting.setdefault(owner_id, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[owner_id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[owner_id]


async def rung(event: asyncio.Event, seconds: float) -> None:
    """Waits for the bell, or for so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()

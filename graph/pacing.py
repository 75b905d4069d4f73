"""Limit how often a reader gets events."""

import asyncio


class Throttle:
    """Lets one event through, and the next one only after an interval. The first one does not wait."""

    def __init__(self, events_per_second: float) -> None:
        self._seconds = 1 / events_per_second
        self._next_at = 0.0

    async def wait(self) -> None:
        """Wait until the next event may be sent."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next_at - loop.time()))
        self._next_at = loop.time() + self._seconds

"""Not more events than a reader was promised at the most."""

import asyncio


class Throttle:
    """Lets one event through, and the next one only a while after it. The first one waits for nothing."""

    def __init__(self, events_per_second: float) -> None:
        self._seconds = 1 / events_per_second
        self._next_at = 0.0

    async def wait(self) -> None:
        """Until the next event may be sent."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next_at - loop.time()))
        self._next_at = loop.time() + self._seconds

"""What a market-data feed is."""

from typing import Protocol

from investing.market.floor import Floor


class Feed(Protocol):
    """Brings prices. Each server process runs one; a feed that must be one alone sees to that itself."""

    async def run(self, floor: Floor) -> None:
        """Brings prices to the floor until it is cancelled. A fault is logged and tried again."""
        ...

"""What a market-data feed is."""

from typing import Protocol

from investing.prices.ingest import PriceIngest


class Feed(Protocol):
    """Brings prices. Each server process runs one; a feed that must be one alone sees to that itself."""

    async def run(self, ingest: PriceIngest) -> None:
        """Brings prices to the floor until it is cancelled. A fault is logged and tried again."""
        ...

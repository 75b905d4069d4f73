"""The protocol of a market-data feed."""

from typing import Protocol

from investing.prices.ingest import PriceIngest


class Feed(Protocol):
    """A source of prices.

    Each server process runs one; a feed that may run only once takes care of that itself.
    """

    async def run(self, ingest: PriceIngest) -> None:
        """Bring prices to the price ingest until cancelled. A fault is logged, and the feed tries again."""
        ...

"""The latest prices in one process.

Those that this process stores are published at once, those of other processes are found by polling twice a
second. Nobody waits for anybody: followers are called, and must not take long.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from db.market.ticks import QuoteRow, quotes_changed
from db.outages import Outage
from db.sessions import Sessions

logger = logging.getLogger("graphfolio.market")
Follower = Callable[[Sequence[QuoteRow]], None]

POLL_SECONDS = 0.5


class Ticker:
    """All latest quotes. It belongs to one event loop."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._latest: dict[UUID, QuoteRow] = {}
        self._mark = 0
        self._followers: list[Follower] = []
        self._outage = Outage(logger, "Reading the quotes")
        self.outages = (self._outage,)

    def follow(self, follower: Follower) -> None:
        """Call `follower` with every price that is published from now on, in order; it must not take long."""
        self._followers.append(follower)

    def publish(self, quotes: Iterable[QuoteRow]) -> None:
        """Publish quotes that are stored and committed, oldest first.

        Quotes that are not news are skipped.
        """
        news = []
        for quote in quotes:
            last = self._latest.get(quote.instrument_id)
            if last is not None and (quote.as_of < last.as_of or quote == last):
                continue
            self._latest[quote.instrument_id] = quote
            news.append(quote)
        if news:
            for follower in self._followers:
                follower(news)

    async def poll(self) -> None:
        """Publish what has changed since the last poll, whichever process changed it."""
        quotes, self._mark = await quotes_changed(self._sessions, self._mark)
        self.publish(quotes)

    async def run(self) -> None:
        """Poll for ever. A fault is logged, and the next poll finds what this one missed."""
        while True:
            with self._outage.survived():
                await self.poll()
            await asyncio.sleep(POLL_SECONDS)

    async def ready(self) -> None:
        """Wait until the last prices are known."""
        while True:
            with self._outage.survived():
                return await self.poll()
            await asyncio.sleep(1)

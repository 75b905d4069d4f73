"""The latest prices inside one process: told at once by whoever saves them here, and found by looking twice a
second where another process did.

Nobody waits for anybody: who follows is called, and must not take long.
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
    """All latest quotes. Belongs to one event loop."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._latest: dict[UUID, QuoteRow] = {}
        self._mark = 0
        self._followers: list[Follower] = []
        self._outage = Outage(logger, "Reading the quotes")
        self.outages = (self._outage,)

    def follow(self, follower: Follower) -> None:
        """Calls this with every price that is told from now on, in order; it must not take long."""
        self._followers.append(follower)

    def tell(self, quotes: Iterable[QuoteRow]) -> None:
        """These are saved and committed, oldest first. What is no news is passed over."""
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

    async def look(self) -> None:
        """Tells what has changed since the last look, whichever process changed it."""
        quotes, self._mark = await quotes_changed(self._sessions, self._mark)
        self.tell(quotes)

    async def run(self) -> None:
        """Look for ever. After an outage the next look finds what this one did not."""
        while True:
            with self._outage.survived():
                await self.look()
            await asyncio.sleep(POLL_SECONDS)

    async def ready(self) -> None:
        """Wait until the last prices are known."""
        while True:
            with self._outage.survived():
                return await self.look()
            await asyncio.sleep(1)

"""The latest prices inside one process: told at once by whoever saves them here, and found by looking twice a
second where another process did.

Nobody waits for anybody: who follows is called, and a subscriber who is slow finds the latest price of each
symbol and never those in between.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from uuid import UUID

from db.market.ticks import QuoteRow, quotes_changed
from db.sessions import Sessions

logger = logging.getLogger("graphfolio.market")
Follower = Callable[[Sequence[QuoteRow]], None]

POLL_SECONDS = 0.5


class _Subscriber:
    """Somebody who waits for some symbols; holds the latest quote of each, not told yet."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = frozenset(symbols)
        self.untold: dict[str, QuoteRow] = {}
        self.event = asyncio.Event()

    def tell(self, quote: QuoteRow) -> None:
        if quote.symbol in self.symbols:
            self.untold[quote.symbol] = quote
            self.event.set()


class Ticker:
    """All latest quotes. Belongs to one event loop."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._latest: dict[UUID, QuoteRow] = {}
        self._mark = 0
        self._followers: list[Follower] = []
        self._subscribers: dict[str, set[_Subscriber]] = {}

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
            for subscriber in self._subscribers.get(quote.symbol, ()):
                subscriber.tell(quote)
        if news:
            for follower in self._followers:
                follower(news)

    async def look(self) -> None:
        """Tells what has changed since the last look, whichever process changed it."""
        quotes, self._mark = await quotes_changed(self._sessions, self._mark)
        self.tell(quotes)

    async def run(self) -> None:
        """Looks for ever. A fault is logged, and the next look finds what this one did not."""
        while True:
            try:
                await self.look()
            except Exception as error:
                logger.warning("The quotes could not be read.", exc_info=error)
            await asyncio.sleep(POLL_SECONDS)

    async def subscribe(
        self, symbols: Iterable[str], every_seconds: float = 0.25
    ) -> AsyncGenerator[list[QuoteRow], None]:
        """The latest quotes of these symbols whenever some have changed: first those that are known now.

        At most once in so many seconds; of each symbol the latest wins.
        """
        subscriber = _Subscriber(symbols)
        for symbol in subscriber.symbols:
            self._subscribers.setdefault(symbol, set()).add(subscriber)
        try:
            for quote in self._latest.values():
                subscriber.tell(quote)
            while True:
                await subscriber.event.wait()
                subscriber.event.clear()
                told, subscriber.untold = subscriber.untold, {}
                yield list(told.values())
                await asyncio.sleep(every_seconds)
        finally:
            for symbol in subscriber.symbols:
                others = self._subscribers[symbol]
                others.discard(subscriber)
                if not others:
                    del self._subscribers[symbol]

"""Who follows which prices in one process: of each the newest that they have not taken yet.

So a slow reader costs one quote for each instrument, however often they move.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from db.market.ticks import QuoteRow
from investing.market.ticker import Ticker


class Watch:
    """One reader's, who waits for the event that it was made with."""

    def __init__(self, watches: dict[UUID, set["Watch"]], moved: asyncio.Event) -> None:
        self._watches = watches
        self._moved = moved
        self._followed: frozenset[UUID] = frozenset()
        self._untaken: dict[UUID, QuoteRow] = {}

    def follow(self, instrument_ids: Collection[UUID]) -> bool:
        """Follows these from now on, and no others. Whether some of them are new to it."""
        wanted = frozenset(instrument_ids)
        new, gone = wanted - self._followed, self._followed - wanted
        for id in new:
            self._watches.setdefault(id, set()).add(self)
        for id in gone:
            self._watches[id].discard(self)
            if not self._watches[id]:
                del self._watches[id]
        self._followed = wanted
        return bool(new)

    def put(self, quote: QuoteRow) -> None:
        """Keeps the newest; one that waits already keeps its place in the line."""
        self._untaken[quote.instrument_id] = quote
        self._moved.set()

    def take(self) -> QuoteRow | None:
        """The quote that has waited longest, or None."""
        if not self._untaken:
            return None
        return self._untaken.pop(next(iter(self._untaken)))

    def take_all(self) -> None:
        """Takes everything, for whoever reads what follows from it anyway."""
        self._untaken.clear()


class Watches:
    """All of a process. Belongs to the ticker's event loop."""

    def __init__(self, ticker: Ticker) -> None:
        self._watches: dict[UUID, set[Watch]] = {}
        ticker.follow(self._tell)

    @contextmanager
    def watching(self, moved: asyncio.Event) -> Iterator[Watch]:
        """A watch that sets this event whenever something moves that it follows; nothing as yet."""
        watch = Watch(self._watches, moved)
        try:
            yield watch
        finally:
            watch.follow([])

    def _tell(self, quotes: Sequence[QuoteRow]) -> None:
        for quote in quotes:
            for watch in self._watches.get(quote.instrument_id, ()):
                watch.put(quote)

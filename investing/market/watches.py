"""Who follows which prices in one process: for each instrument the newest quote not yet taken.

A slow reader thus costs one quote per instrument, however often prices move.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from db.market.ticks import QuoteRow
from investing.market.ticker import Ticker


class Watch:
    """The watch of one reader, who waits for the event that it was created with."""

    def __init__(self, watches: dict[UUID, set["Watch"]], moved: asyncio.Event) -> None:
        self._watches = watches
        self._moved = moved
        self._followed: frozenset[UUID] = frozenset()
        self._untaken: dict[UUID, QuoteRow] = {}

    def follow(self, instrument_ids: Collection[UUID]) -> bool:
        """Follow these instruments from now on, and no others; return whether some of them are new."""
        wanted = frozenset(instrument_ids)
        new, dropped = wanted - self._followed, self._followed - wanted
        for id in new:
            self._watches.setdefault(id, set()).add(self)
        for id in dropped:
            self._watches[id].discard(self)
            if not self._watches[id]:
                del self._watches[id]
        self._followed = wanted
        return bool(new)

    def put(self, quote: QuoteRow) -> None:
        """Keep the newest quote; one that is already waiting keeps its place in the queue."""
        self._untaken[quote.instrument_id] = quote
        self._moved.set()

    def take(self) -> QuoteRow | None:
        """Return the quote that has waited longest, or None."""
        if not self._untaken:
            return None
        return self._untaken.pop(next(iter(self._untaken)))

    def take_all(self) -> None:
        """Discard everything, for a reader that reads the resulting values anyway."""
        self._untaken.clear()


class Watches:
    """All watches of a process. They belong to the ticker's event loop."""

    def __init__(self, ticker: Ticker) -> None:
        self._watches: dict[UUID, set[Watch]] = {}
        ticker.follow(self._distribute)

    @contextmanager
    def watching(self, moved: asyncio.Event) -> Iterator[Watch]:
        """Return a watch that sets this event whenever something that it follows moves; at first nothing."""
        watch = Watch(self._watches, moved)
        try:
            yield watch
        finally:
            watch.follow([])

    def _distribute(self, quotes: Sequence[QuoteRow]) -> None:
        for quote in quotes:
            for watch in self._watches.get(quote.instrument_id, ()):
                watch.put(quote)

"""The ticker: one look at the quotes for a whole process, and everybody who follows some told what moved."""

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from db.market.queries import fetch_quotes, fetch_quotes_since
from db.sessions import Row, Sessions

logger = logging.getLogger("graphfolio.market")

EVERY_SECONDS = 0.5


class Watch:
    """The newest quote of each instrument that one reader follows and has not taken yet.

    So a slow reader costs one quote for each instrument, however often they move.
    """

    def __init__(self, watches: dict[UUID, set["Watch"]], moved: asyncio.Event) -> None:
        self._watches = watches
        self._moved = moved
        self._followed: frozenset[UUID] = frozenset()
        self._untaken: dict[UUID, Row] = {}

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

    def put(self, quotes: Sequence[Row]) -> None:
        """Keeps the newest of each; one that waits already keeps its place in the line."""
        for quote in quotes:
            self._untaken[quote["instrument_id"]] = quote
            self._moved.set()

    def take(self) -> Row | None:
        """The quote that has waited longest, or None."""
        if not self._untaken:
            return None
        return self._untaken.pop(next(iter(self._untaken)))

    def take_all(self) -> None:
        """Takes everything, for whoever reads what follows from it anyway."""
        self._untaken.clear()


class Ticker:
    """Belongs to one event loop. Asks the database only while somebody follows something."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._watches: dict[UUID, set[Watch]] = {}
        self._since: int | None = None
        self._known: dict[UUID, tuple[object, object]] = {}

    @contextmanager
    def watching(self, moved: asyncio.Event) -> Iterator[Watch]:
        """A watch that sets this event whenever something moves that it follows; nothing as yet."""
        watch = Watch(self._watches, moved)
        try:
            yield watch
        finally:
            watch.follow([])

    async def quotes(self, instrument_ids: Collection[UUID]) -> Sequence[Row]:
        """The quotes as they are now, of those that have one."""
        async with self._sessions.reading(None) as connection:
            return await fetch_quotes(connection, list(instrument_ids))

    async def run(self) -> None:
        """Looks for ever; after a fault it goes on from what was seen last."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.look()
            except Exception as error:
                logger.warning("The quotes cannot be read: %s", error)

    async def look(self) -> None:
        """One look: all that changed since the last one is told to those who follow it."""
        if not self._watches:
            # Whoever comes first reads what there is; from then on changes count.
            self._since = None
            return
        async with self._sessions.reading(None) as connection:
            since, quotes = await fetch_quotes_since(connection, self._since)
        if self._since is None:
            self._known.clear()
        self._since = since
        for quote in quotes:
            id, state = quote["instrument_id"], (quote["price"], quote["as_of"])
            # What a transaction that is still open might follow is read again, and is no news.
            if self._known.get(id) != state:
                self._known[id] = state
                for watch in self._watches.get(id, ()):
                    watch.put([quote])

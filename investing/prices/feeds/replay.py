"""The feed `replay`: the closes of past days, day after day, as if they were current.

One of all processes replays, by a lease in the database, which also stores the day that it has reached: after
a restart it continues from there. Its quotes have the current time and the price of that day, so that orders,
values and alerts use the same clock as everything else. After the last day it starts again. An instrument
whose prices end earlier than others' has its own last two years replayed beside theirs.
"""

import asyncio
import datetime as dt
import logging
import uuid

from db.market import feeds
from db.market.ticks import Tick
from db.outages import Outage
from db.sessions import Sessions
from investing.prices.ingest import PriceIngest

logger = logging.getLogger("graphfolio.market")

NAME = "replay"
LEASE_SECONDS = 10.0
SPAN = dt.timedelta(days=730)
"""It replays the last two years of prices. Closes are as stored, so a split among them looks like a fall."""


class Replay:
    """A feed as `investing.prices.feeds.protocol` describes it."""

    def __init__(self, sessions: Sessions, days_per_second: float) -> None:
        self._sessions = sessions
        self._pause = 1 / days_per_second
        self._holder = uuid.uuid4()
        self._outage = Outage(logger, "The replay")
        self.outages = (self._outage,)

    async def run(self, ingest: PriceIngest) -> None:
        """Replay day after day while this process has the lease; without it, request it each second."""
        while True:
            has_lease = False
            with self._outage.survived():
                has_lease = await self.advance(ingest)
            await asyncio.sleep(self._pause if has_lease else max(1.0, self._pause))

    async def advance(self, ingest: PriceIngest) -> bool:
        """Replay the next day unless another process does; return whether this one has the lease."""
        lease_seconds = LEASE_SECONDS + self._pause
        lease = await feeds.take_lease(self._sessions, NAME, self._holder, lease_seconds)
        if lease is None:
            return False
        day = await feeds.next_day(self._sessions, lease.position, SPAN)
        if day is None:
            return True
        closes = await feeds.closes_of(self._sessions, day)
        now = dt.datetime.now(dt.UTC)
        await ingest.apply([Tick(close.symbol, close.price, now, close.previous) for close in closes])
        # After the prices, so that a process that is killed in between repeats a day rather than skip one.
        await feeds.move(self._sessions, NAME, self._holder, day)
        return True

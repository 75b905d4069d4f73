"""Rules on prices, in the memory of one process: compared with every price, and decided in the database.

Any number of processes may do this at once. The memory is a copy: what it finds crossed is decided under a
lock in the database, so that only one process fires a rule, and it reads changed rules every second. A killed
process has lost nothing: at its next start it compares every rule with the last price.
"""

import asyncio
import datetime as dt
import logging
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from uuid import UUID

from db.alerts import price_watches
from db.market.ticks import QuoteRow
from db.outages import Outage
from db.sessions import Sessions
from investing.alerts.firing import decide
from investing.alerts.stored import watched_of
from investing.rules.alerts.price_index import Crossing, PriceIndex, TickPrice

logger = logging.getLogger("graphfolio.alerts")

POLL_SECONDS = 1.0
AT_ONCE = 200
ABREAST = 4
LOADED_AT_ONCE = 2_000
MOST_WAITING = 20_000
"""How many crossings may wait to be decided before those who bring prices have to wait."""


class PriceWatch:
    """The rules on prices of one event loop.

    `follow` gets every price; `run` decides what they cross.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._index = PriceIndex()
        self._waiting: deque[Crossing] = deque()
        self._open: Counter[UUID] = Counter()
        self._has_work = asyncio.Event()
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._mark = 0
        self._reading = Outage(logger, "Reading the alert rules")
        self._raising = Outage(logger, "Raising alerts")

    def __len__(self) -> int:
        return len(self._index)

    def follow(self, quotes: Sequence[QuoteRow]) -> None:
        """Compare prices with the rules of their instruments."""
        now = _now()
        for quote in quotes:
            price = TickPrice(quote.price, quote.as_of, quote.previous_price)
            self._note(self._index.tick(quote.instrument_id, price, now))

    async def wait_for_capacity(self) -> None:
        """Wait while too many crossings are undecided; for whoever brings prices."""
        await self._has_capacity.wait()

    async def drained(self) -> None:
        """Wait until every crossing found so far is decided; `run` must be running meanwhile."""
        await self._idle.wait()

    async def load(self) -> None:
        """Read all rules after the last prices, so that what was crossed meanwhile is found."""
        self._mark = await price_watches.watches_mark(self._sessions)
        async for rows in price_watches.all_watches(self._sessions, LOADED_AT_ONCE):
            self._copy(rows)
            # Let the other tasks of the process run between batches.
            await asyncio.sleep(0)

    async def refresh(self) -> None:
        """Read the rules that have changed, whoever changed them, and wake those whose cooldown has ended."""
        rows, self._mark = await price_watches.watches_changed(self._sessions, self._mark)
        self._copy(rows)
        self._note(self._index.wake(_now()))

    async def decide_waiting(self) -> None:
        """Decide all waiting crossings; return when none is left."""
        while self._waiting:
            owners: dict[UUID, list[Crossing]] = {}
            for _ in range(min(AT_ONCE, len(self._waiting))):
                crossing = self._waiting.popleft()
                owners.setdefault(crossing.owner_id, []).append(crossing)
            if len(self._waiting) <= MOST_WAITING:
                self._has_capacity.set()
            todo = list(owners.items())
            for start in range(0, len(todo), ABREAST):
                done = await asyncio.gather(*(self._decide(*one) for one in todo[start : start + ABREAST]))
                if all(done):
                    self._raising.over()

    async def run(self) -> None:
        """Load the rules, then run for ever."""
        while True:
            with self._reading.survived():
                await self.load()
                break
            await asyncio.sleep(POLL_SECONDS)
        await self.watch()

    async def watch(self) -> None:
        """Decide crossings and refresh rules for ever.

        A fault is logged; what it left undone is found again.
        """
        next_refresh = asyncio.get_running_loop().time() + POLL_SECONDS
        while True:
            await self.decide_waiting()
            if asyncio.get_running_loop().time() >= next_refresh:
                next_refresh = asyncio.get_running_loop().time() + POLL_SECONDS
                with self._reading.survived():
                    await self.refresh()
            await self._wait(next_refresh - asyncio.get_running_loop().time())

    async def _wait(self, seconds: float) -> None:
        if not self._waiting:
            try:
                async with asyncio.timeout(max(seconds, 0)):
                    await self._has_work.wait()
            except TimeoutError:
                pass
        self._has_work.clear()

    async def _decide(self, owner_id: UUID, crossings: list[Crossing]) -> bool:
        """Decide an owner's crossings; return whether that worked. If not, they wait again."""
        try:
            watches = await decide(self._sessions, owner_id, crossings, _now())
        except Exception as error:
            self._raising.began(error)
            await asyncio.sleep(POLL_SECONDS)
            # They go back to the front of the queue, in their order.
            self._waiting.extendleft(reversed(crossings))
            return False
        for crossing in crossings:
            self._open[crossing.rule_id] -= 1
        for rule_id, watch in watches.items():
            if self._open[rule_id] > 0:
                # More of its crossings wait: until they are decided, the index is ahead of the database.
                continue
            del self._open[rule_id]
            if watch is None:
                self._index.drop(rule_id)
            else:
                self._note(self._index.put(watched_of(watch), _now()))
        if not self._open:
            self._idle.set()
        return True

    def _copy(self, rows: Iterable[object]) -> None:
        now = _now()
        for row in rows:
            watched = watched_of(row)
            if watched.rule_id not in self._open:
                self._note(self._index.put(watched, now))

    def _note(self, crossings: Iterable[Crossing]) -> None:
        for crossing in crossings:
            self._waiting.append(crossing)
            self._open[crossing.rule_id] += 1
            self._has_work.set()
            self._idle.clear()
        if len(self._waiting) > MOST_WAITING:
            self._has_capacity.clear()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)

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
from db.outages import Faults, Outage
from db.sessions import Sessions, is_away
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
        self._prices: dict[UUID, TickPrice] = {}
        self._waiting: deque[Crossing] = deque()
        self._open: Counter[UUID] = Counter()
        self._undecided: list[Crossing] = []
        self._retried: frozenset[Crossing] = frozenset()
        self._fault: Exception | None = None
        self._has_work = asyncio.Event()
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._mark = 0
        self._reading = Outage(logger, "Reading the alert rules")
        self._raising = Outage(logger, "Raising alerts")
        self.outages = (self._reading, self._raising)
        self._faults = Faults(logger)

    def __len__(self) -> int:
        return len(self._index)

    def follow(self, quotes: Sequence[QuoteRow]) -> None:
        """Compare prices with the rules of their instruments.

        A fault here does not affect whoever brings a price: `run` ends with it instead.
        """
        now = _now()
        try:
            for quote in quotes:
                price = TickPrice(quote.price, quote.as_of, quote.previous_price, quote.time_zone)
                last = self._prices.get(quote.instrument_id)
                if last is None or price.as_of >= last.as_of:
                    self._prices[quote.instrument_id] = price
                self._note(self._index.tick(quote.instrument_id, price, now))
        except Exception as error:
            self._fault = error
            self._has_work.set()

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
        while self._waiting or self._fault is not None:
            await self._decide_batch()

    async def _decide_batch(self) -> None:
        """Decide the crossings that have waited longest. Raise the fault that `follow` has met."""
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        self._undecided = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        owners: dict[UUID, list[Crossing]] = {}
        for crossing in self._undecided:
            owners.setdefault(crossing.owner_id, []).append(crossing)
        if len(self._waiting) <= MOST_WAITING:
            self._has_capacity.set()
        todo = list(owners.items())
        for start in range(0, len(todo), ABREAST):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._decide(*one)) for one in todo[start : start + ABREAST]]
            if all(task.result() for task in tasks):
                self._raising.over()
        self._undecided, self._retried = [], frozenset()

    async def run(self) -> None:
        """Load the rules, then decide and refresh for ever; start from scratch each time."""
        self._reset()
        while True:
            with self._reading.survived():
                await self.load()
                break
            await asyncio.sleep(POLL_SECONDS)
        await self.watch()

    async def watch(self) -> None:
        """Decide crossings and refresh rules for ever. What an outage left undone is found again."""
        next_refresh = asyncio.get_running_loop().time() + POLL_SECONDS
        while True:
            # Not all that wait: a crossing that cannot be decided waits again, and must not block refreshing.
            await self._decide_batch()
            if asyncio.get_running_loop().time() >= next_refresh:
                next_refresh = asyncio.get_running_loop().time() + POLL_SECONDS
                with self._reading.survived():
                    await self.refresh()
            await self._wait(next_refresh - asyncio.get_running_loop().time())

    def _reset(self) -> None:
        """Forget the rules, but neither the last prices nor the crossings yet to be decided.

        Crossings that were being decided when a fault ended that are tried once more; a second fault among
        them would keep all others from being decided.
        """
        again = [crossing for crossing in self._undecided if crossing not in self._retried]
        if len(again) < len(self._undecided):
            logger.error("%s crossings of rules are given up.", len(self._undecided) - len(again))
        self._undecided, self._retried, self._fault = [], frozenset(again), None
        self._waiting.extendleft(reversed(again))
        self._open = Counter(crossing.rule_id for crossing in self._waiting)
        if not self._open:
            self._idle.set()
        self._index = PriceIndex()
        for instrument_id, price in self._prices.items():
            self._index.tick(instrument_id, price, _now())

    async def _wait(self, seconds: float) -> None:
        if not self._waiting:
            try:
                async with asyncio.timeout(max(seconds, 0)):
                    await self._has_work.wait()
            except TimeoutError:
                pass
        self._has_work.clear()

    async def _decide(self, owner_id: UUID, crossings: list[Crossing]) -> bool:
        """Decide one owner's crossings; return whether that was possible. If not, they wait again."""
        try:
            watches = await decide(self._sessions, owner_id, crossings, _now())
        except Exception as error:
            if is_away(error):
                self._raising.began(error)
            else:
                self._faults.met(error, "Alerts of user %s could not be decided.", owner_id)
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

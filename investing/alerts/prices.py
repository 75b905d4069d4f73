"""Rules on prices, in the memory of one process: held against every price, and decided where they are stored.

Any number of processes may do this at once. The memory is a mirror: what it finds crossed is decided under a
lock in the database, so that of all of them one fires, and what it does not know yet it reads each second.
A process that is killed has lost nothing: at its next start it holds every rule against the last price.
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
"""So many crossings may wait to be decided; until some are, whoever brings prices waits."""


class PriceWatch:
    """Belongs to one event loop. `follow` gets every price; `run` decides what they cross."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._index = PriceIndex()
        self._prices: dict[UUID, TickPrice] = {}
        self._waiting: deque[Crossing] = deque()
        self._open: Counter[UUID] = Counter()
        self._undecided: list[Crossing] = []
        self._retried: frozenset[Crossing] = frozenset()
        self._fault: Exception | None = None
        self._rung = asyncio.Event()
        self._relieved = asyncio.Event()
        self._relieved.set()
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
        """Hold prices against the rules of their instruments.

        Whoever brings a price is not to blame for a fault here: `run` ends by it instead.
        """
        now = _now()
        try:
            for quote in quotes:
                price = TickPrice(quote.price, quote.as_of, quote.previous_price)
                last = self._prices.get(quote.instrument_id)
                if last is None or price.as_of >= last.as_of:
                    self._prices[quote.instrument_id] = price
                self._note(self._index.tick(quote.instrument_id, price, now))
        except Exception as error:
            self._fault = error
            self._rung.set()

    async def relief(self) -> None:
        """Waits while more crossings are to be decided than is good: for whoever brings prices."""
        await self._relieved.wait()

    async def drained(self) -> None:
        """Waits until every crossing that was found is decided; somebody runs this meanwhile."""
        await self._idle.wait()

    async def load(self) -> None:
        """Reads all rules, after the last prices, so that what was crossed meanwhile is found."""
        self._mark = await price_watches.watches_mark(self._sessions)
        async for rows in price_watches.all_watches(self._sessions, LOADED_AT_ONCE):
            self._mirror(rows)
            # So many at a time that nobody else waits for long.
            await asyncio.sleep(0)

    async def look(self) -> None:
        """Reads the rules that have changed, whoever changed them, and wakes those that were quiet."""
        rows, self._mark = await price_watches.watches_changed(self._sessions, self._mark)
        self._mirror(rows)
        self._note(self._index.wake(_now()))

    async def settle(self) -> None:
        """Decide all that waits; return when nothing does."""
        while self._waiting or self._fault is not None:
            await self._settle_some()

    async def _settle_some(self) -> None:
        """Decide the crossings that have waited longest. Raise what `follow` has met."""
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        self._undecided = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        owners: dict[UUID, list[Crossing]] = {}
        for crossing in self._undecided:
            owners.setdefault(crossing.owner_id, []).append(crossing)
        if len(self._waiting) <= MOST_WAITING:
            self._relieved.set()
        todo = list(owners.items())
        for some in range(0, len(todo), ABREAST):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._decide(*one)) for one in todo[some : some + ABREAST]]
            if all(task.result() for task in tasks):
                self._raising.over()
        self._undecided, self._retried = [], frozenset()

    async def run(self) -> None:
        """Load the rules, then decide and look for ever; begin from scratch each time."""
        self._begin_anew()
        while True:
            with self._reading.survived():
                await self.load()
                break
            await asyncio.sleep(POLL_SECONDS)
        await self.keep()

    async def keep(self) -> None:
        """Decide and look for ever. What an outage left undone is found again."""
        next_look = asyncio.get_running_loop().time() + POLL_SECONDS
        while True:
            # Not all that waits: what cannot be decided waits again, and must not keep anybody from looking.
            await self._settle_some()
            if asyncio.get_running_loop().time() >= next_look:
                next_look = asyncio.get_running_loop().time() + POLL_SECONDS
                with self._reading.survived():
                    await self.look()
            await self._wait(next_look - asyncio.get_running_loop().time())

    def _begin_anew(self) -> None:
        """Forget the rules, but neither the last prices nor the crossings that are yet to be decided.

        Those that were being decided when a fault ended that are tried once more; a second fault among them
        would keep all others from being decided.
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
                    await self._rung.wait()
            except TimeoutError:
                pass
        self._rung.clear()

    async def _decide(self, owner_id: UUID, crossings: list[Crossing]) -> bool:
        """Decide one owner's crossings; return whether that was possible. Those that it was not for wait."""
        try:
            stands = await decide(self._sessions, owner_id, crossings, _now())
        except Exception as error:
            if is_away(error):
                self._raising.began(error)
            else:
                self._faults.met(error, "Alerts of user %s could not be decided.", owner_id)
            await asyncio.sleep(POLL_SECONDS)
            # First in line again, in their order.
            self._waiting.extendleft(reversed(crossings))
            return False
        for crossing in crossings:
            self._open[crossing.rule_id] -= 1
        for rule_id, watch in stands.items():
            if self._open[rule_id] > 0:
                # More of its crossings wait: until they are decided the mirror is ahead of what is stored.
                continue
            del self._open[rule_id]
            if watch is None:
                self._index.drop(rule_id)
            else:
                self._note(self._index.put(watched_of(watch), _now()))
        if not self._open:
            self._idle.set()
        return True

    def _mirror(self, rows: Iterable[object]) -> None:
        now = _now()
        for row in rows:
            watched = watched_of(row)
            if watched.rule_id not in self._open:
                self._note(self._index.put(watched, now))

    def _note(self, crossings: Iterable[Crossing]) -> None:
        for crossing in crossings:
            self._waiting.append(crossing)
            self._open[crossing.rule_id] += 1
            self._rung.set()
            self._idle.clear()
        if len(self._waiting) > MOST_WAITING:
            self._relieved.clear()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)

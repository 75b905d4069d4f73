"""A budget for each user, so that no user can slow the others: docs/decisions/user-budgets.md.

Each has so many operations at once, of which others wait in line, and so many seconds of the processor and of
the database in a minute. Each process counts its own.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import islice
from math import ceil

from graph.errors import Throttled

MOST_WAITING = 50
"""How many operations of one user wait in line; more are refused."""
ADDRESS_FACTOR = 10
"""How many times as many sockets as one user one address may have: several users may share it."""
_MOST_KEPT = 10_000
_SWEPT = 10


@dataclass(frozen=True)
class BudgetLimits:
    """What one user may use.

    `operations` run at once, and their sockets are at most `sockets`. `seconds` of the processor and of the
    database may have been used more than have passed: one that uses a second a second never reaches it. Zero
    is no limit.
    """

    operations: int = 8
    seconds: float = 60.0
    sockets: int = 100


@dataclass
class _Usage:
    running: int = 0
    used: float = 0.0
    drained_at: float = 0.0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Visit:
    """One operation that runs: whose it is, and where the shared processor time stood at its start."""

    key: Hashable
    processor: float
    is_counted: bool


class UserBudgets:
    """Lets operations in, and adds up what they use.

    What the event loop's thread computes is shared equally among the operations that run at that moment: it
    cannot be seen whose step it was. The time of the database is that of an operation's own statements.
    """

    def __init__(
        self,
        limits: BudgetLimits,
        timeout_seconds: float = 30,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        self._limits = limits
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._processor = processor
        self._usage: dict[Hashable, _Usage] = {}
        self._sockets: dict[Hashable, int] = {}
        self._running = 0
        self._shared = 0.0
        self._measured_at = 0.0

    async def enter(self, key: Hashable, *, counted: bool = True) -> Visit:
        """Let an operation of a user run, when it is its turn; each is followed by `leave`.

        One that is not `counted` is bounded by the seconds alone. Raise Throttled if the user has used up the
        seconds or has too many operations waiting, TimeoutError if its turn has not come in time.
        """
        usage = self.charge(key, 0.0)
        over = usage.used - self._limits.seconds
        if self._limits.seconds and over >= 0:
            seconds = max(1, ceil(over))
            message = f"You have used more than your share of the server: try again in {seconds} s."
            raise Throttled(message, retryAfter=seconds)
        if counted:
            if self._limits.operations and usage.running >= self._limits.operations:
                await self._wait(usage)
            else:
                usage.running += 1
        self._share()
        self._running += 1
        return Visit(key, self._shared, counted)

    def leave(self, visit: Visit, database_seconds: float) -> None:
        """Note that an operation has ended, and how long its statements took."""
        self._share()
        self._running -= 1
        usage = self.charge(visit.key, self._shared - visit.processor + database_seconds)
        if visit.is_counted:
            self._make_room(usage)

    def charge(self, key: Hashable, seconds: float) -> _Usage:
        """Add to what a user has used."""
        usage = self._usage.get(key)
        if usage is None:
            usage = self._usage[key] = self._new_usage()
        self._drain(usage)
        usage.used += seconds
        return usage

    def open_socket(self, key: Hashable, factor: int = 1) -> None:
        """Count a socket of a user, until `close_socket`. Raise Throttled if there are too many."""
        count = self._sockets.get(key, 0)
        if self._limits.sockets and count >= self._limits.sockets * factor:
            raise Throttled(f"You have {count} WebSockets open: close one first.", retryAfter=1)
        self._sockets[key] = count + 1

    def close_socket(self, key: Hashable) -> None:
        """Note that a socket was closed."""
        left = self._sockets[key] - 1
        if left:
            self._sockets[key] = left
        else:
            del self._sockets[key]

    def _new_usage(self) -> _Usage:
        if len(self._usage) >= _MOST_KEPT:
            # The oldest ones, a few at a time: whoever comes from many addresses must not keep the others.
            for key in list(islice(self._usage, _SWEPT)):
                usage = self._usage[key]
                if not usage.running and not usage.waiting:
                    del self._usage[key]
        return _Usage(drained_at=self._clock())

    def _drain(self, usage: _Usage) -> None:
        now = self._clock()
        usage.used = max(0.0, usage.used - (now - usage.drained_at))
        usage.drained_at = now

    def _share(self) -> None:
        now = self._processor()
        if self._running:
            self._shared += max(0.0, now - self._measured_at) / self._running
        self._measured_at = now

    async def _wait(self, usage: _Usage) -> None:
        """Wait in line for the place of an operation that has ended, which is handed over as it is."""
        if len(usage.waiting) >= MOST_WAITING:
            message = f"You have {MOST_WAITING} operations waiting: try again when they have been answered."
            raise Throttled(message, retryAfter=1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        usage.waiting.append(turn)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # The place is the next one's.
                self._make_room(usage)
            elif turn in usage.waiting:
                usage.waiting.remove(turn)
            raise

    def _make_room(self, usage: _Usage) -> None:
        """Hand the place of an operation to the next in line, before whoever comes anew can take it."""
        while usage.waiting:
            turn = usage.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        usage.running -= 1

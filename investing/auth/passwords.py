"""Passwords: argon2id, in a few threads of their own, for which callers wait in a fair queue."""

import asyncio
import base64
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from investing.auth.attempts import TooManyAttempts
from investing.auth.fair_queue import FairQueue
from investing.rules.auth.registration import MAX_PASSWORD

T = TypeVar("T")

MOST_WAITING = 100
"""How many passwords may wait to be hashed in one process: six seconds' work of two threads."""


class Checked(NamedTuple):
    """The outcome of a check; `renewed` is a new hash to store if the parameters have changed since."""

    is_right: bool
    renewed: str | None = None


class Source(NamedTuple):
    """Whose turn a password takes: all of one source share one.

    Sources whose device has logged in before (`is_known`) have every second turn to themselves, so that a
    flood from everywhere else at most doubles their wait.
    """

    name: str = ""
    is_known: bool = False


NOBODY = Source()
"""The source of whatever waits for no client, such as a command."""


@dataclass(eq=False)
class _Waiting:
    """A password that waits for a thread; its caller waits for `result`."""

    work: Callable[[], Any]
    result: "asyncio.Future[Any]"


class Passwords:
    """Hash and check passwords, `at_once` at a time: each takes 64 MiB and a core for a while.

    The others wait, at most `most_waiting` of known devices and as many of others (None for no bound). A
    caller that is not let in, or is pushed out (see `FairQueue`), gets TooManyAttempts.
    """

    def __init__(
        self, hasher: PasswordHasher | None = None, *, at_once: int = 2, most_waiting: int | None = None
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="password")
        # The first of them has the next turn, if anything waits there.
        self._queues = [FairQueue[_Waiting](most_waiting) for _ in range(2)]
        self._known, self._others = self._queues
        self._running = 0
        self._seconds = 0.1
        self._dummy_hash = self._make_dummy_hash()

    async def hash(self, password: str, source: Source = NOBODY) -> str:
        """Return the argon2id hash to store, with its parameters and salt. Raise TooManyAttempts."""
        return await self._in_turn(lambda: self._hasher.hash(password), source)

    async def verify(self, password: str, stored: str | None, source: Source = NOBODY) -> Checked:
        """Return whether the password is the one that was hashed. Raise TooManyAttempts.

        With None, for a user who does not exist or has no usable hash, it takes equally long and the answer
        is no.
        """
        return await self._in_turn(lambda: self._verify(password, stored), source)

    @property
    def seconds_to_wait(self) -> int:
        """Estimate in how many seconds what waits now has been hashed; one at least."""
        waiting = self._running + sum(map(len, self._queues))
        return max(1, math.ceil(waiting * self._seconds / self._at_once))

    def close(self) -> None:
        """End the threads; calls that wait for one are cancelled."""
        for queue in self._queues:
            while (waiting := queue.take()) is not None:
                waiting.result.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password: str, stored: str | None) -> Checked:
        if len(password) > MAX_PASSWORD:
            password, stored = "", None  # nobody can have it, and hashing megabytes would only take time
        known = stored if stored is not None and stored.startswith("$argon2id$") else None
        try:
            # JSON may contain lone surrogates: no password has them, and they must not cause an error.
            self._hasher.verify(known or self._dummy_hash, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return Checked(False)
        if known is None:
            return Checked(False)
        if self._hasher.check_needs_rehash(known):
            return Checked(True, self._hasher.hash(password))
        return Checked(True)

    def _make_dummy_hash(self) -> str:
        """Return a hash that no password matches, with the parameters of real ones."""
        h = self._hasher
        salt, digest = (_unpadded(os.urandom(size)) for size in (h.salt_len, h.hash_len))
        return f"$argon2id$v=19$m={h.memory_cost},t={h.time_cost},p={h.parallelism}${salt}${digest}"

    async def _in_turn(self, work: Callable[[], T], source: Source) -> T:
        """Do the work in a thread when it is the source's turn."""
        queue = self._known if source.is_known else self._others
        waiting = _Waiting(partial(self._timed, work), asyncio.get_running_loop().create_future())
        dropped = queue.put(source.name, waiting)
        if dropped is not None and not dropped.result.done():
            dropped.result.set_exception(TooManyAttempts(self.seconds_to_wait))
        self._start()
        try:
            result: T = await waiting.result
            return result
        finally:
            queue.remove(source.name, waiting)

    def _timed(self, work: Callable[[], T]) -> T:
        begun = time.perf_counter()
        try:
            return work()
        finally:
            self._seconds = time.perf_counter() - begun

    def _start(self) -> None:
        """Start as much of what waits as there are threads for."""
        while self._running < self._at_once and (waiting := self._next()) is not None:
            self._running += 1
            running = asyncio.get_running_loop().run_in_executor(self._threads, waiting.work)
            running.add_done_callback(partial(self._ended, waiting))

    def _next(self) -> _Waiting | None:
        for queue in self._queues:
            if (waiting := queue.take()) is not None:
                self._queues = [one for one in self._queues if one is not queue] + [queue]
                return waiting
        return None

    def _ended(self, waiting: _Waiting, running: "asyncio.Future[Any]") -> None:
        """Hand over the result; only now, and not when its caller is cancelled, is the thread free again."""
        self._running -= 1
        if running.cancelled():
            waiting.result.cancel()
        elif (error := running.exception()) is not None:
            if not waiting.result.done():
                waiting.result.set_exception(error)
        elif not waiting.result.done():
            waiting.result.set_result(running.result())
        self._start()


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")

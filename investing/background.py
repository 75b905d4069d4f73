"""Compute at length without keeping the event loop: in a few threads, which users take in turn.

What is run here is pure Python that takes no locks and touches nothing that others use. It ends with the
operation that waits for it: when that is cancelled, because it timed out or because its client is gone, the
computation is interrupted too. Why threads and not processes: docs/decisions/what-blocks-the-loop.md.
"""

import asyncio
import contextlib
import contextvars
import ctypes
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

from db.statements import note_seconds

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

THREADS = 3
"""How many computations run at the same time, each of another user."""

SWITCH_SECONDS = 0.001
"""How long a thread computes until it lets another one go on, the event loop above all; Python's default is
five times as long.
"""


class _Interrupted(BaseException):
    """Raised inside a computation that nobody waits for any more."""


class _Call:
    """One call, from the moment it is asked for until its thread has ended it."""

    def __init__(self, owner: Hashable, call: Callable[[], Any]) -> None:
        self.owner = owner
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self._call = call
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._thread_id: int | None = None
        self._is_abandoned = False
        self._result: Any = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Compute in this thread."""
        try:
            with self._lock:
                if self._is_abandoned:
                    return
                self._thread_id = threading.get_ident()
            began = time.thread_time()
            try:
                self._result = self._context.run(self._call)
            except Exception as error:
                self._error = error
            self._context.run(note_seconds, time.thread_time() - began)
            self._end()
        except _Interrupted:
            # It may come at any moment until the computation has ended, but only once.
            self._end()

    def tell(self) -> None:
        """Tell whoever waits what came of it."""
        future, result, error = self.future, self._result, self._error
        # An error leads by its traceback to the frame of `run`, and so to this: only a full garbage
        # collection, which stops everything, would remove such a circle and all that the computation had.
        del self.future, self._result, self._error
        # The loop may have been closed by now, and then nobody waits.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(_settle, future, result, error)

    def abandon(self) -> None:
        """Interrupt it, wherever it is; called from another thread."""
        with self._lock:
            self._is_abandoned = True
            if self._thread_id is not None:
                _raise_in(self._thread_id, _Interrupted)

    def _end(self) -> None:
        with self._lock:
            self._thread_id = None
        # An interruption that was asked for a moment ago must not reach what the thread does next.
        _raise_in(threading.get_ident(), None)


def _raise_in(thread_id: int, error: type[BaseException] | None) -> None:
    """Make a thread raise this before its next step of Python; with None, forget what it was to raise."""
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class BackgroundThreads:
    """Threads that compute. Users take turns, and one user has one computation at a time."""

    def __init__(self, threads: int = THREADS) -> None:
        self._most = threads
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Hashable, deque[_Call]] = OrderedDict()
        self._running: dict[Hashable, _Call] = {}
        self._threads: list[threading.Thread] = []

    @property
    def running(self) -> int:
        """How many computations run now."""
        return len(self._running)

    async def run(
        self, owner: Hashable, work: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Return what `work` returns, computed for this owner. Raise what it raises.

        The computation ends with the caller: a cancelled one leaves its place in the line, or its thread.
        """
        computation = _Call(owner, lambda: work(*args, **kwargs))
        # It may be told, and forgotten, before this thread goes on.
        future = computation.future
        self._put(computation)
        try:
            result: ResultT = await future
        except asyncio.CancelledError:
            self._drop(computation)
            raise
        finally:
            # This frame is in an error's traceback too.
            del computation, future
        return result

    def _put(self, computation: _Call) -> None:
        with self._changed:
            self._waiting.setdefault(computation.owner, deque()).append(computation)
            if len(self._threads) < min(self._most, len(self._running) + len(self._waiting)):
                self._start()
            self._changed.notify()

    def _start(self) -> None:
        # A process that computes gives the loop its turn sooner than Python would by itself.
        sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
        name = f"background {len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _drop(self, computation: _Call) -> None:
        with self._changed:
            line = self._waiting.get(computation.owner)
            if line is not None and computation in line:
                line.remove(computation)
                if not line:
                    del self._waiting[computation.owner]
                return
        computation.abandon()

    def _work(self) -> None:
        while True:
            computation = self._next()
            try:
                computation.run()
            finally:
                with self._changed:
                    del self._running[computation.owner]
                    self._changed.notify_all()
            computation.tell()
            # Let nothing of it live on until there is something else to do.
            del computation

    def _next(self) -> _Call:
        with self._changed:
            while (found := self._take()) is None:
                self._changed.wait()
            return found

    def _take(self) -> _Call | None:
        """Take the first computation of whoever has waited longest and has none running."""
        for owner, line in self._waiting.items():
            if owner in self._running:
                continue
            computation = self._running[owner] = line.popleft()
            if line:
                # Behind everybody else who waits.
                self._waiting.move_to_end(owner)
            else:
                del self._waiting[owner]
            return computation
        return None


_threads = BackgroundThreads()

run_apart = _threads.run
"""Compute something for an owner in this process's threads: see BackgroundThreads.run."""

"""Whether the database answers, checked twice a second so that nobody waits for one that does not.

A server that is gone refuses connections at once. A server that hangs, or a network that drops all packets,
sends nothing, and no statement timeout tells that from a statement that is merely slow. So one connection
does nothing but run a trivial query. While it gets no answer, everything that waits for the database is
interrupted with an error, and new requests fail at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg

logger = logging.getLogger("graphfolio.database")
ConnectionT = TypeVar("ConnectionT", bound="asyncpg.Connection[Any]")
ResultT = TypeVar("ResultT")

EVERY_SECONDS = 0.5
_BACK_SECONDS = 0.1
"""The interval in seconds between checks while the database does not answer: everybody waits for it."""
_SLICE_SECONDS = 0.25
_SLICES = 6


_LEAVING = (asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)


class DatabaseDown(ConnectionError):
    """The database does not answer."""


class DatabaseHealth:
    """The health of the database and every connection of one process; always healthy without `watch`."""

    def __init__(self, connect: Callable[[], Coroutine[Any, Any, "asyncpg.Connection[Any]"]]) -> None:
        """Initialize with `connect`, which opens the connection that is used for the checks."""
        self._connect = connect
        self._asking: asyncpg.Connection[Any] | None = None
        self._connections: set[asyncpg.Connection[Any]] = set()
        self._connecting: set[asyncio.Future[Any]] = set()
        self.is_available = True
        self._why = ""

    async def connected(self, connecting: Coroutine[Any, Any, ConnectionT]) -> ConnectionT:
        """Return the connection, which is terminated when the health check fails.

        Raises DatabaseDown while the database does not answer.
        """
        if not self.is_available:
            connecting.close()
            raise DatabaseDown("The database does not answer.")
        task = asyncio.ensure_future(connecting)
        self._connecting.add(task)
        try:
            connection = await task
        except asyncio.CancelledError:
            if task.done() and not task.cancelled() and task.exception() is None:
                # Connected in the same turn of the event loop in which the caller gave up.
                task.result().terminate()
            mine = asyncio.current_task()
            if self.is_available or (mine is not None and mine.cancelling()):
                raise
            raise DatabaseDown("The database does not answer.") from None
        finally:
            self._connecting.discard(task)
        self._connections = {other for other in self._connections if not other.is_closed()} | {connection}
        return connection

    async def watch(self) -> None:
        """Check the database forever."""
        try:
            while True:
                answers = await self._answers()
                if answers is not self.is_available:
                    self.is_available = answers
                    if answers:
                        logger.warning("The database answers again.")
                    else:
                        logger.warning("The database does not answer: %s", self._why)
                if not answers:
                    self._cut_off()
                await asyncio.sleep(EVERY_SECONDS if answers else _BACK_SECONDS)
        finally:
            self._disconnect()

    async def _answers(self) -> bool:
        """Return whether it answers; try twice, as this one connection may have been terminated."""
        for _ in range(2):
            try:
                if self._asking is None:
                    self._asking = await _patiently(self._connect())
            except asyncpg.PostgresError as error:
                # Any reply shows that the server is there, unless it starts, stops or crashes.
                self._why = repr(error)
                return not isinstance(error, _LEAVING)
            except Exception as error:
                self._why = repr(error)
                return False
            try:
                await _patiently(self._asking.fetchval("SELECT true"))
                return True
            except Exception as error:
                # Any error, asyncpg's own mistakes included: if the check stopped, no connection would be
                # accepted again.
                self._disconnect()
                self._why = repr(error)
                if isinstance(error, TimeoutError):
                    return False
        return False

    def _cut_off(self) -> None:
        """Interrupt every wait for the database with an error, in this turn of the event loop."""
        for connection in self._connections:
            # Some states of asyncpg refuse even that; such a connection is of no further use anyway.
            with suppress(Exception):
                connection.terminate()
        for connecting in self._connecting:
            connecting.cancel()
        self._connections = set()

    def _disconnect(self) -> None:
        if self._asking is not None:
            self._asking.terminate()
            self._asking = None


async def _patiently(requested: Awaitable[ResultT]) -> ResultT:
    """Return the answer, or raise TimeoutError after a while of this process's own running time.

    The time is counted in slices, because a process that was itself suspended has not listened: a suspension
    counts as one slice, however long it lasted.
    """
    task = asyncio.ensure_future(requested)
    try:
        for _ in range(_SLICES):
            await asyncio.wait({task}, timeout=_SLICE_SECONDS)
            if task.done():
                return task.result()
    finally:
        task.cancel()
    raise TimeoutError("The database does not answer.")

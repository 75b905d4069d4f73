"""Whether the database answers: asked twice a second, so that nobody waits for one that does not.

A server that is gone refuses at once; one that hangs, or a network that swallows everything, says nothing at
all, and no time limit on a statement tells that from one that is only long. So one connection does nothing
but ask for an answer that costs nothing. While none comes, everything that waits for the database is cut off
with an error, and whoever comes is told so at once.
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
"""How soon it is asked again while it does not answer: everybody waits for that."""
_SLICE_SECONDS = 0.25
_SLICES = 6


class DatabaseDown(ConnectionError):
    """The database does not answer."""


class DatabaseHealth:
    """Knows every connection of one process. Without `watch` it believes in the database for ever."""

    def __init__(self, connect: Callable[[], Coroutine[Any, Any, "asyncpg.Connection[Any]"]]) -> None:
        """`connect` opens the connection that asks."""
        self._connect = connect
        self._asking: asyncpg.Connection[Any] | None = None
        self._connections: set[asyncpg.Connection[Any]] = set()
        self._connecting: set[asyncio.Future[Any]] = set()
        self.is_available = True
        self._why = ""

    async def connected(self, connecting: Coroutine[Any, Any, ConnectionT]) -> ConnectionT:
        """The connection, which ends when the pulse stops. Raises DatabaseDown while it does not beat."""
        if not self.is_available:
            connecting.close()
            raise DatabaseDown("The database does not answer.")
        task = asyncio.ensure_future(connecting)
        self._connecting.add(task)
        try:
            connection = await task
        except asyncio.CancelledError:
            if task.done() and not task.cancelled() and task.exception() is None:
                # Connected in the very turn of the loop in which nobody wanted it any more.
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
        """Ask for ever."""
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
        """A second try, because somebody may have ended this one connection alone."""
        for _ in range(2):
            try:
                if self._asking is None:
                    self._asking = await _patiently(self._connect())
            except asyncpg.PostgresError as error:
                # Whatever it says, it is there; but for one that only starts or stops.
                self._why = repr(error)
                return not isinstance(error, asyncpg.CannotConnectNowError)
            except Exception as error:
                self._why = repr(error)
                return False
            try:
                await _patiently(self._asking.fetchval("SELECT true"))
                return True
            except Exception as error:
                # Whatever it is, asyncpg's own mistakes too: a pulse that stopped would let nobody in again.
                self._disconnect()
                self._why = repr(error)
                if isinstance(error, TimeoutError):
                    return False
        return False

    def _cut_off(self) -> None:
        """Ends every wait for the database with an error, in this turn of the loop."""
        for connection in self._connections:
            # Some of asyncpg's states refuse even that; such a connection is of no use to anybody either way.
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
    """The answer. Raises TimeoutError after a while of this process's own time.

    Counted in slices, because a process that was itself held up has not listened: that is one slice, however
    long it took.
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

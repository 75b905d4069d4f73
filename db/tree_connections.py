"""Connections for reading trees, each with prepared statements of its own.

asyncpg's own cache drops a statement of more than 15 KiB, and its pool costs as much as a small tree: this
one hands out the connection that was used last, whose statements are prepared already.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from db.statements import note_seconds, note_statement, uncounted

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
    Prepared = asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Prepared = asyncpg.prepared_stmt.PreparedStatement

MOST_STATEMENTS = 64
"""For each connection: a plan takes 0.05 to 0.5 MiB of its backend's memory."""

SETTINGS = {"plan_cache_mode": "force_generic_plan"}
"""Planning a tree anew for each request costs as much as reading it; see docs/decisions/compiler.md."""


END_SECONDS = 5.0
"""How long the end of a statement that nobody waits for any longer may take."""


class _TreeConnection:
    """One connection with its prepared statements, the least recently used first."""

    __slots__ = ("prepared", "raw")

    def __init__(self, connection: Connection) -> None:
        self.raw = connection
        self.prepared: OrderedDict[str, Prepared] = OrderedDict()

    async def fetch(self, sql: str, values: Sequence[object]) -> bytes | None:
        statement = self.prepared.get(sql)
        if statement is None:
            if len(self.prepared) >= MOST_STATEMENTS:
                self.prepared.popitem(last=False)
            with uncounted():
                statement = self.prepared[sql] = await self.raw.prepare(sql)
        else:
            self.prepared.move_to_end(sql)
        note_statement()
        began = time.perf_counter()
        try:
            text: bytes | None = await statement.fetchval(*values)
            return text
        finally:
            note_seconds(time.perf_counter() - began)


class TreeConnections:
    """At most so many connections, opened when they are needed; whoever finds none free waits in line.

    PostgreSQL itself ends a statement that takes too long, which costs nothing here. The wait in line ends
    after `timeout_seconds`.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], most: int, timeout_seconds: float
    ) -> None:
        self._connect = connect
        self._most = most
        self._timeout_seconds = timeout_seconds
        self._open = 0
        self._free: list[_TreeConnection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ending: set[asyncio.Future[None]] = set()

    async def fetch(self, sql: str, user_id: UUID, login_id: UUID, values: Sequence[object]) -> bytes | None:
        """Return the text of a statement of `db.reading.statement`; None if the login has ended.

        A connection that was cancelled, or is broken, is not used again. Raise TimeoutError if no connection
        becomes free in time.
        """
        connection = self._take_free() or await self._wait_for_free()
        try:
            text = await connection.fetch(sql, (str(user_id), login_id, *values))
        except asyncpg.PostgresError:
            # The server has answered, so that the connection is as good as before, unless it was ended.
            self._give_back(connection)
            raise
        except BaseException:
            self._drop(connection)
            raise
        self._give_back(connection)
        return text

    async def close(self) -> None:
        """Close the connections that are free; there are no others once the server has stopped."""
        if self._ending:
            await asyncio.wait(self._ending)
        for connection in self._free:
            await connection.raw.close()
        self._free.clear()

    def _take_free(self) -> _TreeConnection | None:
        while self._free:
            connection = self._free.pop()
            if not connection.raw.is_closed():
                return connection
            self._open -= 1
        return None

    async def _wait_for_free(self) -> _TreeConnection:
        async with asyncio.timeout(self._timeout_seconds):
            while True:
                if self._open < self._most:
                    return await self._new()
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                try:
                    await waiter
                except asyncio.CancelledError:
                    # Its turn had come: the next one takes it.
                    if waiter.done() and not waiter.cancelled():
                        self._wake()
                    raise
                connection = self._take_free()
                if connection is not None:
                    return connection

    async def _new(self) -> _TreeConnection:
        self._open += 1
        try:
            with uncounted():
                connection = await self._connect()
                # What is read is passed on as it is: as bytes.
                await connection.set_type_codec(
                    "text", schema="pg_catalog", encoder=str.encode, decoder=bytes, format="binary"
                )
            return _TreeConnection(connection)
        except BaseException:
            self._open -= 1
            self._wake()
            raise

    def _give_back(self, connection: _TreeConnection) -> None:
        if connection.raw.is_closed():
            self._open -= 1
        else:
            self._free.append(connection)
        self._wake()

    def _drop(self, connection: _TreeConnection) -> None:
        ending = asyncio.ensure_future(self._end(connection))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, connection: _TreeConnection) -> None:
        """Close a connection that is not used again; it counts as open until its statement has ended.

        `terminate` alone would leave the statement running, and whoever asks and hangs up again and again
        would have any number of them.
        """
        try:
            await connection.raw.close(timeout=END_SECONDS)
        except Exception:
            connection.raw.terminate()
        finally:
            self._open -= 1
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

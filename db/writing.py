"""Write transactions over plain connections, for the few kinds that are made all day.

They take as few round trips as possible: BEGIN, the viewer and the first lock are sent together, and a
transaction's writes in one statement (`db.write_batch`). Everything else writes through `Sessions.begin`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

ResultT = TypeVar("ResultT")

if TYPE_CHECKING:
    RawConnection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    RawConnection = asyncpg.Connection
    Pool = asyncpg.Pool

# serialization_failure and deadlock_detected: the transaction was not at fault and was rolled back.
# unique_violation: another transaction has just written the same key, which the next attempt sees.
_TRY_ANEW = frozenset({"40001", "40P01", "23505"})

_ONE_ROW = "SELECT 1"
"""The command tag of a SELECT, or of the EXECUTE of one, that has found one row."""


class LoginEnded(Exception):
    """The login behind a transaction has ended, or its user is disabled: nothing was read or written."""


@dataclass(slots=True)
class UncheckedLogin:
    """A login of the viewer's that so far only its token says is valid: a transaction's first step checks it.

    `has_been_checked` says that a transaction has found it valid.
    """

    id: UUID
    has_been_checked: bool = False


class Lock:
    """SQL that locks a transaction's subject: a prepared statement, and UUIDs, which cannot contain SQL."""

    def __init__(self, name: str, *ids: UUID) -> None:
        self.sql = f"EXECUTE {name} ({', '.join(_quoted(id) for id in ids)})"

    @classmethod
    def all_of(cls, *locks: Lock) -> Lock:
        """Return what takes these locks one after the other; without any, take none."""
        lock = cls.__new__(cls)
        lock.sql = "; ".join(each.sql for each in locks)
        return lock


async def raw_connection_of(session: AsyncSession) -> RawConnection:
    """Return the connection under a session, for statements in its transaction, which has begun."""
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, asyncpg.Connection)
    return connection


def _quoted(id: UUID) -> str:
    # By its number, so that it is a UUID and nothing else, whatever text its class gives.
    return f"'{UUID(int=id.int)}'"


class Writers:
    """A pool of connections for such transactions, which return decimals as Decimal."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._giving_up: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def begin(
        self, viewer_id: UUID | None, lock: Lock | None = None, login: UncheckedLogin | None = None
    ) -> AsyncIterator[RawConnection]:
        """Yield one transaction on the viewer's behalf that begins by taking the lock; commit it at the end.

        Locked rows are read by a statement of their own: one that had to wait for the lock would see the rest
        as it was before the wait. The login is checked last for the same reason: what ended it during the
        wait counts. Raise LoginEnded.
        """
        viewer = "''" if viewer_id is None else _quoted(viewer_id)
        first = "" if lock is None else lock.sql
        if login is not None:
            assert viewer_id is not None, "a login is a viewer's"
            first = f"{first}; EXECUTE check_login ({viewer}, {_quoted(login.id)})"
        connection, found = await self._begun(f"BEGIN; SET LOCAL app.user_id = {viewer}; {first}")
        try:
            if login is not None:
                if found != _ONE_ROW:
                    raise LoginEnded
                login.has_been_checked = True
            yield connection
            await connection.execute("COMMIT")
        except BaseException:
            await self._give_up(connection)
            raise
        await self._pool.release(connection)

    async def transact(
        self,
        viewer_id: UUID | None,
        lock: Lock,
        work: Callable[[RawConnection], Awaitable[ResultT]],
        login: UncheckedLogin | None = None,
    ) -> ResultT:
        """Run the work in one transaction, and retry it after a deadlock or serialization failure.

        There are three attempts at most, as in `Sessions.transact`. Raise LoginEnded, in any of them.
        """
        for is_last in (False, False, True):
            try:
                async with self.begin(viewer_id, lock, login) as connection:
                    return await work(connection)
            except asyncpg.PostgresError as error:
                if is_last or error.sqlstate not in _TRY_ANEW:
                    raise
        raise AssertionError("the last try returns or raises")

    @asynccontextmanager
    async def plain(self) -> AsyncIterator[RawConnection]:
        """Yield a connection without a viewer; each statement is a transaction of its own."""
        connection: Any
        async with self._pool.acquire() as connection:
            yield connection

    async def _begun(self, sql: str) -> tuple[Any, str]:
        """Return a connection on which a transaction has begun, and the tag of the last command."""
        for is_last in (False, True):
            connection: Any = await self._pool.acquire()
            try:
                return connection, await connection.execute(sql)
            except BaseException as error:
                was_gone = _is_gone(connection)
                await self._give_up(connection)
                # The server was restarted since this connection was last used; nothing has been done on it
                # yet.
                if is_last or not was_gone or not isinstance(error, Exception):
                    raise
        raise AssertionError("the last try returns or raises")

    async def _give_up(self, connection: Any) -> None:
        """End the transaction and release the connection, even if the caller is cancelled meanwhile.

        A request may be cancelled twice, and the pool takes back a connection in any state.
        """
        task = asyncio.ensure_future(self._roll_back(connection))
        self._giving_up.add(task)
        task.add_done_callback(self._giving_up.discard)
        await asyncio.shield(task)

    async def _roll_back(self, connection: Any) -> None:
        try:
            if not _is_gone(connection):
                await connection.execute("ROLLBACK")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
        finally:
            await self._pool.release(connection)


def _is_gone(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        # The pool has taken it back already.
        return True

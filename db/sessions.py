"""The ways to the database, on a viewer's behalf: `reading` for rows, `begin` for a transaction, and `write`
for the few transactions that are made all day.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from db.canonical import decimal_text
from db.health import DatabaseHealth
from db.locks import PREPARE
from db.statements import CountedConnection, count_statements_of, uncounted
from db.vocabulary import Topic
from db.writing import Lock, RawConnection, Writers

_ANNOUNCED = "announced"
APP_ROLE = "graphfolio_app"

ResultT = TypeVar("ResultT")

Session = AsyncSession
"""One database transaction that writes."""

Row = asyncpg.Record
"""One row of a read: `row["name"]`. Decimals come as canonical text, see `db.canonical`."""

CONNECT_SECONDS = 10.0

_SET_VIEWER = (
    "SELECT set_config('app.user_id', $1, false), set_config('app.administrator', $2, false), "
    "set_config('app.market', $3, false)"
)

# serialization_failure and deadlock_detected: the transaction was not at fault, and nothing of it is left.
_TRY_ANEW = frozenset({"40001", "40P01"})

# lock_not_available and query_canceled: the limits below were reached.
_TOO_LONG = frozenset({"55P03", "57014"})

# InternalClientError comes of a question to a connection whose server has just said that it crashes.
_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)

# Short statements gain nothing from the compiler, and a stuck lock or statement must end by itself.
_SERVER_SETTINGS = {
    "application_name": "graphfolio",
    "role": APP_ROLE,
    "jit": "off",
    "timezone": "UTC",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}

# Their statements are few and go by keys: one plan for each is enough, and planning costs as much as reading.
_WRITING = {**_SERVER_SETTINGS, "plan_cache_mode": "force_generic_plan"}
# The books need not be on disk before an answer: whatever came of it is committed by the desk, which waits
# for the disk, and the log is written in order. What is lost without that was told to nobody.
# They see every instrument and quote: whose an order is, and so what it may name, the desk has seen.
_BROKER_WRITERS = {**_WRITING, "synchronous_commit": "off", "app.market": "on"}


if TYPE_CHECKING:
    Connection = asyncpg.Connection[Row]
    Pool = asyncpg.Pool[Row]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool


class ViewerConnection(CountedConnection):
    """A connection that knows whose viewer it is set to, and so asks the server only when that changes."""

    __slots__ = ("_viewer",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._viewer: tuple[str, ...] | None = ("", "", "")

    async def act_for(self, *viewer: str) -> None:
        """Sets the viewer for row-level security; at most one round trip."""
        if self._viewer == viewer:
            return
        # Unknown until it has succeeded: a cancelled round trip may have set it or not.
        self._viewer = None
        await self.fetchrow(_SET_VIEWER, *viewer)
        self._viewer = viewer


class ChangeNotifier(Protocol):
    """What is told after a commit that something of an owner's has changed."""

    def notify(self, owner_id: UUID, topic: Topic) -> None:
        """Take note of it, without waiting."""


class Sessions:
    """Connections to the database. Every one is checked out for one viewer, or for nobody."""

    def __init__(
        self,
        pool: Pool,
        engine: AsyncEngine,
        writers: Writers,
        broker_writers: Writers,
        health: DatabaseHealth,
        notifier: ChangeNotifier | None = None,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._writers = writers
        self._health = health
        self.broker_writers = broker_writers
        """The paper broker's own connections: it must answer also while clients wait for all the others."""
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._notifier = notifier

    def announce(self, owner_id: UUID, topic: Topic) -> None:
        """Tell the notifier, where there is one, what has just been committed."""
        if self._notifier is not None:
            self._notifier.notify(owner_id, topic)

    @asynccontextmanager
    async def reading(
        self, viewer_id: UUID | None, *, as_administrator: bool = False, whole_market: bool = False
    ) -> AsyncIterator[Connection]:
        """A connection for reading rows, which row-level security limits to the viewer's.

        An administrator reads the users as well. `whole_market` is for who follows prices before it is known
        whom one concerns: instruments and prices of everybody's own are read as well. Costs one round trip,
        or none where the connection served the same viewer last.
        """
        connection: Any
        async with self._pool.acquire() as connection:
            administrator, market = ("on" if wanted else "" for wanted in (as_administrator, whole_market))
            await connection.act_for(str(viewer_id or ""), administrator, market)
            yield connection

    @asynccontextmanager
    async def begin(self, viewer_id: UUID | None) -> AsyncIterator[Session]:
        """One transaction on the viewer's behalf, committed at the end of the block."""
        async with self._sessions() as session:
            try:
                await act_for(session, viewer_id)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                # The server was restarted since this connection was used; nothing has been done on it yet.
                await session.rollback()
                await act_for(session, viewer_id)
            yield session
            await session.commit()
            for owner_id, topic in session.info.pop(_ANNOUNCED, ()):
                self.announce(owner_id, topic)

    async def transact(
        self, viewer_id: UUID | None, work: Callable[[Session], Awaitable[ResultT]]
    ) -> ResultT:
        """The work in one transaction, tried anew where PostgreSQL ended it so that others could go on.

        Three times at the most; a deadlock or a conflict that comes a third time is raised.
        """
        for is_last in (False, False, True):
            try:
                async with self.begin(viewer_id) as session:
                    return await work(session)
            except DBAPIError as error:
                if is_last or getattr(error.orig, "sqlstate", None) not in _TRY_ANEW:
                    raise
        raise AssertionError("the last try returns or raises")

    async def write(
        self, viewer_id: UUID, lock: Lock, work: Callable[[RawConnection], Awaitable[ResultT]]
    ) -> ResultT:
        """The same over a plain connection, and with the first lock taken: see `db.writing`."""
        return await self._writers.transact(viewer_id, lock, work)

    def nobody(self) -> AbstractAsyncContextManager[RawConnection]:
        """A plain connection on nobody's behalf, for what has no owner; each statement is a transaction."""
        return self._writers.plain()

    async def watch_health(self) -> None:
        """Ask for ever whether the database answers, over a connection of its own: for a server."""
        await self._health.watch()

    async def is_ready(self) -> bool:
        """Whether the database answers."""
        if not self._health.is_available:
            return False
        try:
            async with self._pool.acquire(timeout=2) as connection:
                return bool(await connection.fetchval("SELECT true", timeout=2))
        except Exception:
            # A line that is torn may end in any error of asyncpg's, which is an answer too.
            return False


@asynccontextmanager
async def open_sessions(
    url: str, *, size: int = 10, notifier: ChangeNotifier | None = None
) -> AsyncIterator[Sessions]:
    """Opens pools for reading and for trades, `size` connections each at the most, and closes them.

    The other writers and the paper broker have pools of their own, half as large. `notifier` is told what
    each commit has changed.
    While somebody runs `watch_health`, whoever waits for a database that does not answer is told so within
    two seconds or three.
    """

    async def connect(**options: Any) -> Connection:
        standard = {"connection_class": CountedConnection, "server_settings": _SERVER_SETTINGS}
        given = {**standard, "timeout": CONNECT_SECONDS, **options}
        return await asyncpg.connect(url, **given)

    health = DatabaseHealth(connect)

    async def connect_pooled(*_: Any, **options: Any) -> Any:
        return await health.connected(connect(**options))

    def open_pool(most: int, **options: Any) -> Pool:
        return asyncpg.create_pool(
            url,
            max_size=most,
            reset=_keep,
            connect=connect_pooled,
            max_inactive_connection_lifetime=300,
            **options,
        )

    pool = open_pool(size, min_size=1, init=_prepare, connection_class=ViewerConnection)
    writers = open_pool(
        size,
        min_size=0,
        init=_prepare_writer,
        connection_class=CountedConnection,
        server_settings=_WRITING,
    )
    broker_writers = open_pool(
        (size + 1) // 2,
        min_size=0,
        connection_class=CountedConnection,
        server_settings=_BROKER_WRITERS,
    )
    engine = create_async_engine(
        sqlalchemy_url(url),
        # Three processes of ten fit into PostgreSQL's hundred; two, so that one may wait for another's.
        pool_size=min(size, max(2, (size + 1) // 2)),
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=False,
        async_creator=lambda: health.connected(connect()),
    )
    count_statements_of(engine.sync_engine)
    async with pool, writers, broker_writers:
        try:
            yield Sessions(pool, engine, Writers(writers), Writers(broker_writers), health, notifier)
        finally:
            await engine.dispose()


def is_away(error: BaseException) -> bool:
    """Tell whether the way to the database is at fault, and not what was asked, which may succeed soon."""
    if isinstance(error, DBAPIError):
        cause = None if error.orig is None else error.orig.__cause__
        return error.connection_invalidated or (cause is not None and is_away(cause))
    return isinstance(error, _AWAY)


def took_too_long(error: BaseException) -> bool:
    """Whether PostgreSQL gave up a statement that waited for a lock, or ran, for too long."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in _TOO_LONG


def announce(session: Session, owner_id: UUID, topic: Topic) -> None:
    """Something has happened to an owner: whoever waits for it is told once this transaction is committed."""
    session.info.setdefault(_ANNOUNCED, {})[owner_id, topic] = None


async def act_for(session: Session, viewer_id: UUID | None) -> None:
    """Have the rest of a session's transaction be on a viewer's behalf, who alone is seen from then on."""
    await session.execute(
        text("SELECT set_config('app.user_id', :viewer, true)"), {"viewer": str(viewer_id or "")}
    )


def sqlalchemy_url(url: str) -> str:
    """The same address in SQLAlchemy's spelling, for the driver asyncpg."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise ValueError("a database URL starts with postgresql://")
    return f"postgresql+asyncpg://{rest}"


async def _prepare(connection: Connection) -> None:
    """Have decimals as canonical text, at half the cost of objects that are only printed, JSON as objects."""
    with uncounted():
        await connection.set_type_codec(
            "numeric", schema="pg_catalog", encoder=_encode_decimal, decoder=decimal_text, format="text"
        )
        await _read_json(connection)


async def _prepare_writer(connection: Connection) -> None:
    with uncounted():
        await _read_json(connection)
        await connection.execute(PREPARE)


async def _read_json(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
        format="text",
    )


async def _keep(connection: Connection) -> None:
    """In place of asyncpg's reset, which costs a round trip: reads leave nothing behind but the viewer."""


def _encode_decimal(value: Decimal | str) -> str:
    return str(value)

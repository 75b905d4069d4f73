"""Database access on a viewer's behalf: `reading`, `begin`, and `write`.

`reading` is for rows, `begin` for a transaction, and `write` for the few transactions that are made all day.
"""

from __future__ import annotations

import logging
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
from db.outages import is_no_outage
from db.statements import CountedConnection, count_statements_of, uncounted
from db.tree_connections import SETTINGS, TreeConnections
from db.vocabulary import Topic
from db.writing import Lock, RawConnection, UncheckedLogin, Writers

_ANNOUNCED = "announced"
APP_ROLE = "graphfolio_app"

ResultT = TypeVar("ResultT")

Session = AsyncSession
"""One database transaction that writes."""

Row = asyncpg.Record
"""One row of a read, as `row["name"]`; decimals are canonical text (see `db.canonical`)."""

CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 30

_SET_VIEWER = (
    "SELECT set_config('app.user_id', $1, false), set_config('app.administrator', $2, false), "
    "set_config('app.market', $3, false)"
)

# serialization_failure and deadlock_detected: the transaction was not at fault and was rolled back.
_TRY_ANEW = frozenset({"40001", "40P01"})

# lock_not_available and query_canceled: the limits below were reached.
_TOO_LONG = frozenset({"55P03", "57014"})

# InternalClientError is raised for a query on a connection whose server has just reported that it crashes.
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
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "idle_in_transaction_session_timeout": "60s",
}

# Their statements are few and go by keys: one plan for each is enough, and planning costs as much as reading.
_WRITING = {**_SERVER_SETTINGS, "plan_cache_mode": "force_generic_plan"}
# The paper broker's books need not be on disk before it answers: their results are committed by the order
# processor (`investing.trading.desk`), which waits for the disk, and the write-ahead log is written in order.
# Whatever a crash loses without that was reported to nobody. These connections see every instrument and
# quote: the order processor has checked whose an order is, and so what it may name.
_BROKER_WRITERS = {**_WRITING, "synchronous_commit": "off", "app.market": "on"}


# A pool logs each attempt to restore its smallest size, with a traceback; `db.health` logs the outage.
logging.getLogger("asyncpg.pool").addFilter(is_no_outage)

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Row]
    Pool = asyncpg.Pool[Row]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool


class ViewerConnection(CountedConnection):
    """A connection that remembers its viewer, and sets it on the server only when it changes."""

    __slots__ = ("_viewer",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._viewer: tuple[str, ...] | None = ("", "", "")

    async def act_for(self, *viewer: str) -> None:
        """Set the viewer for row-level security; at most one round trip."""
        if self._viewer == viewer:
            return
        # Unknown until it has succeeded: a cancelled round trip may have set it or not.
        self._viewer = None
        await self.fetchrow(_SET_VIEWER, *viewer)
        self._viewer = viewer


class ChangeNotifier(Protocol):
    """The receiver of notifications, after each commit, that something of an owner's has changed."""

    def notify(self, owner_id: UUID, topic: Topic) -> None:
        """Record the change, without waiting."""


class Sessions:
    """Connections to the database; each is checked out for one viewer, or for nobody."""

    def __init__(
        self,
        pool: Pool,
        engine: AsyncEngine,
        writers: Writers,
        broker_writers: Writers,
        trees: TreeConnections,
        health: DatabaseHealth,
        notifier: ChangeNotifier | None = None,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._writers = writers
        self._health = health
        self.trees = trees
        """Connections for whole trees, which set the viewer themselves."""
        self.broker_writers = broker_writers
        """The paper broker's own connections: it must answer even while clients use up all the others."""
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._notifier = notifier

    def announce(self, owner_id: UUID, topic: Topic) -> None:
        """Notify the notifier, if there is one, of what has just been committed."""
        if self._notifier is not None:
            self._notifier.notify(owner_id, topic)

    @asynccontextmanager
    async def reading(
        self, viewer_id: UUID | None, *, as_administrator: bool = False, whole_market: bool = False
    ) -> AsyncIterator[Connection]:
        """Yield a connection for reading the rows that row-level security grants the viewer.

        An administrator also reads the users. `whole_market` is for following prices before it is known which
        users one concerns: users' own instruments and their prices are read as well. Costs one round trip, or
        none where the connection served the same viewer last.
        """
        connection: Any
        async with self._pool.acquire() as connection:
            administrator, market = ("on" if wanted else "" for wanted in (as_administrator, whole_market))
            await connection.act_for(str(viewer_id or ""), administrator, market)
            yield connection

    @asynccontextmanager
    async def begin(self, viewer_id: UUID | None) -> AsyncIterator[Session]:
        """Yield one transaction on the viewer's behalf, committed at the end of the block."""
        async with self._sessions() as session:
            try:
                await act_for(session, viewer_id)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                # The server was restarted since this connection was last used; nothing has been done on it
                # yet.
                await session.rollback()
                await act_for(session, viewer_id)
            yield session
            await session.commit()
            for owner_id, topic in session.info.pop(_ANNOUNCED, ()):
                self.announce(owner_id, topic)

    async def transact(
        self, viewer_id: UUID | None, work: Callable[[Session], Awaitable[ResultT]]
    ) -> ResultT:
        """Run the work in one transaction, and retry it after a deadlock or serialization failure.

        There are three attempts at most; a deadlock or a conflict in the third is raised.
        """
        for is_last in (False, False, True):
            try:
                async with self.begin(viewer_id) as session:
                    return await work(session)
            except (DBAPIError, asyncpg.PostgresError) as error:
                # The ledger writes over the session's own connection, whose errors SQLAlchemy does not wrap.
                if is_last or getattr(getattr(error, "orig", error), "sqlstate", None) not in _TRY_ANEW:
                    raise
        raise AssertionError("the last try returns or raises")

    async def write(
        self,
        viewer_id: UUID,
        lock: Lock,
        work: Callable[[RawConnection], Awaitable[ResultT]],
        login: UncheckedLogin | None = None,
    ) -> ResultT:
        """Do the same over a plain connection that has taken the lock first (see `db.writing`).

        Raise LoginEnded if a `login` is given that has ended.
        """
        return await self._writers.transact(viewer_id, lock, work, login)

    def nobody(self) -> AbstractAsyncContextManager[RawConnection]:
        """Return a plain connection without a viewer, for ownerless data; each statement is a transaction."""
        return self._writers.plain()

    async def watch_health(self) -> None:
        """Check forever whether the database answers, over a connection of its own; run by servers."""
        await self._health.watch()

    async def is_ready(self) -> bool:
        """Return whether the database answers."""
        if not self._health.is_available:
            return False
        try:
            async with self._pool.acquire(timeout=2) as connection:
                return bool(await connection.fetchval("SELECT true", timeout=2))
        except Exception:
            # A broken connection may end in any error of asyncpg's, which is an answer too.
            return False


@asynccontextmanager
async def open_sessions(
    url: str,
    *,
    size: int = 10,
    notifier: ChangeNotifier | None = None,
    tree_seconds: float = STATEMENT_SECONDS,
) -> AsyncIterator[Sessions]:
    """Open a pool for trades, of at most `size` connections, and close it at the end.

    Reading, trees, the other writers and the paper broker have pools of their own, half as large. `notifier`
    is notified of what each commit has changed. A tree takes `tree_seconds` at the most. While `watch_health`
    runs, callers that wait for a database that does not answer get an error within two or three seconds.
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

    half = (size + 1) // 2
    pool = open_pool(half, min_size=1, init=_prepare, connection_class=ViewerConnection)
    writers = open_pool(
        size,
        min_size=0,
        init=_prepare_writer,
        connection_class=CountedConnection,
        server_settings=_WRITING,
    )
    broker_writers = open_pool(
        half,
        min_size=0,
        connection_class=CountedConnection,
        server_settings=_BROKER_WRITERS,
    )
    engine = create_async_engine(
        sqlalchemy_url(url),
        # Three processes with pools of ten fit into PostgreSQL's hundred connections. There are at least two,
        # so that one transaction may wait for another.
        pool_size=min(size, max(2, half)),
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=False,
        async_creator=lambda: health.connected(connect()),
    )
    count_statements_of(engine.sync_engine)
    of_trees = {**_SERVER_SETTINGS, **SETTINGS, "statement_timeout": f"{round(tree_seconds * 1000)}ms"}
    trees = TreeConnections(
        lambda: health.connected(asyncpg.connect(url, server_settings=of_trees, timeout=CONNECT_SECONDS)),
        half,
        tree_seconds,
    )
    async with pool, writers, broker_writers:
        try:
            yield Sessions(pool, engine, Writers(writers), Writers(broker_writers), trees, health, notifier)
        finally:
            await trees.close()
            await engine.dispose()


def is_away(error: BaseException) -> bool:
    """Return whether the connection is at fault and not the request, which may succeed soon."""
    if isinstance(error, DBAPIError):
        cause = None if error.orig is None else error.orig.__cause__
        return error.connection_invalidated or (cause is not None and is_away(cause))
    return isinstance(error, _AWAY)


def took_too_long(error: BaseException) -> bool:
    """Return whether PostgreSQL cancelled a statement that ran, or waited for a lock, for too long."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in _TOO_LONG


def announce(session: Session, owner_id: UUID, topic: Topic) -> None:
    """Notify the owner's subscribers of a change once this transaction is committed."""
    session.info.setdefault(_ANNOUNCED, {})[owner_id, topic] = None


async def act_for(session: Session, viewer_id: UUID | None) -> None:
    """Make the rest of a session's transaction act for a viewer, whose rows alone are visible from then."""
    await session.execute(
        text("SELECT set_config('app.user_id', :viewer, true)"), {"viewer": str(viewer_id or "")}
    )


def sqlalchemy_url(url: str) -> str:
    """Return the same address in SQLAlchemy's form, for the driver asyncpg."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise ValueError("a database URL starts with postgresql://")
    return f"postgresql+asyncpg://{rest}"


async def _prepare(connection: Connection) -> None:
    """Decode numerics to canonical text, at half the cost of Decimals only to print, and JSON to objects."""
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
    """Replace asyncpg's reset, which costs a round trip; reads leave nothing behind but the viewer."""


def _encode_decimal(value: Decimal | str) -> str:
    return str(value)

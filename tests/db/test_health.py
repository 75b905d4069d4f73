"""The health check of the database goes on, whatever error a connection ends with."""

import asyncio
import struct
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from db.health import EVERY_SECONDS, DatabaseDown, DatabaseHealth
from db.sessions import open_sessions
from tests.faults.waiting import until
from tests.waiting import PATIENCE

_FIELDS = b"SFATAL\x00C57P02\x00Mterminating connection because of crash of another server process\x00\x00"
CRASH = b"E" + struct.pack("!i", 4 + len(_FIELDS)) + _FIELDS


class TcpProxy:
    """A proxy to PostgreSQL's socket that can send a message of its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.clients: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, until either side ends it."""
        further_reader, further = await asyncio.open_unix_connection(self._path)
        self.clients.add(writer)
        there = asyncio.create_task(_pump(reader, further))
        back = asyncio.create_task(_pump(further_reader, writer))
        await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        self.clients.discard(writer)
        for one in (writer, further):
            one.transport.abort()
        await asyncio.gather(there, back)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass


class Torn(asyncpg.Connection):
    """A connection that is queried in the one turn between its server's last message and its end."""

    async def fetchval(self, *_: Any, **__: Any) -> Any:
        """Raise what asyncpg 0.32 raises then; one kill of PostgreSQL in 150 leads to it."""
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


async def test_it_outlives_an_error_that_is_of_no_family(app_url: str) -> None:
    kinds = [asyncpg.Connection, Torn, Torn, asyncpg.Connection]

    async def connect() -> Any:
        return await asyncpg.connect(app_url, connection_class=kinds.pop(0))

    health = DatabaseHealth(connect)
    watching = asyncio.create_task(health.watch())

    async def checks() -> bool:
        return health._asking is not None

    await until(checks, PATIENCE)
    assert health._asking is not None
    health._asking.terminate()

    async def stopped() -> bool:
        return not health.is_available

    await until(stopped, PATIENCE, 0.01)
    with pytest.raises(DatabaseDown):
        await health.connected(connect())

    async def recovered() -> bool:
        return health.is_available

    await until(recovered, PATIENCE, 0.01)
    assert (kinds, watching.done()) == ([], False)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_crash_that_is_told_before_the_line_ends_does_not_stop_it(app_url: str) -> None:
    """asyncpg refuses a query on such a connection by an error of no common base class."""
    parts = urlsplit(app_url)
    place = {name: values[0] for name, values in parse_qs(parts.query).items()}
    proxy = TcpProxy(f"{place['host']}/.s.PGSQL.{place['port']}")
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    url = f"{parts.scheme}://{parts.username}@127.0.0.1:{server.sockets[0].getsockname()[1]}{parts.path}"
    async with server, open_sessions(url, size=1) as sessions:
        watching = asyncio.create_task(sessions.watch_health())
        await until(sessions.is_ready, PATIENCE)
        for client in proxy.clients:
            client.write(CRASH)
        # For longer than from one check to the next; every caller meanwhile gets a yes or a no, and no more.
        for _ in range(16):
            await sessions.is_ready()
            await asyncio.sleep(EVERY_SECONDS / 10)
        for client in list(proxy.clients):
            client.transport.abort()
        await until(sessions.is_ready, PATIENCE)
        # The checks go on: they notice that the server does not listen any more.
        server.close()
        for client in list(proxy.clients):
            client.transport.abort()

        async def stopped() -> bool:
            return not sessions._health.is_available

        await until(stopped, PATIENCE)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize(
    ("error", "answers"),
    [
        (asyncpg.CannotConnectNowError("starting up"), False),
        (asyncpg.AdminShutdownError("shutting down"), False),
        (asyncpg.CrashShutdownError("crashing"), False),
        (asyncpg.TooManyConnectionsError("full"), True),
        (asyncpg.InvalidCatalogNameError("no such database"), True),
        (ConnectionRefusedError(), False),
    ],
)
async def test_a_server_that_is_leaving_does_not_answer(error: Exception, answers: bool) -> None:
    async def connect() -> Any:
        raise error

    assert await DatabaseHealth(connect)._answers() is answers

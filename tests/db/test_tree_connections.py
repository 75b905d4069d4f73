"""Connections for trees: bounded, given out in order, replaced when they break, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db.tree_connections import MOST_STATEMENTS, SETTINGS, TreeConnections

USER, LOGIN = UUID(int=1), UUID(int=2)
# The parameters that every tree has, and what the test wants.
GIVEN = "SELECT $1 || left($2::uuid::text, 0) || "
MINE = f"{GIVEN}pg_backend_pid()::text"
ASLEEP = f"{GIVEN}pg_sleep(600)::text"


class Server:
    """The connections under test, how many were opened, and a way to look from outside."""

    def __init__(self, url: str, superuser: Any) -> None:
        self.url = url
        self.superuser = superuser
        self.opened: list[Any] = []
        self.refusing = False
        self.trees = TreeConnections(self._connect, 2, 30)

    async def _connect(self) -> Any:
        if self.refusing:
            raise ConnectionRefusedError
        connection = await asyncpg.connect(self.url, server_settings=SETTINGS)
        self.opened.append(connection)
        return connection

    async def fetch(self, sql: str = MINE, *values: object) -> bytes:
        text = await self.trees.fetch(sql, USER, LOGIN, values)
        assert text is not None
        return text.removeprefix(str(USER).encode())

    async def asleep(self, number: int) -> None:
        """Wait until so many backends run a long statement."""
        while await self._sleeping() != number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def _sleeping(self) -> int:
        query = """SELECT count(*) FROM pg_stat_activity
            WHERE wait_event = 'PgSleep' AND datname = current_database()"""
        found: int = await self.superuser.fetchval(query)
        return found

    async def end(self, pid: bytes) -> None:
        await self.superuser.fetchval("SELECT pg_terminate_backend($1, 5000)", int(pid))

    async def is_whole(self) -> bool:
        """Whether every connection that counts as open is free, nobody waits, and no statement goes on."""
        trees = self.trees
        while trees._ending:
            await asyncio.wait(trees._ending)
        await self.asleep(0)
        return trees._open == len(trees._free) and not any(not each.done() for each in trees._waiting)


@pytest.fixture
async def server(app_url: str, superuser_url: str) -> AsyncIterator[Server]:
    superuser = await asyncpg.connect(superuser_url)
    server = Server(app_url, superuser)
    yield server
    await server.trees.close()
    await superuser.close()


async def test_the_connection_that_was_used_last_is_used_again(server: Server) -> None:
    assert len({await server.fetch() for _ in range(5)}) == 1
    assert len(server.opened) == 1


async def test_each_statement_has_a_generic_plan(server: Server) -> None:
    for _ in range(3):
        await server.fetch()
    look = (
        f"{GIVEN}(SELECT sum(generic_plans) || ' ' || sum(custom_plans) FROM pg_prepared_statements "
        "WHERE statement LIKE '%backend_pid%' AND statement NOT LIKE '%generic_plans%')"
    )
    assert await server.fetch(look) == b"3 0"


async def test_prepared_statements_are_bounded(server: Server) -> None:
    for number in range(MOST_STATEMENTS + 20):
        assert await server.fetch(f"{GIVEN}'{number}'") == str(number).encode()
    kept = await server.fetch(f"{GIVEN}(SELECT count(*)::text FROM pg_prepared_statements)")
    assert int(kept) <= MOST_STATEMENTS + 1


async def test_many_at_once_share_a_few_in_order(server: Server) -> None:
    done: list[int] = []

    async def one(number: int) -> None:
        await server.fetch(f"{GIVEN}pg_sleep(0.002)::text")
        done.append(number)

    await asyncio.gather(*(one(number) for number in range(30)))
    assert len(server.opened) == 2
    # Two at a time: nobody overtakes by more than the one beside.
    assert all(abs(number - place) <= 2 for place, number in enumerate(done))
    assert await server.is_whole()


async def test_a_backend_that_was_ended_is_replaced(server: Server) -> None:
    first = await server.fetch()
    await server.end(first)
    # Whoever meets it first is told; the one after it gets a new connection.
    try:
        second = await server.fetch()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        second = await server.fetch()
    assert second != first
    assert await server.is_whole()


async def test_a_backend_that_is_ended_meanwhile(server: Server) -> None:
    pid = await server.fetch()
    running = asyncio.create_task(server.fetch(ASLEEP))
    await server.asleep(1)
    await server.end(pid)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await running
    assert await server.fetch() != pid
    assert await server.is_whole()


async def test_a_client_that_hangs_up(server: Server) -> None:
    """Its statement is ended with its connection; whoever waits in line gets a new one."""
    running = [asyncio.create_task(server.fetch(ASLEEP)) for _ in range(2)]
    await server.asleep(2)
    waiting = asyncio.create_task(server.fetch())
    await asyncio.sleep(0)
    running[0].cancel()
    await asyncio.wait(running[:1])
    assert await waiting
    running[1].cancel()
    await asyncio.wait(running)
    assert await server.fetch()
    assert len(server.opened) == 3
    assert await server.is_whole()


async def test_those_who_wait_and_leave(server: Server) -> None:
    running = [asyncio.create_task(server.fetch(f"{GIVEN}pg_sleep(0.2)::text")) for _ in range(2)]
    await server.asleep(2)
    waiting = [asyncio.create_task(server.fetch()) for _ in range(4)]
    await asyncio.sleep(0)
    for each in waiting[::2]:
        each.cancel()
    await asyncio.gather(*running, *waiting[1::2])
    await asyncio.wait(waiting)
    assert [each.cancelled() for each in waiting] == [True, False, True, False]
    assert await server.is_whole()


async def test_the_turn_of_one_who_leaves_at_that_moment_is_handed_on(server: Server) -> None:
    trees = server.trees
    running = [asyncio.create_task(server.fetch(ASLEEP)) for _ in range(2)]
    await server.asleep(2)
    waiting = [asyncio.create_task(server.fetch()) for _ in range(2)]
    await asyncio.sleep(0)
    # Both its turn and its end come before it runs again.
    first = trees._waiting[0]
    running[0].cancel()
    while not first.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    waiting[0].cancel()
    assert await waiting[1]
    running[1].cancel()
    await asyncio.wait([*running, *waiting])
    assert await server.is_whole()


async def test_a_connection_that_cannot_be_opened(server: Server) -> None:
    server.refusing = True
    answers = await asyncio.gather(*(server.fetch() for _ in range(6)), return_exceptions=True)
    assert [type(each) for each in answers] == [ConnectionRefusedError] * 6
    assert await server.is_whole()
    server.refusing = False
    assert await server.fetch()


async def test_a_statement_that_fails_keeps_its_connection(server: Server) -> None:
    first = await server.fetch()
    with pytest.raises(asyncpg.DivisionByZeroError):
        await server.fetch(f"{GIVEN}(1 / (length($1) - 36))::text")
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await server.fetch(f"{GIVEN} nonsense from")
    assert await server.fetch() == first
    assert await server.is_whole()


async def test_nobody_waits_for_ever(server: Server) -> None:
    trees = TreeConnections(server._connect, 1, 0.05)
    running = asyncio.create_task(trees.fetch(ASLEEP, USER, LOGIN, ()))
    await server.asleep(1)
    with pytest.raises(TimeoutError):
        await trees.fetch(MINE, USER, LOGIN, ())
    running.cancel()
    await asyncio.wait([running])
    await trees.close()
    assert trees._open == 0
    await server.asleep(0)

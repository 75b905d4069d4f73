"""A connection that served one user serves the next one as nobody but themselves, whatever happened."""

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from db.sessions import Sessions, open_sessions
from graph.server.main import build_server
from investing.auth.keys import KeyRing
from settings import Settings
from tests.graph.ownership.conftest import World
from tests.graph.ownership.documents import holds
from tests.graph.ownership.people import Person

EVERYTHING = f"{{ me {{ {holds('User', 1)} }} }}"
RENAME = """mutation($input: UpdateAccountInput!) { updateAccount(input: $input) {
    account { id name portfolios(first: 3) { nodes { id name } } } userErrors { message } } }"""
REQUESTS = 200
CANCELLED = 40


@asynccontextmanager
async def narrow_server(url: str, ring: KeyRing, size: int) -> AsyncIterator[httpx.AsyncClient]:
    """The server with so few connections that users follow each other on every one of them.

    Its application is called on this event loop, where a request can be cancelled at any point of its way.
    """
    hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    settings = Settings(
        _env_file=None,
        worker=False,
        pool_size=size,
        send_notifications=False,
        login_attempts=0,
        operations_per_user=0,
    )
    app = build_server(settings, url, ring, hasher=hasher)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://server", timeout=60)
        )


async def _ask(client: httpx.AsyncClient, person: Person, query: str, **variables: Any) -> bytes:
    headers = {"authorization": f"Bearer {person.token}", "x-request-id": "the-walker-asks"}
    body = {"query": query, "variables": variables}
    answer = await client.post("/graphql", json=body, headers=headers)
    return answer.content


async def _rename(client: httpx.AsyncClient, person: Person) -> bytes:
    input = {"accountId": person.ids["Account"], "name": f"{person.canary} savings"}
    return await _ask(client, person, RENAME, input=input)


async def test_many_at_once(world: World, app_url: str, ring: KeyRing) -> None:
    """Reads and writes of two users, all at once over two connections: each gets their own, to the byte."""
    shuffle = random.Random(1)
    people = [shuffle.choice((world.holder, world.stranger)) for _ in range(REQUESTS)]
    kinds = [shuffle.random() < 0.2 for _ in range(REQUESTS)]
    async with narrow_server(app_url, ring, 2) as client:
        query = (
            "{ me { id username accounts { nodes { id name totalValue } } watchlists { nodes { name } } } }"
        )
        alone = {
            (id(person), writes): await (_rename(client, person) if writes else _ask(client, person, query))
            for person in (world.holder, world.stranger)
            for writes in (False, True)
        }
        answers = await asyncio.gather(
            *(
                _rename(client, person) if writes else _ask(client, person, query)
                for person, writes in zip(people, kinds, strict=True)
            )
        )
    for person, writes, answer in zip(people, kinds, answers, strict=True):
        assert b'"errors"' not in answer
        assert person.canary.encode() in answer
        assert answer == alone[id(person), writes]


# The executor of graphql-core drops the sibling fields that it has not begun when a request is cancelled.
@pytest.mark.filterwarnings("ignore:coroutine 'GraphQLCoreConverter:RuntimeWarning")
async def test_a_cancelled_request_leaves_no_viewer(world: World, app_url: str, ring: KeyRing) -> None:
    """The holder's request is cancelled anywhere, and the next one on its connection is the stranger's."""
    delays = random.Random(2)
    # A collection in the middle of a named tuple, whose code has no builtins, could not even warn.
    gc.disable()
    try:
        await _cancel_again_and_again(world, app_url, ring, delays)
    finally:
        gc.enable()
        # What was dropped says so here, and not during another test.
        gc.collect()


async def _cancel_again_and_again(world: World, app_url: str, ring: KeyRing, delays: random.Random) -> None:
    async with narrow_server(app_url, ring, 1) as client:
        expected = await _ask(client, world.stranger, EVERYTHING)
        assert world.stranger.canary.encode() in expected
        cut = 0
        for round in range(CANCELLED):
            asked = (
                _rename(client, world.holder) if round % 3 == 0 else _ask(client, world.holder, EVERYTHING)
            )
            request = asyncio.ensure_future(asked)
            await asyncio.sleep(delays.uniform(0, 0.006))
            cut += request.cancel()
            await asyncio.wait([request])
            answer = await _ask(client, world.stranger, EVERYTHING)
            assert answer == expected
        assert cut > CANCELLED / 3, "hardly any request was still under way"


@pytest.fixture
async def narrow(app_url: str) -> AsyncIterator[Sessions]:
    """One connection for reading and one for writing."""
    async with open_sessions(app_url, size=1) as opened:
        yield opened


async def _reader(sessions: Sessions, viewer: UUID | None) -> tuple[str, list[UUID]]:
    async with sessions.reading(viewer) as connection:
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM users")]
        return await connection.fetchval("SELECT current_setting('app.user_id')"), ids


async def test_cancelled_while_the_viewer_is_set(world: World, narrow: Sessions) -> None:
    """In the middle of the round trip that sets the viewer: the server may have done it or not."""
    holder, stranger = world.holder.owner_id, world.stranger.owner_id
    cut = 0
    for steps in range(24):
        assert await _reader(narrow, stranger) == (str(stranger), [stranger])
        reading = asyncio.ensure_future(_reader(narrow, holder))
        for _ in range(steps // 2):
            await asyncio.sleep(0)
        cut += reading.cancel()
        await asyncio.wait([reading])
        assert await _reader(narrow, stranger) == (str(stranger), [stranger])
        assert await _reader(narrow, None) == ("", [])
    assert cut > 8


async def test_cancelled_before_the_viewer_is_set(world: World, app_url: str) -> None:
    """What was asked for is not taken for done: the next one asks again, also on the same user's behalf."""
    holder = world.holder.owner_id
    for steps in range(12):
        # A connection that has not asked yet prepares the statement first, and there is time to cut it off.
        async with open_sessions(app_url, size=1) as fresh:
            assert await fresh.is_ready()
            reading = asyncio.ensure_future(_reader(fresh, holder))
            for _ in range(steps):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            assert await _reader(fresh, holder) == (str(holder), [holder])


async def test_a_failed_statement_leaves_no_viewer(world: World, narrow: Sessions) -> None:
    """Nor does one that runs into its time limit, also in a transaction that writes."""
    holder, stranger = world.holder.owner_id, world.stranger.owner_id
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with narrow.reading(holder, as_administrator=True) as connection:
            await connection.fetchval("SELECT 1 / 0")
    assert await _reader(narrow, stranger) == (str(stranger), [stranger])
    with pytest.raises(TimeoutError):
        async with narrow.reading(holder) as connection:
            await connection.fetchval("SELECT pg_sleep(5)", timeout=0.05)
    assert await _reader(narrow, None) == ("", [])


async def test_an_administrators_connection_is_nobodys_afterwards(world: World, narrow: Sessions) -> None:
    """The right to see all users goes with the one who had it."""
    holder, stranger = world.holder.owner_id, world.stranger.owner_id
    async with narrow.reading(stranger, as_administrator=True) as connection:
        assert len(await connection.fetch("SELECT id FROM users")) == 3
    assert await _reader(narrow, stranger) == (str(stranger), [stranger])
    assert await _reader(narrow, holder) == (str(holder), [holder])


async def test_a_transaction_takes_its_viewer_along(world: World, narrow: Sessions) -> None:
    """Committed, rolled back or cancelled: the next transaction on the connection begins as nobody."""
    holder = world.holder.owner_id
    visible = text("SELECT count(*) FROM accounts")
    async with narrow.begin(holder) as session:
        assert (await session.execute(visible)).scalar_one() == 1
    with pytest.raises(ZeroDivisionError):
        async with narrow.begin(holder):
            raise ZeroDivisionError
    for steps in range(20):
        writing = asyncio.ensure_future(_write(narrow, holder))
        for _ in range(steps):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        async with narrow.begin(None) as session:
            assert (await session.execute(visible)).scalar_one() == 0


async def _write(sessions: Sessions, viewer: UUID) -> None:
    async with sessions.begin(viewer) as session:
        await session.execute(text("SELECT pg_sleep(0.02)"))

"""Transports deliver notifications between processes alike, over PostgreSQL or a real NATS server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from nats.aio.client import Client

from db.ids import uuid7
from db.notifier import transport as postgres_transport
from db.notifier.subjects import Subject
from db.notifier.transport import CHANNEL, PostgresTransport
from db.sessions import Sessions
from db.vocabulary import Topic
from investing import notifier
from investing.nats_transport import SUBJECT, NatsTransport
from investing.notifier import Notifier, Transport, wait
from tests.conftest import execute, on_one_server
from tests.faults.waiting import until
from tests.nats import NatsServer, nats
from tests.waiting import PATIENCE

pytestmark = on_one_server

_CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name = 'graphfolio-notifier' AND datname = current_database()"
)


@dataclass
class Channel:
    """A kind of line: `line` makes another process's, `send` is somebody else's message, `cut` a fault."""

    line: Callable[[], Transport]
    send: Callable[[str], Awaitable[None]]
    cut: Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats() as running:
        yield running


@pytest.fixture(params=["postgres", "nats"])
def channel(
    request: pytest.FixtureRequest,
    server: NatsServer,
    sessions: Sessions,
    app_url: str,
    superuser_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Channel:
    if request.param == "nats":
        return _by_nats(server)
    monkeypatch.setattr(postgres_transport, "_ALIVE_SECONDS", 0.1)

    async def send(text: str) -> None:
        connection = await asyncpg.connect(superuser_url)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, text)
        await connection.close()

    return Channel(lambda: PostgresTransport(sessions, app_url), send, lambda: execute(superuser_url, _CUT))


def _by_nats(server: NatsServer) -> Channel:
    async def send(text: str) -> None:
        client = Client()
        await client.connect(server.url())
        # No text at all, which only NATS would deliver.
        await client.publish(SUBJECT, b"\xff\xfe," + text.encode())
        await client.drain()

    async def cut() -> None:
        server.kill()
        server.start()

    return Channel(lambda: NatsTransport(server.url()), send, cut)


def _subjects(number: int) -> list[Subject]:
    return [(uuid7(), topic) for _ in range(number) for topic in (Topic.ALERTS, Topic.ORDERS)][:number]


@asynccontextmanager
async def listening(lines: Sequence[Transport]) -> AsyncIterator[list[list[Subject]]]:
    """What each of the lines hears, from when all of them do."""
    heard: list[list[Subject]] = [[] for _ in lines]
    tasks = [
        asyncio.create_task(line.listen(ears.extend, lambda: None))
        for line, ears in zip(lines, heard, strict=True)
    ]
    try:
        for line in lines:
            await _joined(line, heard)
        yield heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _joined(line: Transport, heard: Sequence[list[Subject]]) -> None:
    """Says one thing again and again, until everybody hears this line and all that it said is through."""
    (knock, last) = _subjects(2)

    async def everybody() -> bool:
        await line.publish([knock])
        return all(knock in ears for ears in heard)

    async def through() -> bool:
        return all(last in ears for ears in heard)

    await until(everybody, PATIENCE)
    await line.publish([last])
    await until(through, PATIENCE)
    for ears in heard:
        ears.clear()


@pytest.mark.parametrize("number", [1, 10_000])
async def test_everybody_hears_what_one_says_and_so_does_that_one(channel: Channel, number: int) -> None:
    said = _subjects(number)
    lines = [channel.line() for _ in range(3)]
    async with listening(lines) as heard:
        await lines[1].publish(said)

        async def told() -> bool:
            return [len(ears) for ears in heard] == [number] * 3

        await until(told, PATIENCE)
        assert heard == [said] * 3


async def test_what_is_no_bell_is_passed_over(channel: Channel) -> None:
    one, other = _subjects(2)
    line = channel.line()
    async with listening([line]) as (heard,):
        texts = ["", "nonsense", "alerts:", f"weather:{one[0].hex}", f"x,alerts:{one[0].hex},orders:1"]
        for text in texts:
            await channel.send(text)
        await line.publish([other])

        async def told() -> bool:
            return other in heard

        await until(told, PATIENCE)
        assert heard == [one, other]


async def test_a_broken_line_says_so_and_listens_again(channel: Channel) -> None:
    line = channel.line()
    heard: list[Subject] = []
    listens = asyncio.create_task(line.listen(heard.extend, lambda: None))
    await _joined(line, [heard])
    await channel.cut()
    with pytest.raises(OSError, match=r"."):
        # Noticed when the connection ends, and not only when it is checked.
        await asyncio.wait_for(listens, PATIENCE)
    (notifier,) = _subjects(1)
    async with listening([line]) as (heard,):
        await line.publish([notifier])

        async def told() -> bool:
            return heard == [notifier]

        await until(told, PATIENCE)


async def test_changes_reach_other_processes_and_twice_is_once(
    channel: Channel, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that nothing but the transport can deliver it.
    monkeypatch.setattr(notifier, "POLL_SECONDS", 1000.0)
    here, there = Notifier(), Notifier()
    running = [asyncio.create_task(notifier.run(channel.line(), sessions)) for notifier in (here, there)]
    (owner_id, topic), (stranger_id, _) = _subjects(2)
    with there.listening(owner_id, topic) as event, there.listening(stranger_id, topic) as other:

        async def joined() -> bool:
            here.notify(owner_id, topic)
            return event.is_set()

        await until(joined, PATIENCE)
        await asyncio.sleep(0.2)
        for times in (1, 2):
            await wait(event, 0)
            for _ in range(times):
                here.notify(owner_id, topic)
                await asyncio.sleep(0)
            async with asyncio.timeout(PATIENCE):
                await event.wait()
        assert not other.is_set()
    for task in running:
        task.cancel()
    ended = await asyncio.gather(*running, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * 2

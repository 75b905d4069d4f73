"""What carries rings between processes does it alike, whether it is PostgreSQL or a real NATS server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from nats.aio.client import Client

from db.doorbells import line as postgres_line
from db.doorbells.bells import Bell
from db.doorbells.line import CHANNEL, PostgresLine
from db.ids import uuid7
from db.sessions import Sessions
from db.vocabulary import Topic
from investing import doorbell
from investing.doorbell import Doorbell, Line, rung
from investing.nats_line import SUBJECT, NatsLine
from tests.conftest import execute, on_one_server
from tests.faults.waiting import until
from tests.nats import NatsServer, nats
from tests.waiting import PATIENCE

pytestmark = on_one_server

_CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name = 'graphfolio-doorbell' AND datname = current_database()"
)


@dataclass
class Carrier:
    """A kind of line: `line` makes another process's, `send` is somebody else's message, `cut` a fault."""

    line: Callable[[], Line]
    send: Callable[[str], Awaitable[None]]
    cut: Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats() as running:
        yield running


@pytest.fixture(params=["postgres", "nats"])
def carrier(
    request: pytest.FixtureRequest,
    server: NatsServer,
    sessions: Sessions,
    app_url: str,
    superuser_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Carrier:
    if request.param == "nats":
        return _by_nats(server)
    monkeypatch.setattr(postgres_line, "_ALIVE_SECONDS", 0.1)

    async def send(text: str) -> None:
        connection = await asyncpg.connect(superuser_url)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, text)
        await connection.close()

    return Carrier(lambda: PostgresLine(sessions, app_url), send, lambda: execute(superuser_url, _CUT))


def _by_nats(server: NatsServer) -> Carrier:
    async def send(text: str) -> None:
        client = Client()
        await client.connect(server.url())
        # No text at all, which only NATS would carry.
        await client.publish(SUBJECT, b"\xff\xfe," + text.encode())
        await client.drain()

    async def cut() -> None:
        server.kill()
        server.start()

    return Carrier(lambda: NatsLine(server.url()), send, cut)


def _bells(number: int) -> list[Bell]:
    return [(uuid7(), topic) for _ in range(number) for topic in (Topic.ALERTS, Topic.ORDERS)][:number]


@asynccontextmanager
async def listening(lines: Sequence[Line]) -> AsyncIterator[list[list[Bell]]]:
    """What each of the lines hears, from when all of them do."""
    heard: list[list[Bell]] = [[] for _ in lines]
    tasks = [asyncio.create_task(line.listen(ears.extend)) for line, ears in zip(lines, heard, strict=True)]
    try:
        for line in lines:
            await _joined(line, heard)
        yield heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _joined(line: Line, heard: Sequence[list[Bell]]) -> None:
    """Says one thing again and again, until everybody hears this line and all that it said is through."""
    (knock, last) = _bells(2)

    async def everybody() -> bool:
        await line.say([knock])
        return all(knock in ears for ears in heard)

    async def through() -> bool:
        return all(last in ears for ears in heard)

    await until(everybody, PATIENCE)
    await line.say([last])
    await until(through, PATIENCE)
    for ears in heard:
        ears.clear()


@pytest.mark.parametrize("number", [1, 10_000])
async def test_everybody_hears_what_one_says_and_so_does_that_one(carrier: Carrier, number: int) -> None:
    said = _bells(number)
    lines = [carrier.line() for _ in range(3)]
    async with listening(lines) as heard:
        await lines[1].say(said)

        async def told() -> bool:
            return [len(ears) for ears in heard] == [number] * 3

        await until(told, PATIENCE)
        assert heard == [said] * 3


async def test_what_is_no_bell_is_passed_over(carrier: Carrier) -> None:
    one, other = _bells(2)
    line = carrier.line()
    async with listening([line]) as (heard,):
        texts = ["", "nonsense", "alerts:", f"weather:{one[0].hex}", f"x,alerts:{one[0].hex},orders:1"]
        for text in texts:
            await carrier.send(text)
        await line.say([other])

        async def told() -> bool:
            return other in heard

        await until(told, PATIENCE)
        assert heard == [one, other]


async def test_a_broken_line_says_so_and_listens_again(carrier: Carrier) -> None:
    line = carrier.line()
    heard: list[Bell] = []
    listens = asyncio.create_task(line.listen(heard.extend))
    await _joined(line, [heard])
    await carrier.cut()
    with pytest.raises(OSError, match=r"."):
        # Told by its end, and not only when it is asked whether it is there.
        await asyncio.wait_for(listens, PATIENCE)
    (bell,) = _bells(1)
    async with listening([line]) as (heard,):
        await line.say([bell])

        async def told() -> bool:
            return heard == [bell]

        await until(told, PATIENCE)


async def test_doorbells_ring_in_other_processes_and_twice_is_once(
    carrier: Carrier, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that nothing but the line can carry it.
    monkeypatch.setattr(doorbell, "POLL_SECONDS", 1000.0)
    here, there = Doorbell(), Doorbell()
    running = [asyncio.create_task(bell.run(carrier.line(), sessions)) for bell in (here, there)]
    (owner_id, topic), (stranger_id, _) = _bells(2)
    with there.listening(owner_id, topic) as event, there.listening(stranger_id, topic) as other:

        async def joined() -> bool:
            here.ring(owner_id, topic)
            return event.is_set()

        await until(joined, PATIENCE)
        await asyncio.sleep(0.2)
        for times in (1, 2):
            await rung(event, 0)
            for _ in range(times):
                here.ring(owner_id, topic)
                await asyncio.sleep(0)
            async with asyncio.timeout(PATIENCE):
                await event.wait()
        assert not other.is_set()
    for task in running:
        task.cancel()
    ended = await asyncio.gather(*running, return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * 2

"""A client that disconnects at any moment leaves nothing in the server: checked from inside."""

import asyncio
import gc
import json
import random
import types
from collections import Counter
from collections.abc import Callable

import pytest

from db.sessions import Sessions
from graph.context import Context
from tests.graph.alerts.conftest import Recipient
from tests.graph.streams import following

AFTER = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
FOLLOW = "subscription($after: String) { alerts(after: $after) { cursor alert { title rule { name } } } }"
_IN_USE = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"


async def _leave_socket(url: str, token: str, rng: random.Random) -> None:
    async with following(url, token, FOLLOW, after=AFTER) as stream:
        await asyncio.sleep(rng.random() * 0.03)
        stream.socket.transport.abort()


async def _leave_events(url: str, token: str, rng: random.Random) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"query": FOLLOW, "variables": {"after": AFTER}})
    head = ["POST /graphql HTTP/1.1", "host: test", "accept: text/event-stream"]
    head += ["content-type: application/json", f"authorization: Bearer {token}"]
    head += [f"content-length: {len(body)}", "", body]
    writer.write("\r\n".join(head).encode())
    await asyncio.sleep(rng.random() * 0.06)
    writer.transport.abort()


def _alive() -> Counter[str]:
    """What a stream is made of, in the server's thread and in this one."""
    gc.collect()
    things: Counter[str] = Counter()
    for thing in gc.get_objects():
        if isinstance(thing, asyncio.Task):
            things["tasks"] += not thing.done()
        elif isinstance(thing, types.AsyncGeneratorType):
            things["generators"] += 1
        elif isinstance(thing, Context):
            things["contexts"] += 1
    return things


@pytest.mark.parametrize("number", [100, pytest.param(1_000, marks=pytest.mark.soak)])
async def test_who_leaves_leaves_nothing(
    recipient: Callable[[], Recipient], sessions: Sessions, number: int
) -> None:
    rng = random.Random(number)
    someone = await asyncio.to_thread(recipient)
    url, token = someone.api.url, someone.api.token
    assert token is not None
    await someone.alert(30)
    leaving = [_leave_socket, _leave_events] * 5
    # The first ones leave behind what is made once for all; and the server's own work comes and goes.
    await asyncio.gather(*(leave(url, token, rng) for leave in leaving))
    before: Counter[str] = Counter()
    for _ in range(6):
        await asyncio.sleep(0.4)
        before |= _alive()
    for _ in range(number // len(leaving)):
        await asyncio.gather(*(leave(url, token, rng) for leave in leaving))
    for _ in range(100):
        if not (left := _alive() - before):
            break
        await asyncio.sleep(0.2)
    assert left == Counter(), left
    async with sessions.nobody() as connection:
        # The one that asks.
        assert await connection.fetchval(_IN_USE) == 1

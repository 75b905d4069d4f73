"""Promise 12: a change of an order that commits late, after others that began later, is told all the same."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from websockets.asyncio.client import connect

from graph.ids import parse_global_id
from tests.faults.intents import Intent, Place, Wishes
from tests.faults.waiting import sizes, until
from tests.faults.wire import Wire
from tests.faults.world import World, insist
from tests.graph.streams import begun
from tests.waiting import PATIENCE

FOLLOW = {"query": "subscription { orderUpdates { id version } }"}
ORDERS = 40
ABREAST = 30
_CHANGE = "UPDATE orders SET version = version + 1 WHERE owner_id = $1 AND id = $2"


class Follower:
    """One subscription to orderUpdates, and the newest version that it was told of each order."""

    def __init__(self) -> None:
        self.versions: dict[UUID, int] = {}

    async def follow(self, socket: Any) -> None:
        """Listens for ever."""
        async for text in socket:
            message = json.loads(text)
            assert message["type"] == "next", message
            told = message["payload"]["data"]["orderUpdates"]
            id = parse_global_id(told["id"])[1]
            assert told["version"] > self.versions.get(id, 0), "told again, or backwards"
            self.versions[id] = told["version"]

    async def until(self, wanted: dict[UUID, int]) -> None:
        """Waits until it was told of all these."""

        async def told() -> bool:
            return all(self.versions.get(id, 0) >= version for id, version in wanted.items())

        await until(told, PATIENCE)


@asynccontextmanager
async def following(port: int, place: Place) -> AsyncIterator[Follower]:
    """A follower on a socket of its own."""
    url = f"ws://127.0.0.1:{port}/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        payload = {"authorization": f"Bearer {place.token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": FOLLOW}))
        await begun(f"http://127.0.0.1:{port}", place.token)
        follower = Follower()
        listening = asyncio.create_task(follower.follow(socket))
        try:
            yield follower
        finally:
            listening.cancel()
            (ended,) = await asyncio.gather(listening, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended


async def _resting(world: World, place: Place, rng: random.Random) -> list[UUID]:
    """Orders that no tick fills."""
    (symbol,) = await world.listed(1)
    wire = Wire()
    ids = []
    for _ in range(ORDERS):
        key = Wishes(rng, [place], [symbol]).next().key
        given = {"portfolioId": place.portfolio_ids[0], "symbol": symbol, "side": "BUY", "quantity": "1"}
        limit = {"type": "LIMIT", "limitPrice": "1", "timeInForce": "GTC", "idempotencyKey": key}
        order = Intent(place, "placeOrder", given | limit)
        await insist(world, wire, order, rng)
        ids.append(parse_global_id(order.answers[0]["order"]["id"])[1])
    wire.close()
    return ids


@sizes(60, 10_000)
async def test_no_late_commit_is_skipped(world: World, rng: random.Random, size: int) -> None:
    place = await world.person()
    ids = await _resting(world, place, rng)
    versions = dict.fromkeys(ids, 2)
    ports = [server.port for server in world.fleet.servers[:2]]
    async with AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(following(port, place)) for port in ports]
        writers = []
        for _ in range(ABREAST + 1):
            writers.append(await asyncpg.connect(world.cluster.url()))
            stack.push_async_callback(writers[-1].close)
        for done in range(0, size, ABREAST):
            await _late(rng, place, versions, followers, writers, min(ABREAST, size - done))


async def _late(
    rng: random.Random,
    place: Place,
    versions: dict[UUID, int],
    followers: list[Follower],
    writers: list[Any],
    number: int,
) -> None:
    """So many begin, one that begins after them is told first, and then they commit, in any order."""
    *late, punctual = rng.sample(list(versions), number + 1)
    held = []
    for writer, id in zip(writers, late, strict=False):
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute(_CHANGE, place.user_id, id)
        held.append(transaction)
    await writers[-1].execute(_CHANGE, place.user_id, punctual)
    versions[punctual] += 1
    for follower in followers:
        await follower.until({punctual: versions[punctual]})
    rng.shuffle(held)
    for transaction in held:
        await transaction.commit()
    for id in late:
        versions[id] += 1
    for follower in followers:
        await follower.until({id: versions[id] for id in late})

"""Promise 16: whatever a client breaks off leaves no connection checked out and no transaction open."""

import asyncio
import json
import random
from typing import Any

import asyncpg
from websockets.asyncio.client import ClientConnection, connect

from tests.faults.intents import Intent, Place, Wishes
from tests.faults.proof import differences, prove_nothing_hangs
from tests.faults.waiting import sizes, until
from tests.faults.wire import Answer, Wire
from tests.faults.world import World, attempt
from tests.waiting import PATIENCE

POOL = 5
READERS = WRITERS = 3
"""What trees and deposits have of a pool of five: `db.sessions` gives half to whatever is no trade."""
TREE = {"query": "{ me { accounts { nodes { portfolios { nodes { transactions { nodes { id } } } } } } } }"}

_WAITING = """SELECT count(*) AS number FROM pg_stat_activity
WHERE application_name = 'graphfolio' AND wait_event_type = 'Lock' AND state = 'active'"""


async def _break_off(world: World, place: Place, bodies: list[Answer], rng: random.Random) -> None:
    """Operations over one socket, each completed by the client a moment later, and then the line is cut."""
    url = f"ws://127.0.0.1:{world.fleet.any_port(rng)}/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        payload = {"authorization": f"Bearer {place.token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        for number, body in enumerate(bodies):
            await socket.send(json.dumps({"type": "subscribe", "id": str(number), "payload": body}))
            await asyncio.sleep(rng.random() * 0.02)
            if rng.random() < 0.8:
                await socket.send(json.dumps({"type": "complete", "id": str(number)}))
        _cut(socket)


def _cut(socket: ClientConnection) -> None:
    socket.transport.abort()


async def _all_are_free(world: World, place: Place, rng: random.Random) -> None:
    """Shows from outside that no connection is checked out: as many as there are come to one lock at once."""
    for port in [server.port for server in world.fleet.servers]:
        (connection_rows,) = await world.cluster.rows("SELECT count(*) FROM pg_stat_activity")
        assert connection_rows[0] < 150
        await _come_at_once(world, place, port, rng)


async def _come_at_once(world: World, place: Place, port: int, rng: random.Random) -> None:
    holder = await asyncpg.connect(world.cluster.url())
    wires = [Wire() for _ in range(2 * POOL)]
    try:
        holding = holder.transaction()
        await holding.start()
        await holder.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        reads = [wire.post(port, TREE, place.token) for wire in wires]
        asked = [asyncio.ensure_future(read) for read in reads]
        await until(lambda: _pool_waits(world, READERS), PATIENCE)
        await holding.rollback()
        for answer in await asyncio.gather(*asked):
            assert "errors" not in answer
        await _write_at_once(world, holder, place, port, wires, rng)
    finally:
        await holder.close()
        for wire in wires:
            wire.close()


async def _write_at_once(
    world: World, holder: Any, place: Place, port: int, wires: list[Wire], rng: random.Random
) -> None:
    deposits = [_deposit(place, rng) for _ in wires[:POOL]]
    async with holder.transaction():
        await holder.execute("SELECT FROM accounts WHERE owner_id = $1 FOR UPDATE", place.user_id)
        asked = [
            asyncio.ensure_future(attempt(wire, port, deposit, rng))
            for wire, deposit in zip(wires, deposits, strict=False)
        ]
        await until(lambda: _pool_waits(world, WRITERS), PATIENCE)
    assert all(await asyncio.gather(*asked))


async def _pool_waits(world: World, connections: int) -> bool:
    (found,) = await world.cluster.rows(_WAITING)
    return bool(found["number"] >= connections)


def _deposit(place: Place, rng: random.Random) -> Intent:
    key = Wishes(rng, [place], ["NONE"]).next().key
    given = {"accountId": place.account_id, "amount": "1", "idempotencyKey": key, "notes": key}
    return Intent(place, "deposit", given)


@sizes(200, 10_000)
async def test_what_is_broken_off_leaks_nothing(world: World, rng: random.Random, size: int) -> None:
    place = await world.person()
    requests = Wishes(rng, [place], await world.listed(2))
    waiting = [requests.next().body if rng.random() < 0.6 else TREE for _ in range(size)]

    async def break_off(chance: random.Random) -> None:
        while waiting:
            some = [waiting.pop() for _ in range(min(len(waiting), 10))]
            if chance.random() < 0.5:
                await _break_off(world, place, some, chance)
                continue
            for body in some:
                wire = Wire()
                sent = wire.post(
                    world.fleet.any_port(chance), body, place.token, drop_after=chance.random() * 0.02
                )
                await asyncio.gather(sent, return_exceptions=True)

    await asyncio.gather(*(break_off(random.Random(rng.random())) for _ in range(6)))
    await asyncio.sleep(2)
    await prove_nothing_hangs(world)
    await _all_are_free(world, place, rng)
    await world.settled([place.user_id])
    assert await differences(world) == []

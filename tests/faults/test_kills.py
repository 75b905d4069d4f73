"""Promises 8 and 9: servers and PostgreSQL killed at any moment lose nothing that was answered."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.intents import Intent, Wishes
from tests.faults.proof import prove
from tests.faults.waiting import sizes
from tests.faults.wire import Wire
from tests.faults.world import World, attempt, insist

WRITERS = 6


async def _under_fire(
    world: World, rng: random.Random, shots: int, shoot: Callable[[], Awaitable[None]]
) -> list[Intent]:
    """Intents sent while somebody shoots: some are answered at once, some only later, some never."""
    places = [await world.person() for _ in range(2)]
    requests = Wishes(rng, places, await world.listed(2))
    sent: list[Intent] = []
    over = asyncio.Event()

    async def write(chance: random.Random) -> None:
        wire = Wire()
        while not over.is_set():
            intent = requests.next()
            sent.append(intent)
            for _ in range(chance.choice([1, 1, 3, 8])):
                if await attempt(wire, world.fleet.any_port(chance), intent, chance, drop=0.1, timeout=20):
                    break
                await asyncio.sleep(chance.random() * 0.2)
        wire.close()

    writers = [asyncio.create_task(write(random.Random(rng.random()))) for _ in range(WRITERS)]
    for _ in range(shots):
        await asyncio.sleep(rng.random() * 0.6)
        await shoot()
    await world.fleet.until_ready()
    await asyncio.sleep(0.3)
    over.set()
    await asyncio.gather(*writers)
    return sent


async def _prove_and_ask_again(world: World, rng: random.Random, sent: list[Intent]) -> None:
    """What nobody knows is there once at the most; asked again, it is there once and the answer says so."""
    await prove(world, sent)
    answered = sum(bool(intent.answers) for intent in sent)
    assert answered, "nothing was ever answered"
    print(f"{len(sent)} intents, {answered} of them answered")
    again = [intent for intent in sent if not intent.answers or rng.random() < 0.1]

    async def ask(wire: Wire) -> None:
        while again:
            await insist(world, wire, again.pop(), rng)
        wire.close()

    await asyncio.gather(*(ask(Wire()) for _ in range(WRITERS)))
    await prove(world, sent)


@sizes(3, 1_000)
async def test_a_killed_server_loses_nothing_answered(world: World, rng: random.Random, size: int) -> None:
    async def shoot() -> None:
        server = rng.choice(world.fleet.servers)
        server.kill()
        if rng.random() < 0.3:
            world.proxy.cut()
        server.spawn()
        if rng.random() < 0.7:
            await server.until_ready()

    # In parts, so that what is looked at in the end stays small.
    for part in range(0, size, 50):
        await _prove_and_ask_again(world, rng, await _under_fire(world, rng, min(50, size - part), shoot))


@sizes(4, 200)
async def test_a_killed_database_loses_nothing_answered(world: World, rng: random.Random, size: int) -> None:
    async def shoot() -> None:
        await asyncio.sleep(rng.random() * 0.5)
        world.cluster.kill(rng)
        await asyncio.sleep(rng.random() * 0.3)
        await world.cluster.started()

    for part in range(0, size, 20):
        await _prove_and_ask_again(world, rng, await _under_fire(world, rng, min(20, size - part), shoot))


@pytest.mark.parametrize("cuts", [pytest.param(8, id="short")])
async def test_cut_connections_lose_nothing_answered(world: World, rng: random.Random, cuts: int) -> None:
    async def shoot() -> None:
        await asyncio.sleep(rng.random() * 0.1)
        world.proxy.cut()

    await _prove_and_ask_again(world, rng, await _under_fire(world, rng, cuts, shoot))

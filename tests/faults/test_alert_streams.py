"""Promises 11 and 12: alerts arrive at least once, in order and without a gap, whoever is killed."""

import asyncio
import random
from collections import Counter, defaultdict
from itertools import pairwise
from uuid import UUID

import pytest

from tests.faults.intents import Place
from tests.faults.servers import memory
from tests.faults.subscribers import Raiser, Subscriber, raiser, running
from tests.faults.waiting import sizes, until
from tests.faults.world import World

_TRUTH = "SELECT owner_id, title FROM alerts WHERE owner_id = ANY($1) ORDER BY owner_id, seq"


async def _people(world: World, number: int) -> list[Place]:
    return [await world.person("10", portfolios=0) for _ in range(number)]


def _subscribers(world: World, people: list[Place], each: int, rng: random.Random) -> list[Subscriber]:
    chances = [random.Random(rng.random()) for _ in range(len(people) * each)]
    return [
        Subscriber(place.user_id, place.token, lambda chance=chance: world.fleet.any_port(chance))  # type: ignore[misc]
        for place, chance in zip(people * each, chances, strict=True)
    ]


async def _truth(world: World, people: list[Place]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    for row in await world.cluster.rows(_TRUTH, [place.user_id for place in people]):
        found[row["owner_id"]].append(row["title"])
    return found


async def _all_told(
    world: World, people: list[Place], subscribers: list[Subscriber], raised: Raiser, seconds: float
) -> None:
    """Waits until everybody was told of everything, and then looks at the order."""
    truth = await _truth(world, people)
    assert set(raised.committed) <= {title for titles in truth.values() for title in titles}

    async def told() -> bool:
        return all(set(truth[one.user_id]) <= set(one.told) for one in subscribers)

    await until(told, seconds, 0.1)
    gaps = inversions = doubles = 0
    for one in subscribers:
        gaps += len(set(truth[one.user_id]) - set(one.told))
        place = {title: at for at, title in enumerate(truth[one.user_id])}
        places = [place[title] for title in one.told]
        inversions += sum(later < earlier for earlier, later in pairwise(places))
        doubles += sum(count - 1 for count in Counter(one.told).values())
    print(f"{gaps} gaps, {inversions} inversions, {doubles} told twice")
    assert (gaps, inversions) == (0, 0)


def _waits(subscribers: list[Subscriber], raised: Raiser) -> list[float]:
    """From commit to client, for everybody who was told of it; seconds, least first."""
    return sorted(
        at - raised.committed[title]
        for one in subscribers
        for title, at in one.at.items()
        if title in raised.committed
    )


def _show(name: str, waits: list[float]) -> None:
    parts = ", ".join(f"p{p} {waits[len(waits) * p // 100]:.3f}" for p in (50, 90, 99))
    print(f"{name}: {len(waits)} told, {parts}, most {waits[-1]:.3f} s")


@pytest.mark.parametrize(
    ("alerts", "users", "each", "pace", "calm"),
    [
        pytest.param(400, 6, 5, 40, 3.0, id="short"),
        pytest.param(100_000, 200, 5, 100, 40.0, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
async def test_alerts_arrive_whatever_is_killed(
    world: World, rng: random.Random, alerts: int, users: int, each: int, pace: int, calm: float
) -> None:
    people = await _people(world, users)
    subscribers = _subscribers(world, people, each, rng)
    async with raiser(world.cluster) as raised, running(subscribers):
        await until(lambda: _connected(subscribers), 60)
        shooting = asyncio.create_task(_shoot(world, subscribers, random.Random(rng.random()), calm))
        writing = [
            asyncio.create_task(_write(raised, people, alerts // 4, pace / 4, random.Random(rng.random())))
            for _ in range(4)
        ]
        await asyncio.gather(*writing)
        shooting.cancel()
        (shots,) = await asyncio.gather(shooting, return_exceptions=True)
        assert isinstance(shots, asyncio.CancelledError), shots
        if not world.cluster.is_up:
            await world.cluster.started()
        await world.fleet.until_ready()
        await _all_told(world, people, subscribers, raised, 60)
    print(f"{sum(one.connections for one in subscribers)} connections, {raised.unanswered} without an answer")
    waits = _waits(subscribers, raised)
    _show("from commit to client, kills and all", waits)
    if alerts > 10_000:
        assert waits[len(waits) * 99 // 100] < 1


async def _connected(subscribers: list[Subscriber]) -> bool:
    return all(one.socket is not None for one in subscribers)


async def _write(raised: Raiser, people: list[Place], alerts: int, pace: float, rng: random.Random) -> None:
    loop = asyncio.get_running_loop()
    next_at = loop.time()
    while alerts > 0:
        count = min(alerts, rng.choice([1, 1, 1, 2, 5]))
        await raised.alert(rng.choice(people).user_id, count)
        alerts -= count
        next_at = max(next_at + count / pace, loop.time() - 1)
        await asyncio.sleep(max(0.0, next_at - loop.time()))


async def _shoot(world: World, subscribers: list[Subscriber], rng: random.Random, calm: float) -> None:
    """Lines, servers, connections to the database and PostgreSQL itself, by chance; each kind comes."""
    while True:
        for shot in rng.sample(["lines", "server", "proxy", "database"], 4):
            for _ in range(4):
                await asyncio.sleep(rng.random() * calm / 4)
                for one in rng.sample(subscribers, max(1, len(subscribers) // 50)):
                    one.cut()
            if shot == "server":
                server = rng.choice(world.fleet.servers)
                server.kill()
                server.spawn()
            elif shot == "proxy":
                world.proxy.cut()
            elif shot == "database":
                await asyncio.to_thread(world.cluster.kill, rng)
                await asyncio.shield(asyncio.ensure_future(world.cluster.started()))


@pytest.mark.parametrize(
    ("alerts", "users", "pace"),
    [
        pytest.param(60, 4, 10, id="short"),
        pytest.param(10_000, 200, 50, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
async def test_without_faults_an_alert_is_there_at_once(
    world: World, rng: random.Random, alerts: int, users: int, pace: int
) -> None:
    people = await _people(world, users)
    subscribers = _subscribers(world, people, 5, rng)
    held: list[int] = []
    alone = sum(memory(server) for server in world.fleet.servers)
    async with raiser(world.cluster) as raised, running(subscribers):
        await until(lambda: _connected(subscribers), 60)
        await asyncio.sleep(1.5)
        idle = (sum(memory(server) for server in world.fleet.servers) - alone) / len(subscribers)
        print(f"{idle:.0f} KB for each idle subscriber, the first ones of their servers")
        for part in (alerts // 5, alerts - alerts // 5):
            writing = [_write(raised, people, part, pace, random.Random(rng.random())) for _ in range(2)]
            await asyncio.gather(*writing)
            await _all_told(world, people, subscribers, raised, 60)
            held.append(sum(memory(server) for server in world.fleet.servers))
    waits = _waits(subscribers, raised)
    _show("from commit to client", waits)
    more = (held[1] - held[0]) / len(subscribers)
    print(f"the servers' memory after a fifth: {held[0]} KB; at the end {more:+.1f} KB for each subscriber")
    # Delivered by notifications: polling the counters each second would make half of them wait for longer.
    assert waits[len(waits) // 2] < 0.4
    if alerts > 1_000:
        assert waits[len(waits) * 99 // 100] < 1
        # A hundred bytes for each event would be eight.
        assert more < 4


@sizes(60, 10_000)
async def test_no_late_commit_is_skipped(world: World, rng: random.Random, size: int) -> None:
    """Whoever took a number holds it for a while, and others want the next one meanwhile."""
    people = await _people(world, 2)
    subscribers = _subscribers(world, people, 2, rng)
    async with raiser(world.cluster) as raised, running(subscribers):
        await until(lambda: _connected(subscribers), 30)
        for _ in range(0, size, 2):
            place = rng.choice(people)
            await asyncio.gather(
                raised.alert(place.user_id, hold=rng.random() * 0.05),
                raised.alert(place.user_id, hold=rng.random() * 0.01),
                raised.alert(rng.choice(people).user_id),
            )
        await _all_told(world, people, subscribers, raised, 20)
        # Nobody was cut off, and so nobody has anything twice either.
        assert all(len(one.told) == len(set(one.told)) for one in subscribers)


async def _raise_some(raised: Raiser, people: list[Place]) -> None:
    for place in people:
        await raised.alert(place.user_id, 3)


async def test_a_stream_outlives_its_database(world: World, rng: random.Random) -> None:
    """PostgreSQL is killed, a line to it is cut: nobody's connection ends, and nothing is missed."""
    people = await _people(world, 3)
    subscribers = _subscribers(world, people, 4, rng)
    async with raiser(world.cluster) as raised, running(subscribers):
        await until(lambda: _connected(subscribers), 30)
        await _raise_some(raised, people)
        await _all_told(world, people, subscribers, raised, 20)
        world.proxy.cut()
        await _raise_some(raised, people)
        await asyncio.to_thread(world.cluster.kill, rng)
        await world.cluster.started()
        await _raise_some(raised, people)
        await _all_told(world, people, subscribers, raised, 20)
        assert [one.connections for one in subscribers] == [1] * len(subscribers)
    await world.fleet.until_ready()

"""Promise 15: without its database a server says so at once, and goes on by itself once it is back."""

import asyncio
import json
import random
import time
from collections import Counter

import pytest

from tests.faults.cluster import Cluster
from tests.faults.intents import Intent, Place, Wishes
from tests.faults.proof import differences, prove_nothing_hangs
from tests.faults.proxy import Mode
from tests.faults.servers import Fleet
from tests.faults.waiting import sizes, until
from tests.faults.wire import Wire
from tests.faults.world import FAULTS, World
from tests.waiting import PATIENCE

ME = {"query": "{ me { accounts { nodes { cashBalance } } } }"}
ERROR_SECONDS = 3.0
RETURN_SECONDS = 5.0
WRITES = (True, True, False, False)


@pytest.fixture
def alone(world: World) -> World:
    """The world with the one server that a test of the database's absence is about: behind the proxy."""
    return World(world.cluster, Fleet(world.fleet.servers[-1:]), world.proxy)


class Clients:
    """Readers and writers of one server, each asking again and again, and how long each answer took."""

    def __init__(self, world: World, place: Place, requests: Wishes) -> None:
        self.slowest = 0.0
        self.slowest_return = 0.0
        self.codes: set[str] = set()
        self.successes = 0
        self.asked = 0
        self.errors = [0] * len(WRITES)
        self._server = world.fleet.servers[0]
        self._place = place
        self._wishes = requests

    async def ask(self, over: asyncio.Event, number: int) -> None:
        """Asks until the event; everything that is asked is answered, whatever the database does."""
        wire = Wire()
        while not over.is_set():
            begun = time.monotonic()
            intent: Intent = self._wishes.next()
            body = intent.body if WRITES[number] else ME
            self.asked += 1
            answer = await wire.post(self._server.port, body, self._place.token)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if "errors" in answer:
                self.errors[number] += 1
                self.codes |= {error["extensions"]["code"] for error in answer["errors"]}
                await asyncio.sleep(0.05)
            else:
                self.successes += 1
        wire.close()

    async def all_told(self) -> None:
        """Wait until each of them has got two errors more: the second was asked for in the absence."""
        before = list(self.errors)

        async def told() -> bool:
            return all(now >= then + 2 for now, then in zip(self.errors, before, strict=True))

        await until(told, PATIENCE)


async def _absence(world: World, clients: Clients, cluster: Cluster, rng: random.Random, hole: bool) -> None:
    """One absence under load: coded errors meanwhile, 503 at /ready, and a success soon after the return."""
    over = asyncio.Event()
    asking = [asyncio.create_task(clients.ask(over, number)) for number in range(len(WRITES))]
    await asyncio.sleep(rng.random() * 0.3)
    if hole:
        world.proxy.set(Mode.BLACK_HOLE)
    else:
        cluster.stop()
    await clients.all_told()

    async def is_unready() -> bool:
        return await Wire().get(world.fleet.servers[0].port, "/ready") == 503

    await until(is_unready, PATIENCE)
    await asyncio.sleep(rng.random() * 0.5)
    before = clients.successes
    if hole:
        world.proxy.set(Mode.PASS)
    else:
        await cluster.started()
    begun = time.monotonic()

    async def works() -> bool:
        return clients.successes > before

    await until(works, PATIENCE, 0.01)
    clients.slowest_return = max(clients.slowest_return, time.monotonic() - begun)
    over.set()
    await asyncio.gather(*asking)


def _is_told_briefly(log: str, *, absences: int, asked: int) -> None:
    """See that the log has a line for each operation, and of an absence its begin and its end."""
    events = Counter(json.loads(line)["event"].partition(": ")[0] for line in log.splitlines())
    assert 0 < events.pop("operation") <= asked
    assert events["The database does not answer"] >= absences
    assert events["The database answers again."] >= absences
    # Of each service, of each job that was running, and of all requests together.
    assert sum(events.values()) <= 50 * absences, events


@sizes(1, 50)
@pytest.mark.parametrize("hole", [False, True], ids=["stop", "black hole"])
async def test_without_the_database(alone: World, rng: random.Random, hole: bool, size: int) -> None:
    place = await alone.person()
    clients = Clients(alone, place, Wishes(rng, [place], await alone.listed(1)))
    pid, begun = alone.fleet.servers[0].pid, len(alone.fleet.servers[0].log)
    for _ in range(size):
        await _absence(alone, clients, alone.cluster, rng, hole)
    assert clients.codes
    assert clients.codes <= FAULTS
    print(
        f"the slowest answer took {clients.slowest:.2f} s, the slowest return {clients.slowest_return:.2f} s"
    )
    # The seconds that are promised are for a machine that does nothing else.
    if size > 1:
        assert clients.slowest < ERROR_SECONDS
        assert clients.slowest_return < RETURN_SECONDS
    assert (alone.fleet.servers[0].pid, alone.fleet.servers[0].is_alive) == (pid, True)
    _is_told_briefly(alone.fleet.servers[0].log[begun:], absences=size, asked=clients.asked)
    await alone.settled([place.user_id])
    await prove_nothing_hangs(alone)
    assert await differences(alone) == []

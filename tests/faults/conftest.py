"""One world for the run: a durable PostgreSQL, two servers on it, and a third one behind a proxy.

Each test prints its seed; GRAPHFOLIO_FAULTS_SEED repeats one. `-m soak` runs the full figures.
"""

import os
import random
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.cluster import Cluster, running_cluster
from tests.faults.proxy import Mode, proxied
from tests.faults.servers import fleet
from tests.faults.world import World

SEED = "GRAPHFOLIO_FAULTS_SEED"


@pytest.fixture
def rng() -> random.Random:
    """The test's source of chance; its seed is shown where the test fails."""
    seed = int(os.environ.get(SEED) or secrets.randbits(32))
    print(f"{SEED}={seed}")
    return random.Random(seed)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster("max_connections=150") as running:
        yield running


@pytest.fixture(scope="session")
async def shared_world(cluster: Cluster) -> AsyncIterator[World]:
    async with (
        proxied(cluster.port) as proxy,
        fleet(cluster, cluster.port, cluster.port, proxy.port, pool_size=5) as servers,
    ):
        yield World(cluster, servers, proxy)


@pytest.fixture
async def world(shared_world: World) -> AsyncIterator[World]:
    """The world, in order before and after each test."""
    yield shared_world
    shared_world.proxy.set(Mode.PASS)
    await shared_world.fleet.until_ready()

"""Alerts arrive by NATS as the transport, and while it is down by polling the change counters."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from statistics import median

import pytest

from db.notifier.subjects import Subject
from db.vocabulary import Topic
from investing.nats_transport import NatsTransport
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.intents import Place
from tests.faults.proxy import Proxy
from tests.faults.servers import Fleet, fleet
from tests.faults.subscribers import Subscriber, running
from tests.faults.waiting import until
from tests.faults.world import World
from tests.nats import NatsServer
from tests.waiting import PATIENCE

PASSWORD = "bells-and-whistles"
THRESHOLDS = ["20", "30", "40", "50"]
_RULE = """mutation($input: CreateAlertRuleInput!) { createAlertRule(input: $input) {
  alertRule { id } userErrors { message } } }"""
_EARS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'graphfolio-notifier'"


class Watched:
    """Users who watch one price, each with a subscriber at each of two servers."""

    def __init__(self, world: World, symbol: str, people: Sequence[Place]) -> None:
        self._world = world
        self._symbol = symbol
        self.people = people
        ports = [server.port for server in world.fleet.servers]
        self.subscribers = [
            Subscriber(place.user_id, place.token, lambda port=port: port)  # type: ignore[misc]
            for place in people
            for port in ports
        ]

    async def passes(self, threshold: str) -> float:
        """Make the price pass a threshold, on which one of the servers raises an alert for everybody.

        Returns by how much the other server's subscriber was later, in seconds: the median of the users.
        """
        await self._world.tick(self._symbol, str(int(threshold) + 1))
        number = THRESHOLDS.index(threshold) + 1

        async def told() -> bool:
            return all(len(one.told) == number for one in self.subscribers)

        await until(told, PATIENCE)
        times = [one.at[one.told[-1]] for one in self.subscribers]
        return median(abs(here - there) for here, there in zip(times[::2], times[1::2], strict=True))


async def _watched(world: World) -> Watched:
    (symbol,) = await world.listed(1)
    people = [await world.person("10", portfolios=0) for _ in range(3)]
    for place in people:
        for threshold in THRESHOLDS:
            given = {"name": threshold, "kind": "PRICE_ABOVE", "threshold": threshold, "symbol": symbol}
            made = (await world.ask(_RULE, place.token, input=given))["createAlertRule"]
            assert made["userErrors"] == []
    return Watched(world, symbol, people)


async def _listened_to(nats: NatsServer, number: int) -> None:
    """Wait until NATS has this many listeners for a second: an old connection may end after a new one."""
    seen: list[int] = []

    async def all_are() -> bool:
        seen.append(await asyncio.to_thread(lambda: nats.listeners))
        return seen[-10:] == [number] * 10

    await until(all_are, 30, 0.1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Yield a database of its own: servers of other tests evaluate rules on prices too, without NATS."""
    with running_cluster() as running:
        yield running


async def test_alerts_come_by_nats_and_while_it_is_gone_by_the_look(cluster: Cluster) -> None:
    nats = NatsServer("--user", "graphfolio", "--pass", PASSWORD)
    url = nats.url(f"graphfolio:{PASSWORD}@")
    others = await cluster.rows(_EARS)
    try:
        # It is down: they start, and do not wait for it.
        async with fleet(cluster, cluster.port, cluster.port, pool_size=5, notifier_url=url) as servers:
            watched = await _watched(World(cluster, servers, Proxy(cluster.port)))
            async with running(watched.subscribers):
                await _through_an_outage(nats, url, watched)
            assert set(await cluster.rows(_EARS)) <= set(others)
            await _ends_well(nats, servers)
    finally:
        nats.kill()


async def _through_an_outage(nats: NatsServer, url: str, watched: Watched) -> None:
    await watched.passes("20")
    nats.start()
    heard: list[Subject] = []
    listens = asyncio.create_task(NatsTransport(url).listen(heard.extend))
    await _listened_to(nats, 3)
    late = await watched.passes("30")

    async def said() -> bool:
        return {(place.user_id, Topic.ALERTS) for place in watched.people} <= set(heard)

    await until(said, PATIENCE)
    nats.kill()
    await asyncio.gather(listens, return_exceptions=True)
    gone = await watched.passes("40")
    nats.start()
    await _listened_to(nats, 2)
    again = await watched.passes("50")
    print(f"the other server's subscriber: {late:.3f} s later, {gone:.3f} without NATS, {again:.3f} again")
    # Polling the counters each second would make half of them wait for longer.
    assert late < 0.4
    assert again < 0.4
    for one in watched.subscribers:
        assert one.connections == 1
        assert [title.split()[2] for title in one.told] == THRESHOLDS


async def _ends_well(nats: NatsServer, servers: Fleet) -> None:
    for server in servers.servers:
        os.kill(server.pid, signal.SIGTERM)

    async def ended() -> bool:
        return not any(server.is_alive for server in servers.servers)

    await until(ended, PATIENCE)
    await _listened_to(nats, 0)
    failed = f"Listening for changes does not work: ConnectionError: nats://127.0.0.1:{nats.port}: "
    for server in servers.servers:
        assert 1 <= server.log.count(failed) <= 2
        assert PASSWORD not in server.log
        assert "Traceback" not in server.log

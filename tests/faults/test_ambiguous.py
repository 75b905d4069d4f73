"""Promise 10: a broker's ambiguous answer never buys twice, and is resolved within 30 seconds."""

import asyncio
import logging
import random
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from uuid import UUID

import pytest

from db.sessions import open_sessions
from investing.rules.trading.orders import OPEN
from tests.faults.broker import BadLine
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.waiting import sizes, until
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import buy, desk_of, key
from tests.waiting import PATIENCE

BROKER_SECONDS = 0.5
RESOLVED_SECONDS = 30.0
DESKS = 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A database of its own: elsewhere are servers with desks too, who know another broker by this name."""
    with running_cluster() as running:
        yield running


@sizes(60, 5_000)
async def test_an_ambiguous_answer_buys_once(
    cluster: Cluster, rng: random.Random, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="graphfolio.trading")
    async with open_sessions(cluster.url("graphfolio_app"), size=8) as sessions:
        exchange = Exchange(sessions, cluster.url())
        symbol = await exchange.listed("10")
        actor, portfolio_id = await exchange.trader(str(size * 10))
        broker = BadLine(rng, BROKER_SECONDS)
        # As many processes, each with a desk of its own that attends.
        desks = [desk_of(sessions, broker, BROKER_SECONDS) for _ in range(DESKS)]
        attending = [asyncio.create_task(desk.run(0.2)) for desk in desks]
        waiting, placed, slowest = size, list[UUID](), 0.0

        async def place(chance: random.Random) -> None:
            nonlocal waiting, slowest
            while waiting > 0:
                waiting -= 1
                same, begun = key(), time.monotonic()
                for _ in range(chance.choice([1, 1, 2])):
                    id = await chance.choice(desks).place(actor, buy(portfolio_id, symbol, "1"), same)
                placed.append(id)
                await until(partial(_has_ended, exchange, id), 2 * PATIENCE, 0.1)
                slowest = max(slowest, time.monotonic() - begun)

        await asyncio.gather(*(place(random.Random(rng.random())) for _ in range(16)))
        for task in attending:
            task.cancel()
        await asyncio.gather(*attending, return_exceptions=True)
        print(f"{broker.ambiguous} answers were lost; the slowest order took {slowest:.1f} s")
        assert broker.ambiguous > size // 4
        assert len(set(placed)) == size
        assert broker.taken == dict.fromkeys(placed, 1)
        # The seconds that are promised are for a machine that does nothing else.
        if size > 1_000:
            assert slowest < RESOLVED_SECONDS
        await _prove_bought(exchange, actor.id, size)
        assert await exchange.differences() == []


async def _has_ended(exchange: Exchange, id: UUID) -> bool:
    return await exchange.value("SELECT status FROM orders WHERE id = $1", id) not in OPEN


async def _prove_bought(exchange: Exchange, owner_id: UUID, number: int) -> None:
    query = "SELECT sum(quantity) FROM transactions WHERE owner_id = $1 AND order_id IS NOT NULL"
    assert await exchange.value(query, owner_id) == Decimal(number)
    query = "SELECT sum(cash_balance + reserved_cash) FROM portfolios WHERE owner_id = $1"
    assert await exchange.value(query, owner_id) == 0

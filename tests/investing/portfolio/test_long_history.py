"""Ten years of one portfolio: the same as the plain way; in the soak, within the time that is promised."""

import datetime as dt
import time
import uuid
from decimal import Decimal

import pytest

from db.sessions import Sessions
from db.vocabulary import TransactionType
from investing.portfolio.snapshots import refresh
from investing.trading.recording import TransactionRequest, record_transaction
from tests.investing.portfolio.days import expected, stored
from tests.investing.portfolio.long_history import make_history
from tests.investing.trading.world import World


async def edit(world: World, days_ago: int) -> None:
    """One share bought so many days before the end of the history."""
    at = dt.datetime(2023, 12, 29, 15, tzinfo=dt.UTC) - dt.timedelta(days=days_ago)
    one, price = Decimal(1), Decimal(100)
    record = TransactionRequest(
        world.portfolios[0], TransactionType.BUY, world.symbol, one, price, None, one, None, at, None
    )
    await record_transaction(world.actor, record, str(uuid.uuid4()))


async def test_a_few_hundred(sessions: Sessions, superuser_url: str, owner_url: str) -> None:
    world = await make_history(sessions, superuser_url, owner_url, 300)
    id = world.portfolios[0]
    assert await refresh(sessions, world.actor.id, id)
    assert await stored(superuser_url, id) == await expected(superuser_url, id)
    await edit(world, 2000)
    assert await refresh(sessions, world.actor.id, id)
    assert await stored(superuser_url, id) == await expected(superuser_url, id)


@pytest.mark.soak
async def test_ten_thousand(sessions: Sessions, superuser_url: str, owner_url: str) -> None:
    """Issue 4: a back-dated edit takes under 1 s on two cores, the full history under 30 s."""
    world = await make_history(sessions, superuser_url, owner_url, 10_000)
    id = world.portfolios[0]
    started = time.perf_counter()
    assert await refresh(sessions, world.actor.id, id)
    assert time.perf_counter() - started < 30
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        await edit(world, 2000)
        assert await refresh(sessions, world.actor.id, id)
        taken.append(time.perf_counter() - started)
    assert min(taken) < 1, taken
    assert await stored(superuser_url, id) == await expected(superuser_url, id)

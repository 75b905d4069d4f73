"""What an instrument costs is told by a trade in any of an owner's portfolios, and all of them see it."""

from decimal import Decimal

import pytest

from db.sessions import Sessions
from db.vocabulary import TransactionType
from investing.portfolio.snapshots import refresh
from tests.investing.portfolio.days import expected, fetch, stored
from tests.investing.portfolio.test_snapshots import day, marks, price, refresh_all
from tests.investing.trading.world import World, make_world

D = Decimal


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str, owner_url: str) -> World:
    """Two portfolios with a million each, and ABC at 10, 11, 12 and so on for ten days."""
    made = await make_world(sessions, superuser_url, portfolios=2)
    await fetch(superuser_url, "DELETE FROM price_bars")
    await price(owner_url, {n: str(10 + n) for n in range(10)})
    return made


async def test_a_trade_tells_the_others_what_it_costs(world: World, superuser_url: str) -> None:
    """ABC closes with the day: at a flow of the other one the day's only trade stands, wherever it was."""
    await world.buy(0, "100", "10")
    await world.record(TransactionType.WITHDRAWAL, 3, amount="1000", symbol=None)
    await refresh_all(world)

    async def before_the_flow() -> D:
        (flow,) = (await stored(superuser_url, world.portfolios[0]))[4].flows
        return flow.before

    # 999,000 in cash and 100 shares at the close of the day before.
    assert await before_the_flow() == 999000 + 1200
    traded = await world.buy(3.1, "1", "20", at=1)
    await refresh(world.actor.sessions, world.actor.id, world.portfolios[1])
    assert await marks(world) == [day(3), None]
    await refresh(world.actor.sessions, world.actor.id, world.portfolios[0])
    assert await marks(world) == [None, None], "it has nothing new to tell"
    assert await before_the_flow() == 999000 + 2000
    await world.reverse(traded)
    await refresh_all(world)
    assert await before_the_flow() == 999000 + 1200
    # On a day without a flow the close stands, which the others know.
    await world.buy(5, "1", "20", at=1)
    await refresh(world.actor.sessions, world.actor.id, world.portfolios[1])
    assert await marks(world) == [None, None]
    # After the last close there is none: the trade tells the day's end.
    late = await world.buy(12, "1", "20", at=1)
    await refresh(world.actor.sessions, world.actor.id, world.portfolios[1])
    assert await marks(world) == [day(12), None]
    await refresh_all(world)
    *_, at_trade, next_day = await stored(superuser_url, world.portfolios[0])
    assert (at_trade.date, at_trade.positions_value) == (day(12), D(2000))
    assert (next_day.date, next_day.positions_value) == (day(13), D(1900))
    for id in world.portfolios:
        assert await stored(superuser_url, id) == await expected(superuser_url, id)
    # Taken back, it leaves no day in its portfolio, which the others are told as well.
    await world.reverse(late)
    await refresh(world.actor.sessions, world.actor.id, world.portfolios[1])
    assert await marks(world) == [day(12), None]
    await refresh_all(world)
    assert [(await stored(superuser_url, id))[-1].date for id in world.portfolios] == [day(9), day(9)]
    for id in world.portfolios:
        assert await stored(superuser_url, id) == await expected(superuser_url, id)

"""Entries of the past beside others: at the very instant of another, and sales before later purchases."""

from collections.abc import AsyncIterator
from decimal import Decimal as D
from uuid import UUID

import pytest

from db.ids import uuid7
from db.sessions import Sessions
from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientCash, InsufficientShares
from investing.trading import recording
from tests.conftest import on_one_server
from tests.investing.trading.world import World, forget, make_world, on

pytestmark = on_one_server


@pytest.fixture
async def world(sessions: Sessions, superuser_url: str) -> AsyncIterator[World]:
    """A user with one portfolio; whatever was done with it, `verify` agrees."""
    made = await make_world(sessions, superuser_url)
    yield made
    assert await made.differences() == []
    await forget(made, superuser_url)


async def test_a_sale_before_a_purchase_sells_nothing_of_it(world: World) -> None:
    await world.buy(1, "10", "10")
    await world.buy(5, "10", "20")
    sale = await world.sell(3, "5", "30")
    # Half of what there was at 10 dollars: gains of 100 either way, and the dear ones are all there.
    assert await world.position() == (D(15), D(250), D(100), D(100))
    assert await world.lots() == [(on(1), D(5), D(50)), (on(5), D(10), D(200))]
    assert await world.uses(sale) == [(D(-5), D(-50), D(100))]


async def test_a_sale_has_only_what_was_there_by_then(world: World) -> None:
    await world.buy(1, "3", "10")
    await world.buy(5, "10", "20")
    with pytest.raises(InsufficientShares, match=r"^4 shares are needed on 2020-01-04, 3 are held"):
        await world.sell(3, "4", "30")
    await world.sell(3, "3", "30")
    assert await world.position() == (D(10), D(200), D(60), D(60))


async def test_at_the_instant_of_another_it_comes_after(world: World) -> None:
    """With a later entry, so that all from there on is posted again."""
    await world.buy(1, "10", "10")
    later = await world.sell(5, "5", "50")
    dear = await world.buy(1, "10", "20")
    sale = await world.sell(1, "12", "30")
    # Twenty for 300 by then: twelve cost 180 on average; first in first out, ten cost 100 and two 40.
    assert await world.uses(sale) == [(D(-10), D(-100), D(200)), (D(-2), D(-40), D(20))]
    assert await world.uses(later) == [(D(-5), D(-100), D(150))]
    assert await world.position() == (D(3), D(45), D(180 + 175), D(220 + 150))
    assert await world.lots() == [(on(1), D(3), D(60))]
    with pytest.raises(InsufficientShares, match="on 2020-01-02"):
        await world.reverse(dear)


async def test_what_is_taken_back_at_the_instant_of_others_leaves_them(world: World) -> None:
    first = await world.buy(1, "10", "10")
    second = await world.buy(1, "10", "20")
    sale = await world.sell(1, "10", "30")
    assert await world.uses(sale) == [(D(-10), D(-100), D(200))]
    await world.reverse(first)
    assert await world.uses(sale) == [(D(-10), D(-200), D(100))]
    assert await world.position() == (D(0), D(0), D(100), D(100))
    with pytest.raises(InsufficientShares, match="on 2020-01-02"):
        await world.reverse(second)
    await world.reverse(sale)
    assert await world.position() == (D(10), D(200), D(0), D(0))
    assert await world.lots() == [(on(1), D(10), D(200))]


async def test_cash_that_came_at_the_same_instant_is_there(world: World) -> None:
    """And what goes at that instant is gone for whatever comes after it."""
    await world.record(TransactionType.WITHDRAWAL, 0, amount="1000000", symbol=None)
    await world.record(TransactionType.DEPOSIT, 1, amount="100", symbol=None)
    await world.record(TransactionType.DEPOSIT, 9, amount="100", symbol=None)
    await world.record(TransactionType.FEE, 1, amount="60", symbol=None)
    with pytest.raises(InsufficientCash) as refused:
        await world.record(TransactionType.FEE, 1, amount="41", symbol=None)
    assert (refused.value.available, refused.value.required) == (D(40), D(41))
    await world.record(TransactionType.FEE, 1, amount="40", symbol=None)
    with pytest.raises(InsufficientCash):
        await world.record(TransactionType.FEE, 8.9, amount="1", symbol=None)
    await world.record(TransactionType.FEE, 9, amount="100", symbol=None)


async def test_at_one_instant_the_id_decides(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process, whose clock is an hour ahead, has posted the sale: by its id it comes last."""
    await world.buy(1, "10", "10")
    with monkeypatch.context() as ahead:
        ahead.setattr(recording, "uuid7", lambda: UUID(int=uuid7().int + (3_600_000 << 80)))
        sale = await world.sell(3, "10", "30")
    assert await world.position() == (D(0), D(0), D(200), D(200))
    await world.buy(3, "10", "20")
    # Twenty for 300 by then, of which it sold half; first in first out those at 10 dollars.
    assert await world.position() == (D(10), D(150), D(150), D(200))
    assert await world.uses(sale) == [(D(-10), D(-100), D(200))]
    assert await world.lots() == [(on(3), D(10), D(200))]

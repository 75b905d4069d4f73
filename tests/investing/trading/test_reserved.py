"""Shares and fills of orders, seen from the ledger: what open orders hold back stays, and fills stand."""

import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from db.sessions import Sessions
from db.vocabulary import OrderSide, TransactionType
from investing.brokers.paper import PaperBroker
from investing.rules.errors import InsufficientShares, InvalidInput
from investing.rules.trading.orders import BrokerFees
from investing.trading.reversing import reverse_transaction
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import buy, desk_of, key, order
from tests.investing.trading.ledgers import import_csv
from tests.investing.trading.world import World, forget, make_world, on

MESSAGE = r"shares would go, .* are there that no open order has reserved: cancel one first\."


async def _world(sessions: Sessions, superuser_url: str) -> World:
    """Ten shares bought, of which an open order is to sell six."""
    world = await make_world(sessions, superuser_url, portfolios=2)
    await world.buy(1, "4", "10")
    await world.buy(3, "6", "11")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    resting = order(world.portfolios[0], world.symbol, OrderSide.SELL, "6", "999999")
    await desk.place(world.actor, resting, key())
    return world


@pytest.mark.parametrize(
    "take",
    [
        lambda world: world.sell(5, "5", "10"),
        lambda world: world.sell(2, "4", "10"),
        lambda world: world.record(TransactionType.TRANSFER_OUT, 5, "5"),
        lambda world: world.move(5, "5"),
        lambda world: world.split(5, "1", "2"),
    ],
    ids=["sale", "sale of the past", "transfer out", "transfer", "reverse split"],
)
async def test_reserved_shares_stay(
    sessions: Sessions, superuser_url: str, take: Callable[[World], Awaitable[object]]
) -> None:
    world = await _world(sessions, superuser_url)
    # One is gone, so that four of the past are more than the three that are free.
    await world.sell(4, "1", "10")
    with pytest.raises(InsufficientShares, match=MESSAGE) as refused:
        await take(world)
    assert refused.value.available == 3
    await world.move(5, "3")
    assert (await world.position())[0] == Decimal(6)
    assert await world.differences() == []
    await forget(world, superuser_url)


async def test_a_purchase_whose_shares_are_reserved_is_not_reversed(
    sessions: Sessions, superuser_url: str
) -> None:
    world = await _world(sessions, superuser_url)
    rows = await world.rows("SELECT id FROM transactions WHERE owner_id = $1 AND quantity = 6")
    with pytest.raises(InsufficientShares, match=MESSAGE) as refused:
        await world.reverse(rows[0]["id"])
    assert refused.value.field == ("transactionId",)
    rows = await world.rows("SELECT id FROM transactions WHERE owner_id = $1 AND quantity = 4")
    await world.reverse(rows[0]["id"])
    assert await world.differences() == []
    await forget(world, superuser_url)


async def test_an_import_leaves_reserved_shares(sessions: Sessions, superuser_url: str) -> None:
    world = await _world(sessions, superuser_url)
    row = "SELL,ABC,{},10,,0,," + on(5).isoformat() + ",\n"
    with pytest.raises(InsufficientShares, match="the import would leave 5"):
        await import_csv(world.actor, world.portfolios[0], row.format(4) + row.format(1))
    assert (await import_csv(world.actor, world.portfolios[0], row.format(4))).written
    assert await world.differences() == []
    await forget(world, superuser_url)


async def test_a_fill_is_not_reversed(sessions: Sessions, exchange: Exchange) -> None:
    actor, portfolio_id = await exchange.trader("100")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    await desk.place(actor, buy(portfolio_id, await exchange.listed("10"), "3"), key())
    fill: Any = await exchange.value(
        "SELECT id FROM transactions WHERE owner_id = $1 AND order_id IS NOT NULL", actor.id
    )
    with pytest.raises(InvalidInput, match="cannot be reversed"):
        await reverse_transaction(actor, fill, None, str(uuid.uuid4()))
    assert await exchange.differences() == []

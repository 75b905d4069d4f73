"""What every broker has to do, whoever it is. A test module of a broker imports these tests, and has a
fixture `broker` whose orders trade on the fixture `exchange`, without commission or slippage.

Answers may be lost on the way: `sure` asks again, which the protocol allows for every question.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

from db.vocabulary import BrokerOrderStatus, OrderSide, OrderType, TimeInForce
from investing.brokers.protocol import Ambiguous, BrokerClient, BrokerOrder, BrokerOrderRequest, Fill
from tests.investing.exchange import Exchange

ResultT = TypeVar("ResultT")


async def sure(ask: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """The answer, asked for until there is one."""
    while True:
        try:
            return await ask()
        except Ambiguous:
            continue


def market_order(symbol: str, quantity: str, side: OrderSide = OrderSide.BUY) -> BrokerOrderRequest:
    return BrokerOrderRequest(
        uuid.uuid4(), symbol, side, OrderType.MARKET, TimeInForce.DAY, Decimal(quantity), None, None
    )


def limit_order(
    symbol: str, quantity: str, limit: str, side: OrderSide = OrderSide.BUY
) -> BrokerOrderRequest:
    return BrokerOrderRequest(
        uuid.uuid4(), symbol, side, OrderType.LIMIT, TimeInForce.GTC, Decimal(quantity), Decimal(limit)
    )


async def placed(broker: BrokerClient, request: BrokerOrderRequest) -> BrokerOrder:
    return await sure(lambda: broker.submit(request))


async def fills_of(
    broker: BrokerClient, request: BrokerOrderRequest
) -> list[tuple[Decimal, Decimal, Decimal]]:
    """Quantity, price and commission of each fill so far, after everything that ticked is matched."""
    await sure(broker.executions)
    found = await sure(lambda: broker.find(request.client_order_id))
    assert found is not None
    assert len({execution.id for execution in found.executions}) == len(found.executions)
    return [(e.quantity, e.price, e.commission) for e in found.executions]


async def test_a_market_order_is_filled_at_the_quote(broker: BrokerClient, exchange: Exchange) -> None:
    request = market_order(await exchange.listed("12.34"), "2.5")
    order = await placed(broker, request)
    assert (order.client_order_id, order.status) == (request.client_order_id, BrokerOrderStatus.FILLED)
    assert await fills_of(broker, request) == [(Decimal("2.5"), Decimal("12.34"), Decimal(0))]


async def test_the_same_order_again_is_the_same_order(broker: BrokerClient, exchange: Exchange) -> None:
    request = market_order(await exchange.listed("10"), "1")
    orders = await asyncio.gather(*(placed(broker, request) for _ in range(8)))
    assert len({order.broker_order_id for order in orders}) == 1
    assert len(await fills_of(broker, request)) == 1


async def test_a_limit_order_rests_until_its_price_comes(broker: BrokerClient, exchange: Exchange) -> None:
    symbol = await exchange.listed("10")
    buy, sell = limit_order(symbol, "3", "9"), limit_order(symbol, "4", "11", OrderSide.SELL)
    for request in (buy, sell):
        assert (await placed(broker, request)).status is BrokerOrderStatus.OPEN
    await exchange.quote(symbol, "8.5")
    assert await fills_of(broker, buy) == [(Decimal(3), Decimal("8.5"), Decimal(0))]
    assert await fills_of(broker, sell) == []
    await exchange.quote(symbol, "11")
    assert await fills_of(broker, sell) == [(Decimal(4), Decimal(11), Decimal(0))]


async def test_a_limit_that_is_reached_already_is_filled_at_once(
    broker: BrokerClient, exchange: Exchange
) -> None:
    request = limit_order(await exchange.listed("10"), "1", "10.5")
    assert (await placed(broker, request)).status is BrokerOrderStatus.FILLED
    assert await fills_of(broker, request) == [(Decimal(1), Decimal(10), Decimal(0))]


async def test_what_is_cancelled_never_trades(broker: BrokerClient, exchange: Exchange) -> None:
    symbol = await exchange.listed("10")
    request = limit_order(symbol, "1", "9")
    await placed(broker, request)
    order = await sure(lambda: broker.cancel(request.client_order_id))
    assert order.status is BrokerOrderStatus.CANCELLED
    await exchange.quote(symbol, "8")
    assert await fills_of(broker, request) == []


async def test_cancelling_too_late_tells_of_the_fill(broker: BrokerClient, exchange: Exchange) -> None:
    request = market_order(await exchange.listed("10"), "1")
    await placed(broker, request)
    order = await sure(lambda: broker.cancel(request.client_order_id))
    assert order.status is BrokerOrderStatus.FILLED
    assert len(order.executions) == 1


async def test_cancelling_what_never_came_keeps_it_from_coming(
    broker: BrokerClient, exchange: Exchange
) -> None:
    request = market_order(await exchange.listed("10"), "1")
    assert await sure(lambda: broker.find(request.client_order_id)) is None
    assert (await sure(lambda: broker.cancel(request.client_order_id))).status is BrokerOrderStatus.CANCELLED
    assert (await placed(broker, request)).status is BrokerOrderStatus.CANCELLED
    assert await fills_of(broker, request) == []


async def test_a_refusal_says_why(broker: BrokerClient, exchange: Exchange) -> None:
    order = await placed(broker, market_order(await exchange.listed(), "1"))
    assert order.status is BrokerOrderStatus.REJECTED
    assert order.rejection is not None
    assert order.rejection.code == "NO_PRICE"
    assert (await placed(broker, market_order("NOBODY", "1"))).status is BrokerOrderStatus.REJECTED


async def test_fills_are_told_until_they_are_acknowledged(broker: BrokerClient, exchange: Exchange) -> None:
    symbol = await exchange.listed("10")
    request = limit_order(symbol, "1", "9")
    await placed(broker, request)
    await exchange.quote(symbol, "9")
    told: list[Fill] = []
    async with asyncio.timeout(30):
        while len(told) < 2:
            found = await sure(broker.executions)
            told += [e for e in found if e.client_order_id == request.client_order_id]
            await asyncio.sleep(0.2)
    assert told[0] == told[1]
    await sure(lambda: broker.acknowledge(told))
    # More than long enough to be told again.
    for _ in range(4):
        assert request.client_order_id not in {e.client_order_id for e in await sure(broker.executions)}
        await asyncio.sleep(0.5)

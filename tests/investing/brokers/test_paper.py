"""The paper broker speaks the protocol, and does what its settings say."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from db.locks import lock_portfolio
from db.sessions import Sessions, open_sessions
from db.vocabulary import BrokerOrderStatus, OrderSide
from db.writing import RawConnection
from investing.brokers.paper import PaperBroker
from investing.brokers.protocol import BrokerClient
from investing.rules.trading.orders import BrokerFees
from tests.investing.brokers.protocol_suite import *  # noqa: F403
from tests.investing.brokers.protocol_suite import fills_of, limit_order, market_order, placed
from tests.investing.exchange import Exchange
from tests.waiting import PATIENCE

D = Decimal


@pytest.fixture(scope="module")
def broker(sessions: Sessions) -> BrokerClient:
    return PaperBroker(sessions, BrokerFees(), report_again_seconds=0.5)


async def test_commission_slippage_and_size(sessions: Sessions, exchange: Exchange) -> None:
    fees = BrokerFees(D("1.5"), D("0.01"), D("0.002"), D(40))
    paper = PaperBroker(sessions, fees)
    symbol = await exchange.listed("10")
    buy, sell = market_order(symbol, "100"), market_order(symbol, "40", OrderSide.SELL)
    for request in (buy, sell):
        await placed(paper, request)
    # 1.50 for the order and 0.01 for each share are 2.50, charged as the shares come.
    assert await fills_of(paper, buy) == [(D(40), D("10.02"), D(1))]
    assert await fills_of(paper, sell) == [(D(40), D("9.98"), D("1.9"))]
    for price in ("11", "12", "13"):
        await exchange.quote(symbol, price)
        await fills_of(paper, buy)
    assert await fills_of(paper, buy) == [
        (D(40), D("10.02"), D(1)),
        (D(40), D("11.022"), D(1)),
        (D(20), D("12.024"), D("0.5")),
    ]


async def test_a_limit_holds_against_slippage(sessions: Sessions, exchange: Exchange) -> None:
    paper = PaperBroker(sessions, BrokerFees(slippage=D("0.01")))
    symbol = await exchange.listed("10")
    request = limit_order(symbol, "1", "10.05")
    await placed(paper, request)
    assert await fills_of(paper, request) == [(D(1), D("10.05"), D(0))]


async def test_a_market_order_is_never_filled_beyond_its_protection(
    broker: BrokerClient, exchange: Exchange
) -> None:
    request = replace(market_order(await exchange.listed("10.01"), "1"), worst_price=D(10))
    order = await placed(broker, request)
    assert order.status is BrokerOrderStatus.REJECTED
    assert order.rejection is not None
    assert order.rejection.code == "PRICE_MOVED"


async def test_one_tick_fills_once_however_many_brokers_look(sessions: Sessions, exchange: Exchange) -> None:
    brokers = [PaperBroker(sessions, BrokerFees(shares_per_tick=D(1))) for _ in range(6)]
    symbol = await exchange.listed("10")
    requests = [limit_order(symbol, "5", "9") for _ in range(10)]
    for request in requests:
        await placed(brokers[0], request)
    await exchange.quote(symbol, "9")
    await asyncio.gather(*(one.executions() for one in brokers for _ in range(3)))
    for request in requests:
        assert await fills_of(brokers[0], request) == [(D(1), D(9), D(0))]


async def test_it_answers_while_clients_wait_for_every_other_connection(
    app_url: str, exchange: Exchange
) -> None:
    symbol = await exchange.listed("10")
    nowhere = lock_portfolio(UUID(int=1), UUID(int=2))
    async with open_sessions(app_url, size=1) as busy:

        async def hold(_: RawConnection) -> None:
            paper = PaperBroker(busy, BrokerFees())
            async with asyncio.timeout(PATIENCE):
                request = market_order(symbol, "1")
                assert (await paper.submit(request)).status is BrokerOrderStatus.FILLED
                assert await paper.find(request.client_order_id) is not None
                await paper.acknowledge(await paper.executions())
                assert (await paper.cancel(request.client_order_id)).status is BrokerOrderStatus.FILLED

        async with busy.reading(None), busy.begin(None):
            await busy.write(UUID(int=1), nowhere, hold)

"""A rebalance at a broker that is asked order by order: every leg is accounted for, however it goes."""

import asyncio
import uuid
from collections.abc import Mapping
from decimal import Decimal

import pytest

from db.vocabulary import OrderSide
from investing.actor import Actor, RequestOrigin
from investing.brokers.paper import PaperBroker
from investing.brokers.protocol import AtomicBroker, BrokerOrder, BrokerOrderRequest
from investing.rebalancing.rebalancer import Rebalancer
from investing.rules.errors import RebalanceRunning
from investing.rules.trading.orders import BrokerFees
from tests.faults.waiting import until
from tests.investing.brokers.flaky import FlakyBroker
from tests.investing.exchange import Exchange
from tests.investing.rebalancing.running import Firm, aim, firm, holdings, legs, record, rows, trades
from tests.waiting import PATIENCE


def one_by_one(exchange: Exchange, rate: float = 0, seed: int = 1, **fees: Decimal) -> Firm:
    """A firm whose broker cannot trade all at once, on a line that fails so often."""
    broker = FlakyBroker(PaperBroker(exchange.sessions, BrokerFees(**fees)), rate, seed)
    assert not isinstance(broker, AtomicBroker)
    return firm(exchange, broker)


async def held(exchange: Exchange, cash: str, weights: Mapping[str, str]) -> tuple[Actor, uuid.UUID]:
    """A user with a portfolio that holds these weights already."""
    actor, id = await exchange.trader(cash)
    await aim(actor, id, weights)
    await firm(exchange, PaperBroker(exchange.sessions, BrokerFees())).rebalance(actor, id)
    return actor, id


async def test_it_ends_at_once_where_the_broker_fills_at_once(exchange: Exchange) -> None:
    firm = one_by_one(exchange)
    a, b = await exchange.listed("10"), await exchange.listed("20")
    actor, id = await held(exchange, "1000", {a: "1"})
    await aim(actor, id, {a: "0.2", b: "0.8"})
    done = await firm.rebalance(actor, id)
    assert await legs(exchange, done) == [("SELL", a, "80", "80", "FILLED"), ("BUY", b, "40", "40", "FILLED")]
    found = await record(exchange, done)
    assert (found["status"], found["turnover"], found["trades_executed"]) == ("COMPLETED", "1.6", 2)
    assert found["new_weights"] == f'{{"{a}": "0.2", "{b}": "0.8"}}' or a > b
    assert await holdings(exchange, id) == {a: "20", b: "40", "cash": "0"}
    assert await exchange.value("SELECT count(*) FROM rebalance_work WHERE rebalance_id = $1", done) == 0
    assert await exchange.differences() == []


async def test_buys_wait_for_the_cash_of_the_sells(exchange: Exchange) -> None:
    firm = one_by_one(exchange, shares_per_tick=Decimal(30))
    a, b = await exchange.listed("10"), await exchange.listed("20")
    actor, id = await held(exchange, "1000", {a: "1"})
    await aim(actor, id, {b: "0.9"})
    done = await firm.rebalance(actor, id)
    assert await legs(exchange, done) == [
        ("SELL", a, "100", "30", "SUBMITTED"),
        ("BUY", b, "45", "0", "PLANNED"),
    ]
    with pytest.raises(RebalanceRunning):
        await firm.rebalance(actor, id)
    # 900 are there once 90 are sold, exactly what the purchase costs.
    for filled, waiting in (("60", "PLANNED"), ("90", "SUBMITTED")):
        await exchange.quote(a, "10")
        await firm.desk.attend()
        await exchange.run("UPDATE rebalance_work SET due_at = now()")
        await firm.rebalancer.advance_all()
        assert (await legs(exchange, done))[0] == ("SELL", a, "100", filled, "SUBMITTED")
        assert (await legs(exchange, done))[1][-1] == waiting
    for _ in range(4):
        await exchange.quote(a, "10")
        await exchange.quote(b, "20")
        await firm.desk.attend()
        await exchange.run("UPDATE rebalance_work SET due_at = now()")
        await firm.rebalancer.advance_all()
    assert await legs(exchange, done) == [
        ("SELL", a, "100", "100", "FILLED"),
        ("BUY", b, "45", "45", "FILLED"),
    ]
    assert (await record(exchange, done))["status"] == "COMPLETED"
    assert await holdings(exchange, id) == {b: "45", "cash": "100"}


async def test_a_rise_meanwhile_buys_what_the_cash_pays_for(exchange: Exchange) -> None:
    firm = one_by_one(exchange, shares_per_tick=Decimal(60))
    a, b, c = sorted([await exchange.listed("10"), await exchange.listed("10"), await exchange.listed("10")])
    actor, id = await held(exchange, "1000", {a: "1"})
    await aim(actor, id, {b: "0.4", c: "0.4"}, fractional_shares=False)
    done = await firm.rebalance(actor, id)
    # The other half of the sale brings less, and the second purchase costs more.
    await exchange.quote(a, "9")
    await exchange.quote(c, "15")
    await firm.finish(done)
    assert await legs(exchange, done) == [
        ("SELL", a, "100", "100", "FILLED"),
        ("BUY", b, "40", "40", "FILLED"),
        # 560 of cash were left, which pay for 37 whole ones.
        ("BUY", c, "40", "37", "PARTIAL"),
    ]
    found = await record(exchange, done)
    assert found["status"] == "PARTIAL"
    assert found["failure_reason"].startswith(f"BUY {c} PARTIAL: INSUFFICIENT_CASH: 600 is needed, 560 is")
    # 40 x 1 of the sale, and 37 x 5 of the purchase.
    assert found["total_cost"] == "225"
    assert await holdings(exchange, id) == {b: "40", c: "37", "cash": "5"}
    assert await exchange.differences() == []


async def test_what_the_broker_refuses_is_said(exchange: Exchange) -> None:
    class Closed(FlakyBroker):
        async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
            if request.side is OrderSide.BUY:
                # As a broker would that does not know it.
                return await super().submit(BrokerOrderRequest(**{**vars(request), "symbol": "NOBODY"}))
            return await super().submit(request)

    closed = firm(exchange, Closed(PaperBroker(exchange.sessions, BrokerFees()), 0))
    a, b = await exchange.listed("10"), await exchange.listed("20")
    actor, id = await held(exchange, "1000", {a: "1"})
    await aim(actor, id, {b: "1"})
    done = await closed.rebalance(actor, id)
    assert [leg[-1] for leg in await legs(exchange, done)] == ["FILLED", "REJECTED"]
    found = await record(exchange, done)
    assert (found["status"], found["trades_executed"]) == ("PARTIAL", 1)
    assert found["failure_reason"] == (f"BUY {b} REJECTED: UNKNOWN_SYMBOL: There is no instrument NOBODY.")
    await aim(actor, id, {b: "0.5"})
    failed = await closed.rebalance(actor, id)
    found = await record(exchange, failed)
    assert (found["status"], found["trades_executed"], found["turnover"]) == ("FAILED", 0, "0")
    assert await holdings(exchange, id) == {"cash": "1000"}


async def test_an_order_that_its_owner_cancels_ends_its_leg(exchange: Exchange) -> None:
    firm = one_by_one(exchange, shares_per_tick=Decimal(30))
    a = await exchange.listed("10")
    actor, id = await exchange.trader("1000")
    await aim(actor, id, {a: "0.9"})
    done = await firm.rebalance(actor, id)
    ((order_id,),) = await rows(exchange, "SELECT id FROM orders WHERE rebalance_id = $1", done)
    await firm.desk.cancel(actor, order_id)
    await firm.finish(done)
    assert await legs(exchange, done) == [("BUY", a, "90", "30", "PARTIAL")]
    found = await record(exchange, done)
    assert found["status"] == "PARTIAL"
    assert found["failure_reason"] == (
        f"BUY {a} PARTIAL: ORDER_CANCELLED: the order ended before all of it was traded."
    )


async def test_a_portfolio_archived_meanwhile_is_traded_no_more(exchange: Exchange) -> None:
    firm = one_by_one(exchange, shares_per_tick=Decimal(60))
    a, b = await exchange.listed("10"), await exchange.listed("20")
    actor, id = await held(exchange, "1000", {a: "1"})
    await aim(actor, id, {b: "1"})
    done = await firm.rebalance(actor, id)
    await exchange.run("UPDATE portfolios SET is_active = false WHERE id = $1", id)
    await exchange.quote(a, "10")
    await firm.finish(done)
    assert [leg[-1] for leg in await legs(exchange, done)] == ["FILLED", "SKIPPED"]
    found = await record(exchange, done)
    assert found["failure_reason"] == (
        f"BUY {b} SKIPPED: PORTFOLIO_INACTIVE: The portfolio is archived: restore it first."
    )


@pytest.mark.parametrize("seed", range(1, 5))
async def test_a_bad_line_buys_nothing_twice(exchange: Exchange, seed: int) -> None:
    firm = one_by_one(exchange, 0.4, seed)
    a, b, c = sorted([await exchange.listed("10") for _ in range(3)])
    actor, id = await held(exchange, "1000", {a: "1"})
    await aim(actor, id, {a: "0.2", b: "0.4", c: "0.4"})
    done = await firm.rebalance(actor, id)
    await firm.finish(done)
    assert isinstance(firm.broker, FlakyBroker)
    assert firm.broker.lost_before + firm.broker.lost_after > 0
    assert await legs(exchange, done) == [
        ("SELL", a, "80", "80", "FILLED"),
        ("BUY", b, "40", "40", "FILLED"),
        ("BUY", c, "40", "40", "FILLED"),
    ]
    assert len(set(firm.broker.submitted)) == 3
    assert await holdings(exchange, id) == {a: "20", b: "40", c: "40", "cash": "0"}
    assert await exchange.differences() == []


async def test_many_hands_carry_one_rebalance(exchange: Exchange) -> None:
    """Processes that go on with it at the same time place no leg twice."""
    firm = one_by_one(exchange)
    symbols = sorted([await exchange.listed("10") for _ in range(4)])
    actor, id = await exchange.trader("1000")
    await aim(actor, id, dict.fromkeys(symbols, "0.25"))
    others = [
        Rebalancer(exchange.sessions, firm.trading_config, firm.desk, firm.rebalancer._optimiser)
        for _ in range(3)
    ]
    started = asyncio.create_task(firm.rebalance(actor, id))

    async def begun() -> bool:
        return await exchange.value(NEWEST, actor.id) is not None

    await until(begun, PATIENCE)
    done = await exchange.value(NEWEST, actor.id)
    assert isinstance(done, uuid.UUID)
    await asyncio.gather(started, *(each.advance(actor.id, RequestOrigin(), done) for each in others))
    await firm.finish(done)
    assert sorted(await trades(exchange, done)) == [("BUY", symbol, "25", "10", "0") for symbol in symbols]
    assert (await record(exchange, done))["status"] == "COMPLETED"


NEWEST = "SELECT id FROM rebalance_history WHERE owner_id = $1"

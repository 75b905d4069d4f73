"""A rebalance at the paper broker: whole or not at all, to the last decimal."""

import asyncio
import json
import uuid
from decimal import Decimal

import pytest

from db.vocabulary import OrderSide
from investing.brokers.paper import PaperBroker
from investing.rebalancing.planning import plan_portfolio
from investing.rules.errors import (
    AccountInactive,
    DomainError,
    IdempotencyMismatch,
    OrderRejected,
    PlanChanged,
    PortfolioInactive,
    RebalanceRunning,
)
from investing.rules.trading.orders import BrokerFees
from tests.investing.exchange import Exchange
from tests.investing.rebalancing.running import Firm, aim, firm, holdings, legs, record, rows, trades

TERMS = BrokerFees(commission_per_order=Decimal(1), slippage=Decimal("0.01"))


@pytest.fixture
def paper(exchange: Exchange) -> Firm:
    """A paper broker without any cost."""
    return firm(exchange, PaperBroker(exchange.sessions, BrokerFees()))


async def test_weights_become_what_they_are_to_be(exchange: Exchange, paper: Firm) -> None:
    actor, id = await exchange.trader("1000")
    a, b = sorted([await exchange.listed("10"), await exchange.listed("40")])
    prices = {s: Decimal(str(await exchange.value(PRICE, s))) for s in (a, b)}
    await aim(actor, id, {a: "0.5", b: "0.3"})
    first = await paper.rebalance(actor, id)
    shares = {a: Decimal(500) / prices[a], b: Decimal(300) / prices[b]}
    assert await legs(exchange, first) == [
        ("BUY", s, f"{shares[s].normalize():f}", f"{shares[s].normalize():f}", "FILLED") for s in (a, b)
    ]
    found = await record(exchange, first)
    assert {k: json.loads(found.pop(k)) for k in ("old_weights", "new_weights", "target_weights")} == {
        "old_weights": {},
        "new_weights": {a: "0.5", b: "0.3"},
        "target_weights": {a: "0.5", b: "0.3"},
    }
    assert found == {
        "status": "COMPLETED",
        "trigger": "MANUAL",
        "turnover": "0.8",
        "total_cost": "0",
        "trades_executed": 2,
        "ended": True,
        "failure_reason": None,
    }
    assert (await holdings(exchange, id))["cash"] == "200"
    await aim(actor, id, {b: "1"})
    second = await paper.rebalance(actor, id)
    assert [(side, symbol) for side, symbol, *_ in await legs(exchange, second)] == [("SELL", a), ("BUY", b)]
    assert (await record(exchange, second))["turnover"] == "1.2"
    assert await holdings(exchange, id) == {b: f"{(Decimal(1000) / prices[b]).normalize():f}", "cash": "0"}
    assert await exchange.differences() == []


PRICE = "SELECT price FROM quotes q JOIN instruments i ON i.id = q.instrument_id WHERE symbol = $1"


async def test_commission_and_slippage_are_its_cost(exchange: Exchange) -> None:
    dear = firm(exchange, PaperBroker(exchange.sessions, TERMS))
    actor, id = await exchange.trader("1000")
    a = await exchange.listed("10")
    await aim(actor, id, {a: "0.5"}, fractional_shares=False)
    done = await dear.rebalance(actor, id)
    ((_, _, quantity, price, commission),) = await trades(exchange, done)
    assert (price, commission) == ("10.1", "1")
    cost = Decimal(quantity) * Decimal("0.1") + 1
    found = await record(exchange, done)
    assert Decimal(found["total_cost"]) == cost
    assert Decimal(found["turnover"]) == Decimal(quantity) * Decimal("10.1") / 1000
    assert Decimal((await holdings(exchange, id))["cash"]) == 1000 - Decimal(quantity) * Decimal("10.1") - 1


async def test_its_orders_say_what_they_are_part_of(exchange: Exchange, paper: Firm) -> None:
    actor, id = await exchange.trader("1000")
    await aim(actor, id, {await exchange.listed("10"): "1"})
    done = await paper.rebalance(actor, id)
    assert await rows(
        exchange,
        "SELECT o.status, o.type, o.broker, trim_scale(o.filled_quantity)::text, "
        "trim_scale(o.average_fill_price)::text, o.version, l.number, w.order_id FROM orders o "
        "JOIN rebalance_legs l ON l.order_id = o.id LEFT JOIN order_work w ON w.order_id = o.id "
        "WHERE o.rebalance_id = $1",
        done,
    ) == [("FILLED", "MARKET", "PAPER", "100", "10", 1, 1, None)]
    # The broker's own books say the same, and tell nobody else of it.
    assert await rows(
        exchange,
        "SELECT p.status, trim_scale(e.quantity)::text, e.due_at FROM paper_orders p JOIN paper_executions e "
        "USING (client_order_id) JOIN orders o USING (client_order_id) WHERE o.rebalance_id = $1",
        done,
    ) == [("FILLED", "100", None)]
    assert await rows(
        exchange,
        "SELECT action FROM audit_log WHERE owner_id = $1 AND action ~ '^(rebalance|order)' ORDER BY id",
        actor.id,
    ) == [("order.filled",), ("rebalance.started",), ("rebalance.completed",)]


async def test_nothing_to_do_is_a_rebalance_without_trades(exchange: Exchange, paper: Firm) -> None:
    actor, id = await exchange.trader("1000")
    await aim(actor, id, {await exchange.listed("10"): "1"})
    await paper.rebalance(actor, id)
    again = await paper.rebalance(actor, id)
    assert await legs(exchange, again) == []
    found = await record(exchange, again)
    assert (found["status"], found["trades_executed"], found["turnover"]) == ("COMPLETED", 0, "0")
    assert found["new_weights"] == found["old_weights"] != "{}"


async def test_a_key_rebalances_once(exchange: Exchange, paper: Firm) -> None:
    actor, id = await exchange.trader("1000")
    await aim(actor, id, {await exchange.listed("10"): "1"})
    key = str(uuid.uuid4())
    done = await asyncio.gather(*(paper.rebalance(actor, id, key=key) for _ in range(8)))
    assert len(set(done)) == 1
    assert len(await trades(exchange, done[0])) == 1
    assert await exchange.value("SELECT count(*) FROM rebalance_history WHERE owner_id = $1", actor.id) == 1
    with pytest.raises(IdempotencyMismatch):
        await paper.rebalance(actor, id, plan_hash="another", key=key)


async def test_a_plan_that_was_seen_is_the_plan_that_is_followed(exchange: Exchange, paper: Firm) -> None:
    actor, id = await exchange.trader("1000")
    symbol = await exchange.listed("10")
    await aim(actor, id, {symbol: "1"})
    seen = await plan_portfolio(
        exchange.sessions, paper.rebalancer._optimiser, paper.trading_config, actor.id, id, None
    )
    await exchange.quote(symbol, "10.01")
    key = str(uuid.uuid4())
    for _ in range(2):
        with pytest.raises(PlanChanged) as refused:
            await paper.rebalance(actor, id, seen.hash, key)
        assert refused.value.planned == seen.hash
        assert refused.value.field == ("planHash",)
        assert len(refused.value.current) == len(seen.hash)
        assert refused.value.current != seen.hash
    assert await exchange.value("SELECT count(*) FROM rebalance_history WHERE owner_id = $1", actor.id) == 0
    done = await paper.rebalance(actor, id, refused.value.current)
    assert (await record(exchange, done))["status"] == "COMPLETED"
    assert await exchange.value("SELECT plan_hash FROM rebalance_history WHERE id = $1", done) == (
        refused.value.current
    )


async def test_one_at_a_time(exchange: Exchange, paper: Firm) -> None:
    actor, id = await exchange.trader("1000")
    await aim(actor, id, {await exchange.listed("10"): "1"})
    done = await paper.rebalance(actor, id)
    await exchange.run("UPDATE rebalance_history SET status = 'RUNNING' WHERE id = $1", done)
    with pytest.raises(RebalanceRunning):
        await paper.rebalance(actor, id)


async def test_an_archived_portfolio_is_left_alone(exchange: Exchange, paper: Firm) -> None:
    actor, id = await exchange.trader("1000")
    await aim(actor, id, {await exchange.listed("10"): "1"})
    await exchange.run("UPDATE portfolios SET is_active = false WHERE id = $1", id)
    with pytest.raises(PortfolioInactive):
        await paper.rebalance(actor, id)
    await exchange.run("UPDATE portfolios SET is_active = true WHERE id = $1", id)
    await exchange.run("UPDATE accounts SET is_active = false WHERE owner_id = $1", actor.id)
    with pytest.raises(AccountInactive):
        await paper.rebalance(actor, id)


async def test_a_refusal_of_the_last_trade_undoes_the_first(exchange: Exchange) -> None:
    class Picky(PaperBroker):
        async def fill_all(self, session, requests):  # type: ignore[no-untyped-def]
            found = list(await super().fill_all(session, requests))
            if requests[-1].side is OrderSide.BUY:
                raise OrderRejected("Not today.", (), broker_code="CLOSED")
            return found

    actor, id = await exchange.trader("1000")
    a, b = await exchange.listed("10"), await exchange.listed("20")
    await aim(actor, id, {a: "1"})
    await firm(exchange, PaperBroker(exchange.sessions, BrokerFees())).rebalance(actor, id)
    before = await holdings(exchange, id)
    await aim(actor, id, {b: "1"})
    with pytest.raises(OrderRejected):
        await firm(exchange, Picky(exchange.sessions, BrokerFees())).rebalance(actor, id)
    assert await holdings(exchange, id) == before
    assert await rows(
        exchange,
        "SELECT (SELECT count(*) FROM rebalance_history WHERE owner_id = $1), "
        "(SELECT count(*) FROM orders WHERE owner_id = $1), "
        "(SELECT count(*) FROM paper_orders WHERE instrument_id = "
        "(SELECT id FROM instruments WHERE symbol = $2))",
        actor.id,
        b,
    ) == [(1, 1, 0)]


async def test_the_size_of_a_tick_does_not_part_a_rebalance(exchange: Exchange) -> None:
    small = firm(exchange, PaperBroker(exchange.sessions, BrokerFees(shares_per_tick=Decimal(3))))
    actor, id = await exchange.trader("1000")
    symbol = await exchange.listed("10")
    await aim(actor, id, {symbol: "0.8"})
    done = await small.rebalance(actor, id)
    assert await trades(exchange, done) == [("BUY", symbol, "80", "10", "0")]


async def test_rebalances_and_ticks_at_once(exchange: Exchange, paper: Firm) -> None:
    """Prices stand still within each rebalance, so that none is refused or paid for at another price."""
    symbols = [await exchange.listed("10") for _ in range(3)]
    traders = [await exchange.trader("1000") for _ in range(4)]
    for actor, id in traders:
        await aim(actor, id, dict.fromkeys(symbols, "0.33"))
    over = asyncio.Event()

    async def tick() -> None:
        price = Decimal(10)
        while not over.is_set():
            price = price + Decimal("0.01") if price < 12 else Decimal(10)
            for symbol in symbols:
                await exchange.quote(symbol, str(price))

    ticking = asyncio.create_task(tick())
    try:
        for _ in range(3):
            done = await asyncio.gather(*(paper.rebalance(actor, id) for actor, id in traders))
            for id in done:
                found = await record(exchange, id)
                assert (found["status"], found["total_cost"]) == ("COMPLETED", "0"), found
    except DomainError as domain_error:
        raise AssertionError(domain_error) from domain_error
    finally:
        over.set()
        await ticking
    assert await exchange.differences() == []

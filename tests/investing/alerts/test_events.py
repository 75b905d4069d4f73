"""Rules on what happens: told in the transaction in which it does, to those who asked for it."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from db.sessions import Sessions
from db.vocabulary import AlertKind
from investing.actor import Actor
from investing.alerts.events import raise_for_rebalance
from investing.alerts.rules import NewAlertRule, create_rule
from investing.brokers.paper import PaperBroker
from investing.rules.alerts.conditions import Hours
from investing.rules.trading.orders import BrokerFees
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import buy, desk_of, placed_at, status, trading_config


async def rule(actor: Actor, kind: str, **given: Any) -> UUID:
    new = NewAlertRule(name=uuid4().hex, kind=AlertKind(kind), **{"cooldown_seconds": 0, **given})
    return await create_rule(actor, new)


async def told(sessions: Sessions, actor: Actor) -> list[Any]:
    async with sessions.reading(actor.id) as connection:
        return await connection.fetch("SELECT * FROM alerts WHERE owner_id = $1 ORDER BY seq", actor.id)


async def test_an_order_that_is_rejected(sessions: Sessions, exchange: Exchange) -> None:
    actor, portfolio_id = await exchange.trader("30")
    symbol, other = await exchange.listed("10"), await exchange.listed("10")
    await rule(actor, "ORDER_REJECTED")
    await rule(actor, "ORDER_REJECTED", symbol=symbol, portfolio_id=portfolio_id)
    await rule(actor, "ORDER_REJECTED", symbol=other)
    broker = PaperBroker(sessions, BrokerFees())
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    id = await placed_at(actor, buy(portfolio_id, symbol, "3"), trading_config(broker), long_ago)
    await exchange.quote(symbol, "10.01")
    for _ in range(2):
        await exchange.run("UPDATE order_work SET due_at = now() WHERE order_id = $1", id)
        await desk_of(sessions, broker).attend()
    assert await status(exchange, id) == "REJECTED"
    first, second = await told(sessions, actor)
    assert (first["kind"], first["title"]) == ("ORDER_REJECTED", f"{symbol} order rejected")
    assert first["message"] == f"The price of {symbol} moved beyond what was reserved, to 10.01."
    assert first["metrics"] == {"quantity": "3", "side": "BUY", "code": "PRICE_MOVED", "order": str(id)}
    assert first["portfolio_id"] == second["portfolio_id"] == portfolio_id
    assert first["rule_id"] != second["rule_id"]


async def rebalanced(sessions: Sessions, actor: Actor, portfolio_id: UUID, completed: bool) -> int:
    async with sessions.begin(actor.id) as session:
        return await raise_for_rebalance(
            session,
            actor.id,
            portfolio_id,
            "P",
            completed=completed,
            figures={"turnover": Decimal("0.10"), "totalCost": Decimal(1)},
            reason=None if completed else "The market is closed.",
        )


async def test_rebalances(sessions: Sessions, exchange: Exchange) -> None:
    actor, portfolio_id = await exchange.trader("30")
    await rule(actor, "REBALANCE_COMPLETED", cooldown_seconds=3600)
    await rule(actor, "REBALANCE_FAILED")
    assert await rebalanced(sessions, actor, portfolio_id, True) == 1
    # The one is quiet now, the other is not.
    assert await rebalanced(sessions, actor, portfolio_id, True) == 0
    assert await rebalanced(sessions, actor, portfolio_id, False) == 1
    assert await rebalanced(sessions, actor, portfolio_id, False) == 1
    alerts = await told(sessions, actor)
    assert [(alert["kind"], alert["title"], alert["message"]) for alert in alerts[:2]] == [
        ("REBALANCE_COMPLETED", "P rebalanced", "Every trade of the rebalance of P was made."),
        ("REBALANCE_FAILED", "Rebalance of P failed", "The market is closed."),
    ]
    assert alerts[0]["metrics"] == {"turnover": "0.1", "totalCost": "1"}


async def test_out_of_its_hours_nothing_is_told(sessions: Sessions, exchange: Exchange) -> None:
    actor, portfolio_id = await exchange.trader("30")
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)).time().replace(second=0, microsecond=0)
    end = later.replace(minute=(later.minute + 1) % 60)
    if end < later:
        later, end = end, later
    await rule(actor, "REBALANCE_FAILED", hours=Hours(later, end, frozenset(range(1, 8)), ZoneInfo("UTC")))
    assert await rebalanced(sessions, actor, portfolio_id, False) == 0
    assert await told(sessions, actor) == []

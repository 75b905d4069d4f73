"""Rules on portfolios: held against what they are now, once for each crossing, however many look."""

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.sessions import Sessions
from db.vocabulary import AlertKind
from investing.actor import Actor
from investing.alerts.portfolios import PortfolioWatch, check_portfolios
from investing.alerts.rules import NewAlertRule, change_rule, create_rule, delete_rule
from investing.brokers.paper import PaperBroker
from investing.rules.trading.orders import BrokerFees
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import buy, desk_of, key


async def rule(actor: Actor, kind: str, threshold: str, **given: Any) -> UUID:
    """A rule without a cooldown, unless one is given."""
    new = NewAlertRule(
        name=uuid4().hex,
        kind=AlertKind(kind),
        threshold=Decimal(threshold),
        **{"cooldown_seconds": 0, **given},
    )
    return await create_rule(actor, new)


async def told(sessions: Sessions, actor: Actor) -> list[tuple[str, str, str]]:
    """Kind, title and value of each alert, in their order."""
    async with sessions.reading(actor.id) as connection:
        rows = await connection.fetch("SELECT * FROM alerts WHERE owner_id = $1 ORDER BY seq", actor.id)
    return [(row["kind"], row["title"], row["metrics"]["value"]) for row in rows]


async def look(sessions: Sessions, actor: Actor) -> int:
    _, raised = await check_portfolios(sessions, actor.id, dt.datetime.now(dt.UTC))
    return raised


async def holding(sessions: Sessions, exchange: Exchange, cash: str, shares: str) -> tuple[Actor, UUID, str]:
    """A user who has spent a part of their cash on shares at 10: and the symbol."""
    actor, portfolio_id = await exchange.trader(cash)
    symbol = await exchange.listed("10")
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    await desk.place(actor, buy(portfolio_id, symbol, shares), key())
    return actor, portfolio_id, symbol


async def test_value_and_cash(sessions: Sessions, exchange: Exchange) -> None:
    actor, portfolio_id, symbol = await holding(sessions, exchange, "1000", "50")
    await rule(actor, "PORTFOLIO_VALUE_BELOW", "900", hysteresis=Decimal(50))
    await rule(actor, "CASH_BELOW", "100", portfolio_id=portfolio_id)
    assert await look(sessions, actor) == 0
    await exchange.quote(symbol, "7.9")
    assert await look(sessions, actor) == 1
    assert await look(sessions, actor) == 0
    # Back, but not by the hysteresis; then by it; then below again.
    for price, alerts in (("8.5", 0), ("7", 0), ("9", 0), ("7.99", 1)):
        await exchange.quote(symbol, price)
        assert await look(sessions, actor) == alerts
    desk = desk_of(sessions, PaperBroker(sessions, BrokerFees()))
    await desk.place(actor, buy(portfolio_id, symbol, "51"), key())
    assert await look(sessions, actor) == 1
    assert await told(sessions, actor) == [
        ("PORTFOLIO_VALUE_BELOW", "P worth less than 900 USD", "895"),
        ("PORTFOLIO_VALUE_BELOW", "P worth less than 900 USD", "899.5"),
        ("CASH_BELOW", "P low on cash", "92.51"),
    ]
    async with sessions.reading(actor.id) as connection:
        row = await connection.fetchrow("SELECT * FROM alerts WHERE owner_id = $1 AND seq = 3", actor.id)
    assert row is not None
    assert (row["portfolio_id"], row["message"]) == (
        portfolio_id,
        "P has 92.51 USD in cash, less than 100 USD.",
    )


async def test_what_has_no_price_has_no_value(sessions: Sessions, exchange: Exchange) -> None:
    actor, _, symbol = await holding(sessions, exchange, "1000", "100")
    await rule(actor, "PORTFOLIO_VALUE_BELOW", "900")
    await rule(actor, "POSITION_WEIGHT", "0.1")
    await exchange.run(
        "DELETE FROM quotes q USING instruments i WHERE i.id = q.instrument_id AND i.symbol = $1", symbol
    )
    # A trade would be a price.
    await exchange.run("UPDATE transactions SET price = 0 WHERE owner_id = $1", actor.id)
    assert await look(sessions, actor) == 0
    await exchange.quote(symbol, "1")
    assert await look(sessions, actor) == 2


async def test_weights_and_drift(sessions: Sessions, exchange: Exchange) -> None:
    actor, portfolio_id, symbol = await holding(sessions, exchange, "1000", "50")
    missing = await exchange.listed("10")
    await exchange.run(
        "UPDATE portfolios SET strategy = 'CUSTOM', target_weights = $2::text::jsonb WHERE id = $1",
        portfolio_id,
        f'{{"{symbol}": "0.5", "{missing}": "0.2"}}',
    )
    await rule(actor, "POSITION_WEIGHT", "0.6")
    await rule(actor, "DRIFT", "0.15")
    only = await rule(actor, "DRIFT", "0.3", symbol=symbol)
    assert await look(sessions, actor) == 1
    await exchange.quote(symbol, "20")
    assert await look(sessions, actor) == 2
    await exchange.quote(symbol, "80")
    assert await look(sessions, actor) == 1
    assert await told(sessions, actor) == [
        ("DRIFT", f"{missing} drifted by 20 %", "0.2"),
        ("POSITION_WEIGHT", f"{symbol} weighs 66.67 %", "0.6666666667"),
        ("DRIFT", f"{symbol} drifted by 16.67 %", "0.1666666667"),
        ("DRIFT", f"{symbol} drifted by 38.89 %", "0.3888888889"),
    ]
    async with sessions.reading(actor.id) as connection:
        row = await connection.fetchrow("SELECT * FROM alerts WHERE owner_id = $1 AND seq = 4", actor.id)
    assert row is not None
    assert row["rule_id"] == only
    assert row["metrics"] == {
        "value": "0.3888888889",
        "threshold": "0.3",
        "weight": "0.8888888889",
        "target": "0.5",
        "totalValue": "4500",
    }


async def test_drift_from_the_last_rebalance(sessions: Sessions, exchange: Exchange) -> None:
    """A portfolio whose strategy finds its weights aims at those of its last complete rebalance."""
    actor, portfolio_id, symbol = await holding(sessions, exchange, "1000", "50")
    await rule(actor, "DRIFT", "0.05")
    assert await look(sessions, actor) == 0
    for status, weight in (("COMPLETED", "0.4"), ("FAILED", "0.5")):
        await exchange.run(
            "INSERT INTO rebalance_history (owner_id, id, portfolio_id, strategy, status, trigger, "
            "new_weights, turnover, total_cost) VALUES ($1, gen_random_uuid(), $2, 'EQUAL_WEIGHT', $3, "
            "'MANUAL', $4::text::jsonb, 0, 0)",
            actor.id,
            portfolio_id,
            status,
            f'{{"{symbol}": "{weight}"}}',
        )
    assert await look(sessions, actor) == 1
    assert await told(sessions, actor) == [("DRIFT", f"{symbol} drifted by 10 %", "0.1")]


async def test_drawdown_is_of_returns(sessions: Sessions, exchange: Exchange) -> None:
    """On the time-weighted index: 1 before the first day, and money that comes or goes is no part of it."""
    actor, portfolio_id = await exchange.trader("1000")
    await rule(actor, "DRAWDOWN", "0.2")
    expected = []
    for day, (level, alerts) in enumerate(
        [("-0.1", 0), ("-0.21", 1), ("0.25", 0), ("0.05", 0), ("0", 0), ("-0.01", 1)]
    ):
        await exchange.run(
            "INSERT INTO performance_history (owner_id, id, portfolio_id, date, total_value, cash_value, "
            "positions_value, net_flow, cumulative_return, num_positions) VALUES ($1, gen_random_uuid(), $2, "
            "'2024-03-01'::date + $3::int, 1, 1, 0, 0, $4::text::numeric, 0)",
            actor.id,
            portfolio_id,
            day,
            level,
        )
        expected.append((level, alerts))
        assert (level, await look(sessions, actor)) == expected[-1]
    assert [value for _, _, value in await told(sessions, actor)] == ["0.21", "0.208"]


async def test_all_portfolios_and_those_to_come(sessions: Sessions, exchange: Exchange) -> None:
    actor, first = await exchange.trader("10")
    await rule(actor, "CASH_BELOW", "20")
    assert await look(sessions, actor) == 1
    await exchange.run(
        "INSERT INTO portfolios SELECT (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(), "
        "'name', 'Q'))).* FROM portfolios p WHERE id = $1",
        first,
    )
    assert await look(sessions, actor) == 1
    await exchange.run("UPDATE portfolios SET cash_balance = 30 WHERE owner_id = $1", actor.id)
    assert await look(sessions, actor) == 0
    await exchange.run("UPDATE portfolios SET is_active = (id = $2) WHERE owner_id = $1", actor.id, first)
    await exchange.run("UPDATE portfolios SET cash_balance = 5 WHERE owner_id = $1", actor.id)
    assert await look(sessions, actor) == 1
    assert [title for _, title, _ in await told(sessions, actor)] == [
        "P low on cash",
        "Q low on cash",
        "P low on cash",
    ]


async def test_of_several_that_look_one_tells(sessions: Sessions, exchange: Exchange) -> None:
    actor, _ = await exchange.trader("10")
    for threshold in range(20, 25):
        await rule(actor, "CASH_BELOW", str(threshold))
    raised = await asyncio.gather(*(look(sessions, actor) for _ in range(6)))
    assert sorted(raised) == [0, 0, 0, 0, 0, 5]
    assert len(await told(sessions, actor)) == 5


async def test_who_is_looked_at(sessions: Sessions, exchange: Exchange) -> None:
    """Whoever has an active rule on portfolios, at once when it is made, and then every few seconds."""
    actor, _ = await exchange.trader("10")
    id = await rule(actor, "CASH_BELOW", "20")
    await rule(actor, "PRICE_ABOVE", "20", symbol=await exchange.listed("10"))
    due = "SELECT due_at - now() FROM alert_checks WHERE owner_id = $1"
    watch = PortfolioWatch(sessions, again_seconds=60)
    assert await watch.check_due() >= 1
    assert len(await told(sessions, actor)) == 1
    again = await exchange.value(due, actor.id)
    assert isinstance(again, dt.timedelta)
    assert dt.timedelta(seconds=50) < again < dt.timedelta(seconds=61)
    assert await watch.check_due() == 0
    await change_rule(actor, id, {"is_active": False})
    assert await exchange.value(due, actor.id) is None
    await change_rule(actor, id, {"is_active": True})
    assert await watch.check_due() == 1
    assert len(await told(sessions, actor)) == 2
    await delete_rule(actor, id)
    assert await exchange.value(due, actor.id) is None
    assert await exchange.value("SELECT count(*) FROM alert_states WHERE owner_id = $1", actor.id) == 0


@pytest.mark.parametrize("cooldown", [0, 3600])
async def test_a_cooldown(sessions: Sessions, exchange: Exchange, cooldown: int) -> None:
    actor, _ = await exchange.trader("10")
    await rule(actor, "CASH_BELOW", "20", cooldown_seconds=cooldown)
    for cash in ("10", "30", "15"):
        await exchange.run(
            "UPDATE portfolios SET cash_balance = $2::text::numeric WHERE owner_id = $1", actor.id, cash
        )
        await look(sessions, actor)
    assert [value for _, _, value in await told(sessions, actor)] == (["10"] if cooldown else ["10", "15"])
    await exchange.run("UPDATE alert_states SET quiet_until = now() WHERE owner_id = $1", actor.id)
    await look(sessions, actor)
    assert [value for _, _, value in await told(sessions, actor)] == ["10", "15"]


async def test_only_an_answer_of_the_database_ends_an_outage(sessions: Sessions) -> None:
    """Prices that move concern nobody here, so that nothing is asked: that is no sign that it works again."""
    watch = PortfolioWatch(sessions)
    (outage,) = watch.outages
    outage.began("gone")
    looping = asyncio.create_task(watch._loop(watch._has_moved, watch.check_prices, 0))
    for _ in range(3):
        watch.follow([])
        for _ in range(5):
            await asyncio.sleep(0)
        assert not watch._has_moved.is_set()
    assert (outage.is_on, looping.done()) == (True, False)
    looping.cancel()
    await watch.check_due()
    assert not outage.is_on

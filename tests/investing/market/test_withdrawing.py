"""A split that was recorded wrongly is withdrawn: from every holder, order, level and quote, or from none."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from db.sessions import Sessions, open_sessions
from db.vocabulary import AlertKind, AlertSeverity, OrderSide, OrderType, TimeInForce
from investing.alerts.rules import NewAlertRule, create_rule
from investing.brokers.paper import PaperBroker
from investing.market.splits import record_split
from investing.rules.errors import InvalidInput, UnknownInstrument
from investing.rules.market.market_hours import market_day
from investing.rules.trading.orders import BrokerFees, OrderRequest
from investing.rules.trading.splits import SplitRatio
from investing.trading.placing import NewOrder
from investing.trading.split_work import Splitting
from investing.trading.withdrawing import Withdrawn, withdraw_split
from tests.commands import run_on
from tests.investing.exchange import Exchange
from tests.investing.trading.desks import desk_of
from tests.investing.trading.world import World, make_world

EX_DATE = dt.date(2020, 1, 11)
TWENTY = SplitRatio(EX_DATE, D(20), D(1))
TODAY = market_day(dt.datetime.now(dt.UTC))


@pytest.fixture
async def owners(owner_url: str) -> AsyncIterator[Sessions]:
    """Connections of the owner of the tables."""
    async with open_sessions(owner_url) as opened:
        yield opened


@pytest.fixture
async def worlds(sessions: Sessions, superuser_url: str, exchange: Exchange) -> Any:
    """Two users, and an instrument. After the test `verify` finds nothing."""
    made = [await make_world(sessions, superuser_url) for _ in range(2)]
    made[0].symbol = made[1].symbol = await exchange.listed()
    yield made
    assert await made[0].differences() == []


async def record(world: World, new: str, ex_date: dt.date = EX_DATE) -> None:
    """Records a split, and has it reach every holder."""
    await record_split(world.actor, world.symbol, SplitRatio(ex_date, D(new), D(1)))
    await Splitting(world.actor.sessions, BrokerFees()).post_due()


async def quantities(worlds: list[World]) -> list[D]:
    """What each user holds."""
    return [(await world.position())[0] for world in worlds]


async def test_every_holder_has_what_they_had_and_gets_the_right_one(
    worlds: list[World], owners: Sessions
) -> None:
    await worlds[0].buy(1, "10", "10")
    await record(worlds[0], "20")
    await worlds[1].buy(2, "3", "10")
    await worlds[1].sell(20, "1", "10")
    assert await quantities(worlds) == [200, 59]
    assert await withdraw_split(owners, worlds[0].symbol, TWENTY) == Withdrawn(2, 0)
    assert await quantities(worlds) == [10, 2]
    assert await worlds[0].differences() == []
    await record(worlds[0], "2")
    assert await quantities(worlds) == [20, 5]
    # And the same once more, as often as somebody mistypes it.
    with pytest.raises(InvalidInput, match=r"^There is no 20-for-1 split of"):
        await withdraw_split(owners, worlds[0].symbol, TWENTY)
    await withdraw_split(owners, worlds[0].symbol, SplitRatio(EX_DATE, D(4), D(2)))
    await record(worlds[0], "20")
    assert await quantities(worlds) == [200, 59]
    told = await worlds[1].rows(
        "SELECT count(*) AS n FROM audit_log WHERE owner_id = $1 AND action = $2", "split.withdrawn"
    )
    assert told[0]["n"] == 2


async def test_where_somebody_needs_the_shares_nothing_is_changed(
    worlds: list[World], owners: Sessions, exchange: Exchange
) -> None:
    for world in worlds:
        await world.buy(1, "10", "10")
    await record(worlds[0], "20")
    sold = await worlds[1].sell(20, "50", "10")
    with pytest.raises(InvalidInput) as refused:
        await withdraw_split(owners, worlds[0].symbol, TWENTY)
    assert str(refused.value) == (
        "1 of 2 holders have later entries that need the shares: nothing was changed. With --skip-blocked "
        "the others are put right."
    )
    assert await quantities(worlds) == [200, 150]
    assert await worlds[0].differences() == []
    again = withdraw_split(owners, worlds[0].symbol, TWENTY, skip_blocked=True)
    assert await again == Withdrawn(1, 1)
    assert await quantities(worlds) == [10, 150]
    (line,) = await worlds[0].differences()
    assert "ratio of automatic split" in line
    assert str(worlds[1].actor.id) in line
    await record(worlds[0], "2")
    assert await quantities(worlds) == [20, 150]
    # Once the sale is put right, the same command puts them right, with the split that there is by then.
    await worlds[1].reverse(sold)
    assert await withdraw_split(owners, worlds[0].symbol, TWENTY) == Withdrawn(1, 0)
    assert await quantities(worlds) == [20, 20]


async def test_what_is_no_split(worlds: list[World], owners: Sessions) -> None:
    symbol = worlds[0].symbol
    with pytest.raises(InvalidInput, match=f"^There is no 20-for-1 split of {symbol} on 2020-01-11\\.$"):
        await withdraw_split(owners, symbol, TWENTY)
    with pytest.raises(UnknownInstrument, match=r"^There is no instrument NOBODY\.$"):
        await withdraw_split(owners, "NOBODY", TWENTY)


async def test_one_that_was_announced_goes_without_a_trace(worlds: list[World], owners: Sessions) -> None:
    await worlds[0].buy(1, "10", "10")
    day = TODAY + dt.timedelta(days=9)
    await record(worlds[0], "20", day)
    assert await withdraw_split(owners, worlds[0].symbol, SplitRatio(day, D(20), D(1))) == Withdrawn(0, 0)
    await record(worlds[0], "2", day)
    assert await quantities(worlds[:1]) == [10]


async def test_orders_levels_and_quotes(worlds: list[World], owners: Sessions, exchange: Exchange) -> None:
    """Levels and quotes are what they were; an order that has followed it ends, with the reason."""
    world = worlds[0]
    desk = desk_of(world.actor.sessions, PaperBroker(world.actor.sessions, BrokerFees()))
    await exchange.quote(world.symbol, "30")
    request = OrderRequest(OrderSide.BUY, OrderType.LIMIT, D(10), None, D(20), TimeInForce.GTC)
    order = await desk.place(
        world.actor, NewOrder(world.portfolios[0], world.symbol, request), str(uuid.uuid4())
    )
    rule = await create_rule(
        world.actor,
        NewAlertRule(
            name="Below",
            kind=AlertKind.PRICE_BELOW,
            severity=AlertSeverity.WARNING,
            threshold=D(15),
            hysteresis=D(1),
            symbol=world.symbol,
            portfolio_id=None,
            cooldown_seconds=0,
            channels=[],
            hours=None,
        ),
    )
    for statement in (
        "UPDATE orders SET submitted_at = submitted_at - interval '2 days' WHERE id = $1",
        "UPDATE paper_orders SET created_at = created_at - interval '2 days' WHERE client_order_id = $1",
        "UPDATE quotes SET as_of = as_of - interval '2 days', previous_price = 29 WHERE instrument_id = "
        "(SELECT instrument_id FROM orders WHERE id = $1)",
        "UPDATE alert_rules SET units_of = units_of - 2 WHERE instrument_id = "
        "(SELECT instrument_id FROM orders WHERE id = $1)",
        "UPDATE alert_watches SET units_of = units_of - 2 WHERE instrument_id = "
        "(SELECT instrument_id FROM orders WHERE id = $1)",
    ):
        await exchange.run(statement, order)

    async def seen() -> tuple[object, ...]:
        found = await exchange.value(
            "SELECT array[trim_scale(o.quantity), trim_scale(o.limit_price), trim_scale(r.threshold), "
            "trim_scale(w.hysteresis), trim_scale(q.price), trim_scale(q.previous_price)]::text[] "
            "FROM orders o JOIN quotes q USING (instrument_id), alert_rules r "
            "JOIN alert_watches w ON w.rule_id = r.id WHERE o.id = $1 AND r.id = $2",
            order,
            rule,
        )
        assert isinstance(found, list)
        return tuple(found)

    await record(world, "20", TODAY)
    assert await seen() == ("200", "1", "0.75", "0.05", "1.5", "1.45")
    await withdraw_split(owners, world.symbol, SplitRatio(TODAY, D(20), D(1)))
    assert (await seen())[2:] == ("15", "1", "30", "29")
    ended = await world.rows(
        "SELECT status, rejection_code, rejection_reason FROM orders WHERE owner_id = $1"
    )
    assert ended == [
        {
            "status": "CANCELLED",
            "rejection_code": "SPLIT",
            "rejection_reason": "The 20-for-1 split that this order followed was withdrawn: place it again.",
        }
    ]
    await record(world, "2", TODAY)
    assert (await seen())[2:] == ("7.5", "0.5", "15", "14.5")


async def test_the_command(
    worlds: list[World], owner_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await worlds[0].buy(1, "10", "10")
    await record(worlds[0], "20")

    async def told(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(
            run_on, capfd, owner_url, tmp_path, "withdraw-split", worlds[0].symbol, *words
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()[-1]

    assert await told("2020-01-11", "much") == (
        1,
        "graphfolio: The split 'much' is not a ratio like 4:1, 4/1 or 4.",
    )
    assert await told("2020-01-11", "1:0") == (
        1,
        "graphfolio: The split '1:0' is not valid: The splitFor must be above zero, with at most 10 places.",
    )
    assert await told("yesterday", "20") == (1, "graphfolio: yesterday is not a date such as 2024-06-10.")
    sold = await worlds[0].sell(20, "50", "10")
    code, words = await told("2020-01-11", "20:1", "--skip-blocked")
    assert code == 3
    assert (
        words
        == "1 holder has later entries that need the shares, so the split stays there: verify names them."
    )
    await worlds[0].reverse(sold)
    told_of = f"The 20-for-1 split of {worlds[0].symbol} on 2020-01-11 is withdrawn; 1 holder was corrected."
    assert await told("2020-01-11", "20") == (0, told_of)
    assert await quantities(worlds[:1]) == [10]

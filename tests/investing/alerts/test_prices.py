"""Rules on prices, from a tick to the alert: once for each crossing, in several processes, after kills."""

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from db.canonical import instant
from db.ids import uuid7
from db.market.ticks import QuoteRow, Tick, save_ticks
from db.sessions import Sessions
from db.vocabulary import AlertKind, AlertSeverity
from investing.actor import Actor
from investing.alerts.rules import NewAlertRule, change_rule, create_rule, delete_rule, hours_columns
from investing.prices.evaluator import Evaluator
from investing.rules.alerts.conditions import Hours
from tests.investing.exchange import Exchange

START = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=30)


class Watching:
    """A process that watches prices, driven by hand."""

    def __init__(self, sessions: Sessions) -> None:
        self.evaluator = Evaluator(sessions, None)

    async def start(self) -> "Watching":
        await self.evaluator.ready()
        await self.evaluator.prices.load()
        return self

    async def take(self, symbol: str, *prices: str, at: int = 0, previous: str | None = None) -> None:
        """Prices a second apart, all at once; `at` is when the first is, in seconds."""
        before = None if previous is None else Decimal(previous)
        ticks = [
            Tick(symbol, Decimal(price), START + dt.timedelta(seconds=at + place), before)
            for place, price in enumerate(prices)
        ]
        await self.evaluator.ingest.apply(ticks)
        await self.evaluator.prices.decide_waiting()

    async def look(self) -> None:
        """What a second brings: what others have changed."""
        await self.evaluator.ticker.poll()
        await self.evaluator.prices.refresh()
        await self.evaluator.prices.decide_waiting()


@pytest.fixture
async def watching(sessions: Sessions) -> Watching:
    return await Watching(sessions).start()


async def rule(actor: Actor, symbol: str, kind: str, threshold: str, **given: Any) -> UUID:
    """A rule without a cooldown, unless one is given."""
    new = NewAlertRule(
        name=f"{symbol} {kind} {threshold}",
        kind=AlertKind(kind),
        severity=AlertSeverity.CRITICAL,
        threshold=Decimal(threshold),
        symbol=symbol,
        **{"cooldown_seconds": 0, **given},
    )
    return await create_rule(actor, new)


async def told(sessions: Sessions, actor: Actor) -> list[tuple[str, str]]:
    """The kind and the price of each alert, in their order."""
    async with sessions.reading(actor.id) as connection:
        rows = await connection.fetch("SELECT * FROM alerts WHERE owner_id = $1 ORDER BY seq", actor.id)
    return [(row["kind"], row["metrics"]["price"]) for row in rows]


async def test_an_alert_says_what_happened(
    sessions: Sessions, exchange: Exchange, watching: Watching
) -> None:
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    id = await rule(actor, symbol, "PRICE_ABOVE", "200.50")
    await watching.look()
    await watching.take(symbol, "200.5", "200.5000000001", "300", previous="190")
    async with sessions.reading(actor.id) as connection:
        (row,) = await connection.fetch("SELECT * FROM alerts WHERE owner_id = $1", actor.id)
        fired = await connection.fetchval("SELECT last_fired_at FROM alert_rules WHERE id = $1", id)
    assert (row["seq"], row["kind"], row["severity"], row["rule_id"]) == (1, "PRICE_ABOVE", "CRITICAL", id)
    assert row["title"] == f"{symbol} above 200.5 USD"
    assert row["message"] == f"The price of {symbol} is 200.5000000001 USD, above 200.5 USD."
    assert row["metrics"] == {
        "value": "200.5000000001",
        "threshold": "200.5",
        "price": "200.5000000001",
        "previousPrice": "190",
        "priceAsOf": instant(START + dt.timedelta(seconds=1)),
    }
    assert row["portfolio_id"] is None
    assert fired == row["created_at"]


@pytest.mark.parametrize(
    ("kind", "threshold", "hysteresis", "prices", "expected"),
    [
        ("PRICE_ABOVE", "10", "0", "9 10 11 12 10 11 9 12", "11 11 12"),
        ("PRICE_ABOVE", "10", "1", "9 11 10 11 9.5 11 9 10 10.5", "11 10.5"),
        ("PRICE_ABOVE", "10", "0", "11", "11"),
        ("PRICE_BELOW", "10", "0", "11 10 9 8 10 9", "9 9"),
        ("PRICE_BELOW", "10", "2", "11 9 11 9 12 9", "9 9"),
        ("DAILY_MOVE", "0.1", "0", "109 110 110.01 120 89.99 90 105 89", "110.01 89"),
        ("DAILY_MOVE", "0.1", "0.05", "111 106 112 105 88", "111 88"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_once_for_each_crossing(
    sessions: Sessions,
    exchange: Exchange,
    watching: Watching,
    kind: str,
    threshold: str,
    hysteresis: str,
    prices: str,
    expected: str,
    at_once: bool,
) -> None:
    """Whether each price is decided before the next one comes, or all of them come in one moment."""
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await rule(actor, symbol, kind, threshold, hysteresis=Decimal(hysteresis))
    await watching.look()
    if at_once:
        await watching.take(symbol, *prices.split(), previous="100")
    else:
        for at, price in enumerate(prices.split()):
            await watching.take(symbol, price, at=at, previous="100")
    assert await told(sessions, actor) == [(kind, price) for price in expected.split()]


@pytest.mark.parametrize(("asset_class", "fired"), [("CRYPTO", ["112", "125"]), ("EQUITY", ["112"])])
async def test_a_day_of_what_is_traded_around_the_clock_is_utcs(
    sessions: Sessions, exchange: Exchange, watching: Watching, asset_class: str, fired: list[str]
) -> None:
    """23:30 and 00:30 UTC are two days of a coin's; in New York they are one evening."""
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await exchange.run("UPDATE instruments SET asset_class = $2 WHERE symbol = $1", symbol, asset_class)
    await rule(actor, symbol, "DAILY_MOVE", "0.1")
    await watching.look()
    for at, price in (("04T12:00", "100"), ("05T12:00", "112"), ("05T23:30", "113"), ("06T00:30", "125")):
        when = dt.datetime.fromisoformat(f"2024-03-{at}:00Z")
        await watching.evaluator.ingest.apply([Tick(symbol, Decimal(price), when)])
        await watching.evaluator.prices.decide_waiting()
    assert [price for _, price in await told(sessions, actor)] == fired
    previous = await exchange.value(
        "SELECT trim_scale(previous_price)::text FROM quotes q JOIN instruments i ON i.id = q.instrument_id "
        "WHERE symbol = $1",
        symbol,
    )
    assert previous == ("113" if asset_class == "CRYPTO" else "100")


async def test_each_day_is_a_move_of_its_own(
    sessions: Sessions, exchange: Exchange, watching: Watching
) -> None:
    """And is held against the last price of the day before, unless that is long ago."""
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await rule(actor, symbol, "DAILY_MOVE", "0.1")
    await watching.look()
    noon = dt.datetime(2024, 3, 4, 17, tzinfo=dt.UTC)
    days = [(0, "100"), (1, "112"), (1, "113"), (2, "125"), (3, "126"), (4, "100"), (20, "300"), (21, "200")]
    for hour, (day, price) in enumerate(days):
        when = noon + dt.timedelta(days=day, minutes=hour)
        await watching.evaluator.ingest.apply([Tick(symbol, Decimal(price), when)])
        await watching.evaluator.prices.decide_waiting()
    assert [price for _, price in await told(sessions, actor)] == ["112", "125", "100", "200"]
    # The same in one go, in another process.
    again, _ = await exchange.trader("1")
    other = await exchange.listed()
    await rule(again, other, "DAILY_MOVE", "0.1")
    restarted = await Watching(sessions).start()
    await restarted.evaluator.ingest.apply(
        [
            Tick(other, Decimal(price), noon + dt.timedelta(days=day, minutes=hour))
            for hour, (day, price) in enumerate(days)
        ]
    )
    await restarted.evaluator.prices.decide_waiting()
    assert [price for _, price in await told(sessions, again)] == ["112", "125", "100", "200"]


async def test_a_rule_that_is_quiet(sessions: Sessions, exchange: Exchange, watching: Watching) -> None:
    """What crosses while it is quiet is told when that ends, if it is so still."""
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    id = await rule(actor, symbol, "PRICE_ABOVE", "10", cooldown_seconds=3600)
    await watching.look()
    await watching.take(symbol, "11", "9", "12", "9", "13")
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11")]
    over = "UPDATE alert_watches SET quiet_until = now() WHERE rule_id = $1"
    await exchange.run(over, id)
    await watching.look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11"), ("PRICE_ABOVE", "13")]
    await watching.take(symbol, "9", "14", "8", at=60)
    await exchange.run(over, id)
    await watching.look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11"), ("PRICE_ABOVE", "13")]


async def test_a_quiet_time_ends_by_itself(
    sessions: Sessions, exchange: Exchange, watching: Watching
) -> None:
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await rule(actor, symbol, "PRICE_ABOVE", "10", cooldown_seconds=1)
    await watching.look()
    await watching.take(symbol, "11", "9", "12")
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11")]
    await asyncio.sleep(1.1)
    await watching.look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11"), ("PRICE_ABOVE", "12")]


async def test_a_rule_out_of_its_hours(sessions: Sessions, exchange: Exchange, watching: Watching) -> None:
    now = dt.datetime.now(dt.UTC)
    opens = (now + dt.timedelta(hours=2)).replace(second=0, microsecond=0)
    hours = Hours(
        opens.time(), (opens + dt.timedelta(hours=1)).time(), frozenset(range(1, 8)), ZoneInfo("UTC")
    )
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    id = await rule(actor, symbol, "PRICE_ABOVE", "10", hours=hours)
    await watching.look()
    await watching.take(symbol, "11")
    assert await told(sessions, actor) == []
    found = await exchange.value("SELECT quiet_until FROM alert_watches WHERE rule_id = $1", id)
    assert found == opens
    await change_rule(actor, id, hours_columns(None))
    await watching.look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11")]


async def test_of_several_processes_one_tells(sessions: Sessions, exchange: Exchange) -> None:
    actor, _ = await exchange.trader("1")
    symbols = [await exchange.listed() for _ in range(3)]
    for symbol in symbols:
        for threshold in range(10, 16):
            await rule(actor, symbol, "PRICE_ABOVE", str(threshold))
    processes = [await Watching(sessions).start() for _ in range(3)]
    for at in range(0, 8, 2):
        for symbol in symbols:
            # Each is told of the same crossings before any of them is decided.
            quotes = [
                await _quote(processes[0], symbol, price, at + n) for n, price in enumerate(("20", "5"))
            ]
            for process in processes:
                process.evaluator.ticker.publish(quotes)
        await asyncio.gather(*(process.evaluator.prices.decide_waiting() for process in processes))
    assert len(await told(sessions, actor)) == 3 * 6 * 4


async def _quote(process: Watching, symbol: str, price: str, at: int) -> QuoteRow:
    async with process.evaluator.ingest._sessions.begin(None) as session:
        tick = Tick(symbol, Decimal(price), START + dt.timedelta(seconds=at))
        (quote,) = (await save_ticks(session, [tick])).quotes
    return quote


async def test_what_a_killed_process_leaves(sessions: Sessions, exchange: Exchange) -> None:
    """Prices were saved, and nothing was decided: the next process finds what they crossed."""
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await rule(actor, symbol, "PRICE_ABOVE", "10")
    killed = await Watching(sessions).start()
    await killed.evaluator.ingest.apply([Tick(symbol, Decimal(11), START)])
    assert await told(sessions, actor) == []
    await (await Watching(sessions).start()).look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11")]
    await (await Watching(sessions).start()).look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11")]


async def test_prices_of_another_process(sessions: Sessions, exchange: Exchange, watching: Watching) -> None:
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed("9")
    await watching.look()
    await rule(actor, symbol, "PRICE_ABOVE", "10")
    await watching.look()
    await exchange.quote(symbol, "11")
    await watching.look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "11")]


async def test_rules_that_change(sessions: Sessions, exchange: Exchange, watching: Watching) -> None:
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await watching.take(symbol, "20")
    id = await rule(actor, symbol, "PRICE_ABOVE", "10")
    gone = await rule(actor, symbol, "PRICE_ABOVE", "15")
    await watching.look()
    assert await told(sessions, actor) == [("PRICE_ABOVE", "20"), ("PRICE_ABOVE", "20")]
    await change_rule(actor, id, {"threshold": Decimal(30)})
    await delete_rule(actor, gone)
    await watching.take(symbol, "5", "25", at=10)
    await watching.look()
    await watching.take(symbol, "31", at=20)
    assert [price for _, price in await told(sessions, actor)] == ["20", "20", "31"]
    await change_rule(actor, id, {"is_active": False})
    await watching.take(symbol, "5", "32", at=30)
    assert await exchange.value("SELECT count(*) FROM alert_watches WHERE rule_id = $1", id) == 0
    await change_rule(actor, id, {"is_active": True})
    await watching.look()
    assert [price for _, price in await told(sessions, actor)] == ["20", "20", "31", "32"]
    # The alerts of the rule that is gone are there still, without it.
    assert (
        await exchange.value("SELECT count(*) FROM alerts WHERE rule_id IS NULL AND owner_id = $1", actor.id)
        == 1
    )


async def test_a_rule_that_is_committed_late(
    sessions: Sessions, exchange: Exchange, watching: Watching
) -> None:
    """Written before another, and committed after a look has seen that other: it is found all the same."""
    late, _ = await exchange.trader("1")
    early, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await watching.take(symbol, "20")
    async with sessions.begin(late.id) as session:
        await session.execute(
            text(
                "WITH made AS (INSERT INTO alert_rules (owner_id, id, name, kind, severity, threshold, "
                "instrument_id, cooldown_seconds) SELECT :owner, :id, 'late', 'PRICE_ABOVE', 'INFO', 10, "
                "id, 0 FROM instruments WHERE symbol = :symbol RETURNING *) INSERT INTO alert_watches "
                "(owner_id, rule_id, instrument_id, kind, threshold, hysteresis) "
                "SELECT owner_id, id, instrument_id, kind, threshold, 0 FROM made"
            ),
            {"owner": late.id, "id": uuid7(), "symbol": symbol},
        )
        await rule(early, symbol, "PRICE_ABOVE", "10")
        await watching.look()
        assert (len(await told(sessions, early)), len(await told(sessions, late))) == (1, 0)
    await watching.look()
    assert len(await told(sessions, late)) == 1


async def test_a_price_that_is_older_is_none(
    sessions: Sessions, exchange: Exchange, watching: Watching
) -> None:
    actor, _ = await exchange.trader("1")
    symbol = await exchange.listed()
    await rule(actor, symbol, "PRICE_ABOVE", "10")
    await watching.look()
    await watching.take(symbol, "9", at=10)
    await watching.take(symbol, "11", at=9)
    await watching.take(symbol, "12", at=10)
    await watching.look()
    assert await told(sessions, actor) == []

"""Prices come in: the newest wins, none is told twice, and whoever follows hears of each."""

import datetime as dt
from decimal import Decimal

import pytest

from db.market.ticks import Tick, save_ticks
from db.sessions import Sessions
from investing.market.ticker import Ticker
from investing.market.ticks import apply_ticks, check_tick
from investing.rules.errors import InvalidInput
from tests.investing.exchange import Exchange

NOON = dt.datetime(2024, 3, 4, 17, tzinfo=dt.UTC)


def tick(symbol: str, price: str, seconds: float = 0, previous: str | None = None) -> Tick:
    before = None if previous is None else Decimal(previous)
    return Tick(symbol, Decimal(price), NOON + dt.timedelta(seconds=seconds), before)


async def quote(exchange: Exchange, symbol: str) -> object:
    return await exchange.value(
        "SELECT (trim_scale(price), trim_scale(previous_price), as_of - $2::timestamptz)::text FROM quotes q "
        "JOIN instruments i ON i.id = q.instrument_id WHERE symbol = $1",
        symbol,
        NOON,
    )


async def test_the_newest_wins(sessions: Sessions, exchange: Exchange) -> None:
    ticker = Ticker(sessions)
    a, b = await exchange.listed(), await exchange.listed()
    heard: list[tuple[str, str]] = []
    ticker.follow(
        lambda quotes: heard.extend((quote.symbol, str(quote.price.normalize())) for quote in quotes)
    )
    given = [tick(a, "10", 1), tick(b, "5", 1), tick(a, "12", 3), tick(a, "11", 2), tick("NONE", "1")]
    applied = await apply_ticks(sessions, ticker, given)
    assert applied.unknown == {"NONE"}
    assert heard == [(a, "1E+1"), (b, "5"), (a, "12")]
    assert await quote(exchange, a) == "(12,,00:00:03)"
    applied = await apply_ticks(sessions, ticker, [tick(a, "13", 3), tick(a, "14", 2), tick(b, "6", 2)])
    assert [(row.symbol, row.price) for row in applied.news] == [(b, Decimal(6))]
    assert await quote(exchange, a) == "(12,,00:00:03)"
    # What was saved here is found by looking, and told no second time.
    await ticker.poll()
    assert heard == [(a, "1E+1"), (b, "5"), (a, "12"), (b, "6")]


async def test_the_price_of_the_day_before(sessions: Sessions, exchange: Exchange) -> None:
    """The last of another day in New York, not older than ten days; or what a feed says."""
    ticker, symbol, day = Ticker(sessions), await exchange.listed(), 24 * 3600
    steps = [
        (tick(symbol, "10"), "(10,,00:00:00)"),
        (tick(symbol, "11", 60), "(11,,00:01:00)"),
        (tick(symbol, "12", day), '(12,11,"1 day")'),
        (tick(symbol, "13", day + 60), '(13,11,"1 day 00:01:00")'),
        # 04:59 UTC is the same day there still, 05:00 is not.
        (tick(symbol, "14", day + 12 * 3600 - 60), '(14,11,"1 day 11:59:00")'),
        (tick(symbol, "15", day + 12 * 3600), '(15,14,"1 day 12:00:00")'),
        (tick(symbol, "16", 12 * day), '(16,,"12 days")'),
        (tick(symbol, "17", 13 * day, "16.5"), '(17,16.5,"13 days")'),
    ]
    for given, expected in steps:
        await apply_ticks(sessions, ticker, [given])
        assert await quote(exchange, symbol) == expected
    again = await exchange.listed()
    await apply_ticks(sessions, ticker, [given._replace(symbol=again) for given, _ in steps])
    assert await quote(exchange, again) == steps[-1][1]


@pytest.mark.parametrize("price", ["-0.01", "-1", "NaN", "Infinity", "1e18", "0.00000000001"])
def test_what_is_no_price(price: str) -> None:
    with pytest.raises(InvalidInput):
        check_tick(Tick("A", Decimal(price), NOON))


def test_a_price_of_the_future() -> None:
    check_tick(Tick("A", Decimal(1), dt.datetime.now(dt.UTC)))
    # Nothing is a price too.
    check_tick(Tick("A", Decimal(0), dt.datetime.now(dt.UTC)))
    with pytest.raises(InvalidInput):
        check_tick(Tick("A", Decimal(1), dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)))


async def test_following_prices_of_another_process(sessions: Sessions, exchange: Exchange) -> None:
    """Also one that is committed after others that came later."""
    symbol, late = await exchange.listed(), await exchange.listed("1")
    ticker = Ticker(sessions)
    await ticker.poll()
    heard: list[str] = []
    ticker.follow(lambda quotes: heard.extend(quote.symbol for quote in quotes))
    async with sessions.begin(None) as session:
        await save_ticks(session, [Tick(late, Decimal(2), dt.datetime.now(dt.UTC))])
        await exchange.quote(symbol, "10")
        await ticker.poll()
        assert heard == [symbol]
    await ticker.poll()
    await ticker.poll()
    assert heard == [symbol, late]

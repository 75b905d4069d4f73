"""The feed `replay`: real closes in their order, by one process, going on from where it was."""

import datetime as dt
from decimal import Decimal

from db.sessions import Sessions
from investing.prices.evaluator import Evaluator
from investing.prices.feeds.replay import Replay
from tests.investing.exchange import Exchange


async def listed(exchange: Exchange, closes: dict[str, str]) -> str:
    """An instrument with these closes by day."""
    symbol = await exchange.listed()
    for day, close in closes.items():
        await exchange.run(
            "INSERT INTO price_bars (instrument_id, date, close) "
            "SELECT id, $2::date, $3::text::numeric FROM instruments WHERE symbol = $1",
            symbol,
            dt.date.fromisoformat(day),
            close,
        )
    return symbol


async def quotes(exchange: Exchange) -> object:
    return await exchange.value(
        "SELECT array_agg((trim_scale(price), trim_scale(previous_price))::text ORDER BY symbol = $1 DESC) "
        "FROM quotes q JOIN instruments i ON i.id = q.instrument_id",
        "",
    )


async def test_the_closes_in_their_order(sessions: Sessions, exchange: Exchange) -> None:
    ingest = Evaluator(sessions, None).ingest
    feed, other = Replay(sessions, 100), Replay(sessions, 100)
    assert await feed.advance(ingest)
    assert await quotes(exchange) is None
    symbol = await listed(
        exchange,
        {"2019-12-31": "1", "2020-01-02": "10", "2020-01-03": "11.5", "2021-12-30": "12", "2021-12-31": "9"},
    )
    heard: list[tuple[Decimal, Decimal | None]] = []
    ingest.ticker.follow(lambda news: heard.extend((quote.price, quote.previous_price) for quote in news))
    begun = dt.datetime.now(dt.UTC)
    for _ in range(3):
        assert await feed.advance(ingest)
        # While one has the lease, another does nothing.
        assert not await other.advance(ingest)
    # It is of now, so that an order that it fills is too.
    as_of = await exchange.value("SELECT min(as_of) FROM quotes")
    assert isinstance(as_of, dt.datetime)
    assert as_of >= begun
    await exchange.run("UPDATE market_feeds SET leased_until = now() - interval '1 s'")
    # The one that has stopped is gone, the other goes on; and after the last day from the first again.
    for _ in range(3):
        assert await other.advance(ingest)
    assert not await feed.advance(ingest)
    ten, eleven, twelve, nine = Decimal(10), Decimal("11.5"), Decimal(12), Decimal(9)
    # The last two years are from 1 January 2020 on; 2019 is not among them, but known as the day before.
    one = Decimal(1)
    assert heard == [(ten, one), (eleven, ten), (twelve, eleven), (nine, twelve), (ten, one), (eleven, ten)]
    # Another's prices ended long before, on a Friday too: they are replayed beside these, and on their days.
    await listed(exchange, {"2012-01-05": "5", "2012-01-06": "6"})
    heard.clear()
    for _ in range(2):
        assert await other.advance(ingest)
    assert heard[-2:] == [(nine, twelve), (Decimal(6), Decimal(5))] or heard[-2:] == [
        (Decimal(6), Decimal(5)),
        (nine, twelve),
    ]
    assert sorted(heard[:-2], key=str) == sorted([(twelve, eleven), (Decimal(5), None)], key=str)
    assert await exchange.value("SELECT position FROM market_feeds") == dt.date(2021, 12, 31)
    assert symbol

"""Prices across splits in SQL: the functions say what the pure rules say, and quotes follow once."""

import asyncio
import datetime as dt
import random
import uuid
from decimal import Decimal as D

from db.market.feeds import closes_of
from db.market.splits import follow_quotes
from db.market.ticks import Tick, save_ticks
from db.rebalancing.planning import fetch_returns
from db.sessions import Sessions
from db.vocabulary import PriceBasis
from investing.rules.market.market_hours import market_day
from investing.rules.trading.splits import SplitRatio, close_on, restated
from tests.market_rows import rows


def add_instrument(url: str, symbol: str, basis: PriceBasis = PriceBasis.RAW) -> uuid.UUID:
    """An instrument without prices."""
    id = uuid.uuid4()
    rows(
        url,
        "INSERT INTO instruments (id, symbol, name, asset_class, currency, price_basis) "
        "VALUES ($1, $2, $2, 'EQUITY', 'USD', $3)",
        id,
        symbol,
        basis.value,
    )
    return id


def add_split(url: str, id: uuid.UUID, split: SplitRatio) -> None:
    """A split of an instrument."""
    rows(
        url,
        "INSERT INTO instrument_splits VALUES ($1, $2, $3, $4)",
        id,
        split.ex_date,
        split.quantity,
        split.split_for,
    )


def test_sql_and_the_rules_agree_to_the_last_place(superuser_url: str) -> None:
    chance = random.Random(11)
    start = dt.date(2020, 1, 1)
    for basis in PriceBasis:
        id = add_instrument(superuser_url, basis.value.replace("_", "-"), basis)
        bars = [start + dt.timedelta(days=n) for n in range(60)]
        rows(
            superuser_url,
            "INSERT INTO price_bars (instrument_id, date, close) SELECT $1, d, 10 FROM unnest($2::date[]) d",
            id,
            bars,
        )
        ratios = [("4", "1"), ("1", "3"), ("3", "2"), ("28", "1"), ("7", "11")]
        days = chance.sample(range(1, 80), len(ratios))
        splits = [
            SplitRatio(start + dt.timedelta(days=at), D(new), D(old))
            for at, (new, old) in zip(days, ratios, strict=True)
        ]
        for split in splits:
            add_split(superuser_url, id, split)
        asked = [
            (
                D(chance.randrange(1, 10**12)).scaleb(-10),
                start + dt.timedelta(days=chance.randrange(90)),
                start + dt.timedelta(days=chance.randrange(90)),
            )
            for _ in range(60)
        ]
        found = rows(
            superuser_url,
            "SELECT restated(a.price, $1, a.given, a.wanted), close_on(a.price, $1, a.given, a.wanted) "
            "FROM unnest($2::numeric[], $3::date[], $4::date[]) WITH ORDINALITY "
            "AS a(price, given, wanted, n) ORDER BY n",
            id,
            *zip(*asked, strict=True),
        )
        joined = rows(
            superuser_url,
            "SELECT round((a.price * g.split_for * w.quantity)::numeric(400, 60) "
            "/ (g.quantity * w.split_for), 18) "
            "FROM unnest($2::numeric[], $3::date[], $4::date[]) WITH ORDINALITY "
            "AS a(price, given, wanted, n) "
            "JOIN split_factors g ON g.instrument_id = $1 AND a.given >= g.since AND a.given < g.until "
            "JOIN split_factors w ON w.instrument_id = $1 AND a.wanted >= w.since AND a.wanted < w.until "
            "ORDER BY n",
            id,
            *zip(*asked, strict=True),
        )
        assert [price for (price,) in joined] == [price for price, _ in found]
        assert found == [
            (
                restated(price, splits, given, wanted),
                close_on(price, basis, splits, given, bars[-1], wanted),
            )
            for price, given, wanted in asked
        ]


async def test_returns_and_the_day_before_know_of_a_split(superuser_url: str, sessions: Sessions) -> None:
    start = dt.date(2021, 3, 1)
    id = await asyncio.to_thread(add_instrument, superuser_url, "WEEK")
    await asyncio.to_thread(
        rows,
        superuser_url,
        "INSERT INTO price_bars (instrument_id, date, close) "
        "SELECT $1, $2::date + n::int, c FROM unnest($3::numeric[]) WITH ORDINALITY AS w(c, n)",
        id,
        start,
        [D(30), D(33), D("8.25"), D("9.9")],
    )
    await asyncio.to_thread(
        add_split, superuser_url, id, SplitRatio(start + dt.timedelta(days=3), D(4), D(1))
    )
    async with sessions.reading(None) as connection:
        returns, _ = await fetch_returns(connection, uuid.uuid4(), ["WEEK"], 10)
    # 33 / 30, then 33 old are 8.25 new, then 9.9 / 8.25.
    assert [round(change, 10) for change in returns["WEEK"]] == [0.1, 0, 0.2]
    closes = {close.symbol: close for close in await closes_of(sessions, start + dt.timedelta(days=3))}
    assert (closes["WEEK"].price, closes["WEEK"].previous) == (D("8.25"), D("8.25"))


async def quote_of(url: str, id: uuid.UUID) -> tuple[object, ...]:
    """The price of an instrument, and that of the trading day before."""
    sql = "SELECT price, previous_price FROM quotes WHERE instrument_id = $1"
    (found,) = await asyncio.to_thread(rows, url, sql, id)
    return found


async def test_a_quote_follows_a_split_once_and_tells_the_move_of_its_day(
    superuser_url: str, sessions: Sessions
) -> None:
    now = dt.datetime.now(dt.UTC)
    id = await asyncio.to_thread(add_instrument, superuser_url, "QUOTED")

    async def tick(price: str, as_of: dt.datetime) -> None:
        async with sessions.begin(None) as session:
            await save_ticks(session, [Tick("QUOTED", D(price), as_of)])

    async def quote() -> tuple[object, ...]:
        return await quote_of(superuser_url, id)

    await tick("28", now - dt.timedelta(days=2))
    await tick("30", now - dt.timedelta(days=1))
    assert await quote() == (30, 28)
    await asyncio.to_thread(add_split, superuser_url, id, SplitRatio(market_day(now), D(4), D(1)))
    # The ex-date begins: 30 for an old share are 7.5 for a new one, however often this is looked at.
    for _ in "twice":
        async with sessions.begin(None) as session:
            await follow_quotes(session)
        assert await quote() == (D("7.5"), 7)
    await tick("8.34", now)
    assert await quote() == (D("8.34"), D("7.5"))


async def test_a_quote_of_nothing_is_nothing_after_a_split(superuser_url: str, sessions: Sessions) -> None:
    """A worthless share stays worthless; what rounds to nothing keeps the smallest price that there is."""
    now = dt.datetime.now(dt.UTC)
    for symbol, before, last, expected in (
        ("WORTHLESS", "0", "0", (0, 0)),
        ("FALLEN", "5", "0", (0, D("1.25"))),
        ("RISEN", "0", "5", (D("1.25"), 0)),
        ("TINY", "0.0000000003", "0.0000000001", (D("0.0000000001"), D("0.0000000001"))),
    ):
        id = await asyncio.to_thread(add_instrument, superuser_url, symbol)
        for days, price in ((2, before), (1, last)):
            async with sessions.begin(None) as session:
                await save_ticks(session, [Tick(symbol, D(price), now - dt.timedelta(days=days))])
        await asyncio.to_thread(add_split, superuser_url, id, SplitRatio(market_day(now), D(4), D(1)))
        for _ in range(2):
            async with sessions.begin(None) as session:
                await follow_quotes(session)
            assert await quote_of(superuser_url, id) == expected


async def test_an_older_tick_that_comes_late_is_for_a_share_of_today(
    superuser_url: str, sessions: Sessions
) -> None:
    now = dt.datetime.now(dt.UTC)
    id = await asyncio.to_thread(add_instrument, superuser_url, "LATE")
    await asyncio.to_thread(add_split, superuser_url, id, SplitRatio(market_day(now), D(4), D(1)))
    for days, price in ((3, "28"), (2, "30"), (1, "32")):
        async with sessions.begin(None) as session:
            saved = await save_ticks(session, [Tick("LATE", D(price), now - dt.timedelta(days=days))])
            assert [quote.price for quote in saved.quotes] == [D(price) / 4]
    assert await quote_of(superuser_url, id) == (8, D("7.5"))
    async with sessions.begin(None) as session:
        await follow_quotes(session)
    assert await quote_of(superuser_url, id) == (8, D("7.5"))


async def test_a_tick_of_the_ex_date_needs_no_job(superuser_url: str, sessions: Sessions) -> None:
    now = dt.datetime.now(dt.UTC)
    id = await asyncio.to_thread(add_instrument, superuser_url, "TICKED")
    for price, as_of in (("30", now - dt.timedelta(days=1)), ("8.34", now)):
        if as_of == now:
            await asyncio.to_thread(add_split, superuser_url, id, SplitRatio(market_day(now), D(4), D(1)))
        async with sessions.begin(None) as session:
            await save_ticks(session, [Tick("TICKED", D(price), as_of)])
    assert await quote_of(superuser_url, id) == (D("8.34"), D("7.5"))

"""The COPY side of a load, on a real PostgreSQL."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from decimal import Decimal

import asyncpg
import pytest

from db.market.bars import BarLoad, DailyBar, Stored, bar_load
from db.market.instruments import NewInstrument, add_instruments, staged_symbols, update_quotes
from db.vocabulary import AssetClass, PriceBasis
from tests.market_rows import count, rows

A = NewInstrument("A", "A Company", AssetClass.ETF, "EUR", "XETRA", PriceBasis.RAW)


def bar(day: int, close: str, line: int = 0, symbol: str = "A") -> DailyBar:
    return DailyBar(symbol, dt.date(2024, 1, day), None, None, None, Decimal(close), None, None, line)


@pytest.fixture
def within(owner_url: str) -> Callable[[Callable[[BarLoad], Awaitable[None]]], None]:
    """Runs steps within a load into the emptied database."""
    rows(owner_url, "TRUNCATE instruments CASCADE")

    def run(steps: Callable[[BarLoad], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with bar_load(owner_url) as load:
                await steps(load)

        asyncio.run(whole())

    return run


Within = Callable[[Callable[[BarLoad], Awaitable[None]]], None]


def test_bars_and_their_instrument_come_in_together(owner_url: str, within: Within) -> None:
    async def steps(load: BarLoad) -> None:
        await load.lock()
        await load.stage([bar(2, "1E-7"), bar(3, "123456789012345678.0123456789"), bar(3, "5", symbol="B")])
        assert await staged_symbols(load) == {"A": False, "B": False}
        await add_instruments(load, [A])
        assert await staged_symbols(load) == {"A": True, "B": False}
        # B is no instrument, so nothing becomes of it.
        assert await load.store() == Stored(2, 0, 1)
        assert await load.store() == Stored(0, 0, 0)
        await load.analyze()
        assert await asyncio.to_thread(count, owner_url, "price_bars") == 0

    within(steps)
    assert rows(owner_url, "SELECT close FROM price_bars ORDER BY date") == [
        (Decimal("0.0000001"),),
        (Decimal("123456789012345678.0123456789"),),
    ]
    assert rows(owner_url, "SELECT symbol, name, asset_class, currency, exchange FROM instruments") == [
        ("A", "A Company", "ETF", "EUR", "XETRA")
    ]


def test_the_first_of_repeated_lines_wins(owner_url: str, within: Within) -> None:
    async def steps(load: BarLoad) -> None:
        await add_instruments(load, [A])
        await load.stage([bar(2, "1", 2), bar(3, "2", 3), bar(2, "3", 4), bar(2, "1", 5), bar(3, "4", 6)])
        assert [pair async for pair in load.repeated()] == [(4, 2), (5, 2), (6, 3)]
        assert [pair async for pair in load.repeated()] == []
        assert await load.store() == Stored(2, 0, 0)

    within(steps)
    assert rows(owner_url, "SELECT close FROM price_bars ORDER BY date") == [(1,), (2,)]


def test_a_discarded_load_leaves_nothing(owner_url: str, within: Within) -> None:
    async def steps(load: BarLoad) -> None:
        await add_instruments(load, [A])
        load.discard()

    within(steps)
    assert count(owner_url, "instruments") == 0


def test_a_failed_load_leaves_nothing(owner_url: str, within: Within) -> None:
    async def steps(load: BarLoad) -> None:
        await add_instruments(load, [A])
        await load.stage([bar(2, "1"), bar(3, "-1")])
        await load.store()

    with pytest.raises(asyncpg.CheckViolationError, match="ck_price_bars_not_negative"):
        within(steps)
    assert [count(owner_url, table) for table in ("instruments", "price_bars")] == [0, 0]


def test_an_error_of_the_source_comes_through_the_copy(owner_url: str, within: Within) -> None:
    async def steps(load: BarLoad) -> None:
        await load.stage(bar(2, str(1 // number)) for number in (1, 0))

    with pytest.raises(ZeroDivisionError):
        within(steps)


def test_a_second_load_waits_for_the_first_and_readers_do_not(owner_url: str, within: Within) -> None:
    async def steps(load: BarLoad) -> None:
        await load.lock()
        async with bar_load(owner_url) as other:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(other.lock(), 0.2)
        assert await asyncio.to_thread(count, owner_url, "price_bars") == 0

    within(steps)


def test_no_older_quote_wins(owner_url: str, within: Within) -> None:
    noon = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)

    async def steps(load: BarLoad) -> None:
        await add_instruments(load, [A])
        identity = await load.connection.fetchval("SELECT id FROM instruments")
        for price, minutes, updated in ((1, 0, 1), (2, -1, 0), (1, 0, 0), (3, 0, 1), (3, 1, 1)):
            quote = (identity, Decimal(price), noon + dt.timedelta(minutes=minutes))
            assert await update_quotes(load, [quote]) == updated

    within(steps)
    assert rows(owner_url, "SELECT price, as_of FROM quotes") == [(3, noon + dt.timedelta(minutes=1))]


def test_the_application_may_not_load(owner_url: str) -> None:
    async def as_application() -> None:
        connection = await asyncpg.connect(owner_url, server_settings={"role": "graphfolio_app"})
        try:
            await connection.execute("INSERT INTO price_bars (instrument_id) VALUES (gen_random_uuid())")
        finally:
            await connection.close()

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(as_application())

"""The load of the bundled prices, on a real PostgreSQL."""

import asyncio
import datetime as dt
import time
from decimal import Decimal

import pytest

from db.sessions import open_sessions
from investing.market.loading import LoadReport, load_market_data
from investing.market.renaming import rename_symbol
from investing.market.suspects import find_suspects
from tests.market_rows import count, rows

BARS = 19 * 8313 + 3 * 3270 + 2148 + 196


@pytest.fixture(scope="module")
def loaded_url(owner_url: str) -> str:
    """A database with the bundled prices; the first load is looked at while it runs."""
    seen: list[tuple[str, int, int]] = []
    started = time.process_time()
    report = load_market_data(owner_url, lambda *step: seen.append(step))
    assert time.process_time() - started < 20
    assert report == LoadReport(24, BARS, 0, 0, 23, ())
    assert len(seen) == 25
    assert seen[0] == ("Loading price bars", 0, 170_101)
    assert seen[-1] == ("Loading price bars", 170_101, 170_101)
    return owner_url


def test_what_is_stored(loaded_url: str) -> None:
    assert BARS == 170_101
    assert count(loaded_url, "price_bars") == BARS
    assert rows(
        loaded_url,
        "SELECT symbol, name, asset_class, currency, exchange, price_basis FROM instruments "
        "WHERE symbol IN ('AAPL', 'XOM') ORDER BY symbol",
    ) == [
        ("AAPL", "Apple Inc.", "EQUITY", "USD", "NASDAQ", "RAW"),
        ("XOM", "Exxon Mobil Corporation", "EQUITY", "USD", "NYSE", "ADJUSTED"),
    ]
    assert count(loaded_url, "instruments") == 24
    index = "SELECT i.name, q.price FROM instruments i LEFT JOIN quotes q ON q.instrument_id = i.id "
    assert rows(loaded_url, index + "WHERE i.symbol = 'SPX'") == [("S&P 500 Index", None)]


def test_the_splits_that_raw_closes_reveal(loaded_url: str) -> None:
    # As Apple and Microsoft announced them; Google's and Facebook's came after these series end.
    assert rows(
        loaded_url,
        "SELECT symbol, ex_date::text, trim_scale(quantity), trim_scale(split_for) FROM instrument_splits s "
        "JOIN instruments i ON i.id = s.instrument_id ORDER BY symbol, ex_date",
    ) == [
        ("AAPL", "2000-06-21", 2, 1),
        ("AAPL", "2005-02-28", 2, 1),
        ("MSFT", "2003-02-18", 2, 1),
    ]


def test_no_jump_looks_like_a_split_but_one_that_was_forgotten(loaded_url: str, app_url: str) -> None:
    async def found() -> list[str]:
        async with open_sessions(app_url, size=1) as sessions:
            return list(await find_suspects(sessions))

    assert asyncio.run(found()) == []
    rows(loaded_url, "DELETE FROM instrument_splits WHERE ex_date = '2005-02-28'")
    assert asyncio.run(found()) == [
        "AAPL: the close goes from 88.99 to 44.86 on 2005-02-28, like a 2-for-1 split that nobody recorded"
    ]


def test_bars_to_the_last_digit(loaded_url: str) -> None:
    query = (
        "SELECT open, high, low, close, adjusted_close, volume FROM price_bars b "
        "JOIN instruments i ON i.id = b.instrument_id WHERE symbol = $1 AND date = $2"
    )
    assert rows(loaded_url, query, "AAPL", dt.date(2013, 3, 1)) == [
        (
            Decimal("438.0"),
            Decimal("438.1799"),
            Decimal("429.98"),
            Decimal("430.47"),
            Decimal("56.1373530955"),
            Decimal("19730300"),
        )
    ]
    assert rows(loaded_url, query, "XOM", dt.date(2022, 12, 28)) == [
        (None, None, None, Decimal("106.627"), Decimal("106.627"), None)
    ]


def test_quotes_are_the_last_closes(loaded_url: str) -> None:
    query = (
        "SELECT symbol, price, as_of FROM quotes q JOIN instruments i ON i.id = q.instrument_id "
        "WHERE symbol IN ('AAPL', 'XOM') ORDER BY symbol"
    )
    assert rows(loaded_url, query) == [
        ("AAPL", Decimal("430.47"), dt.datetime(2013, 3, 1, 21, tzinfo=dt.UTC)),
        ("XOM", Decimal("106.627"), dt.datetime(2022, 12, 28, 21, tzinfo=dt.UTC)),
    ]
    assert count(loaded_url, "quotes") == 23


def test_a_second_load_changes_nothing(loaded_url: str) -> None:
    # xmin is the transaction that last wrote a row, so it tells even of a rewrite with equal values.
    query = "SELECT count(*), max(xmin::text::bigint), min(xmin::text::bigint) FROM "
    before = [rows(loaded_url, query + table) for table in ("instruments", "price_bars", "quotes")]
    started = time.process_time()
    assert load_market_data(loaded_url, lambda *step: None) == LoadReport(0, 0, BARS, 0, 0, ())
    assert time.process_time() - started < 5
    assert [rows(loaded_url, query + table) for table in ("instruments", "price_bars", "quotes")] == before


def test_what_was_renamed_is_not_loaded_under_its_former_symbol(loaded_url: str) -> None:
    ids = rows(loaded_url, "SELECT id FROM instruments WHERE symbol = 'FB'")
    rename_symbol(loaded_url, "FB", "TEMP")
    rename_symbol(loaded_url, "TEMP", "META")
    assert load_market_data(loaded_url, lambda *step: None) == LoadReport(0, 0, BARS, 0, 0, ())
    called = rows(
        loaded_url, "SELECT id, symbol, former_symbols FROM instruments WHERE former_symbols <> '{}'"
    )
    assert called == [(*ids[0], "META", ["FB", "TEMP"])]
    assert count(loaded_url, "instruments") == 24
    rename_symbol(loaded_url, "META", "FB")
    assert rows(loaded_url, "SELECT former_symbols FROM instruments WHERE symbol = 'FB'") == [
        (["TEMP", "META"],)
    ]


def test_a_load_fills_gaps_and_leaves_the_rest_to_its_owner(loaded_url: str) -> None:
    rows(loaded_url, "UPDATE instruments SET price_basis = 'RAW', name = 'Mine' WHERE symbol = 'KO'")
    of = "instrument_id = (SELECT id FROM instruments WHERE symbol = $1)"
    rows(loaded_url, f"DELETE FROM price_bars WHERE {of} AND date > '2022-12-01'", "KO")
    rows(loaded_url, f"DELETE FROM price_bars WHERE {of} AND date > '2022-12-01'", "XOM")
    rows(loaded_url, f"UPDATE price_bars SET close = 99, low = 99 WHERE {of} AND date = '2013-03-01'", "AAPL")
    later = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    rows(loaded_url, f"UPDATE quotes SET price = 120, as_of = $2 WHERE {of}", "XOM", later)

    report = load_market_data(loaded_url, lambda *step: None)

    # 18 days of trading from 2 to 28 December 2022. The quote of AAPL follows its changed bar.
    assert report == LoadReport(0, 18, BARS - 8313 - 18, 0, 1, ("KO",))
    assert rows(loaded_url, f"SELECT count(*) FROM price_bars WHERE {of}", "XOM") == [(8313,)]
    assert rows(loaded_url, f"SELECT count(*) FROM price_bars WHERE {of}", "KO") == [(8295,)]
    assert rows(loaded_url, "SELECT name FROM instruments WHERE symbol = 'KO'") == [("Mine",)]
    assert rows(loaded_url, f"SELECT price, as_of FROM quotes WHERE {of}", "XOM") == [(Decimal(120), later)]
    assert rows(loaded_url, f"SELECT close FROM price_bars WHERE {of} AND date = '2013-03-01'", "AAPL") == [
        (Decimal(99),)
    ]

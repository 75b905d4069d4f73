"""The bundled data files, as they are installed, and what becomes of ones with faults."""

import datetime as dt
import gzip
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from db.market.bars import DailyBar
from db.market.instruments import NewInstrument
from db.vocabulary import AssetClass, PriceBasis
from investing.market.bundled import BundledDataError, data_file, read_adjusted, read_bundled, read_raw
from investing.market.listings import LISTINGS

BUNDLED = {series.instrument.symbol: series for series in read_bundled()}


def test_23_shares_of_which_five_are_raw_and_an_index() -> None:
    assert list(BUNDLED) == list(LISTINGS)
    assert len(BUNDLED) == 24
    raw = {symbol for symbol, series in BUNDLED.items() if series.instrument.price_basis is PriceBasis.RAW}
    assert raw == {"AAPL", "FB", "GOOG", "IBM", "MSFT"}
    assert {symbol: len(BUNDLED[symbol].bars) for symbol in raw} == {
        "AAPL": 3270,
        "FB": 196,
        "GOOG": 2148,
        "IBM": 3270,
        "MSFT": 3270,
    }
    assert {len(series.bars) for symbol, series in BUNDLED.items() if symbol not in raw} == {8313}


def test_a_raw_bar() -> None:
    assert BUNDLED["AAPL"].instrument == NewInstrument(
        "AAPL", "Apple Inc.", AssetClass.EQUITY, "USD", "NASDAQ", PriceBasis.RAW
    )
    assert BUNDLED["AAPL"].bars[-1] == DailyBar(
        "AAPL",
        dt.date(2013, 3, 1),
        Decimal("438.0"),
        Decimal("438.1799"),
        Decimal("429.98"),
        Decimal("430.47"),
        Decimal("56.1373530955"),
        Decimal(19730300),
    )


def test_an_adjusted_bar_has_one_figure() -> None:
    close = Decimal("106.627")
    assert BUNDLED["XOM"].bars[-1] == DailyBar(
        "XOM", dt.date(2022, 12, 28), None, None, None, close, close, None
    )
    assert BUNDLED["XOM"].bars[0].date == dt.date(1990, 1, 2)


def test_the_index_has_closes_alone() -> None:
    index = BUNDLED["SPX"]
    assert index.instrument == NewInstrument(
        "SPX", "S&P 500 Index", AssetClass.OTHER, "USD", None, PriceBasis.ADJUSTED
    )
    close = Decimal("3783.22")
    assert index.bars[-1] == DailyBar("SPX", dt.date(2022, 12, 28), None, None, None, close, None, None)


def test_every_raw_bar_keeps_its_range() -> None:
    assert [
        bar for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT") for bar in BUNDLED[symbol].bars if not bar.low
    ] == []


def packed(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_close_outside_its_range_stays_and_the_range_goes(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "raw.csv.gz",
        "Ticker,Date,Open,High,Low,Close,Volume,Adj Close\nIBM,2010-01-04,5,6,4,6.5,100,3.00000000005\n",
    )
    ((_, (bar,)),) = read_raw(path)
    assert bar == DailyBar(
        "IBM", dt.date(2010, 1, 4), None, None, None, Decimal("6.5"), Decimal("3.0000000001"), Decimal(100)
    )


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "other.csv.gz", "Date,NOBODY\n2010-01-04,1\n")
    with pytest.raises(BundledDataError, match=r"^other\.csv\.gz has other columns than this version"):
        read_adjusted(path)
    with pytest.raises(BundledDataError, match="other columns"):
        read_raw(path)


@pytest.mark.parametrize("package", ["no_such_package", "rich"])
def test_a_missing_file_is_named(package: str) -> None:
    with pytest.raises(
        BundledDataError, match=rf"^The price data of the package {package} \(a\.csv\) is missing"
    ):
        data_file(package, "a.csv")


def test_reading_imports_neither_package_nor_pandas() -> None:
    code = (
        "import sys; from investing.market.bundled import read_bundled; read_bundled(); "
        "packages = {name.split('.')[0] for name in sys.modules}; "
        "print(packages & {'skfolio', 'pandas', 'numpy', 'bokeh_sampledata'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

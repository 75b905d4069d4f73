"""The prices that come with Graphfolio's dependencies: 23 US shares and an index, read from data files.

- skfolio's `sp500_dataset`: 20 shares, 1990-01-02 to 2022-12-28, closes adjusted for splits and dividends.
- skfolio's `sp500_index`: the S&P 500 on the same days, as `SPX`. It is the price index: it does not include
  the dividends of its shares, and nobody can buy it. It is there to compare with.
- bokeh_sampledata's `stocks`: AAPL, FB, GOOG, IBM and MSFT, 2000-03-01 to 2013-03-01, raw open, high, low,
  close and volume, and adjusted closes.

AAPL and MSFT are in both. The raw series is used for them: it is shorter, but raw prices get their real
splits and dividends (`investing.rules.market.corporate_actions`), which are already contained in adjusted
prices.

Neither package is imported, which would take seconds and load pandas.
"""

import csv
import datetime as dt
import gzip
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from db.market.bars import DailyBar
from db.market.instruments import NewInstrument
from db.market.splits import NewSplit
from db.vocabulary import AssetClass, PriceBasis
from investing.market.listings import INDEX, LISTINGS
from investing.rules.market.corporate_actions import Bar, Split, derive

RAW_HEADER = ["Ticker", "Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"]

_TEN_PLACES = Decimal("0.0000000001")


class BundledDataError(Exception):
    """A bundled data file is missing or has a different format; the message is one line."""


class Series(NamedTuple):
    """An instrument and its bars, by date."""

    instrument: NewInstrument
    bars: list[DailyBar]


def read_bundled() -> list[Series]:
    """Return all 23 shares and the index, by symbol. Raise BundledDataError."""
    adjusted = read_adjusted(data_file("skfolio", "datasets/data/sp500_dataset.csv.gz"))
    raw = read_raw(data_file("bokeh_sampledata", "_data/stocks.csv.gz"))
    index = read_index(data_file("skfolio", "datasets/data/sp500_index.csv.gz"))
    series = {one.instrument.symbol: one for one in (*adjusted, *raw, index)}
    return [series[symbol] for symbol in sorted(series)]


def data_file(package: str, path: str) -> Path:
    """Return where an installed package keeps a file, without importing the package.

    Raise BundledDataError if the package or the file is missing.
    """
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (file := Path(folder, path)).is_file():
            return file
    raise BundledDataError(f"The price data of the package {package} ({path}) is missing: install it again.")


def splits_of(series: Series) -> list[NewSplit]:
    """Return the splits that raw and adjusted closes reveal together; one kind alone reveals none."""
    if series.instrument.price_basis is not PriceBasis.RAW:
        return []
    bars = [Bar(bar.date, bar.close, bar.adjusted_close) for bar in series.bars if bar.adjusted_close]
    return [
        NewSplit(
            series.instrument.symbol, action.date, Decimal(action.numerator), Decimal(action.denominator)
        )
        for action in derive(bars)
        if isinstance(action, Split)
    ]


def read_adjusted(path: Path) -> list[Series]:
    """Read a table with one column of adjusted closes per symbol, in US dollars. Raise BundledDataError."""
    (_, *symbols), *rows = _rows(
        path, lambda header: header[0] == "Date" and set(header[1:]) <= set(LISTINGS)
    )
    dates = [dt.date.fromisoformat(row[0]) for row in rows]
    return [
        Series(
            _instrument(symbol, PriceBasis.ADJUSTED),
            [
                _adjusted_bar(symbol, date, Decimal(row[column]))
                for date, row in zip(dates, rows, strict=True)
            ],
        )
        for column, symbol in enumerate(symbols, 1)
    ]


def read_index(path: Path) -> Series:
    """Read a table with one column of closes, whose points are taken as US dollars.

    Raise BundledDataError if it has other columns.
    """
    _, *rows = _rows(path, ["Date", "SP500"].__eq__)
    bars = [
        DailyBar(INDEX, dt.date.fromisoformat(date), None, None, None, Decimal(close), None, None)
        for date, close in rows
    ]
    # As with adjusted prices, no dividend or split is ever booked on an index.
    name = LISTINGS[INDEX].name
    return Series(NewInstrument(INDEX, name, AssetClass.OTHER, "USD", None, PriceBasis.ADJUSTED), bars)


def read_raw(path: Path) -> list[Series]:
    """Read a table with one line per symbol and day, raw prices in US dollars. Raise BundledDataError.

    Adjusted closes are rounded half up to the ten places that are stored.
    """
    series: dict[str, Series] = {}
    for symbol, date, opened, high, low, close, volume, adjusted in list(_rows(path, RAW_HEADER.__eq__))[1:]:
        if symbol not in series:
            series[symbol] = Series(_instrument(symbol, PriceBasis.RAW), [])
        bar = DailyBar(
            symbol,
            dt.date.fromisoformat(date),
            Decimal(opened),
            Decimal(high),
            Decimal(low),
            Decimal(close),
            Decimal(adjusted).quantize(_TEN_PLACES, ROUND_HALF_UP),
            Decimal(volume),
        )
        series[symbol].bars.append(within_range(bar))
    return list(series.values())


def within_range(bar: DailyBar) -> DailyBar:
    """Return the bar, without open, high and low if they contradict each other or the close.

    A close is never changed, because portfolios are valued at it. None of the bundled bars needs this.
    """
    if bar.open is None or bar.high is None or bar.low is None:
        return bar
    if 0 <= bar.low <= min(bar.open, bar.close) and max(bar.open, bar.close) <= bar.high:
        return bar
    return bar._replace(open=None, high=None, low=None)


def _adjusted_bar(symbol: str, date: dt.date, close: Decimal) -> DailyBar:
    return DailyBar(symbol, date, None, None, None, close, close, None)


def _instrument(symbol: str, price_basis: PriceBasis) -> NewInstrument:
    listing = LISTINGS[symbol]
    return NewInstrument(symbol, listing.name, AssetClass.EQUITY, "USD", listing.exchange, price_basis)


def _rows(path: Path, fits: Callable[[list[str]], bool]) -> Iterator[list[str]]:
    """Yield the header, which must be the expected one, and the rows."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if not header or not fits(header):
            raise BundledDataError(f"{path.name} has other columns than this version of Graphfolio expects.")
        yield header
        yield from rows

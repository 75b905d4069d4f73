"""Load the bundled prices into an empty database, or add those that are missing."""

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from db.market.bars import BarLoad, bar_load
from db.market.instruments import (
    KnownInstrument,
    NewestBar,
    add_instruments,
    known_instruments,
    newest_bars,
    present_symbols,
    update_quotes,
)
from db.market.splits import add_splits
from db.vocabulary import AssetClass, PriceBasis
from investing.market.bundled import Series, read_bundled, splits_of
from investing.rules.market.market_hours import closing_time

Progress = Callable[[str, int, int], None]
"""Called with the current step, how far it is, and the total."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load found and did."""

    instruments_added: int
    bars_added: int
    bars_present: int
    bars_without_range: int
    """Bars of the data files whose open, high and low were left out because they contradict the close."""
    quotes_updated: int
    left_alone: tuple[str, ...]
    """Symbols with other stored prices, which are adjusted for something else."""


def load_market_data(owner_url: str, progress: Progress) -> LoadReport:
    """Store the bundled instruments, bars and quotes, as the owner of the tables, in one transaction.

    Existing bars stay as they are, so a second run changes nothing and takes under a second.

    Raise BundledDataError if a data file is missing.
    """
    return asyncio.run(_load(owner_url, read_bundled(), progress))


async def _load(owner_url: str, bundled: list[Series], progress: Progress) -> LoadReport:
    total = sum(len(series.bars) for series in bundled)
    done = added = 0
    progress("Loading price bars", 0, total)
    async with bar_load(owner_url) as load:
        await load.lock()
        bundled = await _renamed(load, bundled)
        known = await known_instruments(load, [series.instrument.symbol for series in bundled])
        skipped = tuple(series.instrument.symbol for series in bundled if _has_other_basis(series, known))
        wanted = [series for series in bundled if series.instrument.symbol not in skipped]
        new = [series.instrument for series in wanted if series.instrument.symbol not in known]
        await add_instruments(load, new)
        for series in bundled:
            if series.instrument.symbol not in skipped:
                added += await _fill(load, series, known)
            done += len(series.bars)
            progress("Loading price bars", done, total)
        await add_splits(load.connection, [split for series in wanted for split in splits_of(series)])
        if added:
            await load.analyze()
        # An index is only there to compare with: without a quote, no order for it finds a price.
        tradable = [s.instrument.symbol for s in wanted if s.instrument.asset_class is not AssetClass.OTHER]
        quotes = await quote_newest(load, tradable)
    present = sum(len(series.bars) for series in wanted) - added
    return LoadReport(len(new), added, present, _without_range(bundled), quotes, skipped)


async def _renamed(load: BarLoad, bundled: list[Series]) -> list[Series]:
    """Return the series under their instruments' current symbols, so that none is loaded twice."""
    present = await present_symbols(load, [series.instrument.symbol for series in bundled])
    return [
        Series(
            series.instrument._replace(symbol=symbol), [bar._replace(symbol=symbol) for bar in series.bars]
        )
        if (symbol := present.get(series.instrument.symbol))
        else series
        for series in bundled
    ]


async def quote_newest(load: BarLoad, symbols: Sequence[str]) -> int:
    """Quote each symbol at its newest close unless it has a newer quote; return how many changed."""
    now = dt.datetime.now(dt.UTC)
    newest = await newest_bars(load, symbols)
    return await update_quotes(load, [(bar.instrument_id, bar.close, _as_of(bar, now)) for bar in newest])


def _as_of(bar: NewestBar, now: dt.datetime) -> dt.datetime:
    # Today's bar may arrive before New York closes, and a quote from the future would block real ones.
    return min(closing_time(bar.date), now)


async def _fill(load: BarLoad, series: Series, known: dict[str, KnownInstrument]) -> int:
    """Add the bars that are missing; return how many."""
    stored = known.get(series.instrument.symbol)
    missing = [bar for bar in series.bars if stored is None or bar.date not in stored.dates]
    if not missing:
        return 0
    await load.stage(missing)
    return (await load.store()).inserted


def _has_other_basis(series: Series, known: dict[str, KnownInstrument]) -> bool:
    """Return whether prices of another basis are stored: the two must never mix in one series."""
    stored = known.get(series.instrument.symbol)
    return stored is not None and stored.price_basis != series.instrument.price_basis


def _without_range(bundled: list[Series]) -> int:
    return sum(
        bar.low is None
        for series in bundled
        if series.instrument.price_basis is PriceBasis.RAW
        for bar in series.bars
    )

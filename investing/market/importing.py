"""Import daily bars from a CSV file, the whole of it or nothing."""

import asyncio
import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from db.market.bars import BarLoad, DailyBar, Stored, bar_load
from db.market.instruments import (
    NewInstrument,
    add_instruments,
    count_own,
    set_basis,
    shared_symbols,
    staged_symbols,
    stored_bases,
)
from db.vocabulary import AssetClass, PriceBasis
from investing.market.loading import Progress, quote_newest
from investing.market.price_files import LONGEST_LINE, PriceFile, PriceFileError, open_prices
from investing.market.price_lines import BadPriceLine, HeaderError, LineReader, read_header
from investing.rules.errors import InvalidInput
from investing.rules.market.instruments import MOST_OWN, checked_currency

ReportBad = Callable[[int, str], None]
"""Called with a bad line's number, counted from 1 with the header, and the reason."""


@dataclass(frozen=True, slots=True)
class PriceImportReport:
    """What an import found and did. If `loaded` is false, it changed nothing."""

    loaded: bool
    lines: int
    """Lines with bars, good or bad, without the header and empty lines."""
    bad: int
    inserted: int
    changed: int
    unchanged: int
    instruments_added: int
    quotes_updated: int
    splits_added: int = 0
    new_symbols: Sequence[str] = field(default=(), compare=False)
    """The symbols of the instruments added."""


def import_prices(
    owner_url: str,
    path: str | os.PathLike[str],
    *,
    skip_bad: bool,
    progress: Progress,
    report_bad: ReportBad,
    currency: str = "USD",
    basis: PriceBasis | None = None,
    owner_id: UUID | None = None,
) -> PriceImportReport:
    """Store the daily bars of a CSV file, plain or gzip, as the owner of the tables, in one transaction.

    Every bad line is reported; if there is any, nothing is loaded unless `skip_bad`. Bars that are already
    stored are changed if the file differs; a field that a line leaves empty stays as it is as long as it fits
    the new close. A second run changes nothing. Unknown symbols become instruments of class OTHER in
    `currency` (ISO 4217), named like the symbol. The order of lines does not matter, and memory does not grow
    with their number: repeated lines are found by the database, and so are reported last.

    `basis` is what the closes are adjusted for; None means what is stored for an instrument, or raw if
    nothing is. A split in a line becomes a split of the instrument, which reaches everybody who held it.

    With `owner_id` the bars are of that user's own instruments: unknown symbols become such instruments, and
    nobody else sees any of it.

    Raise PriceFileError if the file cannot be imported at all, if a user's own symbol is a shared
    instrument's, if the user would have more than MOST_OWN, and if ISO 4217 does not have the currency.
    """
    try:
        checked_currency(currency)
    except InvalidInput as domain_error:
        raise PriceFileError(f"--currency: {domain_error.message}") from None
    with open_prices(path) as file:
        importing = _Import(file, skip_bad, progress, report_bad, currency, basis)
        return asyncio.run(importing.run(owner_url, owner_id))


class _Import:
    """An import in progress, with its counts."""

    def __init__(
        self,
        file: PriceFile,
        skip_bad: bool,
        progress: Progress,
        report_bad: ReportBad,
        currency: str,
        basis: PriceBasis | None,
    ) -> None:
        self._file = file
        self._skip_bad = skip_bad
        self._progress = progress
        self._report_bad = report_bad
        self._currency = currency
        self._basis = basis
        self._lines = 0
        self._bad = 0

    async def run(self, owner_url: str, owner_id: UUID | None) -> PriceImportReport:
        columns = self._header()
        async with bar_load(owner_url, owner_id) as load:
            bases = await stored_bases(load)
            reader = LineReader(columns, _latest_date(), bases, self._basis)
            await load.stage(self._bars(reader))
            async for line, first in load.repeated():
                self._refuse(line, f"line {first} has the same symbol and date")
            async for line, ratio in load.contradicted():
                self._refuse(line, f"the split already recorded for that day is {ratio}")
            if self._bad and not self._skip_bad:
                load.discard()
                return self._report(False, Stored(0, 0, 0), (), 0)
            return await self._store(load, bases)

    async def _store(self, load: BarLoad, bases: Mapping[str, PriceBasis]) -> PriceImportReport:
        self._progress("Storing price bars", 0, 1)
        await load.lock()
        symbols = await staged_symbols(load)
        new = [self._instrument(symbol) for symbol, known in symbols.items() if not known]
        if load.owner_id is not None and new:
            await _check_own(load, [instrument.symbol for instrument in new])
        await add_instruments(load, new)
        if self._basis is not None:
            await set_basis(load, [symbol for symbol in symbols if symbol not in bases], self._basis)
        stored = await load.store()
        if stored.inserted:
            await load.analyze()
        quotes = await quote_newest(load, list(symbols))
        self._progress("Storing price bars", 1, 1)
        return self._report(True, stored, [one.symbol for one in new], quotes, load.splits_added)

    def _header(self) -> list[str]:
        first = next(self._file.lines, None)
        if first is None:
            raise PriceFileError(f"{self._file.name} is empty.")
        try:
            return read_header(first.text or "")
        except HeaderError as error:
            raise PriceFileError(f"{self._file.name}: {error}.") from None

    def _bars(self, reader: LineReader) -> Iterator[DailyBar]:
        """Yield the good lines as bars; report the others, and the progress."""
        for line in self._file.lines:
            if line.text is not None and not line.text.strip():
                continue
            self._lines += 1
            if self._lines % 5000 == 0:
                self._progress("Reading prices", self._file.position(), self._file.size)
            try:
                if line.text is None:
                    raise BadPriceLine(f"it is longer than {LONGEST_LINE} bytes")
                yield reader.read(line.number, line.text)
            except BadPriceLine as error:
                self._refuse(line.number, str(error))
        if not self._lines:
            raise PriceFileError(f"{self._file.name} has headers, but no prices.")
        self._progress("Reading prices", self._file.size, self._file.size)

    def _refuse(self, line: int, reason: str) -> None:
        self._bad += 1
        self._report_bad(line, reason)

    def _instrument(self, symbol: str) -> NewInstrument:
        return NewInstrument(
            symbol, symbol, AssetClass.OTHER, self._currency, None, self._basis or PriceBasis.RAW
        )

    def _report(
        self, loaded: bool, stored: Stored, new: Sequence[str], quotes: int, splits: int = 0
    ) -> PriceImportReport:
        return PriceImportReport(
            loaded, self._lines, self._bad, *stored, len(new), quotes, splits, sorted(new)
        )


async def _check_own(load: BarLoad, symbols: Sequence[str]) -> None:
    """Raise PriceFileError if these cannot be instruments of the user's own."""
    if taken := sorted(await shared_symbols(load, symbols)):
        raise PriceFileError(
            f"{taken[0]} is a shared instrument: its prices are imported without --user. Nothing was loaded."
        )
    if await count_own(load) + len(symbols) > MOST_OWN:
        raise PriceFileError(
            f"A user can have at most {MOST_OWN:,} instruments of their own. Nothing was loaded."
        )


def _latest_date() -> dt.date:
    """Return the latest date anywhere in the world: that of the zone fourteen hours ahead of UTC."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(hours=14)).date()

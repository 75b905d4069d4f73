"""The rows of one import on their way to the ledger: what is known of each so far."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.trading import imports
from db.trading.ledger_reads import InstrumentRow
from db.trading.split_places import HeldSplit, find_adjusted, find_as_traded
from db.trading.splits import find_matched, newest_splits
from db.vocabulary import TransactionType
from db.writing import RawConnection
from investing.background import run_apart
from investing.rules.errors import CurrencyMismatch, DomainError, InvalidInput
from investing.rules.errors import UnknownInstrument as Unknown
from investing.rules.market.market_hours import day_of
from investing.rules.trading.duplicates import KnownEntries
from investing.rules.trading.import_rows import (
    BadRow,
    Content,
    IgnoredRow,
    ImportRow,
    Parsed,
    content_of,
    entry_of_row,
)
from investing.rules.trading.ledger import Entry
from investing.rules.trading.ordering import order_key
from investing.rules.warnings import Warning, warnings_of_entry
from investing.trading.adjusted import check_adjusted, check_as_traded
from investing.trading.bulk import BatchEntry
from investing.trading.reports import RowResult, RowStatus
from investing.trading.transaction_rows import CashLocation

_TWO_DAYS = dt.timedelta(days=2)


@dataclass(frozen=True)
class _Read:
    """A row that makes an entry; `place` is the row's in the file."""

    place: int
    row: ImportRow
    entry: Entry
    instrument_id: UUID | None

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the sort key: the time, the place that the file gives, and then the ordering rule."""
        entry = self.entry
        numbers = (entry.quantity, entry.price, entry.amount, entry.commission, entry.split_for)
        given = self.row.place
        return (
            entry.executed_at,
            given is None,
            given or 0,
            order_key(entry.type, self.row.symbol, self.row.notes, *numbers),
        )

    @property
    def date(self) -> dt.date | None:
        """Return the day, if the row gives no time."""
        return None if isinstance(self.row.executed_at, dt.datetime) else self.row.executed_at


class Sheet:
    """The rows of one import, and the lines of the ledger that they make, by their place in the file."""

    def __init__(self, rows: Sequence[Parsed], place: CashLocation, is_split_adjusted: bool = False) -> None:
        self.place = place
        self._is_split_adjusted = is_split_adjusted
        self._warnings: dict[int, tuple[Warning, ...]] = {}
        self._splits: Mapping[UUID, dt.datetime] = {}
        """The newest splits on the ledger, if quantities are adjusted already."""
        self._as_traded: Sequence[HeldSplit] = ()
        self._adjusted: Sequence[HeldSplit] = ()
        """The splits before which the portfolio has quantities of the other kind."""
        self._posted: set[tuple[UUID, dt.date]] = set()
        """Instruments' splits of these days that the portfolio has an entry of, or gets one here."""
        self.lines: dict[int, BatchEntry] = {}
        self.order: list[int] = []
        """The places of the rows to post, in the order of time and then of `rules.ordering`."""
        self.outcomes: list[RowResult | None] = [None] * len(rows)
        self._rows = rows

    async def read(self, connection: RawConnection) -> None:
        """Make the rows lines of the ledger; refuse invalid ones, and find those that are there already."""
        good = [(place, row) for place, row in enumerate(self._rows) if isinstance(row, ImportRow)]
        symbols = sorted({row.symbol for _, row in good if row.symbol is not None})
        instruments = (
            await imports.find_instruments(connection, self.place.owner_id, symbols) if symbols else {}
        )
        now = dt.datetime.now(dt.UTC)
        read = await run_apart(self.place.owner_id, self._read_all, good, instruments, now)
        await self._take(connection, read)
        for place in [place for place in self.order if self._row(place).type is TransactionType.SPLIT]:
            await self._match(connection, place, self.lines[place])

    def _read_all(
        self,
        good: Sequence[tuple[int, ImportRow]],
        instruments: Mapping[str, InstrumentRow],
        now: dt.datetime,
    ) -> list[_Read]:
        """Return the valid rows in the order of the ledger, and refuse the others."""
        read = []
        for place, row in good:
            try:
                read.append(self._read(place, row, instruments, now))
            except DomainError as domain_error:
                self.refuse(place, domain_error)
        read.sort(key=lambda one: one.key)
        return read

    def _read(
        self, place: int, row: ImportRow, instruments: Mapping[str, InstrumentRow], now: dt.datetime
    ) -> _Read:
        entry = entry_of_row(row, uuid7(), now, self.place.currency, self.place.time_zone)
        found = None if row.symbol is None else instruments.get(row.symbol)
        basis = None if found is None else found.price_basis
        self._warnings[place] = warnings_of_entry(row.type, row.symbol, basis)
        return _Read(place, row, entry, self._instrument_id(row.symbol, instruments))

    def _instrument_id(self, symbol: str | None, instruments: Mapping[str, InstrumentRow]) -> UUID | None:
        if symbol is None:
            return None
        if symbol not in instruments:
            raise Unknown.named(symbol, ("symbol",))
        currency = instruments[symbol].currency
        if currency != self.place.currency:
            raise CurrencyMismatch(
                f"{symbol} trades in {currency}, the portfolio is in {self.place.currency}.",
                ("symbol",),
                expected=self.place.currency,
                actual=currency,
            )
        return instruments[symbol].id

    async def _take(self, connection: RawConnection, read: Sequence[_Read]) -> None:
        """Make lines of all that is not on the ledger yet; their ids ascend, as the ledger's order does."""
        recorded = await self._recorded(connection, read)
        await self._read_units(connection)
        await run_apart(self.place.owner_id, self._add_new, read, recorded)

    def _add_new(self, read: Sequence[_Read], recorded: KnownEntries) -> None:
        contents = [_content(one) for one in read]
        known = recorded.find([(content, one.date) for content, one in zip(contents, read, strict=True)])
        for one, content, is_known in zip(read, contents, known, strict=True):
            if is_known:
                row = one.row
                self.outcomes[one.place] = RowResult(row.line, RowStatus.DUPLICATE, source=row.source)
                continue
            try:
                self._check_units(one)
            except InvalidInput as refused:
                self.refuse(one.place, refused)
                continue
            self.lines[one.place] = BatchEntry(
                replace(one.entry, id=uuid7()),
                one.instrument_id,
                one.row.notes,
                content,
                recorded.count(content),
                one.row.place is not None,
                self._is_split_adjusted,
            )
            self.order.append(one.place)

    async def _read_units(self, connection: RawConnection) -> None:
        assert self.place.portfolio_id is not None
        key = (connection, self.place.owner_id, self.place.portfolio_id)
        if self._is_split_adjusted:
            self._splits = await newest_splits(*key)
            self._as_traded = await find_as_traded(*key)
        else:
            self._adjusted = await find_adjusted(*key)

    def _check_units(self, one: _Read) -> None:
        """Raise InvalidInput if a split would wrongly multiply the row's shares, or wrongly not do so."""
        if not self._is_split_adjusted:
            check_as_traded(one.entry, one.instrument_id, self._adjusted, self.place.time_zone)
            return
        newest = None if one.instrument_id is None else self._splits.get(one.instrument_id)
        if newest is None or not one.entry.of_shares or one.entry.executed_at >= newest:
            check_adjusted(one.entry, one.instrument_id, self._as_traded)
            return
        raise InvalidInput(
            f"The portfolio has a split of {day_of(newest, self.place.time_zone)} after this, which would "
            "multiply a quantity that is adjusted already: reverse it first, or import quantities as they "
            "were traded.",
            ("quantity",),
        )

    async def _match(self, connection: RawConnection, place: int, line: BatchEntry) -> None:
        """Find whether a row is a split of the instrument that the portfolio already has an entry of."""
        assert self.place.portfolio_id is not None
        assert line.instrument_id is not None, "a split is one of an instrument"
        entry = line.entry
        assert entry.quantity is not None, "a split has a quantity"
        assert entry.split_for is not None, "a split has a ratio"
        key = (self.place.owner_id, self.place.portfolio_id, line.instrument_id)
        facts = (entry.executed_at, entry.quantity, entry.split_for)
        found = await find_matched(connection, *key, *facts)
        if found is None:
            return
        if self._is_split_adjusted and found.transaction_id is None:
            words = "The quantities are adjusted for this split already: leave it out."
            self.refuse(place, InvalidInput(words, ("quantity",)))
            del self.lines[place]
            self.order.remove(place)
            return
        split = (line.instrument_id, found.ex_date)
        if found.transaction_id is not None or split in self._posted:
            row = self._rows[place]
            self.outcomes[place] = RowResult(row.line, RowStatus.DUPLICATE, source=row.source)
            del self.lines[place]
            self.order.remove(place)
        self._posted.add(split)

    async def _recorded(self, connection: RawConnection, read: Sequence[_Read]) -> KnownEntries:
        assert self.place.portfolio_id is not None
        key = (self.place.owner_id, self.place.portfolio_id)
        if any(one.date is not None for one in read):
            # Sorted by time; what a date may be found at is less than two days from the start of its day.
            first, last = _before(read[0].entry.executed_at), read[-1].entry.executed_at + _TWO_DAYS
            rows = await imports.recorded_between(connection, *key, first, last)
        else:
            instants = sorted({one.entry.executed_at for one in read})
            rows = await imports.recorded_at(connection, *key, instants)

        def known() -> KnownEntries:
            contents = [(content_of(*row[:-1]), row.is_undone) for row in rows]
            undone = [content for content, is_undone in contents if is_undone]
            remaining = [content for content, is_undone in contents if not is_undone]
            return KnownEntries(remaining, self.place.time_zone, undone)

        return await run_apart(self.place.owner_id, known)

    def _row(self, place: int) -> ImportRow:
        row = self._rows[place]
        assert isinstance(row, ImportRow), "only such a row is a line of the ledger"
        return row

    def refuse(self, place: int, domain_error: DomainError) -> None:
        """Note why the row cannot be posted."""
        row = self._rows[place]
        self.outcomes[place] = RowResult(
            row.line, RowStatus.REFUSED, domain_error=domain_error, source=row.source
        )

    def is_bad(self) -> bool:
        """Return whether any row is refused."""
        refused = any(outcome is not None and outcome.domain_error for outcome in self.outcomes)
        return refused or any(isinstance(row, BadRow) for row in self._rows)

    def report(self, written: bool) -> list[RowResult]:
        """Return the outcome of every row, in the order of the file."""
        return [self._outcome(place, row, written) for place, row in enumerate(self._rows)]

    def _outcome(self, place: int, row: Parsed, written: bool) -> RowResult:
        if (known := self.outcomes[place]) is not None:
            return known
        match row:
            case BadRow():
                return RowResult(
                    row.line, RowStatus.REFUSED, domain_error=row.domain_error, source=row.source
                )
            case IgnoredRow():
                return RowResult(
                    row.line, RowStatus.IGNORED, source=row.source, reason=row.reason, group=row.group
                )
            case _:
                id = self.lines[place].entry.id if written else None
                return RowResult(
                    row.line,
                    RowStatus.OK,
                    id,
                    source=row.source,
                    reason=row.remark,
                    warnings=self._warnings.get(place, ()),
                )


def _content(one: _Read) -> Content:
    entry = one.entry
    return content_of(
        entry.type.value,
        one.instrument_id,
        entry.quantity,
        entry.price,
        entry.amount,
        entry.commission,
        entry.split_for,
        entry.executed_at,
    )


def _before(instant: dt.datetime) -> dt.datetime:
    try:
        return instant - _TWO_DAYS
    except OverflowError:
        return instant

"""Importing many transactions of one portfolio: all or nothing, or all that are good; safe to run twice."""

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading import imports
from db.trading.splits import find_matched, newest_splits
from db.trading.writes import lock_portfolio
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once
from investing.rules.import_rows import (
    BadRow,
    Content,
    IgnoredRow,
    ImportRow,
    Parsed,
    content_of,
    entry_of_row,
)
from investing.rules.ledger import SHARE_TYPES, Entry
from investing.rules.refusals import (
    CurrencyMismatch,
    Inactive,
    InvalidInput,
    NotFound,
    PortfolioInactive,
    Refusal,
)
from investing.rules.refusals import UnknownInstrument as Unknown
from investing.rules.warnings import Warning, warnings_of_entry
from investing.trading.bulk import Batch, Line, Progress
from investing.trading.locking import lock_all_reached
from investing.trading.posting import Place
from investing.trading.reports import ImportReport, Outcome, RowStatus, dump_report, load_report

_FIRST = UUID(int=0)

MOST_ROWS = 1000
"""In one mutation, whose body may have 256 KiB; a file on the command line has no such limit."""


def _quiet(step: str, done: int, total: int) -> None:
    """Reports nothing."""


@dataclasses.dataclass(frozen=True)
class _How:
    """How an import is made: see `import_rows`."""

    dry_run: bool
    skip_bad: bool
    adjusted_quantities: bool


async def import_rows(
    actor: Actor,
    portfolio_id: UUID,
    rows: Sequence[Parsed],
    *,
    dry_run: bool = False,
    skip_bad: bool = False,
    adjusted_quantities: bool = False,
    progress: Progress = _quiet,
) -> ImportReport:
    """Puts the rows on the portfolio's ledger, in one transaction. An outcome for each row, in their order.

    Rows are posted in the order of time. Any refused row leaves nothing written, unless `skip_bad`; a row
    that is on the ledger already, with all its figures, is a duplicate and does nothing. A dry run says what
    would come of it. With `adjusted_quantities` the rows' quantities are for shares of today already: the
    instruments' splits until now are not posted after them. Raises NotFound and Inactive for the portfolio.
    """
    async with actor.sessions.begin(actor.id) as session:
        how = _How(dry_run, skip_bad, adjusted_quantities)
        return await _import(session, actor, portfolio_id, rows, how, progress)


async def import_rows_once(
    actor: Actor,
    portfolio_id: UUID,
    rows: Sequence[ImportRow],
    *,
    skip_bad: bool,
    adjusted_quantities: bool = False,
    idempotency_key: str,
) -> ImportReport:
    """The same, not dry, and a retry with the same key answers with the report of the first time.

    Raises InvalidInput, NotFound, Inactive and IdempotencyMismatch.
    """

    async def effect(session: Session) -> UUID:
        how = _How(False, skip_bad, adjusted_quantities)
        report = await _import(session, actor, portfolio_id, rows, how, _quiet)
        id = uuid7()
        values = {
            "owner_id": actor.id,
            "id": id,
            "portfolio_id": portfolio_id,
            "report": dump_report(report),
        }
        await imports.insert_import(session, values)
        return id

    arguments: Mapping[str, Any] = {
        "portfolio": portfolio_id,
        "rows": [dataclasses.astuple(row) for row in rows],
        "skipBad": skip_bad,
        # As it always was where nobody asks for it, so that an older key still fits.
        **({"adjustedQuantities": True} if adjusted_quantities else {}),
    }
    id = await once(actor.sessions, actor.id, idempotency_key, "importTransactions", arguments, effect)
    async with actor.sessions.begin(actor.id) as session:
        return load_report((await imports.find_import(session, actor.id, id))["report"])


def check_count(count: int) -> None:
    """Raises InvalidInput for more rows than one mutation may have."""
    if count > MOST_ROWS:
        raise InvalidInput(
            f"One import has at most {MOST_ROWS} rows, not {count}: send several, or use the command line.",
            ("rows",),
        )


async def _import(
    session: Session,
    actor: Actor,
    portfolio_id: UUID,
    rows: Sequence[Parsed],
    how: _How,
    progress: Progress,
) -> ImportReport:
    await _lock_reached(session, actor.id, portfolio_id, rows)
    portfolio = await lock_portfolio(session, actor.id, portfolio_id)
    if portfolio is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    if not portfolio["is_active"]:
        raise PortfolioInactive
    if not portfolio["account_is_active"]:
        raise Inactive("The portfolio's account is archived: restore it first.", ("portfolioId",))
    sheet = _Sheet(rows, Place.of_portfolio(actor.id, portfolio), how.adjusted_quantities)
    await sheet.read(session)
    batch = Batch(session, sheet.place, [sheet.lines[place] for place in sheet.order])
    merged = await batch.merge()
    batch.check_reserved(merged)
    for number, refusal in merged.refusals.items():
        sheet.refuse(sheet.order[number], refusal)
    bad = sheet.is_bad()
    writing = not how.dry_run and bool(merged.postings) and (how.skip_bad or not bad)
    if writing:
        await batch.save(merged, progress)
        await note(
            session,
            actor.id,
            actor.client,
            "transactions.imported",
            "Portfolio",
            portfolio_id,
            transactions=len(merged.postings),
        )
    return ImportReport(writing, sheet.report(writing))


async def _lock_reached(session: Session, owner_id: UUID, portfolio_id: UUID, rows: Sequence[Parsed]) -> None:
    """Locks, by id, what the rows change: also where shares of the portfolio were transferred to since."""
    first: dict[str, dt.datetime] = {}
    for row in rows:
        if isinstance(row, ImportRow) and row.symbol is not None and row.type in SHARE_TYPES:
            first[row.symbol] = min(row.executed_at, first.get(row.symbol, row.executed_at))
    if first:
        instruments = await imports.find_instruments(session, sorted(first))
        starts = {
            instrument["id"]: {portfolio_id: (first[symbol], _FIRST)}
            for symbol, instrument in instruments.items()
        }
        await lock_all_reached(session, owner_id, starts)


class _Sheet:
    """The rows of one import and what is known of each so far, by its place in the file."""

    def __init__(self, rows: Sequence[Parsed], place: Place, is_split_adjusted: bool) -> None:
        self.place = place
        self._is_split_adjusted = is_split_adjusted
        self._warnings: dict[int, tuple[Warning, ...]] = {}
        self._splits: Mapping[UUID, dt.datetime] = {}
        """The newest splits on the ledger, where quantities are adjusted already."""
        self._posted: set[tuple[UUID, dt.date]] = set()
        """Instruments' splits of these days that the portfolio has an entry of, or gets one here."""
        self.lines: dict[int, Line] = {}
        self.order: list[int] = []
        """The places of the rows to post, in the order of time."""
        self.outcomes: list[Outcome | None] = [None] * len(rows)
        self._rows = rows

    async def read(self, session: Session) -> None:
        """Makes the rows lines of the ledger; refuses what cannot be one, and finds what is there already."""
        good = [(place, row) for place, row in enumerate(self._rows) if isinstance(row, ImportRow)]
        good.sort(key=lambda pair: (pair[1].executed_at, pair[1].rank))
        symbols = sorted({row.symbol for _, row in good if row.symbol is not None})
        instruments = await imports.find_instruments(session, symbols) if symbols else {}
        recorded = await self._recorded(session, sorted({row.executed_at for _, row in good}))
        if self._is_split_adjusted:
            assert self.place.portfolio_id is not None
            self._splits = await newest_splits(session, self.place.owner_id, self.place.portfolio_id)
        now = dt.datetime.now(dt.UTC)
        seen: Counter[Content] = Counter()
        for place, row in good:
            try:
                self._read(place, row, instruments, now, recorded, seen)
                if row.type is TransactionType.SPLIT and place in self.lines:
                    await self._match(session, place, self.lines[place])
            except Refusal as refusal:
                self.refuse(place, refusal)

    async def _recorded(self, session: Session, instants: Sequence[dt.datetime]) -> Counter[Content]:
        assert self.place.portfolio_id is not None
        rows = await imports.recorded_at(session, self.place.owner_id, self.place.portfolio_id, instants)
        return Counter(content_of(**row) for row in rows)

    def _read(
        self,
        place: int,
        row: ImportRow,
        instruments: Mapping[str, Mapping[Any, Any]],
        now: dt.datetime,
        recorded: Mapping[Content, int],
        seen: Counter[Content],
    ) -> None:
        # Made in the order of time, so that ids keep the order of rows of the same instant.
        entry = entry_of_row(row, uuid7(), now, self.place.currency)
        instrument_id = self._instrument_id(row.symbol, instruments)
        content = content_of(
            entry.type.value,
            instrument_id,
            entry.quantity,
            entry.price,
            entry.amount,
            entry.commission,
            entry.split_for,
            entry.executed_at,
        )
        seen[content] += 1
        if seen[content] <= recorded.get(content, 0):
            self.outcomes[place] = Outcome(row.line, RowStatus.DUPLICATE, source=row.source)
            return
        self._check_splits(entry, instrument_id)
        self.lines[place] = Line(
            entry, instrument_id, row.notes, content, recorded.get(content, 0), self._is_split_adjusted
        )
        self.order.append(place)
        basis = None if row.symbol is None else instruments[row.symbol]["price_basis"]
        self._warnings[place] = warnings_of_entry(row.type, row.symbol, basis)

    def _check_splits(self, entry: Entry, instrument_id: UUID | None) -> None:
        """Raise InvalidInput for shares that are adjusted already, and that a split would multiply."""
        newest = None if instrument_id is None else self._splits.get(instrument_id)
        if entry.of_shares and newest is not None and entry.executed_at < newest:
            raise InvalidInput(
                f"The portfolio has a split of {newest:%Y-%m-%d} after this, which would multiply a quantity "
                "that is adjusted already: reverse it first, or import quantities as they were traded.",
                ("quantity",),
            )

    async def _match(self, session: Session, place: int, line: Line) -> None:
        """Find whether a row is a split of the instrument's that the portfolio has an entry of already."""
        assert self.place.portfolio_id is not None
        assert line.instrument_id is not None, "a split is one of an instrument"
        entry = line.entry
        assert entry.quantity is not None, "a split has a quantity"
        assert entry.split_for is not None, "a split has a ratio"
        key = (self.place.owner_id, self.place.portfolio_id, line.instrument_id)
        facts = (entry.executed_at, entry.quantity, entry.split_for)
        found = await find_matched(session, *key, *facts)
        if found is None:
            return
        split = (line.instrument_id, found["ex_date"])
        if found["transaction_id"] is not None or split in self._posted:
            row = self._rows[place]
            self.outcomes[place] = Outcome(row.line, RowStatus.DUPLICATE, source=row.source)
            del self.lines[place]
            self.order.remove(place)
        self._posted.add(split)

    def _instrument_id(self, symbol: str | None, instruments: Mapping[str, Mapping[Any, Any]]) -> UUID | None:
        if symbol is None:
            return None
        if symbol not in instruments:
            raise Unknown(f"There is no instrument {symbol}.", ("symbol",), symbol=symbol)
        currency: str = instruments[symbol]["currency"]
        if currency != self.place.currency:
            raise CurrencyMismatch(
                f"{symbol} trades in {currency}, the portfolio is in {self.place.currency}.",
                ("symbol",),
                expected=self.place.currency,
                actual=currency,
            )
        found: UUID = instruments[symbol]["id"]
        return found

    def refuse(self, place: int, refusal: Refusal) -> None:
        """Notes why the row cannot be posted."""
        row = self._rows[place]
        self.outcomes[place] = Outcome(row.line, RowStatus.REFUSED, refusal=refusal, source=row.source)

    def is_bad(self) -> bool:
        """Whether any row is refused."""
        refused = any(outcome is not None and outcome.refusal for outcome in self.outcomes)
        return refused or any(isinstance(row, BadRow) for row in self._rows)

    def report(self, written: bool) -> list[Outcome]:
        """The outcome of every row, in the order of the file."""
        return [self._outcome(place, row, written) for place, row in enumerate(self._rows)]

    def _outcome(self, place: int, row: Parsed, written: bool) -> Outcome:
        if (known := self.outcomes[place]) is not None:
            return known
        match row:
            case BadRow():
                return Outcome(row.line, RowStatus.REFUSED, refusal=row.refusal, source=row.source)
            case IgnoredRow():
                return Outcome(row.line, RowStatus.IGNORED, source=row.source, reason=row.reason)
            case _:
                id = self.lines[place].entry.id if written else None
                warnings = self._warnings.get(place, ())
                return Outcome(row.line, RowStatus.OK, id, source=row.source, warnings=warnings)

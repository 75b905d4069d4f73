"""Import many transactions of one portfolio: all or none, or all that are valid; safe to run twice."""

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.locks import NO_LOCKS
from db.trading import history, imports
from db.trading import ledger_reads as reads
from db.trading.ledger import LedgerTransaction, transact
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import add_note
from investing.background import run_apart
from investing.idempotency import Intent, once
from investing.rules.errors import AccountInactive, InvalidInput, NotFound, PortfolioInactive
from investing.rules.trading.import_rows import ImportRow, Parsed, instant_of
from investing.rules.trading.ledger import SHARE_TYPES
from investing.rules.trading.merging import Merged
from investing.rules.trading.splits import first_affected
from investing.trading.bulk import Batch, Progress
from investing.trading.identifying import identified
from investing.trading.locking import hold_all_reached
from investing.trading.reports import ImportReport, dump_report, load_report
from investing.trading.sheet import Sheet
from investing.trading.transaction_rows import CashLocation

_FIRST = UUID(int=0)

API = "api"
"""The format of what came over the API, which keeps its report."""

MOST_ROWS = 1000
"""In one mutation, whose body may have 256 KiB; a file on the command line has no such limit."""


def _quiet(step: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclasses.dataclass(frozen=True)
class _How:
    """How an import is made: see `import_rows`."""

    format: str
    dry_run: bool
    skip_bad: bool
    adjusted_quantities: bool


async def import_rows(
    actor: Actor,
    portfolio_id: UUID,
    rows: Sequence[Parsed],
    *,
    format: str = "csv",
    dry_run: bool = False,
    skip_bad: bool = False,
    adjusted_quantities: bool = False,
    progress: Progress = _quiet,
) -> ImportReport:
    """Put the rows on the portfolio's ledger in one transaction; return an outcome for each row, in order.

    `format` names the format that they came in, and is kept with the import.

    Rows are posted in the order of time, those of the same instant by `rules.ordering`; a date alone is the
    start of that day in the account's time zone. If any row is refused nothing is written, unless `skip_bad`;
    a row that is on the ledger already, with all its figures, is a duplicate and does nothing. A dry run
    reports what would happen. With `adjusted_quantities` the rows' quantities are already adjusted to today's
    shares: the instruments' splits until now are not posted after them.

    Raise NotFound and AccountInactive for the portfolio.
    """
    how = _How(format, dry_run, skip_bad, adjusted_quantities)

    async def act(ledger: LedgerTransaction) -> ImportReport:
        _, report = await _import(ledger, actor, portfolio_id, rows, how, progress)
        return report

    return await transact(actor.sessions, actor.id, NO_LOCKS, act)


async def import_rows_once(
    actor: Actor,
    portfolio_id: UUID,
    rows: Sequence[ImportRow],
    *,
    skip_bad: bool,
    adjusted_quantities: bool = False,
    idempotency_key: str,
) -> ImportReport:
    """Import as `import_rows` does, not dry; return the first report to a retry with the same key.

    Raise InvalidInput, NotFound, AccountInactive and IdempotencyMismatch.
    """

    how = _How(API, False, skip_bad, adjusted_quantities)

    async def act(ledger: LedgerTransaction) -> UUID:
        id, _ = await _import(ledger, actor, portfolio_id, rows, how, _quiet)
        return id

    def intended() -> Intent:
        arguments: Mapping[str, Any] = {
            "portfolio": portfolio_id,
            "rows": [dataclasses.astuple(row) for row in rows],
            "skipBad": skip_bad,
            # Left out if not requested, so that a key from before the option existed still matches.
            **({"adjustedQuantities": True} if adjusted_quantities else {}),
        }
        return Intent.of(actor.id, idempotency_key, "importTransactions", arguments)

    intent = await run_apart(actor.id, intended)
    id = await once(actor.sessions, intent, NO_LOCKS, act)
    async with actor.sessions.reading(actor.id) as connection:
        kept = await imports.find_report(connection, actor.id, id)
    return await run_apart(actor.id, load_report, id, kept)


def check_count(count: int) -> None:
    """Raise InvalidInput if there are more rows than one mutation may have."""
    if count > MOST_ROWS:
        raise InvalidInput(
            f"One import has at most {MOST_ROWS} rows, not {count}: send several, or use the command line.",
            ("rows",),
        )


async def _import(
    ledger: LedgerTransaction,
    actor: Actor,
    portfolio_id: UUID,
    rows: Sequence[Parsed],
    how: _How,
    progress: Progress,
) -> tuple[UUID, ImportReport]:
    connection = ledger.connection
    time_zone = await imports.time_zone_of(connection, actor.id, portfolio_id)
    if time_zone is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    rows = await identified(connection, actor.id, rows)
    await _hold_reached(ledger, portfolio_id, rows, time_zone)
    portfolio = (await reads.find_portfolios(connection, actor.id, [portfolio_id])).get(portfolio_id)
    if portfolio is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    if not portfolio.is_active:
        raise PortfolioInactive
    if not portfolio.account_is_active:
        raise AccountInactive("The portfolio's account is archived: restore it first.", ("portfolioId",))
    sheet = Sheet(rows, CashLocation.of_portfolio(actor.id, portfolio), how.adjusted_quantities)
    await sheet.read(connection)
    batch, merged = await _merge(ledger, sheet, progress)
    batch.check_reserved(merged)
    bad = sheet.is_bad()
    writing = not how.dry_run and bool(merged.postings) and (how.skip_bad or not bad)
    id = uuid7()

    def reported() -> tuple[ImportReport, dict[str, Any] | None]:
        report = ImportReport(writing, sheet.report(writing), id if writing else None)
        return report, dump_report(report) if how.format == API else None

    report, kept = await run_apart(actor.id, reported)
    if writing or how.format == API:
        values = {
            "owner_id": actor.id,
            "id": id,
            "portfolio_id": portfolio_id,
            "format": how.format,
            "transaction_count": len(merged.postings) if writing else 0,
            "report": kept,
        }
        imports.add_import(ledger.batch, values)
    if writing:
        await batch.save(merged, id, progress)
        add_note(
            ledger,
            actor.client,
            "transactions.imported",
            "Portfolio",
            portfolio_id,
            transactions=len(merged.postings),
            importId=id,
        )
    return id, report


async def _merge(ledger: LedgerTransaction, sheet: Sheet, progress: Progress) -> tuple[Batch, Merged]:
    """Merge the sheet's rows with the ledger, and refuse those that do not fit it.

    A refused split represents none of the instrument's splits: the remaining rows are merged once more
    without it.
    """
    while True:
        batch = Batch(ledger, sheet.place, [sheet.lines[place] for place in sheet.order])
        progress("Merging with the ledger", 0, len(batch.lines))
        merged = await batch.merge()
        progress("Merging with the ledger", len(batch.lines), len(batch.lines))
        sheet.lines = dict(zip(sheet.order, batch.lines, strict=True))
        refused = {sheet.order[number]: domain_error for number, domain_error in merged.domain_errors.items()}
        splits = {place for place in refused if sheet.lines[place].entry.type is TransactionType.SPLIT}
        for place in splits or refused:
            sheet.refuse(place, refused[place])
        if not splits:
            return batch, merged
        sheet.order = [place for place in sheet.order if place not in splits]


async def _hold_reached(
    ledger: LedgerTransaction, portfolio_id: UUID, rows: Sequence[Parsed], time_zone: str
) -> None:
    """Lock by id what the rows change, including portfolios that received shares since."""
    first: dict[str, dt.datetime] = {}
    for row in rows:
        if isinstance(row, ImportRow) and row.symbol is not None and row.type in SHARE_TYPES:
            with contextlib.suppress(InvalidInput):
                instant = instant_of(row, time_zone)
                if row.type is TransactionType.SPLIT:
                    instant, _ = first_affected(instant)
                first[row.symbol] = min(instant, first.get(row.symbol, instant))
    starts: dict[UUID, history.Starts] = {}
    if first:
        instruments = await imports.find_instruments(ledger.connection, ledger.owner_id, sorted(first))
        starts = {
            instrument.id: {portfolio_id: (first[symbol], _FIRST)}
            for symbol, instrument in instruments.items()
        }
    await hold_all_reached(ledger, starts)
    await ledger.hold([portfolio_id])

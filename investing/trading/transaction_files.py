"""Import from files and export to them, for a user and a portfolio named on the command line."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO
from uuid import UUID

from db.auth import queries
from db.sessions import Sessions
from db.trading import imports
from investing.actor import Actor, RequestOrigin
from investing.auth.administration import NoSuchUser
from investing.rules.auth import registration
from investing.rules.errors import InvalidInput, NotFound, shortened
from investing.rules.names import checked_symbol
from investing.rules.trading.import_rows import Parsed
from investing.trading.bulk import Progress
from investing.trading.exporting import export_csv
from investing.trading.formats.csv_tables import CsvRecord, read_table
from investing.trading.formats.files import NO_OPTIONS, Options, TransactionFileError, decode, load
from investing.trading.formats.guessing import Format, guess, reader_of
from investing.trading.identifying import mapped
from investing.trading.importing import import_rows
from investing.trading.reports import ImportReport
from investing.trading.undoing import undo_import


async def import_file(
    sessions: Sessions,
    path: Path,
    *,
    user: str,
    portfolio: str,
    format: Format | None,
    dry_run: bool,
    skip_bad: bool,
    adjusted_quantities: bool = False,
    progress: Progress,
    options: Options = NO_OPTIONS,
    symbols: Mapping[str, str] | None = None,
) -> ImportReport:
    """Import a file; its format is guessed from its content if it is not given.

    `options` say what the file does not; `symbols` are those of identifiers, in capitals, and take precedence
    over what the file calls its instruments. Raise NoSuchUser, NotFound, AccountInactive, PortfolioInactive,
    and TransactionFileError for a file that has nothing to import.
    """
    data = load(path)
    actor, portfolio_id = await _find(sessions, user, portfolio)
    try:
        wanted = format or (Format.COLUMNS if options.columns is not None else guess(data))
        rows = mapped(_read(data, wanted, options, progress), symbols or {})
    except TransactionFileError as error:
        raise TransactionFileError(f"{path.name}: {error}") from None
    return await import_rows(
        actor,
        portfolio_id,
        rows,
        format=wanted.value,
        dry_run=dry_run,
        skip_bad=skip_bad,
        adjusted_quantities=adjusted_quantities,
        progress=progress,
    )


def read_symbols(path: Path) -> dict[str, str]:
    """Return the symbols of a CSV with the columns identifier and symbol, by identifier in capitals.

    Raise TransactionFileError that names the line.
    """
    found: dict[str, str] = {}
    try:
        for row in read_table(decode(load(path)), ("identifier", "symbol"), None):
            if not isinstance(row, CsvRecord):
                raise InvalidInput(f"Line {row.line} is not an identifier and a symbol.")
            identifier = row.text("identifier").upper()
            symbol = checked_symbol(row.text("symbol"))
            if found.setdefault(identifier, symbol) != symbol:
                raise InvalidInput(f"{shortened(identifier)} has two symbols.")
    except (InvalidInput, TransactionFileError) as error:
        raise TransactionFileError(f"{path.name}: {error}") from None
    return found


def _read(data: bytes, format: Format, options: Options, progress: Progress) -> list[Parsed]:
    rows: list[Parsed] = []
    for row in reader_of(format)(data, options):
        rows.append(row)
        if len(rows) % 1000 == 0:
            progress("Reading rows", len(rows), len(rows))
    progress("Reading rows", len(rows), len(rows))
    return rows


async def reverse_file(sessions: Sessions, import_id: str, *, user: str, progress: Progress) -> int:
    """Reverse an import; return how many transactions were reversed.

    Raise NoSuchUser and what `undo_import` raises.
    """
    actor = await _actor(sessions, user)
    id = _uuid(import_id)
    if id is None:
        raise NotFound(
            f"{shortened(import_id)} is no id of an import: import-transactions tells it, and me.imports."
        )
    return await undo_import(actor, id, progress)


async def export_file(
    sessions: Sessions, path: Path | None, *, user: str, portfolio: str, progress: Progress
) -> None:
    """Write a portfolio's ledger to a file, or to standard output if there is none.

    A file appears when it is complete. Raise NoSuchUser, NotFound and TransactionFileError.
    """
    actor, portfolio_id = await _find(sessions, user, portfolio)
    if path is None:
        await _write(sys.stdout, actor, portfolio_id, progress)
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            await _write(file, actor, portfolio_id, progress)
        os.replace(part, path)
    except OSError as error:
        raise TransactionFileError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        part.unlink(missing_ok=True)


async def _write(file: TextIO, actor: Actor, portfolio_id: UUID, progress: Progress) -> None:
    async for piece in export_csv(actor.sessions, actor.id, portfolio_id, progress):
        file.write(piece)


async def _actor(sessions: Sessions, user: str) -> Actor:
    user_id = await queries.user_id_of(sessions, registration.normalize_identifier(user))
    if user_id is None:
        raise NoSuchUser(f"There is no user {shortened(user)}.")
    return Actor(user_id, sessions, RequestOrigin())


async def _find(sessions: Sessions, user: str, portfolio: str) -> tuple[Actor, UUID]:
    actor = await _actor(sessions, user)
    user_id = actor.id
    async with sessions.begin(user_id) as session:
        found = list(await imports.find_portfolios(session, user_id, portfolio))
        id = _uuid(portfolio)
        if not found and id is not None and await imports.has_portfolio(session, user_id, id):
            found.append(id)
    if not found:
        raise NotFound(f"{user} has no portfolio {shortened(portfolio)}.")
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise NotFound(f"{user} has several portfolios {portfolio}: give the id of one of them ({ids}).")
    return actor, found[0]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

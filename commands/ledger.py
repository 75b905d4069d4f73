"""A portfolio's transactions, from a file and to one."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from commands.opening import SOME_REFUSED, DataDir, Stop, counted, opened, progress, with_sessions

Whose = Annotated[str, typer.Option("--user", help="A username or an e-mail address.")]
Into = Annotated[str, typer.Option("--portfolio", help="The portfolio's name or id.")]


def import_transactions(
    file: Annotated[Path, typer.Argument(help="A CSV, Flex XML, OFX or Ghostfolio's JSON, plain or gzip.")],
    user: Whose,
    portfolio: Into,
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, ghostfolio, ghostfolio-csv, ibflex, ib-activity, schwab, fidelity, ofx or columns; "
            "guessed from the content if left out."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Load the good rows all the same; exit code 3 if some are not.")
    ] = False,
    account: Annotated[
        str | None,
        typer.Option(help="The account to import of a file that has several, as the error lists them."),
    ] = None,
    map_symbols: Annotated[
        Path | None,
        typer.Option(help="A CSV with the columns identifier (ISIN, CUSIP or what the file has) and symbol."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help='What the columns of any other CSV hold: "date=Trade Date,symbol=Ticker,...".'),
    ] = None,
    date_format: Annotated[
        str | None, typer.Option(help="How the dates of --columns are written, as in %m/%d/%Y.")
    ] = None,
    decimal_comma: Annotated[
        bool, typer.Option("--decimal-comma", help="The numbers of --columns are written like 1.234,50.")
    ] = False,
    adjusted_quantities: Annotated[
        bool,
        typer.Option(
            "--adjusted-quantities",
            help="The quantities are for shares of today: no split until now is posted after them.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Import transactions into a portfolio: your own CSV, or what another program or a broker wrote.

    Exit code 0: every row was taken, was there already or is named as ignored. 1: nothing was loaded. 3: with
    --skip-bad, the good rows were loaded and others refused.
    """
    from investing.trading.formats.files import Options
    from investing.trading.formats.guessing import Format
    from investing.trading.formats.own_columns import columns_of
    from investing.trading.reports import describe
    from investing.trading.transaction_files import import_file, read_symbols

    if format is not None and format not in list(Format):
        raise Stop(f"There is no format {format}: the formats are {', '.join(Format)}.")
    wanted = None if format is None else Format(format)
    if columns is None and (date_format is not None or decimal_comma or wanted is Format.COLUMNS):
        raise Stop("--date-format, --decimal-comma and the format columns need --columns.")
    if columns is not None and wanted not in (None, Format.COLUMNS):
        raise Stop(f"--columns is for the format columns, not for {wanted}.")
    named = None if columns is None else columns_of(columns)
    options = Options(account, named, date_format, decimal_comma)
    symbols = None if map_symbols is None else read_symbols(map_symbols)
    with opened(data_dir) as (_, found), progress() as bar:
        report = with_sessions(
            found.url,
            lambda sessions: import_file(
                sessions,
                file,
                user=user,
                portfolio=_portfolio_id(portfolio),
                format=wanted,
                dry_run=dry_run,
                skip_bad=skip_bad,
                adjusted_quantities=adjusted_quantities,
                progress=bar,
                options=options,
                symbols=symbols,
            ),
        )
    for line in describe(report, str(file), every=dry_run):
        typer.echo(line, err=not dry_run)
    summary = report.summary()
    if report.is_bad and not skip_bad:
        raise Stop(f"{summary}: nothing {'would be' if dry_run else 'was'} loaded (see --skip-bad).")
    if report.import_id is not None:
        typer.echo(f"This import is {report.import_id}: reverse-import takes it back.")
    typer.echo(f"{summary}{': nothing was changed, this was a dry run' if dry_run else ''}.")
    if report.is_bad:
        raise typer.Exit(SOME_REFUSED)


def reverse_import(
    id: Annotated[str, typer.Argument(help="The import's id, as import-transactions or the API tells it.")],
    user: Whose,
    data_dir: DataDir = None,
) -> None:
    """Take an import of transactions back as a whole; its file can be imported again then."""
    from investing.trading.transaction_files import reverse_file

    with opened(data_dir) as (_, found), progress() as bar:
        count = with_sessions(
            found.url,
            lambda sessions: reverse_file(sessions, _import_id(id), user=user, progress=bar),
        )
    typer.echo(f"{counted(count, 'transaction is', 'transactions are')} reversed.")


def export_transactions(
    user: Whose,
    portfolio: Into,
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it; standard output if left out.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a portfolio's transactions as CSV, which import-transactions makes the same ledger again."""
    from investing.trading.transaction_files import export_file

    # No bar on standard output, which may be where the CSV goes.
    bar = nullcontext(lambda *step: None) if file is None else progress()
    with opened(data_dir, migrate=file is not None) as (_, found), bar as report:
        with_sessions(
            found.url,
            lambda sessions: export_file(
                sessions, file, user=user, portfolio=_portfolio_id(portfolio), progress=report
            ),
        )
    if file is not None:
        typer.echo(f"{file} is written.")


def _portfolio_id(text: str) -> str:
    """The id behind a global id of the API; a name, or the id itself, stays as it is."""
    return _row_id("Portfolio", text) if text.startswith("UG9ydGZvbGlvO") else text


def _import_id(text: str) -> str:
    return _row_id("Import", text) if text.startswith("SW1wb3J0O") else text


def _row_id(type_name: str, text: str) -> str:
    from graph.errors import BadUserInput
    from graph.ids import id_of

    try:
        return str(id_of(type_name, text) or text)
    except BadUserInput:
        return text

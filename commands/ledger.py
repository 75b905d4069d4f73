"""Commands that import and export the transactions of a portfolio."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from commands.opening import SOME_REFUSED, DataDir, Stop, counted, opened, progress, with_sessions
from investing.rules.errors import shortened

Whose = Annotated[
    str, typer.Option("--user", help="The owner of the portfolio, by username or e-mail address.")
]
Into = Annotated[str, typer.Option("--portfolio", help="The portfolio's name or id.")]


def import_transactions(
    file: Annotated[
        Path, typer.Argument(help="A CSV, Flex XML, OFX or Ghostfolio JSON file, plain or gzip.")
    ],
    user: Whose,
    portfolio: Into,
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, ghostfolio, ghostfolio-csv, ibflex, ib-activity, schwab, fidelity, ofx or columns; "
            "recognised from the content if left out."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report what would become of each row.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Load the good rows even if others are refused; the exit code is then 3."
        ),
    ] = False,
    account: Annotated[
        str | None,
        typer.Option(help="Which account to import from a file with several; the error message lists them."),
    ] = None,
    map_symbols: Annotated[
        Path | None,
        typer.Option(
            help="A CSV with the columns identifier (ISIN, CUSIP or symbol in the file) and symbol."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help='The columns of any other CSV file: "date=Trade Date,symbol=Ticker,...".'),
    ] = None,
    date_format: Annotated[
        str | None, typer.Option(help="The format of the dates with --columns, such as %m/%d/%Y.")
    ] = None,
    decimal_comma: Annotated[
        bool, typer.Option("--decimal-comma", help="With --columns, numbers are written like 1.234,50.")
    ] = False,
    adjusted_quantities: Annotated[
        bool,
        typer.Option(
            "--adjusted-quantities",
            help="Quantities are adjusted for all splits until now, so that none is applied to them.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Import transactions into a portfolio from a CSV, or from a file of a broker or another program.

    Exit code 0: every row was imported, was there already, or is reported as ignored. 1: nothing was
    imported. 3: with --skip-bad, the good rows were imported and others refused.
    """
    from investing.trading.formats.files import Options
    from investing.trading.formats.guessing import Format
    from investing.trading.formats.own_columns import columns_of
    from investing.trading.reports import describe
    from investing.trading.transaction_files import import_file, read_symbols

    if format is not None and format not in list(Format):
        raise Stop(f"There is no format {shortened(format)}: the formats are {', '.join(Format)}.")
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
        typer.echo(f"The id of this import is {report.import_id}: reverse-import reverses it.")
    typer.echo(f"{summary}{': nothing was changed, this was a dry run' if dry_run else ''}.")
    if report.is_bad:
        raise typer.Exit(SOME_REFUSED)


def reverse_import(
    id: Annotated[
        str,
        typer.Argument(
            help="The id of the import, as printed by import-transactions or returned by the API."
        ),
    ],
    user: Whose,
    data_dir: DataDir = None,
) -> None:
    """Reverse an import of transactions as a whole; its file can then be imported again."""
    from investing.trading.transaction_files import reverse_file

    with opened(data_dir) as (_, found), progress() as bar:
        count = with_sessions(
            found.url,
            lambda sessions: reverse_file(sessions, _import_id(id), user=user, progress=bar),
        )
    typer.echo(f"Reversed {counted(count, 'transaction', 'transactions')}.")


def export_transactions(
    user: Whose,
    portfolio: Into,
    file: Annotated[
        Path | None, typer.Argument(help="The file to write; standard output if left out.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a portfolio's transactions as CSV, from which import-transactions restores the same ledger."""
    from investing.trading.transaction_files import export_file

    # No progress bar on standard output, where the CSV may go.
    bar = nullcontext(lambda *step: None) if file is None else progress()
    with opened(data_dir, migrate=file is not None) as (_, found), bar as report:
        with_sessions(
            found.url,
            lambda sessions: export_file(
                sessions, file, user=user, portfolio=_portfolio_id(portfolio), progress=report
            ),
        )
    if file is not None:
        typer.echo(f"Wrote {file}.")


def _portfolio_id(text: str) -> str:
    """Return the id behind a global id of the API, and a name or an id unchanged."""
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

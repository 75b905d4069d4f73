"""A portfolio's transactions, from a file and to one."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from commands.opening import DataDir, Stop, opened, progress, with_sessions

Whose = Annotated[str, typer.Option("--user", help="A username or an e-mail address.")]
Into = Annotated[str, typer.Option("--portfolio", help="The portfolio's name or id.")]


def import_transactions(
    file: Annotated[Path, typer.Argument(help="CSV, Ghostfolio's JSON, Flex XML or OFX.")],
    user: Whose,
    portfolio: Into,
    format: Annotated[
        str | None, typer.Option(help="csv, ghostfolio, ibflex or ofx; guessed from the content if left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Load the good rows all the same.")] = False,
    adjusted_quantities: Annotated[
        bool,
        typer.Option(
            "--adjusted-quantities",
            help="The quantities are for shares of today: no split until now is posted after them.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Import transactions into a portfolio: your own CSV, or what another program or a broker wrote."""
    from investing.trading.formats.guessing import Format
    from investing.trading.reports import describe
    from investing.trading.transaction_files import import_file

    if format is not None and format not in list(Format):
        raise Stop(f"There is no format {format}: the formats are {', '.join(Format)}.")
    wanted = None if format is None else Format(format)
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
            ),
        )
    for line in describe(report, str(file), every=dry_run):
        typer.echo(line, err=not dry_run)
    summary = report.summary()
    if report.is_bad and not skip_bad:
        raise Stop(f"{summary}: nothing {'would be' if dry_run else 'was'} loaded (see --skip-bad).")
    typer.echo(f"{summary}{': nothing was changed, this was a dry run' if dry_run else ''}.")


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
    if not text.startswith("UG9ydGZvbGlvO"):
        return text
    from graph.errors import BadUserInput
    from graph.ids import id_of

    try:
        return str(id_of("Portfolio", text) or text)
    except BadUserInput:
        return text

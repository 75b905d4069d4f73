"""Instruments and their prices."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from commands.opening import SOME_REFUSED, DataDir, Stop, counted, opened, progress, with_sessions

if TYPE_CHECKING:
    from investing.market.importing import PriceImportReport

MOST_NAMED = 20
"""How many new instruments are named."""

Owner = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="The user whose own instruments are meant, by username or e-mail; the shared ones if left out.",
    ),
]


def load_prices(data_dir: DataDir = None) -> None:
    """Load the instruments and the daily bars that come with the installed packages."""
    from investing.market.loading import load_market_data

    with opened(data_dir) as (_, found), progress() as report:
        outcome = load_market_data(found.owner_url, report)
    typer.echo(
        f"{outcome.instruments_added} instruments and {outcome.bars_added} daily bars loaded, "
        f"{outcome.bars_present} were there."
    )
    if outcome.left_alone:
        typer.echo(f"Left alone, because they have prices of another kind: {', '.join(outcome.left_alone)}.")


def import_prices(
    file: Annotated[Path, typer.Argument(help="A CSV file of daily bars, UTF-8, with headers.")],
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Load the good lines all the same; exit code 3 if some are not."),
    ] = False,
    currency: Annotated[str, typer.Option(help="The currency of instruments that are new.")] = "USD",
    user: Owner = None,
    basis: Annotated[
        str | None,
        typer.Option(
            help="What the closes are adjusted for: raw, split-adjusted or adjusted (dividends as well). If "
            "left out, as what is stored; raw for what is new."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Import daily bars of your own: symbol, date, open, high, low, close, adjusted close, volume, split."""
    from db.vocabulary import PriceBasis
    from investing.market.importing import import_prices as run_import

    wanted = None if basis is None else basis.upper().replace("-", "_")
    if wanted is not None and wanted not in list(PriceBasis):
        raise Stop(f"--basis is raw, split-adjusted or adjusted, not {basis}.")

    def bad(line: int, reason: str) -> None:
        typer.echo(f"{file}:{line}: {reason}", err=True)

    with opened(data_dir) as (_, found), progress() as report:
        outcome = run_import(
            found.owner_url,
            file,
            skip_bad=skip_bad,
            progress=report,
            report_bad=bad,
            currency=currency,
            owner_id=_owner_id(found.url, user),
            basis=None if wanted is None else PriceBasis(wanted),
        )
    if not outcome.loaded or outcome.bad == outcome.lines:
        lines, are = counted(outcome.lines, "line", "lines"), "is" if outcome.bad == 1 else "are"
        hint = "" if skip_bad else " (see --skip-bad)"
        raise Stop(f"{outcome.bad} of {lines} {are} bad: nothing was loaded{hint}.")
    typer.echo(_summary(outcome))
    if outcome.bad:
        raise typer.Exit(SOME_REFUSED)


def _summary(outcome: "PriceImportReport") -> str:
    """Return what an import of prices did, with the instruments that it made."""
    said = [
        f"{counted(outcome.inserted, 'bar is', 'bars are')} new, {outcome.changed} changed, "
        f"{outcome.unchanged} {'was' if outcome.unchanged == 1 else 'were'} there, "
        f"{counted(outcome.bad, 'bad line', 'bad lines')} skipped."
    ]
    if outcome.splits_added:
        said.append(f"{counted(outcome.splits_added, 'split is', 'splits are')} new.")
    if symbols := outcome.new_symbols:
        more = f" and {len(symbols) - MOST_NAMED} more" if len(symbols) > MOST_NAMED else ""
        new = counted(len(symbols), "instrument is", "instruments are")
        said.append(f"{new} new: {', '.join(symbols[:MOST_NAMED])}{more}.")
    return " ".join(said)


def ticks(
    file: Annotated[
        Path, typer.Argument(help="Lines of symbol,price[,time] or of JSON; - for standard input.")
    ],
    data_dir: DataDir = None,
) -> None:
    """Bring prices, from a file or as another program writes them: quotes move, alerts fire."""
    from investing.prices.price_ingest import price_ingest
    from investing.prices.tick_files import ingest_lines

    def bad(line: int, reason: str) -> None:
        typer.echo(f"{file}:{line}: {reason}", err=True)

    is_input = str(file) == "-"
    if not is_input and not file.is_file():
        raise Stop(f"There is no file {file}.")
    if not is_input and not os.access(file, os.R_OK):
        raise Stop(f"The file {file} may not be read.")
    total = 0 if is_input else file.stat().st_size
    bar = nullcontext(lambda *step: None) if is_input else progress()
    with (
        opened(data_dir) as (_, found),
        bar as report,
        open(sys.stdin.fileno() if is_input else file, "rb", closefd=not is_input) as lines,
    ):
        taken = with_sessions(
            found.url,
            lambda sessions: price_ingest(
                sessions,
                lambda ingest: ingest_lines(
                    ingest, lines, bad, lambda done: report("Bringing prices", done, total)
                ),
            ),
        )
    typer.echo(
        f"{counted(taken.news, 'price is', 'prices are')} new, {taken.old} older than the quote, "
        f"{counted(taken.bad, 'bad line', 'bad lines')}."
    )
    if taken.bad:
        raise typer.Exit(1)


def rename_symbol(
    old: Annotated[str, typer.Argument(help="The symbol that it has.")],
    new: Annotated[str, typer.Argument(help="The new symbol, which must be free.")],
    user: Owner = None,
    data_dir: DataDir = None,
) -> None:
    """Give an instrument another symbol; positions, history and prices stay with it."""
    from investing.market.renaming import rename_symbol as rename

    with opened(data_dir) as (_, found):
        rename(found.owner_url, old, new, _owner_id(found.url, user))
    typer.echo(f"{old} is {new} now.")


def _owner_id(url: str, user: str | None) -> UUID | None:
    """The id of the user whose own instruments are meant; None for the shared ones. Raises NoSuchUser."""
    if user is None:
        return None
    from investing.auth.administration import find_user

    return with_sessions(url, lambda sessions: find_user(sessions, user))

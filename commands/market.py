"""Commands for instruments and their prices."""

import datetime as dt
import os
import sys
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from commands.opening import SOME_REFUSED, DataDir, Stop, counted, opened, progress, with_sessions
from investing.rules.errors import shortened

if TYPE_CHECKING:
    from investing.market.importing import PriceImportReport

MOST_NAMED = 20
"""How many new instruments a summary names."""

Owner = Annotated[
    str | None,
    typer.Option(
        "--user",
        help="The user, by username or e-mail, whose own instruments are meant; shared ones if left out.",
    ),
]


def load_prices(data_dir: DataDir = None) -> None:
    """Load the instruments and daily price bars that the installed packages contain."""
    from investing.market.loading import load_market_data

    with opened(data_dir, create=True) as (_, found), progress() as report:
        outcome = load_market_data(found.owner_url, report)
    typer.echo(
        f"Loaded {outcome.instruments_added} instruments and {outcome.bars_added} daily bars; "
        f"{outcome.bars_present} bars were there already."
    )
    if outcome.left_alone:
        typer.echo(f"Not changed, because their prices are of another kind: {', '.join(outcome.left_alone)}.")


def import_prices(
    file: Annotated[Path, typer.Argument(help="A CSV file of daily price bars in UTF-8, with headers.")],
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Load the good lines even if others are bad; the exit code is then 3."
        ),
    ] = False,
    currency: Annotated[str, typer.Option(help="The currency of new instruments.")] = "USD",
    user: Owner = None,
    basis: Annotated[
        str | None,
        typer.Option(
            help="What the closes are adjusted for: raw (nothing), split-adjusted, or adjusted (dividends as "
            "well). If left out, as stored before; raw for a new instrument."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Import daily price bars: symbol, date, open, high, low, close, adjusted close, volume, split."""
    from db.vocabulary import PriceBasis
    from investing.market.importing import import_prices as run_import

    wanted = None if basis is None else basis.upper().replace("-", "_")
    if wanted is not None and wanted not in list(PriceBasis):
        raise Stop(f"--basis must be raw, split-adjusted or adjusted, not {shortened(str(basis))}.")

    def bad(line: int, reason: str) -> None:
        typer.echo(f"{file}:{line}: {reason}", err=True)

    with opened(data_dir, create=True) as (_, found), progress() as report:
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
    """Return what an import of prices did, with the instruments that it created."""
    said = [
        f"{counted(outcome.inserted, 'bar is', 'bars are')} new, {outcome.changed} changed, "
        f"{outcome.unchanged} {'was' if outcome.unchanged == 1 else 'were'} there already, "
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
        Path,
        typer.Argument(help="A file with lines of symbol,price[,time] or of JSON; - for standard input."),
    ],
    data_dir: DataDir = None,
) -> None:
    """Feed in prices from a file, or from another program as it writes them: quotes move, alerts fire."""
    from investing.prices.price_ingest import price_ingest
    from investing.prices.tick_files import ingest_lines

    def bad(line: int, reason: str) -> None:
        typer.echo(f"{file}:{line}: {reason}", err=True)

    is_input = str(file) == "-"
    if not is_input and not file.is_file():
        raise Stop(f"There is no file {file}.")
    if not is_input and not os.access(file, os.R_OK):
        raise Stop(f"The file {file} is not readable.")
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
                    ingest, lines, bad, lambda done: report("Reading prices", done, total)
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
    old: Annotated[str, typer.Argument(help="The present symbol.")],
    new: Annotated[str, typer.Argument(help="The new symbol, which no other instrument may have.")],
    user: Owner = None,
    data_dir: DataDir = None,
) -> None:
    """Give an instrument another symbol; its positions, history and prices stay with it."""
    from investing.market.renaming import rename_symbol as rename

    with opened(data_dir) as (_, found):
        rename(found.owner_url, old, new, _owner_id(found.url, user))
    typer.echo(f"Renamed {old} to {new}.")


def withdraw_split(
    symbol: Annotated[str, typer.Argument(help="The symbol of the instrument.")],
    date: Annotated[str, typer.Argument(help="The recorded ex-date, such as 2024-06-10.")],
    ratio: Annotated[str, typer.Argument(help="The recorded ratio: 4:1, 4/1 or 4.")],
    skip_blocked: Annotated[
        bool,
        typer.Option(
            "--skip-blocked",
            help="Skip holders whose later entries need the shares; the exit code is 3 if there are any.",
        ),
    ] = False,
    user: Owner = None,
    data_dir: DataDir = None,
) -> None:
    """Withdraw a wrongly recorded split from every holder; the right one can then be recorded."""
    from investing.rules.trading.splits import SplitRatio
    from investing.trading.withdrawing import withdraw_split as withdraw

    split = SplitRatio(*_read_split(date, ratio))
    with opened(data_dir) as (_, found), progress() as report:
        owner_id = _owner_id(found.url, user)
        options: Any = {"skip_blocked": skip_blocked, "progress": report}
        done = with_sessions(found.owner_url, lambda s: withdraw(s, symbol, split, owner_id, **options))
    corrected = counted(done.holders, "holder was", "holders were")
    typer.echo(f"The {split} split of {symbol} on {date} is withdrawn; {corrected} corrected.")
    if done.blocked:
        need = counted(
            done.blocked, "holder has later entries that need", "holders have later entries that need"
        )
        typer.echo(f"{need} the shares, so the split stays there: verify names them.")
        raise typer.Exit(SOME_REFUSED)


def _read_split(date: str, ratio: str) -> tuple[dt.date, Decimal, Decimal]:
    """Return the ex-date, and how many new shares for how many old ones. Raise Stop if one is malformed."""
    from investing.market.price_lines import BadPriceLine, read_split

    try:
        ex_date = dt.date.fromisoformat(date)
        new, old = read_split(ratio, ex_date)
    except ValueError:
        raise Stop(f"{shortened(date)} is not a date such as 2024-06-10.") from None
    except BadPriceLine as bad:
        reason = str(bad)
        raise Stop(f"{reason[0].upper()}{reason[1:]}.") from None
    if new is None or old is None:
        raise Stop(f"{shortened(ratio)} is not a split: give its ratio, such as 4:1.")
    return ex_date, new, old


def _owner_id(url: str, user: str | None) -> UUID | None:
    """Return the id of the user whose own instruments are meant, or None for shared ones.

    Raise NoSuchUser.
    """
    if user is None:
        return None
    from investing.auth.administration import find_user

    return with_sessions(url, lambda sessions: find_user(sessions, user))

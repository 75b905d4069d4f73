"""Graphfolio's command line: it parses, calls the floors, and says what came of it in one line."""

# ruff: noqa: E402
import gc
import os

# Imports make garbage of nothing: collecting while they run costs a sixth of the start.
gc.disable()
# Pydantic looks through every installed package for plug-ins of its own; there are none here.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import SecretStr, ValidationError

from db.schema import SchemaMismatch, is_current, offline_sql, upgrade
from db.server import Database, DatabaseUnavailable, database
from db.sessions import Sessions, open_sessions
from settings import Settings

app = typer.Typer(
    help="A GraphQL API for investment portfolios.", no_args_is_help=True, pretty_exceptions_enable=False
)
ResultT = TypeVar("ResultT")

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded PostgreSQL keeps its data.")]


class Stop(Exception):
    """Why a command ends here: one line for a person."""


@contextmanager
def opened(data_dir: Path | None, *, migrate: bool = True) -> Iterator[tuple[Settings, Database]]:
    """The settings and the database, brought to the newest schema unless that is not wanted."""
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    url, owner_url = revealed(settings.database_url), revealed(settings.owner_database_url)
    with database(url, settings.data_dir, owner_url=owner_url) as found:
        if migrate and upgrade(found.owner_url):
            typer.echo("The database's schema is new.")
        yield settings, found


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret setting."""
    return None if secret is None else secret.get_secret_value()


def with_sessions(url: str, work: Callable[[Sessions], Awaitable[ResultT]]) -> ResultT:
    """Runs the work on connections of its own."""

    async def run() -> ResultT:
        async with open_sessions(url, size=2) as sessions:
            return await work(sessions)

    return asyncio.run(run())


@app.command()
def serve(data_dir: DataDir = None, host: str | None = None, port: int | None = None) -> None:
    """Serve the API, on an embedded PostgreSQL or the one that DATABASE_URL names."""
    with opened(data_dir) as (settings, found):
        _serve(settings, found, host, port)


@app.command()
def demo(data_dir: DataDir = None, host: str | None = None, port: int | None = None) -> None:
    """Load real prices and a demo user with years of trades, once, and serve."""
    from investing.demo.service import set_up_demo

    with opened(data_dir) as (settings, found):
        with progress() as report:
            outcome = set_up_demo(found.url, found.owner_url, revealed(settings.demo_password), report)
        host, port = host or settings.host, settings.port if port is None else port
        typer.echo(_demo_welcome(outcome.password, f"http://{host}:{port}"))
        _serve(settings.model_copy(update={"feed": settings.feed or "replay"}), found, host, port)


@app.command()
def migrate(
    data_dir: DataDir = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say whether it is current.")] = False,
) -> None:
    """Bring the database's schema to the newest version."""
    if sql:
        offline_sql()
        return
    with opened(data_dir, migrate=False) as (_, found):
        if check:
            if not is_current(found.owner_url):
                raise Stop("The database's schema is older than this Graphfolio: run `graphfolio migrate`.")
            typer.echo("The database's schema is current.")
        elif upgrade(found.owner_url):
            typer.echo("The database's schema is new.")
        else:
            typer.echo("The database's schema was current.")


@app.command()
def worker(data_dir: DataDir = None) -> None:
    """Run the jobs, such as scheduled rebalances, beside those who serve: each job runs in one process."""
    from graph.server.crew import work

    async def run(settings: Settings, url: str) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(settings, url, stop)

    with opened(data_dir) as (settings, found):
        asyncio.run(run(settings, found.url))


@app.command()
def verify(data_dir: DataDir = None) -> None:
    """Recompute cash, positions and lots from the transactions, and report any difference."""
    from db.trading.verification import verify_all

    with opened(data_dir) as (_, found), progress() as report:
        outcome = with_sessions(found.url, lambda sessions: verify_all(sessions, report))
    for difference in outcome.differences:
        typer.echo(difference)
    typer.echo(
        f"{outcome.transactions} transactions of {outcome.users} users in {outcome.seconds:.2f} s: "
        f"{len(outcome.differences)} differences."
    )
    if outcome.differences:
        raise typer.Exit(1)


@app.command("refresh-performance")
def refresh_performance(data_dir: DataDir = None) -> None:
    """Compute the daily snapshots anew that trades or prices have changed since."""
    from db.portfolio.snapshots import count_work
    from investing.portfolio.snapshots import refresh_due

    async def refresh(sessions: Sessions) -> int:
        total = await count_work(sessions)
        return await refresh_due(sessions, total, lambda done: report("Refreshing portfolios", done, total))

    with opened(data_dir) as (_, found), progress() as report:
        done = with_sessions(found.url, refresh)
    typer.echo(f"{done} portfolios refreshed." if done else "All snapshots were current.")


@app.command("export-schema")
def export_schema(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("schema.graphql"),
) -> None:
    """Write the GraphQL schema to a file."""
    from graph.schema import build_schema

    file.write_text(build_schema().as_str() + "\n")
    typer.echo(f"{file} is current.")


@app.command("load-prices")
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


@app.command("import-prices")
def import_prices(
    file: Annotated[Path, typer.Argument(help="A CSV file of daily bars, UTF-8, with headers.")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Load the good lines all the same.")] = False,
    currency: Annotated[str, typer.Option(help="The currency of instruments that are new.")] = "USD",
    data_dir: DataDir = None,
) -> None:
    """Import daily bars of your own: symbol, date, open, high, low, close, adjusted close, volume."""
    from investing.market.importing import import_prices as run_import

    def bad(line: int, reason: str) -> None:
        typer.echo(f"{file}:{line}: {reason}", err=True)

    with opened(data_dir) as (_, found), progress() as report:
        outcome = run_import(
            found.owner_url, file, skip_bad=skip_bad, progress=report, report_bad=bad, currency=currency
        )
    if not outcome.loaded:
        raise Stop(f"{outcome.bad} of {outcome.lines} lines are bad: nothing was loaded (see --skip-bad).")
    typer.echo(
        f"{outcome.inserted} bars are new, {outcome.changed} changed, {outcome.unchanged} were there, "
        f"{outcome.bad} bad lines skipped."
    )


@app.command()
def ticks(
    file: Annotated[
        Path, typer.Argument(help="Lines of symbol,price[,time] or of JSON; - for standard input.")
    ],
    data_dir: DataDir = None,
) -> None:
    """Bring prices, from a file or as another program writes them: quotes move, alerts fire."""
    from investing.market.taking import on_a_floor
    from investing.market.tick_files import take_lines

    def bad(line: int, reason: str) -> None:
        typer.echo(f"{file}:{line}: {reason}", err=True)

    is_input = str(file) == "-"
    if not is_input and not file.is_file():
        raise Stop(f"There is no file {file}.")
    total = 0 if is_input else file.stat().st_size
    bar = nullcontext(lambda *step: None) if is_input else progress()
    with (
        opened(data_dir) as (_, found),
        bar as report,
        open(sys.stdin.fileno() if is_input else file, "rb", closefd=not is_input) as lines,
    ):
        taken = with_sessions(
            found.url,
            lambda sessions: on_a_floor(
                sessions,
                lambda floor: take_lines(
                    floor, lines, bad, lambda done: report("Bringing prices", done, total)
                ),
            ),
        )
    typer.echo(f"{taken.news} prices are news, {taken.old} are not, {taken.bad} bad lines.")
    if taken.bad:
        raise typer.Exit(1)


Whose = Annotated[str, typer.Option("--user", help="A username or an e-mail address.")]
Into = Annotated[str, typer.Option("--portfolio", help="The portfolio's name or id.")]


@app.command("import-transactions")
def import_transactions(
    file: Annotated[Path, typer.Argument(help="CSV, Ghostfolio's JSON, Flex XML or OFX.")],
    user: Whose,
    portfolio: Into,
    format: Annotated[
        str | None, typer.Option(help="csv, ghostfolio, ibflex or ofx; guessed from the content if left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Load the good rows all the same.")] = False,
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
                progress=bar,
            ),
        )
    for line in describe(report, str(file), every=dry_run):
        typer.echo(line, err=not dry_run)
    summary = report.summary()
    if report.is_bad and not skip_bad:
        raise Stop(f"{summary}: nothing {'would be' if dry_run else 'was'} loaded (see --skip-bad).")
    typer.echo(f"{summary}{': nothing was changed, this was a dry run' if dry_run else ''}.")


@app.command("export-transactions")
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


@app.command("rename-symbol")
def rename_symbol(
    old: Annotated[str, typer.Argument(help="The symbol that it has.")],
    new: Annotated[str, typer.Argument(help="The symbol that it gets; no other instrument may have it.")],
    data_dir: DataDir = None,
) -> None:
    """Give an instrument another symbol; positions, history and prices stay with it."""
    from investing.market.renaming import rename_symbol as rename

    with opened(data_dir) as (_, found):
        rename(found.owner_url, old, new)
    typer.echo(f"{old} is {new} now.")


Who = Annotated[str, typer.Argument(help="A username or an e-mail address.")]


def _administrate(data_dir: Path | None, act: Callable[[Sessions], Awaitable[bool]], done: str) -> None:
    with opened(data_dir) as (_, found):
        changed = with_sessions(found.url, act)
    typer.echo(done if changed else "Nothing to change.")


@app.command("grant-admin")
def grant_admin(user: Who, data_dir: DataDir = None) -> None:
    """Make a user an administrator."""
    from investing.auth.administration import set_administrator

    _administrate(data_dir, lambda s: set_administrator(s, user, True), f"{user} is an administrator.")


@app.command("revoke-admin")
def revoke_admin(user: Who, data_dir: DataDir = None) -> None:
    """Make an administrator a user like any other."""
    from investing.auth.administration import set_administrator

    _administrate(data_dir, lambda s: set_administrator(s, user, False), f"{user} is no administrator now.")


@app.command()
def deactivate(user: Who, data_dir: DataDir = None) -> None:
    """Shut a user out and end all their sessions."""
    from investing.auth.administration import set_active

    _administrate(data_dir, lambda s: set_active(s, user, False), f"{user} is shut out.")


@app.command()
def activate(user: Who, data_dir: DataDir = None) -> None:
    """Let a user in again."""
    from investing.auth.administration import set_active

    _administrate(data_dir, lambda s: set_active(s, user, True), f"{user} may log in.")


@app.command("set-password")
def set_password(user: Who, data_dir: DataDir = None) -> None:
    """Give a user another password, read from the terminal or from standard input, and end their sessions."""
    from investing.auth.administration import set_password as change

    if sys.stdin.isatty():
        password = typer.prompt("The new password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with opened(data_dir) as (_, found):
        with_sessions(found.url, lambda sessions: change(sessions, user, password))
    typer.echo(f"{user} has another password.")


@app.command("rotate-keys")
def rotate_keys(data_dir: DataDir = None) -> None:
    """Seal stored secrets with a new key: a generated one, or the first of GRAPHFOLIO_SEALING_KEYS."""
    from investing.auth.resealing import reseal_all
    from investing.auth.sealing import Vault
    from investing.auth.secret_file import SEALING_KEYS, rotate

    with opened(data_dir) as (settings, found), progress() as report:
        keys = revealed(settings.sealing_keys)
        if keys is None:
            rotate(settings.data_dir, SEALING_KEYS)
        vault = Vault.of(keys, settings.data_dir)
        resealed = with_sessions(found.url, lambda sessions: reseal_all(sessions, vault, report))
    typer.echo(f"{resealed} secrets are sealed with the key {vault.ring.active}.")


def _serve(settings: Settings, found: Database, host: str | None, port: int | None) -> None:
    import uvicorn

    from graph.server.main import build_server
    from graph.server.sending import vault_of
    from graph.server.stalls import patience
    from investing.auth.keys import KeyRing
    from investing.auth.secret_file import load_or_generate

    # What is imported stays for good: the collector need never look at it again.
    gc.freeze()
    gc.enable()
    keys = revealed(settings.token_keys)
    ring = KeyRing.parse(keys) if keys else load_or_generate(settings.data_dir)
    vault = vault_of(settings)
    # So that keys which cannot be used are told at the start, and not at somebody's request.
    vault.read()
    uvicorn.run(
        build_server(settings, found.url, ring, vault=vault),
        host=host or settings.host,
        port=settings.port if port is None else port,
        log_level="warning",
        server_header=False,
        ws_max_size=64 * 1024,
        timeout_graceful_shutdown=10,
        **patience(),
    )


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step of long work: the step, how much of it is done, and how much there is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step)
            bars.update(tasks[step], completed=done, total=total or 1)

        yield report


def _demo_welcome(password: str | None, url: str) -> str:
    tree = (Path(__file__).parent / "graph" / "graphiql" / "tree.graphql").read_text()
    known = f"password {password}" if password else "the password that was printed the first time"
    return (
        f"\nGraphiQL   {url}/graphiql\nLogin      demo, {known}\n"
        "           (another one: python3 run.py set-password demo)\n"
        f"\nThe tree, also in GraphiQL already:\n\n{tree}"
    )


def main() -> int:
    """Runs a command; what is expected to fail is one line on standard error, and exit code 1."""
    from investing.auth.administration import NoSuchUser
    from investing.auth.keys import InvalidKeys
    from investing.auth.sealing import Unsealable
    from investing.auth.secret_file import UnusableSecrets
    from investing.market.bundled import BundledDataError
    from investing.market.price_files import PriceFileError
    from investing.rules.refusals import Refusal
    from investing.trading.formats.files import TransactionFileError

    try:
        app(prog_name="graphfolio")
    except ValidationError as error:
        names = Settings.settings_names()
        for problem in error.errors():
            name = str(problem["loc"][0])
            print(f"graphfolio: {names.get(name, name)}: {problem['msg']}", file=sys.stderr)
        return 1
    except (
        Stop,
        DatabaseUnavailable,
        SchemaMismatch,
        NoSuchUser,
        InvalidKeys,
        UnusableSecrets,
        Unsealable,
        BundledDataError,
        PriceFileError,
        TransactionFileError,
        Refusal,
    ) as stop:
        print(f"graphfolio: {stop}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

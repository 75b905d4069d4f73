"""Commands for the database schema and for what is computed from the stored rows."""

from pathlib import Path
from typing import Annotated

import typer

from commands.opening import MIGRATED, DataDir, Stop, counted, opened, progress, with_sessions
from db.schema import is_current, offline_sql, upgrade
from db.sessions import Sessions


def migrate(
    data_dir: DataDir = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only check whether the schema is up to date.")
    ] = False,
) -> None:
    """Bring the database schema up to date."""
    if sql:
        offline_sql()
        return
    with opened(data_dir, migrate=False, create=not check) as (_, found):
        if check:
            if not is_current(found.owner_url):
                raise Stop("The database schema is older than this Graphfolio: run `python3 run.py migrate`.")
            typer.echo("The database schema is up to date.")
        elif upgrade(found.owner_url):
            typer.echo(MIGRATED)
        else:
            typer.echo("The database schema was up to date already.")


def verify(data_dir: DataDir = None) -> None:
    """Recompute cash, positions, lots and gains from the transactions, and report every difference.

    Price jumps that look like an unrecorded split are reported too, but do not count as differences. The exit
    code is 1 if there are differences.
    """
    from db.trading.verification import verify_all
    from investing.market.suspects import find_suspects

    with opened(data_dir) as (_, found), progress() as report:
        outcome = with_sessions(found.url, lambda sessions: verify_all(sessions, report))
        suspects = with_sessions(found.url, find_suspects)
    for suspect in suspects:
        typer.echo(suspect)
    for difference in outcome.differences:
        typer.echo(difference)
    typer.echo(
        f"{counted(outcome.transactions, 'transaction', 'transactions')} of "
        f"{counted(outcome.users, 'user', 'users')} in {outcome.seconds:.2f} s: "
        f"{counted(len(outcome.differences), 'difference', 'differences')}."
    )
    if outcome.differences:
        raise typer.Exit(1)


def refresh_performance(data_dir: DataDir = None) -> None:
    """Recompute the daily snapshots that later trades or prices have made out of date."""
    from db.portfolio.snapshots import count_work
    from investing.portfolio.snapshots import refresh_due

    async def refresh(sessions: Sessions) -> int:
        total = await count_work(sessions)
        return await refresh_due(sessions, total, lambda done: report("Refreshing portfolios", done, total))

    with opened(data_dir) as (_, found), progress() as report:
        done = with_sessions(found.url, refresh)
    typer.echo(
        f"{counted(done, 'portfolio', 'portfolios')} refreshed."
        if done
        else "All snapshots were up to date already."
    )


def export_schema(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("schema.graphql"),
) -> None:
    """Write the GraphQL schema to a file."""
    from graph.schema import build_schema

    file.write_text(build_schema().as_str() + "\n")
    typer.echo(f"Wrote the schema to {file}.")

"""The schema, and what is computed from the rows."""

from pathlib import Path
from typing import Annotated

import typer

from commands.opening import DataDir, Stop, counted, opened, progress, with_sessions
from db.schema import is_current, offline_sql, upgrade
from db.sessions import Sessions


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
                raise Stop(
                    "The database's schema is older than this Graphfolio: run `python3 run.py migrate`."
                )
            typer.echo("The database's schema is current.")
        elif upgrade(found.owner_url):
            typer.echo("The database's schema is new.")
        else:
            typer.echo("The database's schema was current.")


def verify(data_dir: DataDir = None) -> None:
    """Recompute cash, positions, lots and gains from the transactions, and report any difference.

    It also names jumps in prices that look like an unrecorded split; these do not count as differences.
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
    """Compute the daily snapshots anew that trades or prices have changed since."""
    from db.portfolio.snapshots import count_work
    from investing.portfolio.snapshots import refresh_due

    async def refresh(sessions: Sessions) -> int:
        total = await count_work(sessions)
        return await refresh_due(sessions, total, lambda done: report("Refreshing portfolios", done, total))

    with opened(data_dir) as (_, found), progress() as report:
        done = with_sessions(found.url, refresh)
    typer.echo(
        f"{counted(done, 'portfolio', 'portfolios')} refreshed." if done else "All snapshots were current."
    )


def export_schema(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("schema.graphql"),
) -> None:
    """Write the GraphQL schema to a file."""
    from graph.schema import build_schema

    file.write_text(build_schema().as_str() + "\n")
    typer.echo(f"{file} is current.")

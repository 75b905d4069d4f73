"""What commands share: opening the settings and the database, and progress bars."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import SecretStr

from db.schema import has_schema, is_current, upgrade
from db.server import Database, database
from db.sessions import Sessions, open_sessions
from investing.rules.time_zones import DEFAULT
from runtime.logs import configure_logs
from settings import Settings

ResultT = TypeVar("ResultT")
DataDir = Annotated[
    Path | None,
    typer.Option(help="The directory of the embedded PostgreSQL; GRAPHFOLIO_DATA_DIR if left out."),
]


SOME_REFUSED = 3
"""The exit code if the good rows of a file were loaded, or would be, and others were refused."""

MIGRATED = "Brought the database schema up to date."


class Stop(Exception):
    """Why a command cannot go on: one line for the user."""


def counted(count: int, one: str, several: str) -> str:
    """Return the number with the words for it, such as "1 bar is" or "2 bars are"."""
    return f"{count} {one if count == 1 else several}"


@contextmanager
def opened(
    data_dir: Path | None, *, migrate: bool = True, create: bool = False
) -> Iterator[tuple[Settings, Database]]:
    """Yield the settings and the database, whose schema is brought up to date unless `migrate` is false.

    Only with `create` may it be a new one: a command that reads or changes what is there has nothing to do in
    a folder that was mistyped, and must not leave a database there. Raise DatabaseUnavailable, SchemaMismatch
    and, if there is a database but nothing of Graphfolio's in it, Stop.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    configure_logs(settings.log_format, settings.log_level)
    url, owner_url = revealed(settings.database_url), revealed(settings.owner_database_url)
    with database(url, settings.data_dir, owner_url=owner_url, create=create) as found:
        if not create and not has_schema(found.owner_url):
            raise Stop("The database is empty: `python3 run.py migrate` would set it up, and so would serve.")
        if not migrate:
            # Even if the schema is not migrated, an unknown one is reported.
            is_current(found.owner_url)
        elif upgrade(found.owner_url):
            typer.echo(MIGRATED)
        yield settings, found


def check_time_zone(settings: Settings, url: str) -> None:
    """Raise Stop if PostgreSQL does not know the time zone that new accounts would have."""
    from investing.time_zones import is_known

    if settings.time_zone != DEFAULT and not with_sessions(url, lambda s: is_known(s, settings.time_zone)):
        raise Stop(
            f"GRAPHFOLIO_TIME_ZONE: PostgreSQL does not know {settings.time_zone}: choose another one."
        )


def revealed(secret: SecretStr | None) -> str | None:
    """Return the text of a secret setting, or None if it is not set."""
    return None if secret is None else secret.get_secret_value()


def with_sessions(url: str, work: Callable[[Sessions], Awaitable[ResultT]]) -> ResultT:
    """Run `work` on connections of its own and return its result."""

    async def run() -> ResultT:
        async with open_sessions(url, size=2) as sessions:
            return await work(sessions)

    return asyncio.run(run())


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that shows progress bars.

    It takes the name of a step, how much of it is done, and how much there is; each step has its own bar.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step)
            bars.update(tasks[step], completed=done, total=total or 1)

        yield report

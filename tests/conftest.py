"""Real databases for the tests: every module of tests gets one of its own, freshly migrated.

All of them run against the embedded PostgreSQL; what is about the database itself and about faults, and the
tests that try every statement of trading, run against PostgreSQL 15 too, where that is installed.
"""

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis.internal.conjecture import engine

from db.schema import upgrade
from db.server import database
from db.sessions import Sessions, open_sessions
from tests.postgres15 import INSTALLED, postgres15
from tests.workers import ByUnit

# A failure is told after so many seconds at the latest; its example is small enough by then, or will do.
engine.MAX_SHRINKING_SECONDS = 20

SERVERS = ["embedded", "postgresql-15"] if INSTALLED else ["embedded"]

ON_EVERY_SERVER = (
    "db",
    "faults",
    "graph/trading/test_model.py",
    "investing/trading/test_adjusted_quantities.py",
    "investing/trading/test_back_dated.py",
    "investing/trading/test_corrections.py",
    "investing/trading/test_desk.py",
    "investing/trading/test_importing.py",
    "investing/trading/test_model.py",
    "investing/trading/test_round_trips.py",
    "investing/trading/test_split_orders.py",
    "investing/trading/test_splits.py",
    "investing/trading/test_splits_between_zones.py",
    "investing/trading/test_undoing.py",
)
"""The tests that run on the oldest supported PostgreSQL too. Of trading those that lead through all of its
statements: the others ask the same ones for other figures, and elsewhere it said nothing more.
"""

on_one_server = pytest.mark.parametrize("postgres", ["embedded"], indirect=True)
"""For slow tests of processes, of which another version of PostgreSQL says nothing more."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the servers of each test, unless it has chosen by `on_one_server`."""
    marks = metafunc.definition.iter_markers("parametrize")
    if "postgres" not in metafunc.fixturenames or any(mark.args[0] == "postgres" for mark in marks):
        return
    room = metafunc.definition.path.relative_to(Path(__file__).parent)
    servers = SERVERS if any(room.is_relative_to(name) for name in ON_EVERY_SERVER) else SERVERS[:1]
    metafunc.parametrize("postgres", servers, indirect=True, scope="session")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByUnit:
    """How `-n 2` deals out the tests."""
    return ByUnit(config, log)


@dataclass(frozen=True)
class Postgres:
    """A running server, and the name of its migrated database that the tests' databases are copies of."""

    superuser_url: str
    template: str

    def url(self, role: str, name: str) -> str:
        """The address of a database for a role."""
        parts = urlsplit(self.superuser_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}@{host}", path=f"/{name}"))


async def execute(url: str, *statements: str) -> None:
    """Runs statements one by one."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    with contextlib.ExitStack() as stack:
        if request.param == "embedded":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="graphfolio-test-"))
            found = stack.enter_context(database(None, Path(folder), durable=False))
            superuser_url = found.url.replace("graphfolio_app@/graphfolio", "postgres@/postgres")
        else:
            superuser_url = stack.enter_context(postgres15())
            asyncio.run(
                execute(
                    superuser_url,
                    "CREATE ROLE graphfolio_owner LOGIN CREATEROLE",
                    "CREATE ROLE graphfolio_app LOGIN",
                    "GRANT graphfolio_app TO graphfolio_owner WITH ADMIN OPTION",
                )
            )
        server = Postgres(superuser_url, "graphfolio_template")
        asyncio.run(execute(superuser_url, "CREATE DATABASE graphfolio_template OWNER graphfolio_owner"))
        upgrade(server.url("graphfolio_owner", server.template))
        yield server


@contextlib.contextmanager
def copy_of(postgres: Postgres, template: str) -> Iterator[str]:
    """The name of a database like the template, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    create = f"CREATE DATABASE {name} OWNER graphfolio_owner TEMPLATE {template}"
    asyncio.run(execute(postgres.superuser_url, create))
    try:
        yield name
    finally:
        asyncio.run(execute(postgres.superuser_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module")
def database_name(postgres: Postgres) -> Iterator[str]:
    with copy_of(postgres, postgres.template) as name:
        yield name


@pytest.fixture(scope="module")
def superuser_url(postgres: Postgres, database_name: str) -> str:
    """The module's database for the superuser, whom no policy holds."""
    return postgres.url("postgres", database_name)


@pytest.fixture(scope="module")
def owner_url(postgres: Postgres, database_name: str) -> str:
    """The module's database for the role that migrates."""
    return postgres.url("graphfolio_owner", database_name)


@pytest.fixture(scope="module")
def app_url(postgres: Postgres, database_name: str) -> str:
    """The module's database for the role that the server uses."""
    return postgres.url("graphfolio_app", database_name)


@pytest.fixture(scope="module")
async def sessions(app_url: str) -> AsyncIterator[Sessions]:
    """Connections of the module, on the same event loop as its tests."""
    async with open_sessions(app_url) as opened:
        yield opened

"""A door on a freshly migrated database of its own."""

import asyncio
import datetime as dt
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from argon2 import PasswordHasher

from db.schema import upgrade
from db.sessions import Sessions, open_sessions
from investing.auth.keys import KeyRing
from investing.auth.passwords import Passwords
from investing.auth.service import Door
from investing.auth.tokens import AccessTokens
from investing.auth.types import Client, LoggedIn

# --- The database: the project's own fixtures of the same names take the place of these. ---


@pytest.fixture(scope="session")
def superuser_url() -> str:
    url = os.environ.get("GRAPHFOLIO_TEST_SUPERUSER_URL")
    if not url:
        pytest.skip("GRAPHFOLIO_TEST_SUPERUSER_URL names no PostgreSQL")
    return url


@pytest.fixture(scope="session")
def owner_url(superuser_url: str) -> Iterator[str]:
    name = f"graphfolio_test_{secrets.token_hex(6)}"
    asyncio.run(_execute(superuser_url, f"CREATE DATABASE {name} OWNER graphfolio_owner"))
    server = urlsplit(superuser_url)
    host = server.netloc.rpartition("@")[2]
    try:
        url = urlunsplit(server._replace(netloc=f"graphfolio_owner@{host}", path=f"/{name}"))
        upgrade(url)
        yield url
    finally:
        asyncio.run(_execute(superuser_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def app_url(owner_url: str) -> str:
    return owner_url


@pytest.fixture(scope="session")
async def sessions(app_url: str) -> AsyncIterator[Sessions]:
    async with open_sessions(app_url) as opened:
        yield opened


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


# --- The door. ---


@pytest.fixture(scope="session")
def ring() -> KeyRing:
    return KeyRing.generate()


@pytest.fixture(scope="session")
def tokens(ring: KeyRing) -> AccessTokens:
    return AccessTokens(ring, "https://graphfolio.test", "graphfolio", dt.timedelta(minutes=10))


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    # Cheap on purpose: most tests are not about hashing, and those that are make their own.
    hashing = Passwords(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
    yield hashing
    hashing.close()


@pytest.fixture(scope="session")
def door(sessions: Sessions, tokens: AccessTokens, passwords: Passwords) -> Door:
    return Door(sessions, tokens, passwords)


@pytest.fixture
def client() -> Client:
    return Client("192.0.2.7", "a browser")


@pytest.fixture
def name() -> str:
    """A username that no other test has; its e-mail address is `<name>@example.org`."""
    return f"User-{secrets.token_hex(4)}"


@pytest.fixture
async def user(door: Door, name: str, client: Client) -> LoggedIn:
    """Registered as `name` with the password `correct horse battery`."""
    return await door.register(name, f"{name}@example.org", "correct horse battery", "Ada L.", client)

"""A fresh, migrated database of the server that GRAPHFOLIO_TEST_SUPERUSER_URL names."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from db.schema import upgrade

OWNER = "graphfolio_owner"


@contextmanager
def market_database() -> Iterator[str]:
    """The owner's URL of a database that is dropped afterwards."""
    superuser = os.environ["GRAPHFOLIO_TEST_SUPERUSER_URL"]
    name = f"market_{uuid.uuid4().hex[:12]}"
    asyncio.run(_execute(superuser, f"CREATE DATABASE {name} OWNER {OWNER}"))
    try:
        url = _owner_url(superuser, name)
        upgrade(url)
        yield url
    finally:
        asyncio.run(_execute(superuser, f"DROP DATABASE {name} WITH (FORCE)"))


def _owner_url(superuser: str, database: str) -> str:
    parts = urlsplit(superuser)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{OWNER}@{host}", path=f"/{database}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

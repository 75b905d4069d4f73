"""Upgrading the schema from the database's version to the version that the code needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from alembic.config import Config

_ROOT = Path(__file__).resolve().parent.parent
INI = _ROOT / "alembic.ini"

_UNRELEASED = frozenset(f"{number:04}" for number in range(1, 23))
"""The revisions before the first release, since merged into one: none of their numbers is reused."""


class SchemaMismatch(Exception):
    """The database's schema does not fit the code; the message is one line that says what to do."""


def upgrade(owner_url: str) -> bool:
    """Upgrade the schema to the newest revision, and return whether anything was changed.

    Raises SchemaMismatch where the database is newer than the code or does not let this role change it;
    nothing is changed then.
    """
    if is_current(owner_url):
        return False
    # Alembic takes half a second to import; a start with nothing to migrate does not wait for that.
    from alembic import command
    from sqlalchemy.exc import DBAPIError

    try:
        command.upgrade(_config(owner_url), "head")
    except DBAPIError as error:
        # All migrations run in one transaction, so that a refused one leaves nothing behind.
        reason = str(error.orig).partition(": ")[2].partition("\n")[0]
        raise SchemaMismatch(
            f"The database's schema was not changed: {reason}. Migrations need the database's owner, "
            "whom GRAPHFOLIO_OWNER_DATABASE_URL names, or DATABASE_URL."
        ) from error
    return True


def offline_sql() -> None:
    """Print the SQL of all migrations, for those who run it by hand."""
    from alembic import command

    command.upgrade(_config(""), "head", sql=True)


def is_current(url: str) -> bool:
    """Return whether the schema is at the newest revision that the code knows.

    Raise SchemaMismatch where the database has a revision that this code does not know.
    """
    known = revisions()
    found = asyncio.run(_revision(url))
    if found in _UNRELEASED:
        raise SchemaMismatch(
            f"The database was made by a Graphfolio from before the first release (schema {found}): export "
            "its transactions with that version, and import them with this one into a new database."
        )
    if found is not None and found not in known:
        raise SchemaMismatch(
            f"The database's schema ({found}) is newer than this Graphfolio: update Graphfolio, "
            "or restore a backup made with this version."
        )
    return found == known[-1]


def has_schema(url: str) -> bool:
    """Return whether there is a schema of Graphfolio's, of whatever version."""
    return asyncio.run(_revision(url)) is not None


def revisions() -> list[str]:
    """Return the revisions of the code, oldest first: migrations/versions names each file after its own."""
    return sorted(path.name.partition("_")[0] for path in _ROOT.glob("migrations/versions/[0-9]*.py"))


async def _revision(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()


def _config(url: str) -> Config:
    from alembic.config import Config

    config = Config(str(INI))
    config.attributes["url"] = url
    return config

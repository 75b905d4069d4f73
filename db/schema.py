"""The schema's version: from what the database has to what the code needs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

_INI = Path(__file__).resolve().parent.parent / "alembic.ini"


class SchemaMismatch(Exception):
    """The database's schema and the code do not fit; the message is one line that says what to do."""


def upgrade(owner_url: str) -> bool:
    """Brings the schema to the newest revision. Whether there was anything to do.

    Raises SchemaMismatch where the database is newer than the code, and changes nothing then.
    """
    if is_current(owner_url):
        return False
    command.upgrade(_config(owner_url), "head")
    return True


def offline_sql() -> None:
    """Prints the SQL of all migrations, for those who run it by hand."""
    command.upgrade(_config(""), "head", sql=True)


def is_current(url: str) -> bool:
    """Whether the schema is at the newest revision that the code knows.

    Raises SchemaMismatch where the database has a revision that this code does not know.
    """
    scripts = ScriptDirectory.from_config(_config(url))
    found = asyncio.run(_revision(url))
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaMismatch(
            f"The database's schema ({found}) is newer than this Graphfolio: update Graphfolio, "
            "or restore a backup made with this version."
        )
    return found == scripts.get_current_head()


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
    config = Config(str(_INI))
    config.attributes["url"] = url
    return config

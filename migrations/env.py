"""Alembic's entry: runs migrations on a connection that it is given, or on the one that the settings name."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from db.models import Base
from db.sessions import sqlalchemy_url

config = context.config


def _is_ours(name: str | None, type_: str, *_: object) -> bool:
    """Return whether a table is ours: the job library makes and knows its own."""
    return type_ != "table" or not (name or "").startswith("pgqueuer")


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, include_name=_is_ours)
    with context.begin_transaction():
        context.run_migrations()


def _url() -> str:
    url = config.attributes.get("url") or os.environ.get("GRAPHFOLIO_OWNER_DATABASE_URL")
    url = url or os.environ.get("DATABASE_URL")
    if not url:
        raise SystemExit("Set DATABASE_URL, or use `graphfolio migrate` for the embedded PostgreSQL.")
    return str(url)


async def _connect_and_run() -> None:
    engine = create_async_engine(sqlalchemy_url(_url()), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    finally:
        await engine.dispose()


if context.is_offline_mode():
    context.configure(
        dialect_name="postgresql",
        target_metadata=Base.metadata,
        literal_binds=True,
        # The style that is the default doubles every percent sign, which would then be printed so.
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()
elif (given := config.attributes.get("connection")) is not None:
    _run(given)
else:
    asyncio.run(_connect_and_run())

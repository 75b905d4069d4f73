"""What PostGraphile reads: views in a schema of their own, created anew for each run."""

from typing import Any

import asyncpg

from bench.trees.database import Filled
from bench.trees.peers import SOURCE


async def create_views(database: Filled) -> None:
    """Create the views and grant them to the application's role, which every target has."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute((SOURCE / "views.sql").read_text())
    finally:
        await connection.close()

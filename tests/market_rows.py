"""What is stored of the market, read as plain rows."""

import asyncio
from typing import Any

import asyncpg


def rows(url: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """All rows of a query."""

    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def count(url: str, table: str) -> int:
    """How many rows a table has."""
    ((number,),) = rows(url, f"SELECT count(*) FROM {table}")
    return int(number)

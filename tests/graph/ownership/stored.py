"""What the database holds, seen as the superuser, whom no policy holds back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

T = TypeVar("T")

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"

_COLUMNS = """
SELECT c.table_name, array_agg(c.column_name::text) FILTER (WHERE c.data_type = 'uuid') AS uuids
FROM information_schema.columns c JOIN pg_tables t ON t.tablename = c.table_name AND t.schemaname = 'public'
WHERE c.table_schema = 'public'
GROUP BY 1 HAVING bool_or(c.column_name = 'owner_id') ORDER BY 1
"""

OPEN_TO_THE_SERVER = {
    "alert_checks",
    "alert_watches",
    "delivery_work",
    "change_counters",
    "order_work",
    "performance_work",
    "rebalance_due",
    "rebalance_work",
}
"""What the server reads before it knows on whose behalf: owners, ids and prices alone, and no policy."""

# Public to whoever is logged in, so an answer may hold them.
_NOT_SECRET = {"instrument_id"}


def run(url: str, work: Callable[["asyncpg.Connection[Any]"], Awaitable[T]]) -> T:
    """Does the work on a connection of its own; callable where no event loop runs."""

    async def on_connection() -> T:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(on_connection())


def checksums(superuser_url: str) -> dict[str, str]:
    """A digest of every table's rows: two that are equal say that nothing has changed in between."""

    async def read(connection: "asyncpg.Connection[Any]") -> dict[str, str]:
        names = [row["tablename"] for row in await connection.fetch(_TABLES)]
        # When the server looks at somebody's rules again is its own business, and changes by itself.
        names.remove("alert_checks")
        each = (
            f"SELECT '{name}' AS name, count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' "
            f"ORDER BY t::text)), '') AS digest FROM {name} t"
            for name in names
        )
        return {row["name"]: row["digest"] for row in await connection.fetch(" UNION ALL ".join(each))}

    return run(superuser_url, read)


async def owned_tables(connection: "asyncpg.Connection[Any]") -> dict[str, list[str]]:
    """The tables whose rows have an owner, each with its columns that hold ids."""
    found = {row["table_name"]: row["uuids"] for row in await connection.fetch(_COLUMNS)}
    return {name: uuids for name, uuids in found.items() if name not in OPEN_TO_THE_SERVER}


async def ids_of(connection: "asyncpg.Connection[Any]", owner_id: UUID) -> frozenset[UUID]:
    """Every id in every row of the owner's. Fails for a table in which the owner has none."""
    found: set[UUID] = {owner_id}
    for table, columns in (await owned_tables(connection)).items():
        rows = await connection.fetch(f"SELECT * FROM {table} WHERE owner_id = $1", owner_id)
        assert rows, f"{table} has no sample row: give the people of this test one"
        for column in set(columns) - _NOT_SECRET:
            found.update(row[column] for row in rows if row[column] is not None)
    return frozenset(found)

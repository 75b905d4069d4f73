"""Giving an instrument another symbol, also in the portfolio settings that name it."""

from typing import NamedTuple
from uuid import UUID

import asyncpg

_LOCK = """
SELECT symbol, owner_id FROM instruments
WHERE symbol = ANY($1) AND (owner_id IS NULL OR owner_id = $2) ORDER BY id FOR UPDATE
"""

_RENAME = """
UPDATE instruments
SET symbol = $2, former_symbols = array_append(array_remove(array_remove(former_symbols, $1), $2), $1)
WHERE symbol = $1 AND owner_id IS NOT DISTINCT FROM $3::uuid
"""

_WISHES = """
UPDATE portfolios
SET symbols = array_replace(symbols, $2, $3),
    target_weights = CASE WHEN target_weights ? $2
        THEN target_weights - $2 || jsonb_build_object($3::text, target_weights -> $2) ELSE target_weights END
WHERE owner_id = $1 AND ($2 = ANY(symbols) OR target_weights ? $2)
"""


class Found(NamedTuple):
    """The result of a renaming.

    Holds the instrument or None, whether the new symbol is taken, and how many users have it for an
    instrument of their own. Where the instrument exists and the symbol is free, it was renamed.
    """

    is_there: bool
    is_taken: bool
    owners: int


async def rename(owner_url: str, old: str, new: str, owner_id: UUID | None) -> Found:
    """Rename a shared instrument, or a user's own, as the owner of the tables.

    Positions and transactions refer to the instrument's id; portfolios name by symbol what they may hold.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction():
            await _act_for(connection, owner_id)
            # Locked together, so that of two concurrent renamings the second sees what the first has done.
            rows = await connection.fetch(_LOCK, [old, new], owner_id)
            is_there = any(row["symbol"] == old and row["owner_id"] == owner_id for row in rows)
            is_taken = any(row["symbol"] == new for row in rows)
            owners = [] if owner_id is not None else await _owners_of(connection, new)
            if is_there and not is_taken and not owners:
                await connection.execute(_RENAME, old, new, owner_id)
                await _rename_wishes(connection, old, new, owner_id)
            return Found(is_there, is_taken, len(owners))
    finally:
        await connection.close()


async def _act_for(connection: "asyncpg.Connection[asyncpg.Record]", owner_id: UUID | None) -> None:
    await connection.execute("SELECT set_config('app.user_id', $1, true)", str(owner_id or ""))


async def _owners_of(connection: "asyncpg.Connection[asyncpg.Record]", symbol: str) -> list[UUID]:
    """Return the owners of instruments that have the symbol."""
    await connection.execute("SELECT set_config('app.market', 'on', true)")
    rows = await connection.fetch(
        "SELECT owner_id FROM instruments WHERE symbol = $1 AND owner_id IS NOT NULL", symbol
    )
    await connection.execute("SELECT set_config('app.market', '', true)")
    return [row["owner_id"] for row in rows]


async def _rename_wishes(
    connection: "asyncpg.Connection[asyncpg.Record]", old: str, new: str, owner_id: UUID | None
) -> None:
    if owner_id is not None:
        await connection.execute(_WISHES, owner_id, old, new)
        return
    # To users who have an instrument of their own, the symbol means that one.
    others = await _owners_of(connection, old)
    # User by user, because row-level security applies to the owner of the tables as well.
    for user in await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1"):
        if (id := user["user_id"]) not in others:
            await _act_for(connection, id)
            await connection.execute(_WISHES, id, old, new)

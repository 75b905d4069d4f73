"""Giving an instrument another symbol, and the wishes of portfolios that name it."""

import asyncpg

_RENAME = """
UPDATE instruments
SET symbol = $2, former_symbols = array_append(array_remove(array_remove(former_symbols, $1), $2), $1)
WHERE symbol = $1
"""

_WISHES = """
UPDATE portfolios
SET symbols = array_replace(symbols, $2, $3),
    target_weights = CASE WHEN target_weights ? $2
        THEN target_weights - $2 || jsonb_build_object($3::text, target_weights -> $2) ELSE target_weights END
WHERE owner_id = $1 AND ($2 = ANY(symbols) OR target_weights ? $2)
"""


async def rename(owner_url: str, old: str, new: str) -> bool | None:
    """Renames an instrument, by the owner of the tables. False without one, None where `new` is taken.

    Positions and transactions refer to the instrument's id; portfolios say by symbol what they may hold.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction():
            # Locked together, so that of two at once the second one sees what the first has done.
            found = await connection.fetch(
                "SELECT symbol FROM instruments WHERE symbol = ANY($1) ORDER BY id FOR UPDATE", [old, new]
            )
            symbols = {row["symbol"] for row in found}
            if old not in symbols:
                return False
            if new in symbols:
                return None
            await connection.execute(_RENAME, old, new)
            await _rename_wishes(connection, old, new)
            return True
    finally:
        await connection.close()


async def _rename_wishes(connection: "asyncpg.Connection[asyncpg.Record]", old: str, new: str) -> None:
    # User by user, because row-level security holds for the owner of the tables as well.
    for user in await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1"):
        id = user["user_id"]
        await connection.execute("SELECT set_config('app.user_id', $1, true)", str(id))
        await connection.execute(_WISHES, id, old, new)

"""The paper broker's books. Nobody's viewer is set here: they belong to the broker.

They are written over connections of the broker's own (`Sessions.books`), each statement by itself unless the
caller has begun a transaction.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db.market.splits import MARKET_TODAY, QUOTE_TODAY
from db.write_batch import WriteBatch
from db.writing import RawConnection

Row = Mapping[str, Any]


async def find_quote(connection: RawConnection, symbol: str, instrument_id: UUID | None) -> Row | None:
    """Return the instrument's id with its quote, where it has one; without an id that of a shared symbol."""
    return await _fetch(
        connection,
        f"SELECT i.id, {QUOTE_TODAY} AS price, q.as_of "
        "FROM instruments i LEFT JOIN quotes q ON q.instrument_id = i.id "
        "WHERE i.symbol = $1 AND (i.id = $2 OR ($2 IS NULL AND i.owner_id IS NULL))",
        symbol,
        instrument_id,
    )


async def add_order(connection: RawConnection, order: Row, execution: Row | None = None) -> bool:
    """Adds an order with its first fill, unless the client order id is used: whether it is new."""
    parts = WriteBatch()
    places = ", ".join(["{}"] * len(order))
    parts.add(
        f"INSERT INTO paper_orders ({', '.join(order)}) VALUES ({places}) "
        "ON CONFLICT (client_order_id) DO NOTHING RETURNING client_order_id",
        *order.values(),
    )
    if execution is not None:
        parts.add(
            "INSERT INTO paper_executions (client_order_id, id, quantity, price, commission, executed_at, "
            "due_at) SELECT client_order_id, {}::uuid, {}::numeric, {}::numeric, {}::numeric, "
            "{}::timestamptz, {}::timestamptz FROM part_0",
            *(execution[name] for name in ("id", "quantity", "price", "commission", "executed_at", "due_at")),
        )
    return await parts.count_first(connection) > 0


async def find_order(connection: RawConnection, client_order_id: UUID, *, lock: bool = False) -> Row | None:
    """The order, locked until the transaction ends if asked."""
    sql = "SELECT * FROM paper_orders WHERE client_order_id = $1"
    return await _fetch(connection, f"{sql} FOR UPDATE" if lock else sql, client_order_id)


async def change_order(
    connection: RawConnection, client_order_id: UUID, values: Row, fill: Row | None
) -> None:
    """Changes a locked order, and adds a fill of it."""
    parts = WriteBatch()
    changed = ", ".join(f"{name} = {{}}" for name in values)
    parts.add(
        f"UPDATE paper_orders SET {changed} WHERE client_order_id = {{}}", *values.values(), client_order_id
    )
    if fill is not None:
        parts.insert("paper_executions", {"client_order_id": client_order_id, **fill})
    await parts.write(connection)


async def executions_of(connection: RawConnection, client_order_id: UUID) -> Sequence[Row]:
    """All fills of an order, oldest first."""
    return await _fetch_all(
        connection, "SELECT * FROM paper_executions WHERE client_order_id = $1 ORDER BY id", client_order_id
    )


# An order that is for shares of before a split waits until it follows: a later price is none of its own.
_TICKED = f"""
SELECT o.*, {QUOTE_TODAY} AS price, q.as_of
FROM paper_orders o JOIN quotes q ON q.instrument_id = o.instrument_id
WHERE o.status = 'OPEN' AND (o.matched_as_of IS NULL OR o.matched_as_of < q.as_of) AND NOT EXISTS (
    SELECT FROM instrument_splits s
    WHERE s.instrument_id = o.instrument_id AND s.ex_date <= {MARKET_TODAY}
        AND s.ex_date > coalesce(o.units_of, (o.created_at AT TIME ZONE 'America/New_York')::date)
        AND s.ex_date <> ALL(o.followed_splits)
)
ORDER BY o.client_order_id LIMIT $1 FOR UPDATE OF o SKIP LOCKED
"""


async def lock_ticked(connection: RawConnection, most: int) -> Sequence[Row]:
    """Open orders whose instrument has ticked since they were last matched, with the quote.

    What another process is matching just now is left to it.
    """
    return await _fetch_all(connection, _TICKED, most)


_TELL = """
UPDATE paper_executions e SET due_at = clock_timestamp() + $1::interval
FROM (SELECT id FROM paper_executions WHERE due_at <= clock_timestamp()
      ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) due
WHERE e.id = due.id
RETURNING e.*
"""


async def claim_executions(connection: RawConnection, again: dt.timedelta, most: int) -> Sequence[Row]:
    """Fills that are due to be told; each is due again after that time, unless acknowledged."""
    return await _fetch_all(connection, _TELL, again, most)


async def acknowledge(connection: RawConnection, ids: Sequence[UUID]) -> None:
    """These have arrived and are not told again."""
    await connection.execute("UPDATE paper_executions SET due_at = NULL WHERE id = ANY($1::uuid[])", ids)


async def _fetch(connection: RawConnection, sql: str, *values: object) -> Row | None:
    row = await connection.fetchrow(sql, *values)
    return None if row is None else dict(row)


async def _fetch_all(connection: RawConnection, sql: str, *values: object) -> Sequence[Row]:
    return [dict(row) for row in await connection.fetch(sql, *values)]

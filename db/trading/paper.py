"""The paper broker's books; no viewer is set here, as they belong to the broker.

They are written over the broker's own connections (`Sessions.broker_writers`), each statement by itself
unless the caller has begun a transaction.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.market.splits import MARKET_TODAY, QUOTE_TODAY
from db.write_batch import WriteBatch
from db.writing import RawConnection


class PaperQuote(NamedTuple):
    """An instrument's id, and its quote where it has one."""

    id: UUID
    price: Decimal | None
    as_of: dt.datetime | None


class PaperOrderRow(NamedTuple):
    """An order in the paper broker's books; it has no instrument if it was cancelled before it arrived."""

    client_order_id: UUID
    id: UUID
    instrument_id: UUID | None
    side: str | None
    type: str | None
    quantity: Decimal
    filled_quantity: Decimal
    limit_price: Decimal | None
    worst_price: Decimal | None
    commission: Decimal
    status: str
    rejection_code: str | None = None
    rejection_reason: str | None = None
    matched_as_of: dt.datetime | None = None


class TickedOrder(NamedTuple):
    """An open order, and the quote of a tick that it was not yet compared with."""

    order: PaperOrderRow
    price: Decimal
    as_of: dt.datetime


class PaperFill(NamedTuple):
    """A fill in the paper broker's books, reported when it is due; `due_at` is None once it has arrived."""

    id: UUID
    client_order_id: UUID
    quantity: Decimal
    price: Decimal
    commission: Decimal
    executed_at: dt.datetime
    due_at: dt.datetime | None


_QUOTE = f"""
SELECT i.id, {QUOTE_TODAY} AS price, q.as_of
FROM instruments i LEFT JOIN quotes q ON q.instrument_id = i.id
WHERE i.symbol = $1 AND (i.id = $2 OR ($2 IS NULL AND i.owner_id IS NULL))
"""
_ORDER = ", ".join(f"o.{name}" for name in PaperOrderRow._fields)
_FILL = ", ".join(f"e.{name}" for name in PaperFill._fields)


async def find_quote(connection: RawConnection, symbol: str, instrument_id: UUID | None) -> PaperQuote | None:
    """Return the instrument's id with its quote, if any; without an id, that of a shared symbol."""
    row = await connection.fetchrow(_QUOTE, symbol, instrument_id)
    return None if row is None else PaperQuote(**row)


async def add_order(connection: RawConnection, order: PaperOrderRow, fill: PaperFill | None = None) -> bool:
    """Add an order with its first fill, unless the client order id is used; return whether it is new."""
    parts = WriteBatch()
    places = ", ".join(["{}"] * len(order))
    parts.add(
        f"INSERT INTO paper_orders ({', '.join(order._fields)}) VALUES ({places}) "
        "ON CONFLICT (client_order_id) DO NOTHING RETURNING client_order_id",
        *order,
    )
    if fill is not None:
        parts.add(
            "INSERT INTO paper_executions (client_order_id, id, quantity, price, commission, executed_at, "
            "due_at) SELECT client_order_id, {}::uuid, {}::numeric, {}::numeric, {}::numeric, "
            "{}::timestamptz, {}::timestamptz FROM part_0",
            *(fill.id, fill.quantity, fill.price, fill.commission, fill.executed_at, fill.due_at),
        )
    return await parts.count_first(connection) > 0


async def find_order(
    connection: RawConnection, client_order_id: UUID, *, lock: bool = False
) -> PaperOrderRow | None:
    """Return the order; with `lock`, locked until the transaction ends."""
    sql = f"SELECT {_ORDER} FROM paper_orders o WHERE o.client_order_id = $1"
    row = await connection.fetchrow(f"{sql} FOR UPDATE" if lock else sql, client_order_id)
    return None if row is None else PaperOrderRow(**row)


async def change_order(
    connection: RawConnection, client_order_id: UUID, values: Mapping[str, object], fill: PaperFill | None
) -> None:
    """Change a locked order, and add a fill of it."""
    parts = WriteBatch()
    changed = ", ".join(f"{name} = {{}}" for name in values)
    parts.add(
        f"UPDATE paper_orders SET {changed} WHERE client_order_id = {{}}", *values.values(), client_order_id
    )
    if fill is not None:
        parts.insert("paper_executions", fill._asdict())
    await parts.write(connection)


async def fills_of(connection: RawConnection, client_order_id: UUID) -> Sequence[PaperFill]:
    """Return all fills of an order, oldest first."""
    sql = f"SELECT {_FILL} FROM paper_executions e WHERE e.client_order_id = $1 ORDER BY e.id"
    return [PaperFill(**row) for row in await connection.fetch(sql, client_order_id)]


# An order for shares from before a split waits until it has followed the split: a later price is not for its
# shares.
_TICKED = f"""
SELECT {_ORDER}, {QUOTE_TODAY} AS price, q.as_of
FROM paper_orders o JOIN quotes q ON q.instrument_id = o.instrument_id
WHERE o.status = 'OPEN' AND (o.matched_as_of IS NULL OR o.matched_as_of < q.as_of) AND NOT EXISTS (
    SELECT FROM instrument_splits s
    WHERE s.instrument_id = o.instrument_id AND s.ex_date <= {MARKET_TODAY}
        AND s.ex_date > coalesce(o.units_of, (o.created_at AT TIME ZONE 'America/New_York')::date)
        AND s.ex_date <> ALL(o.followed_splits)
)
ORDER BY o.client_order_id LIMIT $1 FOR UPDATE OF o SKIP LOCKED
"""


async def lock_ticked(connection: RawConnection, most: int) -> Sequence[TickedOrder]:
    """Return open orders whose instrument has ticked since they were last matched, with the quote.

    Orders that another process is matching are left to it.
    """
    names = PaperOrderRow._fields
    return [
        TickedOrder(PaperOrderRow(*(row[name] for name in names)), row["price"], row["as_of"])
        for row in await connection.fetch(_TICKED, most)
    ]


_TELL = f"""
UPDATE paper_executions e SET due_at = clock_timestamp() + $1::interval
FROM (SELECT id FROM paper_executions WHERE due_at <= clock_timestamp()
      ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) due
WHERE e.id = due.id
RETURNING {_FILL}
"""


async def claim_fills(connection: RawConnection, again: dt.timedelta, most: int) -> Sequence[PaperFill]:
    """Return fills that are due to be reported; each is due again after `again`, unless acknowledged."""
    return [PaperFill(**row) for row in await connection.fetch(_TELL, again, most)]


async def acknowledge(connection: RawConnection, ids: Sequence[UUID]) -> None:
    """Record that these have arrived, so that they are not reported again."""
    await connection.execute("UPDATE paper_executions SET due_at = NULL WHERE id = ANY($1::uuid[])", ids)

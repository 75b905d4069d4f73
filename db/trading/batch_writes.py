"""The ledger's writes as parts of one statement (`db.write_batch`): the same tables and guards as `writes`,
`revisions` and `orders` have, for a portfolio that is locked.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.account.days import day_of
from db.write_batch import WriteBatch

_LOT = ("id", "transaction_id", "number", "opened_at", "remaining_quantity", "remaining_cost")
_USE = ("transaction_id", "lot_transaction_id", "lot_number", "quantity_delta", "cost_delta", "gain")
Row = Mapping[str, Any]


def post_to_portfolio(
    parts: WriteBatch,
    owner_id: UUID,
    portfolio_id: UUID,
    cash: Decimal,
    released: Decimal,
    since: dt.datetime,
) -> None:
    """Add to the portfolio's cash, take `released` from what is reserved of it, and mark its snapshots as
    stale from the account's day of that instant on.

    The one write of a portfolio's row by a posting, also where no cash moves. Nothing is announced here:
    whoever commits does that.
    """
    parts.add(
        "UPDATE portfolios p SET cash_balance = p.cash_balance + {}, "
        "reserved_cash = p.reserved_cash - {}, snapshots_stale_from = least(p.snapshots_stale_from, "
        + day_of("{}::timestamptz", "a.time_zone")
        + ") FROM accounts a WHERE p.owner_id = {} AND p.id = {} AND a.owner_id = {} AND a.id = p.account_id",
        cash,
        released,
        since,
        owner_id,
        portfolio_id,
        owner_id,
    )


def reserve_cash(parts: WriteBatch, owner_id: UUID, portfolio_id: UUID, cash: Decimal) -> None:
    """Adds to what is reserved of a portfolio's cash."""
    parts.add(
        "UPDATE portfolios SET reserved_cash = reserved_cash + {} WHERE owner_id = {} AND id = {}",
        cash,
        owner_id,
        portfolio_id,
    )


def reserve_shares(
    parts: WriteBatch, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID, quantity: Decimal
) -> None:
    """Adds to what is reserved of a holding."""
    parts.add(
        "UPDATE positions SET reserved_quantity = reserved_quantity + {} "
        "WHERE owner_id = {} AND portfolio_id = {} AND instrument_id = {}",
        quantity,
        owner_id,
        portfolio_id,
        instrument_id,
    )


def save_position(parts: WriteBatch, row: Row, released: Decimal = Decimal(0)) -> None:
    """Writes what is held, and takes `released` from what of it is reserved."""
    places = ", ".join(["{}"] * len(row))
    parts.add(
        f"INSERT INTO positions ({', '.join(row)}) VALUES ({places}) "
        "ON CONFLICT (owner_id, portfolio_id, instrument_id) DO UPDATE SET quantity = excluded.quantity, "
        "cost_basis = excluded.cost_basis, realized_pnl = excluded.realized_pnl, "
        "realized_pnl_fifo = excluded.realized_pnl_fifo, "
        "reserved_quantity = positions.reserved_quantity - {}",
        *row.values(),
        released,
    )


def save_lots(parts: WriteBatch, rows: Sequence[Row]) -> None:
    """Writes lots of one holding as they now are."""
    if not rows:
        return
    parts.add(
        "INSERT INTO lots (owner_id, portfolio_id, instrument_id, id, transaction_id, number, opened_at, "
        "remaining_quantity, remaining_cost) SELECT {}::uuid, {}::uuid, {}::uuid, l.* "
        "FROM unnest({}::uuid[], {}::uuid[], {}::int[], {}::timestamptz[], {}::numeric[], {}::numeric[]) l "
        "ON CONFLICT (owner_id, transaction_id, number) DO UPDATE SET opened_at = excluded.opened_at, "
        "remaining_quantity = excluded.remaining_quantity, remaining_cost = excluded.remaining_cost",
        *(rows[0][name] for name in ("owner_id", "portfolio_id", "instrument_id")),
        *_columns(rows, _LOT),
    )


def add_uses(parts: WriteBatch, rows: Sequence[Row]) -> None:
    """Adds what a new transaction did to lots."""
    if not rows:
        return
    parts.add(
        "INSERT INTO lot_uses (owner_id, transaction_id, lot_transaction_id, lot_number, quantity_delta, "
        "cost_delta, gain) SELECT {}::uuid, u.* "
        "FROM unnest({}::uuid[], {}::uuid[], {}::int[], {}::numeric[], {}::numeric[], {}::numeric[]) u",
        rows[0]["owner_id"],
        *_columns(rows, _USE),
    )


def _columns(rows: Sequence[Row], names: Sequence[str]) -> list[list[Any]]:
    return [[row[name] for row in rows] for name in names]


def add_order(parts: WriteBatch, row: Row, due_at: dt.datetime) -> None:
    """Adds an order, and the work of looking after it."""
    parts.insert("orders", row)
    parts.insert("order_work", {"owner_id": row["owner_id"], "order_id": row["id"], "due_at": due_at})


def change_order(parts: WriteBatch, owner_id: UUID, id: UUID, values: Row) -> None:
    """Changes an order; its version grows by one."""
    changed = ", ".join(f"{name} = {{}}" for name in values)
    parts.add(
        f"UPDATE orders SET version = version + 1, {changed} WHERE owner_id = {{}} AND id = {{}}",
        *values.values(),
        owner_id,
        id,
    )


def end_work(parts: WriteBatch, owner_id: UUID, order_id: UUID) -> None:
    """Nobody has to look after the order any more."""
    parts.add("DELETE FROM order_work WHERE owner_id = {} AND order_id = {}", owner_id, order_id)

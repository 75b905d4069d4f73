"""The ledger's writes to locked rows, as parts of one statement (`db.write_batch`)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import NamedTuple
from uuid import UUID

from db.account.days import day_of
from db.write_batch import WriteBatch

Row = Mapping[str, object]
"""Values by column."""

TRANSACTION = {
    "owner_id": "uuid",
    "id": "uuid",
    "account_id": "uuid",
    "portfolio_id": "uuid",
    "instrument_id": "uuid",
    "order_id": "uuid",
    "execution_id": "text",
    "reverses_id": "uuid",
    "transfer_id": "uuid",
    "import_id": "uuid",
    "type": "text",
    "quantity": "numeric",
    "price": "numeric",
    "amount": "numeric",
    "commission": "numeric",
    "split_for": "numeric",
    "is_automatic": "boolean",
    "is_split_adjusted": "boolean",
    "currency": "text",
    "cash_delta": "numeric",
    "quantity_delta": "numeric",
    "cost_delta": "numeric",
    "realized_pnl": "numeric",
    "realized_pnl_fifo": "numeric",
    "executed_at": "timestamptz",
    "notes": "text",
    "fingerprint": "bytea",
}
_FALSE = ("is_automatic", "is_split_adjusted")


class PositionWrite(NamedTuple):
    """The present position of a portfolio; `id` is used for the first holding of an instrument."""

    owner_id: UUID
    id: UUID
    portfolio_id: UUID
    instrument_id: UUID
    quantity: Decimal
    cost_basis: Decimal
    realized_pnl: Decimal
    realized_pnl_fifo: Decimal


class LotWrite(NamedTuple):
    """The present state of a lot, identified by the transaction that opened it and its number."""

    owner_id: UUID
    id: UUID
    portfolio_id: UUID
    instrument_id: UUID
    transaction_id: UUID
    number: int
    opened_at: dt.datetime
    remaining_quantity: Decimal
    remaining_cost: Decimal


class UseWrite(NamedTuple):
    """The present effect of a transaction on a lot."""

    owner_id: UUID
    transaction_id: UUID
    lot_transaction_id: UUID
    lot_number: int
    quantity_delta: Decimal
    cost_delta: Decimal
    gain: Decimal | None


class FiguresWrite(NamedTuple):
    """The present derived figures of a later transaction."""

    transaction_id: UUID
    quantity_delta: Decimal
    cost_delta: Decimal
    realized_pnl: Decimal | None
    realized_pnl_fifo: Decimal | None


_Write = PositionWrite | LotWrite | UseWrite

_POSITION = "uuid uuid uuid uuid numeric numeric numeric numeric"
_LOT = "uuid uuid uuid uuid uuid int timestamptz numeric numeric"
_USE = "uuid uuid uuid int numeric numeric numeric"
_FIGURES = "uuid numeric numeric numeric numeric"


def add_transactions(parts: WriteBatch, rows: Sequence[Row]) -> None:
    """Add entries; the ledger only ever grows."""
    if len(rows) == 1:
        parts.insert("transactions", rows[0])
    elif rows:
        full = [{**dict.fromkeys(_FALSE, False), **row} for row in rows]
        columns = [[row.get(name) for row in full] for name in TRANSACTION]
        parts.add(
            f"INSERT INTO transactions ({', '.join(TRANSACTION)}) "
            f"SELECT * FROM unnest({_arrays(' '.join(TRANSACTION.values()))}) r",
            *columns,
        )


def change_portfolio(
    parts: WriteBatch,
    key: tuple[UUID, UUID],
    cash: Decimal,
    reserved: Decimal,
    since: dt.datetime | None,
) -> None:
    """Add to a portfolio's cash, and to the part of it that is reserved.

    Where something was posted, `since` is its earliest instant: the snapshots are stale from the account's
    day of it on. The time zone is read here and not before: a transaction that changes it locks the portfolio
    until it commits.
    """
    owner_id, portfolio_id = key
    if since is None:
        parts.add(
            "UPDATE portfolios SET cash_balance = cash_balance + {}, reserved_cash = reserved_cash + {} "
            "WHERE owner_id = {} AND id = {}",
            *(cash, reserved, owner_id, portfolio_id),
        )
        return
    parts.add(
        "UPDATE portfolios p SET cash_balance = p.cash_balance + {}, "
        "reserved_cash = p.reserved_cash + {}, snapshots_stale_from = least(p.snapshots_stale_from, "
        + day_of("{}::timestamptz", "a.time_zone")
        + ") FROM accounts a WHERE p.owner_id = {} AND p.id = {} AND a.owner_id = {} AND a.id = p.account_id",
        *(cash, reserved, since, owner_id, portfolio_id, owner_id),
    )


def change_account(parts: WriteBatch, key: tuple[UUID, UUID], cash: Decimal) -> None:
    """Add to the unallotted cash of an account."""
    parts.add(
        "UPDATE accounts SET unallotted_cash = unallotted_cash + {} WHERE owner_id = {} AND id = {}",
        cash,
        *key,
    )


def reserve_shares(parts: WriteBatch, key: tuple[UUID, UUID, UUID], quantity: Decimal) -> None:
    """Add to the reserved quantity of a portfolio's holding of an instrument."""
    parts.add(
        "UPDATE positions SET reserved_quantity = reserved_quantity + {} "
        "WHERE owner_id = {} AND portfolio_id = {} AND instrument_id = {}",
        quantity,
        *key,
    )


_SAVE_POSITION = (
    " ON CONFLICT (owner_id, portfolio_id, instrument_id) DO UPDATE SET quantity = excluded.quantity, "
    "cost_basis = excluded.cost_basis, realized_pnl = excluded.realized_pnl, "
    "realized_pnl_fifo = excluded.realized_pnl_fifo"
)


def save_positions(parts: WriteBatch, rows: Sequence[PositionWrite]) -> None:
    """Write positions."""
    _insert_all(parts, "positions", _POSITION, rows, _SAVE_POSITION)


def save_position(parts: WriteBatch, row: PositionWrite, reserved: Decimal) -> None:
    """Write a position, and add to its reserved quantity."""
    places = ", ".join(["{}"] * len(row))
    parts.add(
        f"INSERT INTO positions ({', '.join(row._fields)}) VALUES ({places}){_SAVE_POSITION}, "
        "reserved_quantity = positions.reserved_quantity + {}",
        *row,
        reserved,
    )


def save_lots(parts: WriteBatch, rows: Sequence[LotWrite]) -> None:
    """Write the present lots."""
    _insert_all(
        parts,
        "lots",
        _LOT,
        rows,
        " ON CONFLICT (owner_id, transaction_id, number) DO UPDATE SET opened_at = excluded.opened_at, "
        "remaining_quantity = excluded.remaining_quantity, remaining_cost = excluded.remaining_cost",
    )


def save_uses(parts: WriteBatch, rows: Sequence[UseWrite]) -> None:
    """Write the effects of transactions on lots."""
    _insert_all(
        parts,
        "lot_uses",
        _USE,
        rows,
        " ON CONFLICT (owner_id, transaction_id, lot_transaction_id, lot_number) DO UPDATE SET "
        "quantity_delta = excluded.quantity_delta, cost_delta = excluded.cost_delta, gain = excluded.gain",
    )


def save_figures(parts: WriteBatch, owner_id: UUID, rows: Sequence[FiguresWrite]) -> None:
    """Write the derived figures of later transactions."""
    if rows:
        parts.add(
            "UPDATE transactions t SET quantity_delta = f.quantity_delta, cost_delta = f.cost_delta, "
            "realized_pnl = f.realized_pnl, realized_pnl_fifo = f.realized_pnl_fifo "
            f"FROM unnest({_arrays(_FIGURES)}) f({', '.join(FiguresWrite._fields)}) "
            "WHERE t.owner_id = {} AND t.id = f.transaction_id",
            *_columns(rows),
            owner_id,
        )


def delete_uses(parts: WriteBatch, owner_id: UUID, keys: Sequence[tuple[UUID, UUID, int]]) -> None:
    """Delete uses that no longer exist, by transaction, the lot's transaction and its number."""
    if keys:
        parts.add(
            "DELETE FROM lot_uses u USING unnest({}::uuid[], {}::uuid[], {}::int[]) g(id, lot_id, number) "
            "WHERE u.owner_id = {} AND u.transaction_id = g.id AND u.lot_transaction_id = g.lot_id "
            "AND u.lot_number = g.number",
            *_columns(keys),
            owner_id,
        )


def delete_lots(parts: WriteBatch, owner_id: UUID, keys: Sequence[tuple[UUID, int]]) -> None:
    """Delete lots that no transaction opens or uses any more."""
    if keys:
        parts.add(
            "DELETE FROM lots l USING unnest({}::uuid[], {}::int[]) g(id, number) "
            "WHERE l.owner_id = {} AND l.transaction_id = g.id AND l.number = g.number",
            *_columns(keys),
            owner_id,
        )


def add_order(parts: WriteBatch, row: Row, due_at: dt.datetime | None) -> None:
    """Add an order, and the work of processing it, unless it has ended already."""
    parts.insert("orders", row)
    if due_at is not None:
        parts.insert("order_work", {"owner_id": row["owner_id"], "order_id": row["id"], "due_at": due_at})


def change_order(parts: WriteBatch, owner_id: UUID, id: UUID, values: Row) -> None:
    """Change an order; its version grows by one."""
    changed = ", ".join(f"{name} = {{}}" for name in values)
    parts.add(
        f"UPDATE orders SET version = version + 1, {changed} WHERE owner_id = {{}} AND id = {{}}",
        *values.values(),
        owner_id,
        id,
    )


def set_work(parts: WriteBatch, owner_id: UUID, order_id: UUID, due_at: dt.datetime | None) -> None:
    """Set when the order is processed next; None once it has ended."""
    if due_at is None:
        parts.add("DELETE FROM order_work WHERE owner_id = {} AND order_id = {}", owner_id, order_id)
    else:
        parts.add(
            "UPDATE order_work SET due_at = {} WHERE owner_id = {} AND order_id = {}",
            due_at,
            owner_id,
            order_id,
        )


_REVERSE = """
INSERT INTO transactions (owner_id, id, reverses_id, account_id, portfolio_id, instrument_id, transfer_id,
    type, quantity, price, amount, commission, split_for, currency, executed_at, notes, cash_delta,
    quantity_delta, cost_delta, realized_pnl, realized_pnl_fifo, is_automatic)
SELECT t.owner_id, n.id, t.id, t.account_id, t.portfolio_id, t.instrument_id, t.transfer_id, t.type,
    t.quantity, t.price, t.amount, t.commission, t.split_for, t.currency, t.executed_at, {}::text,
    -t.cash_delta, -t.quantity_delta, -t.cost_delta, -t.realized_pnl, -t.realized_pnl_fifo, {}::boolean
FROM unnest({}::uuid[], {}::uuid[]) AS n(reverses_id, id)
JOIN transactions t ON t.owner_id = {} AND t.id = n.reverses_id
"""


def add_reversals(
    parts: WriteBatch,
    owner_id: UUID,
    reversals: Mapping[UUID, UUID],
    notes: str | None = None,
    *,
    is_automatic: bool = False,
) -> None:
    """Add the transactions that reverse these; `reversals` maps each reversed id to its reversal's id.

    They have the figures of what they reverse, and its deltas with the other sign. They are automatic where
    nobody reverses anything: an automatic entry is posted again, or ceases to exist.
    """
    parts.add(_REVERSE, notes, is_automatic, list(reversals), list(reversals.values()), owner_id)


def mark_import_reversed(parts: WriteBatch, owner_id: UUID, id: UUID) -> None:
    """Record that an import is reversed, now."""
    parts.add(
        "UPDATE imports SET reversed_at = clock_timestamp() WHERE owner_id = {} AND id = {}", owner_id, id
    )


def _insert_all(parts: WriteBatch, table: str, types: str, rows: Sequence[_Write], on_conflict: str) -> None:
    if rows:
        names = ", ".join(rows[0]._fields)
        parts.add(
            f"INSERT INTO {table} ({names}) SELECT * FROM unnest({_arrays(types)}) r{on_conflict}",
            *_columns(rows),
        )


@cache
def _arrays(types: str) -> str:
    return ", ".join(f"{{}}::{type}[]" for type in types.split())


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]

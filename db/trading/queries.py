"""Reading orders and transactions."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from db.pages import Key, Listing
from db.sessions import Connection, Row

TRANSACTIONS_OF_ACCOUNT = Listing(
    name="transactions",
    columns="""t.id, t.account_id, t.portfolio_id, t.instrument_id, t.order_id, t.type, i.symbol, t.quantity,
        t.price, t.amount, t.commission, t.currency, t.cash_delta, t.quantity_delta, t.realized_pnl,
        t.executed_at, t.notes, t.cost_delta, t.realized_pnl_fifo, t.reverses_id""",
    source="transactions t LEFT JOIN instruments i ON i.id = t.instrument_id",
    order=(
        Key("executed_at", "t.executed_at", dt.datetime.fromisoformat),
        Key("id", "t.id", UUID),
    ),
    descending=True,
    parent="t.account_id",
    filters={"type": "t.type = {}", "symbol": "i.symbol = {}"},
)
TRANSACTIONS_OF_PORTFOLIO = replace(TRANSACTIONS_OF_ACCOUNT, parent="t.portfolio_id")
TRANSACTIONS_OF_ORDER = replace(TRANSACTIONS_OF_ACCOUNT, parent="t.order_id")

ORDERS_OF_PORTFOLIO = Listing(
    name="orders",
    columns="""t.id, t.portfolio_id, t.side, t.type, t.status, i.symbol, t.quantity, t.filled_quantity,
        t.limit_price, t.average_fill_price, t.submitted_at, t.updated_at, t.rejection_reason""",
    source="orders t JOIN instruments i ON i.id = t.instrument_id",
    order=(
        Key("submitted_at", "t.submitted_at", dt.datetime.fromisoformat),
        Key("id", "t.id", UUID),
    ),
    descending=True,
    parent="t.portfolio_id",
    filters={"status": "t.status = {}"},
)
ORDERS_OF_REBALANCE = replace(ORDERS_OF_PORTFOLIO, parent="t.rebalance_id")

LOT_USES = Listing(
    name="lotUses",
    columns="""t.lot_transaction_id, t.lot_number, l.opened_at, -t.quantity_delta AS quantity,
        -t.cost_delta AS cost, t.gain""",
    source="""lot_uses t JOIN lots l ON l.owner_id = $1 AND l.transaction_id = t.lot_transaction_id
        AND l.number = t.lot_number""",
    order=(
        Key("opened_at", "l.opened_at", dt.datetime.fromisoformat),
        Key("lot_transaction_id", "t.lot_transaction_id", UUID),
        Key("lot_number", "t.lot_number", int),
    ),
    parent="t.transaction_id",
)


async def fetch_reversals(
    connection: Connection, owner_id: UUID, transaction_ids: Sequence[UUID]
) -> dict[UUID, Row]:
    """The transactions that reverse these, by the one that is reversed."""
    rows = await connection.fetch(
        f"SELECT {TRANSACTIONS_OF_ACCOUNT.columns} FROM {TRANSACTIONS_OF_ACCOUNT.source} "
        "WHERE t.owner_id = $1 AND t.reverses_id = ANY($2::uuid[])",
        owner_id,
        transaction_ids,
    )
    return {row["reverses_id"]: row for row in rows}

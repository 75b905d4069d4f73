"""Reading orders and transactions."""

import datetime as dt
from dataclasses import replace
from uuid import UUID

from db.pages import Key, Listing

TRANSACTIONS_OF_ACCOUNT = Listing(
    name="transactions",
    columns="""t.id, t.account_id, t.portfolio_id, t.instrument_id, t.order_id, t.type, i.symbol, t.quantity,
        t.price, t.amount, t.commission, t.currency, t.cash_delta, t.quantity_delta, t.realized_pnl,
        t.executed_at, t.notes""",
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

"""What the lists of `db.trading` return."""

import datetime as dt
from typing import TypedDict
from uuid import UUID

from db.canonical import DecimalText, JsonObject


class ListedTransactionRow(TypedDict):
    """A row of `TRANSACTIONS_OF_ACCOUNT`."""

    id: UUID
    account_id: UUID
    portfolio_id: UUID | None
    instrument_id: UUID | None
    order_id: UUID | None
    type: str
    symbol: str | None
    quantity: DecimalText | None
    price: DecimalText | None
    amount: DecimalText
    commission: DecimalText
    currency: str
    cash_delta: DecimalText
    quantity_delta: DecimalText
    realized_pnl: DecimalText | None
    executed_at: dt.datetime
    is_automatic: bool
    notes: str | None
    cost_delta: DecimalText
    realized_pnl_fifo: DecimalText | None
    reverses_id: UUID | None
    import_id: UUID | None


class ListedImportRow(TypedDict):
    """A row of `IMPORTS`."""

    id: UUID
    portfolio_id: UUID
    created_at: dt.datetime
    format: str
    transaction_count: int
    reversed_at: dt.datetime | None


class ListedOrderRow(TypedDict):
    """A row of `ORDERS_OF_PORTFOLIO`."""

    id: UUID
    portfolio_id: UUID
    side: str
    type: str
    status: str
    symbol: str
    quantity: DecimalText
    filled_quantity: DecimalText
    remaining_quantity: DecimalText
    notional: DecimalText | None
    time_in_force: str
    expires_at: dt.datetime | None
    limit_price: DecimalText | None
    average_fill_price: DecimalText | None
    reserved_cash: DecimalText
    submitted_at: dt.datetime
    updated_at: dt.datetime
    version: int
    rejection_reason: str | None
    rejection_code: str | None
    rejection_facts: JsonObject | None
    instrument_id: UUID


class LotUseRow(TypedDict):
    """A row of `LOT_USES`."""

    lot_transaction_id: UUID
    lot_number: int
    opened_at: dt.datetime
    quantity: DecimalText
    cost: DecimalText
    gain: DecimalText | None

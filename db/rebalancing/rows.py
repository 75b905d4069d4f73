"""What the queries of `db.rebalancing` return: each type has the columns of its statement.

`tests/db/test_rows.py` compares them with the columns that PostgreSQL reports for the statements.
"""

import datetime as dt
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from db.canonical import DecimalText, JsonObject


class AutomaticRow(TypedDict):
    """A row of `find_automatic`."""

    auto_rebalance: bool
    rebalance_frequency: str
    drift_band: Decimal | None
    strategy: str
    target_weights: JsonObject | None
    is_live: bool


class RebalancedPortfolioRow(TypedDict):
    """A row of `find_rebalanced`."""

    owner_id: UUID
    id: UUID
    account_id: UUID
    name: str
    currency: str
    margin: bool
    strategy: str
    risk_tolerance: Decimal
    max_position_size: Decimal
    auto_rebalance: bool
    rebalance_frequency: str
    drift_band: Decimal | None
    symbols: list[str] | None
    target_weights: JsonObject | None
    cash_balance: Decimal
    reserved_cash: Decimal
    is_active: bool
    snapshots_stale_from: dt.date | None
    fractional_shares: bool
    minimum_trade: Decimal
    relative_drift_band: Decimal | None
    cash_reserve: Decimal
    max_trade: Decimal | None
    max_turnover: Decimal | None
    look_back_days: int
    tax_aware: bool
    broker: str
    account_is_active: bool
    time_zone: str


class PlannedHoldingRow(TypedDict):
    """A row of `find_held`."""

    instrument_id: UUID
    symbol: str
    currency: str
    price: Decimal | None
    as_of: dt.datetime | None
    quantity: Decimal
    reserved_quantity: Decimal
    cost_basis: Decimal
    incoming_quantity: Decimal


class OpenLotRow(TypedDict):
    """A row of `find_all_lots`."""

    instrument_id: UUID
    transaction_id: UUID
    number: int
    opened_at: dt.datetime
    remaining_quantity: Decimal
    remaining_cost: Decimal


class VenueRow(TypedDict):
    """A row of `find_venues`."""

    id: UUID
    asset_class: str
    exchange: str | None


class LockedRebalanceRow(TypedDict):
    """A row of `lock_rebalance`."""

    owner_id: UUID
    id: UUID
    portfolio_id: UUID
    strategy: str
    status: str
    trigger: str
    old_weights: JsonObject
    new_weights: JsonObject
    turnover: Decimal
    total_cost: Decimal
    trades_executed: int
    started_at: dt.datetime
    completed_at: dt.datetime | None
    failure_reason: str | None
    target_weights: JsonObject | None
    value_before: Decimal | None
    plan_hash: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class LegRow(TypedDict):
    """A row of `find_legs`."""

    number: int
    instrument_id: UUID
    side: str
    quantity: Decimal
    filled_quantity: Decimal
    quote_price: Decimal
    status: str
    order_id: UUID | None
    reason: str | None
    symbol: str
    order_status: str | None
    order_filled: Decimal | None
    rejection_code: str | None
    rejection_reason: str | None


class TotalsRow(TypedDict):
    """A row of `find_totals`."""

    traded: Decimal
    cost: Decimal
    trades: int


class RebalanceRow(TypedDict):
    """A row of `REBALANCES`."""

    id: UUID
    portfolio_id: UUID
    strategy: str
    status: str
    trigger: str
    old_weights: JsonObject
    new_weights: JsonObject
    target_weights: JsonObject | None
    plan_hash: str | None
    turnover: DecimalText
    total_cost: DecimalText
    trades_executed: int
    started_at: dt.datetime
    completed_at: dt.datetime | None
    failure_reason: str | None
    leg_count: int
    legs_ended: int
    legs_changed_at: dt.datetime | None


class RebalanceLegRow(TypedDict):
    """A row of `LEGS`."""

    rebalance_id: UUID
    number: int
    symbol: str
    side: str
    quantity: DecimalText
    filled_quantity: DecimalText
    status: str
    order_id: UUID | None
    reason: str | None
    instrument_id: UUID

"""What the queries of `db.portfolio` return: each type has the columns of its statement.

`tests/db/test_rows.py` compares them with the columns that PostgreSQL reports for the statements.
"""

import datetime as dt
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from db.canonical import DecimalText, JsonObject


class AllocatedPartRow(TypedDict):
    """A row of `fetch_parts`."""

    scope_id: UUID
    account_id: UUID
    account: str
    portfolio_id: UUID
    portfolio: str
    currency: str
    position_id: UUID | None
    symbol: str
    asset_class: str
    value: DecimalText | None


class TargetWeightRow(TypedDict):
    """A row of `fetch_target_weights`."""

    portfolio_id: UUID
    cash_reserve: DecimalText
    source: str
    symbol: str | None
    asset_class: str | None
    weight: str | None


class FlowDayRow(TypedDict):
    """A row of `fetch_flow_days`."""

    scope_id: UUID
    date: dt.date
    cash: DecimalText
    held: str | None
    known: str | None
    units: str | None
    entries: str | None


class GainRow(TypedDict):
    """A row of `fetch_gains`."""

    scope_id: UUID
    instrument_id: UUID
    gain: DecimalText
    contribution: DecimalText


class PointRow(TypedDict):
    """A row of `fetch_points`."""

    scope_id: UUID
    date: dt.date
    total_value: DecimalText
    unpriced_positions: int
    num_positions: int
    stale_positions: int
    unquoted_positions: int


class BenchmarkRow(TypedDict):
    """A row of `fetch_benchmarks`."""

    symbol: str
    currency: str
    exchange: str | None
    date: dt.date
    close: DecimalText
    adjusted_close: DecimalText | None


class PortfolioSummaryRow(TypedDict):
    """A row of `fetch_portfolio_summaries`."""

    owner_id: UUID
    portfolio_id: UUID
    account_id: UUID
    name: str
    currency: str
    cash_balance: DecimalText
    market_value: DecimalText
    total_value: DecimalText
    cost_basis: DecimalText
    unrealized_pnl: DecimalText
    realized_pnl: DecimalText
    position_count: int
    unpriced_position_count: int


class ReplayedDayRow(TypedDict):
    """A row of `fetch_days`."""

    portfolio_id: UUID
    date: dt.date
    cash_value: DecimalText
    positions_value: DecimalText
    num_positions: int
    unpriced_positions: int
    stale_positions: int
    unquoted_positions: int
    num_trades: int | None


class WorthRow(TypedDict):
    """A row of `fetch_worth`."""

    date: dt.date
    cash_value: DecimalText
    market_values: str


class StaleRow(TypedDict):
    """A row of `lock_stale`."""

    since: dt.date
    time_zone: str


class PastSnapshotRow(TypedDict):
    """A row of `find_past`."""

    date: dt.date
    cash_value: Decimal
    positions_value: Decimal
    net_flow: Decimal
    num_positions: int
    unpriced_positions: int
    stale_positions: int
    unquoted_positions: int
    flows: str | None


class LeftOutRow(TypedDict):
    """A row of `fetch_left_out`."""

    scope_id: UUID
    instrument_id: UUID
    symbol: str
    currency: str


class SettingsRow(TypedDict):
    """A row of `find_settings`."""

    account_id: UUID
    strategy: str
    symbols: list[str] | None
    target_weights: JsonObject | None
    auto_rebalance: bool


class ListedPortfolioRow(TypedDict):
    """A row of `PORTFOLIOS`."""

    id: UUID
    account_id: UUID
    name: str
    currency: str
    strategy: str
    risk_tolerance: DecimalText
    max_position_size: DecimalText
    auto_rebalance: bool
    rebalance_frequency: str
    drift_band: DecimalText | None
    symbols: list[str] | None
    target_weights: JsonObject | None
    cash_balance: DecimalText
    reserved_cash: DecimalText
    available_cash: DecimalText
    fractional_shares: bool
    minimum_trade: DecimalText
    relative_drift_band: DecimalText | None
    cash_reserve: DecimalText
    max_trade: DecimalText | None
    max_turnover: DecimalText | None
    look_back_days: int
    tax_aware: bool
    is_active: bool
    created_at: dt.datetime
    snapshots_stale_from: dt.date | None


class ListedPositionRow(TypedDict):
    """A row of `POSITIONS`."""

    id: UUID
    portfolio_id: UUID
    instrument_id: UUID
    symbol: str
    asset_class: str
    currency: str
    quantity: DecimalText
    reserved_quantity: DecimalText
    cost_basis: DecimalText
    realized_pnl: DecimalText
    realized_pnl_fifo: DecimalText
    current_price: DecimalText | None
    price_as_of: dt.datetime | None
    price_source: str | None
    average_cost: DecimalText
    market_value: DecimalText | None
    unrealized_pnl: DecimalText | None
    unrealized_return: DecimalText | None


class ListedLotRow(TypedDict):
    """A row of `LOTS`."""

    id: UUID
    transaction_id: UUID
    number: int
    opened_at: dt.datetime
    quantity: DecimalText
    cost: DecimalText


class SnapshotRow(TypedDict):
    """A row of `SNAPSHOTS`."""

    id: UUID
    portfolio_id: UUID
    date: dt.date
    total_value: DecimalText
    cash_value: DecimalText
    positions_value: DecimalText
    net_flow: DecimalText
    daily_return: DecimalText | None
    cumulative_return: DecimalText | None
    sharpe_ratio: DecimalText | None
    sortino_ratio: DecimalText | None
    volatility: DecimalText | None
    max_drawdown: DecimalText | None
    position_count: int
    unpriced_position_count: int

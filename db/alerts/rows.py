"""What the queries of `db.alerts` return: each type has the columns of its statement.

`tests/db/test_rows.py` compares them with the columns that PostgreSQL reports for the statements.
"""

import datetime as dt
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from db.canonical import DecimalText, JsonObject


class RuleStateRow(TypedDict):
    """A row of `standings_of`."""

    rule_id: UUID
    portfolio_id: UUID
    instrument_id: UUID | None
    is_armed: bool
    quiet_until: dt.datetime | None


class CheckedPortfolioRow(TypedDict):
    """A row of `portfolios_of`."""

    id: UUID
    name: str
    currency: str
    strategy: str
    target_weights: JsonObject | None
    cash_balance: str
    instrument_ids: list[UUID]
    symbols: list[str]
    quantities: list[str]
    prices: list[str | None]
    as_ofs: list[dt.datetime | None]
    rebalanced_to: JsonObject | None


class ReturnIndexRow(TypedDict):
    """A row of `returns_of`."""

    portfolio_id: UUID
    date: dt.date
    level: Decimal
    peak: Decimal


class PriceWatchRow(TypedDict):
    """A row of `all_watches`."""

    owner_id: UUID
    rule_id: UUID
    instrument_id: UUID
    kind: str
    threshold: DecimalText
    hysteresis: DecimalText
    is_armed: bool
    quiet_until: dt.datetime | None
    as_of: dt.datetime | None


class LockedWatchRow(TypedDict):
    """A row of `lock_watches`."""

    owner_id: UUID
    rule_id: UUID
    instrument_id: UUID
    kind: str
    threshold: Decimal
    hysteresis: Decimal
    is_armed: bool
    quiet_until: dt.datetime | None
    as_of: dt.datetime | None
    units_of: dt.date
    followed_splits: list[dt.date]
    changed: int


class SeverityCountRow(TypedDict):
    """A row of `fetch_unacknowledged_counts`."""

    severity: str
    count: int


class PortfolioHistoryRow(TypedDict):
    """A row of `fetch_portfolio_history`; its numbers are text as PostgreSQL writes it."""

    portfolio_id: UUID
    date: dt.date
    total_value: str
    cash_value: str
    cumulative_return: str | None


class AimsRow(TypedDict):
    """A row of `fetch_aims`."""

    id: UUID
    strategy: str
    target_weights: JsonObject | None
    time_zone: str


class RebalancedRow(TypedDict):
    """A row of `fetch_rebalanced`."""

    portfolio_id: UUID
    new_weights: JsonObject
    ended_at: dt.datetime


class AcknowledgedRow(TypedDict):
    """A row of `acknowledge`."""

    id: UUID
    is_new: bool


class AlertRow(TypedDict):
    """A row of `ALERTS`."""

    id: UUID
    seq: int
    kind: str
    severity: str
    title: str
    message: str
    metrics: JsonObject
    rule_id: UUID | None
    portfolio_id: UUID | None
    instrument_id: UUID | None
    symbol: str | None
    created_at: dt.datetime
    acknowledged_at: dt.datetime | None


class AlertRuleRow(TypedDict):
    """A row of `ALERT_RULES`."""

    id: UUID
    name: str
    kind: str
    severity: str
    threshold: DecimalText
    hysteresis: DecimalText
    instrument_id: UUID | None
    symbol: str | None
    portfolio_id: UUID | None
    cooldown_seconds: int
    channels: list[str]
    is_active: bool
    last_fired_at: dt.datetime | None
    active_from: dt.time | None
    active_until: dt.time | None
    active_weekdays: list[int] | None
    time_zone: str | None
    created_at: dt.datetime


class AlertPageRow(AlertRow):
    """A row of `fetch_alert_page`: an alert, and the state of its owner's sequence.

    The one row of an empty page has null in all columns of an alert.
    """

    epoch: UUID
    last_seq: int
    purged_seq: int

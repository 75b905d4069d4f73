"""Tables of portfolios: their holdings, and their performance."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Money, Owned, Quantity, Updated, of_owner, one_of
from db.vocabulary import RebalanceFrequency, Strategy


class Portfolio(Owned, Updated, Base):
    """A part of an account that is invested by one strategy; `cash_balance` is the sum of its cash deltas.

    `reserved_cash` is the part of it that the open orders may still spend, so that no two can spend the same.
    `snapshots_stale_from` is the first day whose snapshot is stale, as are all later ones; null while all are
    current. Every change of the portfolio's past or present lowers it.
    """

    __tablename__ = "portfolios"
    __table_args__ = (
        of_owner("account_id", "accounts"),
        UniqueConstraint("owner_id", "account_id", "name"),
        UniqueConstraint("owner_id", "account_id", "id"),
        one_of("strategy", Strategy),
        CheckConstraint("NOT auto_rebalance OR strategy <> 'NONE'", name="automatic"),
        one_of("rebalance_frequency", RebalanceFrequency),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("margin OR cash_balance >= 0", name="cash_not_negative"),
        CheckConstraint("reserved_cash >= 0", name="reserved_not_negative"),
        CheckConstraint("margin OR cash_balance >= reserved_cash", name="reserved_is_there"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        CheckConstraint("risk_tolerance BETWEEN 0 AND 1", name="risk_tolerance"),
        CheckConstraint("max_position_size > 0 AND max_position_size <= 1", name="max_position_size"),
        CheckConstraint("drift_band > 0 AND drift_band <= 1", name="drift_band"),
        CheckConstraint("relative_drift_band > 0 AND relative_drift_band <= 1", name="relative_drift_band"),
        CheckConstraint("minimum_trade >= 0", name="minimum_trade"),
        CheckConstraint("cash_reserve >= 0 AND cash_reserve < 1", name="cash_reserve"),
        CheckConstraint("max_trade > 0 AND max_trade <= 1", name="max_trade"),
        CheckConstraint("max_turnover > 0 AND max_turnover <= 2", name="max_turnover"),
        CheckConstraint("look_back_days BETWEEN 30 AND 7560", name="look_back_days"),
    )

    account_id: Mapped[UUID]
    name: Mapped[str]
    currency: Mapped[str]
    # Copied from the account's type, which never changes, so that the check needs no other table.
    margin: Mapped[bool]
    strategy: Mapped[str]
    risk_tolerance: Mapped[Money]
    max_position_size: Mapped[Money]
    auto_rebalance: Mapped[bool] = mapped_column(server_default=text("false"))
    rebalance_frequency: Mapped[str]
    drift_band: Mapped[Money | None]
    symbols: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    target_weights: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    cash_balance: Mapped[Money] = mapped_column(default=Decimal(0))
    reserved_cash: Mapped[Money] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    snapshots_stale_from: Mapped[dt.date | None]
    # How a plan derives trades from weights: investing.rules.rebalancing.plans.PlanRules says what each
    # means.
    fractional_shares: Mapped[bool] = mapped_column(server_default=text("true"))
    minimum_trade: Mapped[Money] = mapped_column(server_default=text("0"))
    relative_drift_band: Mapped[Money | None]
    cash_reserve: Mapped[Money] = mapped_column(server_default=text("0"))
    max_trade: Mapped[Money | None]
    max_turnover: Mapped[Money | None]
    look_back_days: Mapped[int] = mapped_column(server_default=text("756"))
    tax_aware: Mapped[bool] = mapped_column(server_default=text("false"))


class Position(Owned, Updated, Base):
    """A portfolio's holding of one instrument, at average cost; kept when closed, with its realised gain.

    `reserved_quantity` is the part of it that the open sales may still take.
    """

    __tablename__ = "positions"
    __table_args__ = (
        of_owner("portfolio_id", "portfolios"),
        UniqueConstraint("owner_id", "portfolio_id", "instrument_id"),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        CheckConstraint("reserved_quantity >= 0", name="reserved_not_negative"),
        CheckConstraint("quantity >= reserved_quantity", name="reserved_is_there"),
        CheckConstraint("cost_basis >= 0 AND (quantity > 0 OR cost_basis = 0)", name="cost_basis"),
    )

    portfolio_id: Mapped[UUID]
    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"), index=True)
    quantity: Mapped[Quantity]
    cost_basis: Mapped[Money]
    realized_pnl: Mapped[Money] = mapped_column(default=Decimal(0))
    reserved_quantity: Mapped[Quantity] = mapped_column(server_default=text("0"))
    realized_pnl_fifo: Mapped[Money] = mapped_column(server_default=text("0"))


class Lot(Owned, Updated, Base):
    """What is left of one purchase, first in first out; `transaction_id` is the purchase.

    Shares that came from another portfolio of the owner are as many lots as left it, counted by `number`,
    each with the time of its purchase.
    """

    __tablename__ = "lots"
    __table_args__ = (
        ForeignKeyConstraint(
            ["owner_id", "portfolio_id", "instrument_id"],
            ["positions.owner_id", "positions.portfolio_id", "positions.instrument_id"],
            ondelete="CASCADE",
        ),
        of_owner("transaction_id", "transactions"),
        UniqueConstraint("owner_id", "transaction_id", "number"),
        # Open ones alone: a sale finds the oldest without passing all that were ever used up.
        Index(
            "ix_lots_open",
            "owner_id",
            "portfolio_id",
            "instrument_id",
            "opened_at",
            "transaction_id",
            "number",
            postgresql_where=text("remaining_quantity > 0"),
        ),
        CheckConstraint("remaining_quantity >= 0", name="quantity_not_negative"),
        CheckConstraint(
            "remaining_cost >= 0 AND (remaining_quantity > 0 OR remaining_cost = 0)", name="cost"
        ),
    )

    portfolio_id: Mapped[UUID]
    instrument_id: Mapped[UUID]
    transaction_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(server_default=text("0"))
    opened_at: Mapped[dt.datetime]
    remaining_quantity: Mapped[Quantity]
    remaining_cost: Mapped[Money]


class LotUse(Base):
    """The effect of one transaction on one lot: a sale or a transfer out took from it, a split changed it.

    With these deltas a transaction can be reversed exactly. `gain` is a sale's part of the net proceeds less
    the cost that it took from the lot.
    """

    __tablename__ = "lot_uses"
    __table_args__ = (
        of_owner("transaction_id", "transactions"),
        ForeignKeyConstraint(
            ["owner_id", "lot_transaction_id", "lot_number"],
            ["lots.owner_id", "lots.transaction_id", "lots.number"],
            ondelete="CASCADE",
        ),
        Index(None, "owner_id", "lot_transaction_id", "lot_number"),
    )

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    transaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    lot_transaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    lot_number: Mapped[int] = mapped_column(primary_key=True)
    quantity_delta: Mapped[Quantity]
    cost_delta: Mapped[Money]
    gain: Mapped[Money | None]


class PerformanceSnapshot(Owned, Base):
    """A portfolio at the end of one day, and its figures since the beginning.

    `unpriced_positions` had no price on that day: they count as nothing, and no return is known.
    `stale_positions` have no close of their own on that day; of these `unquoted_positions` never had one, or
    have had none for so long that no more is expected. `flows` are what crossed its border: pairs of decimals
    with blanks between them, the value just before each flow and what came in or left; null for none.
    `num_trades` counts its purchases and sales, including reversed ones and their reversals; null where they
    have not been counted yet.
    """

    __tablename__ = "performance_history"
    __table_args__ = (
        of_owner("portfolio_id", "portfolios"),
        UniqueConstraint("owner_id", "portfolio_id", "date"),
        CheckConstraint("num_positions >= 0", name="num_positions"),
        CheckConstraint("unpriced_positions >= 0", name="unpriced_positions"),
        CheckConstraint("stale_positions >= 0", name="stale_positions"),
        CheckConstraint("unquoted_positions >= 0", name="unquoted_positions"),
        CheckConstraint("num_trades >= 0", name="num_trades"),
    )

    portfolio_id: Mapped[UUID]
    date: Mapped[dt.date]
    total_value: Mapped[Money]
    cash_value: Mapped[Money]
    positions_value: Mapped[Money]
    net_flow: Mapped[Money]
    daily_return: Mapped[Money | None]
    cumulative_return: Mapped[Money | None]
    sharpe_ratio: Mapped[Money | None]
    sortino_ratio: Mapped[Money | None]
    volatility: Mapped[Money | None]
    max_drawdown: Mapped[Money | None]
    num_positions: Mapped[int]
    unpriced_positions: Mapped[int] = mapped_column(server_default=text("0"))
    stale_positions: Mapped[int] = mapped_column(server_default=text("0"))
    unquoted_positions: Mapped[int] = mapped_column(server_default=text("0"))
    num_trades: Mapped[int | None]
    flows: Mapped[str | None]


class PerformanceWork(Base):
    """A portfolio whose snapshots have to be computed again; a trigger keeps the list.

    It has no owner policy on purpose: the worker that looks for work does not know yet whose it is. It
    reveals only that there is a portfolio.
    """

    __tablename__ = "performance_work"
    __table_args__ = (of_owner("portfolio_id", "portfolios"), Index(None, "due_at"))

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    portfolio_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[Created]

"""Tables of rebalancing: its history, the trades of each run, and what is due when."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Money, Owned, Quantity, Updated, of_owner, one_of
from db.vocabulary import LegStatus, OrderSide, RebalanceStatus, RebalanceTrigger, Strategy


class Rebalance(Owned, Updated, Base):
    """One run of a rebalance, with the weights before and after, and the target weights.

    `value_before` is the portfolio's total value when it was planned, which turnover is a fraction of.
    """

    __tablename__ = "rebalance_history"
    __table_args__ = (
        of_owner("portfolio_id", "portfolios"),
        Index(None, "owner_id", "portfolio_id", "id"),
        one_of("strategy", [strategy for strategy in Strategy if strategy is not Strategy.NONE]),
        one_of("status", RebalanceStatus),
        one_of("trigger", RebalanceTrigger),
        CheckConstraint("trades_executed >= 0", name="trades_executed"),
        Index(
            "ix_rebalance_history_running",
            "owner_id",
            "portfolio_id",
            unique=True,
            postgresql_where=text("status = 'RUNNING'"),
        ),
    )

    portfolio_id: Mapped[UUID]
    strategy: Mapped[str]
    status: Mapped[str]
    trigger: Mapped[str]
    old_weights: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    new_weights: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    turnover: Mapped[Money] = mapped_column(default=Decimal(0))
    total_cost: Mapped[Money] = mapped_column(default=Decimal(0))
    trades_executed: Mapped[int] = mapped_column(server_default=text("0"))
    started_at: Mapped[Created]
    completed_at: Mapped[dt.datetime | None]
    failure_reason: Mapped[str | None]
    target_weights: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    value_before: Mapped[Money | None]
    plan_hash: Mapped[str | None]


class RebalanceLeg(Updated, Base):
    """One trade of a rebalance: as it was planned, at which quote, and its result.

    Sells have the lower numbers. `order_id` follows from the rebalance and the number, so that a repeat finds
    the order that is there already.
    """

    __tablename__ = "rebalance_legs"
    __table_args__ = (
        of_owner("rebalance_id", "rebalance_history"),
        of_owner("order_id", "orders"),
        Index(None, "owner_id", "order_id"),
        one_of("side", OrderSide),
        one_of("status", LegStatus),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("quantity > 0 AND filled_quantity BETWEEN 0 AND quantity", name="quantity"),
        CheckConstraint("status IN ('PLANNED', 'SKIPPED') OR order_id IS NOT NULL", name="order_id"),
    )

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    rebalance_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"))
    side: Mapped[str]
    quantity: Mapped[Quantity]
    filled_quantity: Mapped[Quantity] = mapped_column(server_default=text("0"))
    quote_price: Mapped[Money]
    status: Mapped[str] = mapped_column(server_default=text("'PLANNED'"))
    order_id: Mapped[UUID | None]
    reason: Mapped[str | None]


class RebalanceWork(Base):
    """A rebalance that runs at a broker, and the time of its next step.

    It has no owner policy, as `order_work`: it reveals only that there is one.
    """

    __tablename__ = "rebalance_work"
    __table_args__ = (of_owner("rebalance_id", "rebalance_history"), Index(None, "due_at"))

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    rebalance_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[dt.datetime]


class RebalanceDue(Base):
    """A portfolio that rebalances automatically, and the time of its next check; without an owner policy.

    `due_at` is the earlier of the two times below, or the end of the lease of the process that checks it now.
    The schedule is due at `scheduled_at`, null before it was worked out; drift is checked again at
    `drift_at`, null without a drift band. `attempts` counts consecutive faults.
    """

    __tablename__ = "rebalance_due"
    __table_args__ = (of_owner("portfolio_id", "portfolios"), Index(None, "due_at"))

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    portfolio_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[dt.datetime]
    scheduled_at: Mapped[dt.datetime | None]
    drift_at: Mapped[dt.datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))

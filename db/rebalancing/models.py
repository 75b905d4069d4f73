"""Tables of rebalancing: its history, and the jobs that run it."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Money, Owned, Updated, of_owner, one_of
from db.ids import uuid7
from db.vocabulary import JobStatus, RebalanceStatus, RebalanceTrigger, Strategy


class Rebalance(Owned, Updated, Base):
    """One run of a rebalance, with the weights before and after."""

    __tablename__ = "rebalance_history"
    __table_args__ = (
        of_owner("portfolio_id", "portfolios"),
        Index(None, "owner_id", "portfolio_id", "id"),
        one_of("strategy", Strategy),
        one_of("status", RebalanceStatus),
        one_of("trigger", RebalanceTrigger),
        CheckConstraint("trades_executed >= 0", name="trades_executed"),
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


class Job(Updated, Base):
    """Work for later. It belongs to the server, not to a user: its payload holds ids and nothing else."""

    __tablename__ = "jobs"
    __table_args__ = (one_of("status", JobStatus), Index(None, "status", "run_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    status: Mapped[str] = mapped_column(server_default=text("'QUEUED'"))
    run_at: Mapped[dt.datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]
    created_at: Mapped[Created] = mapped_column(sort_order=98)

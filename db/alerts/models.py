"""Tables of alerts: the rules, what they fired, and where that was sent."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Money, Owned, Updated, of_owner, of_user, one_of
from db.vocabulary import AlertKind, AlertSeverity, DeliveryStatus


class AlertRule(Owned, Updated, Base):
    """What a user wants to be told about: an instrument, a portfolio, or all of their portfolios."""

    __tablename__ = "alert_rules"
    __table_args__ = (
        of_user(),
        of_owner("portfolio_id", "portfolios"),
        UniqueConstraint("owner_id", "name"),
        Index(None, "instrument_id"),
        one_of("kind", AlertKind),
        one_of("severity", AlertSeverity),
        CheckConstraint("cooldown_seconds >= 0", name="cooldown_seconds"),
    )

    name: Mapped[str]
    kind: Mapped[str]
    severity: Mapped[str]
    threshold: Mapped[Money]
    instrument_id: Mapped[UUID | None] = mapped_column(ForeignKey("instruments.id"))
    portfolio_id: Mapped[UUID | None]
    cooldown_seconds: Mapped[int] = mapped_column(server_default=text("3600"))
    channels: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    last_fired_at: Mapped[dt.datetime | None]


class Alert(Owned, Base):
    """Something that happened. `seq` counts a user's alerts without a gap, in the order of their commits."""

    __tablename__ = "alerts"
    __table_args__ = (
        of_user(),
        ForeignKeyConstraint(["owner_id", "rule_id"], ["alert_rules.owner_id", "alert_rules.id"]),
        of_owner("portfolio_id", "portfolios"),
        UniqueConstraint("owner_id", "seq"),
        one_of("kind", AlertKind),
        one_of("severity", AlertSeverity),
    )

    seq: Mapped[int]
    kind: Mapped[str]
    severity: Mapped[str]
    title: Mapped[str]
    message: Mapped[str]
    metrics: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    rule_id: Mapped[UUID | None]
    portfolio_id: Mapped[UUID | None]
    instrument_id: Mapped[UUID | None] = mapped_column(ForeignKey("instruments.id"))
    acknowledged_at: Mapped[dt.datetime | None]


class Delivery(Owned, Updated, Base):
    """One notification of an alert over one channel, until it is sent or given up."""

    __tablename__ = "deliveries"
    __table_args__ = (
        of_owner("alert_id", "alerts"),
        UniqueConstraint("owner_id", "alert_id", "channel"),
        one_of("status", DeliveryStatus),
        Index(None, "status", "next_attempt_at"),
    )

    alert_id: Mapped[UUID]
    channel: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]

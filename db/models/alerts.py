"""Tables of alerts: the rules, the state of each, and the alerts that they fired."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Money, Owned, Updated, of_owner, of_user, one_of
from db.vocabulary import AlertKind, AlertSeverity

_TODAY = text("(now() AT TIME ZONE 'America/New_York')::date")


class AlertRule(Owned, Updated, Base):
    """A rule for a user's alerts: on an instrument, a portfolio, or all of their portfolios.

    `threshold` and `hysteresis` are a price in the instrument's currency, an amount in the portfolio's, or a
    fraction, by the kind; hysteresis is how far a value has to come back before the rule can fire again. A
    price level was given for a share of the day `units_of`, and has followed the splits of the days
    `followed_splits` since. Active hours are times of day in `time_zone` on `weekdays` (1 is Monday, 7
    Sunday); null is always.
    """

    __tablename__ = "alert_rules"
    __table_args__ = (
        of_user(),
        of_owner("portfolio_id", "portfolios"),
        UniqueConstraint("owner_id", "name"),
        Index(None, "instrument_id"),
        one_of("kind", AlertKind),
        one_of("severity", AlertSeverity),
        CheckConstraint("cooldown_seconds >= 0", name="cooldown_seconds"),
        CheckConstraint("hysteresis >= 0", name="hysteresis"),
        CheckConstraint(
            "num_nonnulls(active_from, active_until, active_weekdays, time_zone) IN (0, 4)",
            name="active_hours",
        ),
    )

    name: Mapped[str]
    kind: Mapped[str]
    severity: Mapped[str]
    threshold: Mapped[Money]
    hysteresis: Mapped[Money] = mapped_column(server_default=text("0"))
    instrument_id: Mapped[UUID | None] = mapped_column(ForeignKey("instruments.id"))
    portfolio_id: Mapped[UUID | None]
    cooldown_seconds: Mapped[int] = mapped_column(server_default=text("3600"))
    channels: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    last_fired_at: Mapped[dt.datetime | None]
    active_from: Mapped[dt.time | None]
    active_until: Mapped[dt.time | None]
    active_weekdays: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    time_zone: Mapped[str | None]
    units_of: Mapped[dt.date] = mapped_column(server_default=_TODAY)
    followed_splits: Mapped[list[dt.date]] = mapped_column(ARRAY(Date), server_default=text("'{}'::date[]"))


class AlertWatch(Base):
    """An active price rule: its bounds, and its state; one row for each rule, locked to fire it.

    It has no owner policy on purpose: a price arrives before it is known whose rules it crosses. It reveals
    no more than that some rule waits for a price. `as_of` is the tick that it was last evaluated with,
    `quiet_until` when it may fire again, and `changed` the transaction that last wrote it, so that every
    process can read what it has not seen yet.
    """

    __tablename__ = "alert_watches"
    __table_args__ = (
        of_owner("rule_id", "alert_rules"),
        one_of("kind", AlertKind),
        Index(None, "instrument_id"),
        Index(None, "changed"),
    )

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[UUID] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"))
    kind: Mapped[str]
    threshold: Mapped[Money]
    hysteresis: Mapped[Money]
    is_armed: Mapped[bool] = mapped_column(server_default=text("true"))
    quiet_until: Mapped[dt.datetime | None]
    as_of: Mapped[dt.datetime | None]
    units_of: Mapped[dt.date] = mapped_column(server_default=_TODAY)
    followed_splits: Mapped[list[dt.date]] = mapped_column(ARRAY(Date), server_default=text("'{}'::date[]"))
    changed: Mapped[int] = mapped_column(
        BigInteger, server_default=text("pg_current_xact_id()::text::bigint")
    )


class AlertState(Owned, Base):
    """The state of a portfolio rule for one of the portfolios, or for one instrument in it."""

    __tablename__ = "alert_states"
    __table_args__ = (
        of_owner("rule_id", "alert_rules"),
        of_owner("portfolio_id", "portfolios"),
        UniqueConstraint(
            "owner_id", "rule_id", "portfolio_id", "instrument_id", postgresql_nulls_not_distinct=True
        ),
    )

    rule_id: Mapped[UUID]
    portfolio_id: Mapped[UUID]
    instrument_id: Mapped[UUID | None] = mapped_column(ForeignKey("instruments.id"))
    is_armed: Mapped[bool] = mapped_column(server_default=text("true"))
    quiet_until: Mapped[dt.datetime | None]


class AlertCheck(Base):
    """An owner who has active portfolio rules, and the time of their next check.

    It has no owner policy on purpose, as `order_work`: it reveals only that there are such rules.
    """

    __tablename__ = "alert_checks"
    __table_args__ = (of_user(), Index(None, "due_at"))

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[dt.datetime] = mapped_column(server_default=text("now()"))


class AlertSequence(Base):
    """The number of alerts that a user has had; locked last in a transaction that adds some.

    `epoch` is part of every cursor, so that a cursor from before a restored backup is recognized; alerts up
    to `purged_seq` may be deleted.
    """

    __tablename__ = "alert_sequences"
    __table_args__ = (of_user(),)

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    epoch: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    seq: Mapped[int] = mapped_column(server_default=text("0"))
    purged_seq: Mapped[int] = mapped_column(server_default=text("0"))


class Alert(Owned, Base):
    """An event that a rule fired on; `seq` numbers a user's alerts without a gap, in commit order."""

    __tablename__ = "alerts"
    __table_args__ = (
        of_user(),
        # The alerts of a deleted rule are kept.
        ForeignKeyConstraint(
            ["owner_id", "rule_id"],
            ["alert_rules.owner_id", "alert_rules.id"],
            ondelete="SET NULL (rule_id)",
        ),
        of_owner("portfolio_id", "portfolios"),
        UniqueConstraint("owner_id", "seq"),
        Index(None, "owner_id", "rule_id"),
        Index(None, "owner_id", "created_at"),
        Index(
            "ix_alerts_unacknowledged",
            "owner_id",
            "severity",
            postgresql_where=text("acknowledged_at IS NULL"),
        ),
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

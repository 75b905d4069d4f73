"""Tables of notifications: destinations, deliveries, and how many alerts were sent within the hour."""

import datetime as dt
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Owned, Updated, of_owner, of_user, one_of
from db.vocabulary import DeliveryKind, DeliveryStatus, DestinationKind


class NotificationDestination(Owned, Updated, Base):
    """A place that a user's alerts are sent to; `name` is its name in the channels of their rules.

    The address, and the secrets that belong to it, are encrypted; the hint is all that is ever displayed.
    Nothing but the code is sent before `confirmed_at`. `failures` counts consecutive failed attempts.
    """

    __tablename__ = "notification_destinations"
    __table_args__ = (
        of_user(),
        UniqueConstraint("owner_id", "name"),
        one_of("kind", DestinationKind),
    )

    name: Mapped[str]
    kind: Mapped[str]
    hint: Mapped[str]
    ciphertext: Mapped[bytes]
    encryption_key_id: Mapped[str]
    confirmed_at: Mapped[dt.datetime | None]
    code_expires_at: Mapped[dt.datetime | None]
    code_tries: Mapped[int] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    last_sent_at: Mapped[dt.datetime | None]


class Delivery(Owned, Updated, Base):
    """One notification to one destination, until it is sent or given up.

    Its id is sent with it, the same at each attempt. One beyond the hour's limit refers to the digest that
    contains it; a digest and a confirmation have no alert of their own. `channel` is the destination's name
    at the time.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        of_owner("alert_id", "alerts"),
        ForeignKeyConstraint(
            ["owner_id", "destination_id"],
            ["notification_destinations.owner_id", "notification_destinations.id"],
            ondelete="SET NULL (destination_id)",
        ),
        ForeignKeyConstraint(
            ["owner_id", "digest_id"],
            ["deliveries.owner_id", "deliveries.id"],
            ondelete="SET NULL (digest_id)",
        ),
        UniqueConstraint("owner_id", "alert_id", "channel"),
        one_of("kind", DeliveryKind),
        one_of("status", DeliveryStatus),
        Index(None, "owner_id", "destination_id"),
        Index(None, "owner_id", "digest_id"),
        Index(
            "ix_deliveries_without_an_alert",
            "owner_id",
            "created_at",
            postgresql_where=text("alert_id IS NULL"),
        ),
    )

    kind: Mapped[str] = mapped_column(server_default=text("'ALERT'"))
    alert_id: Mapped[UUID | None]
    destination_id: Mapped[UUID | None]
    digest_id: Mapped[UUID | None]
    channel: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None]
    sent_at: Mapped[dt.datetime | None]


class DeliveryWork(Base):
    """A delivery that is still to be made, and the time of the next attempt.

    It has no owner policy on purpose, as `order_work`: it reveals only that there is such a delivery.
    """

    __tablename__ = "delivery_work"
    __table_args__ = (of_owner("delivery_id", "deliveries"), Index(None, "due_at"))

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[dt.datetime] = mapped_column(server_default=text("now()"))


class NotificationBudget(Base):
    """The number of alerts sent to a user's destinations since the window began."""

    __tablename__ = "notification_budgets"
    __table_args__ = (of_user(),)

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    window_start: Mapped[dt.datetime] = mapped_column(server_default=text("now()"))
    sent: Mapped[int] = mapped_column(server_default=text("0"))

"""Tables of the paper broker: its own books, which belong to the broker as quotes belong to the market.

They contain no names and no owners, only client order ids; nobody but the paper broker reads or writes them.
"""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Money, Quantity, one_of
from db.ids import uuid7
from db.vocabulary import BrokerOrderStatus, OrderSide, OrderType


class PaperOrder(Base):
    """An order at the paper broker; `matched_as_of` is the last tick that it was compared with.

    It was for shares of the day `units_of`, or of the day when it arrived where that is null, and has
    followed the splits of the days `followed_splits` since.

    An order without an instrument was cancelled before it arrived: its client order id cannot be used again.
    """

    __tablename__ = "paper_orders"
    __table_args__ = (
        one_of("side", OrderSide),
        one_of("type", OrderType),
        one_of("status", BrokerOrderStatus),
        CheckConstraint(
            "status IN ('CANCELLED', 'REJECTED') OR "
            "(instrument_id IS NOT NULL AND side IS NOT NULL AND type IS NOT NULL)",
            name="complete",
        ),
        CheckConstraint("filled_quantity BETWEEN 0 AND quantity", name="quantity"),
        Index("ix_paper_orders_open", "instrument_id", postgresql_where=text("status = 'OPEN'")),
    )

    client_order_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(default=uuid7)
    instrument_id: Mapped[UUID | None] = mapped_column(ForeignKey("instruments.id"))
    side: Mapped[str | None]
    type: Mapped[str | None]
    quantity: Mapped[Quantity] = mapped_column(default=Decimal(0))
    filled_quantity: Mapped[Quantity] = mapped_column(default=Decimal(0))
    limit_price: Mapped[Money | None]
    worst_price: Mapped[Money | None]
    commission: Mapped[Money] = mapped_column(default=Decimal(0))
    status: Mapped[str]
    rejection_code: Mapped[str | None]
    rejection_reason: Mapped[str | None]
    matched_as_of: Mapped[dt.datetime | None]
    units_of: Mapped[dt.date | None]
    followed_splits: Mapped[list[dt.date]] = mapped_column(ARRAY(Date), server_default=text("'{}'::date[]"))
    created_at: Mapped[Created]


class PaperExecution(Base):
    """One fill, reported whenever it is due until it is acknowledged; `due_at` is null then."""

    __tablename__ = "paper_executions"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND price >= 0 AND commission >= 0", name="positive"),
        Index(None, "client_order_id"),
        Index("ix_paper_executions_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    client_order_id: Mapped[UUID] = mapped_column(ForeignKey("paper_orders.client_order_id"))
    quantity: Mapped[Quantity]
    price: Mapped[Money]
    commission: Mapped[Money]
    executed_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime | None]

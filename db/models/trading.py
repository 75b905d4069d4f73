"""Tables of trading: orders, and the transactions that all cash and shares follow from."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Money, Owned, Quantity, Updated, of_owner, one_of
from db.vocabulary import Broker, OrderSide, OrderStatus, OrderType, TimeInForce, TransactionType

IS_OPEN = "status IN ('PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', 'UNKNOWN')"
"""Orders that may still trade, in SQL; `investing.rules.trading.orders.OPEN` says the same."""


class Order(Owned, Updated, Base):
    """An order to trade, and its result.

    `version` grows by one with each change. `reserved_cash` is what it may still spend while it is open; a
    sale reserves its remaining quantity. The rejection's facts are a refusal, in the same form as in
    idempotency keys. Quantities and prices were given for shares of the day `units_of`, or of the day when it
    was submitted where that is null, and have followed the splits of the days `followed_splits` since.
    """

    __tablename__ = "orders"
    __table_args__ = (
        of_owner("portfolio_id", "portfolios"),
        of_owner("rebalance_id", "rebalance_history"),
        UniqueConstraint("owner_id", "client_order_id"),
        Index(None, "owner_id", "portfolio_id", "submitted_at", "id"),
        Index(None, "owner_id", "rebalance_id"),
        Index(None, "owner_id", "updated_at"),
        Index("ix_orders_open", "owner_id", "portfolio_id", postgresql_where=text(IS_OPEN)),
        one_of("side", OrderSide),
        one_of("type", OrderType),
        one_of("status", OrderStatus),
        one_of("time_in_force", TimeInForce),
        CheckConstraint("quantity > 0 AND filled_quantity BETWEEN 0 AND quantity", name="quantity"),
        CheckConstraint("(type = 'LIMIT') = (limit_price IS NOT NULL)", name="limit_price"),
        CheckConstraint("notional > 0", name="notional"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint(f"reserved_cash >= 0 AND (reserved_cash = 0 OR {IS_OPEN})", name="reserved_cash"),
        one_of("broker", Broker),
    )

    portfolio_id: Mapped[UUID]
    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"))
    rebalance_id: Mapped[UUID | None]
    client_order_id: Mapped[UUID]
    side: Mapped[str]
    type: Mapped[str]
    status: Mapped[str]
    time_in_force: Mapped[str] = mapped_column(server_default=text("'DAY'"))
    quantity: Mapped[Quantity]
    filled_quantity: Mapped[Quantity] = mapped_column(default=Decimal(0))
    limit_price: Mapped[Money | None]
    average_fill_price: Mapped[Money | None]
    notional: Mapped[Money | None]
    worst_price: Mapped[Money | None]
    reserved_cash: Mapped[Money] = mapped_column(server_default=text("0"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    rejection_reason: Mapped[str | None]
    rejection_code: Mapped[str | None]
    rejection_facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    broker: Mapped[str] = mapped_column(server_default=text("'PAPER'"))
    broker_order_id: Mapped[str | None]
    expires_at: Mapped[dt.datetime | None]
    units_of: Mapped[dt.date | None]
    followed_splits: Mapped[list[dt.date]] = mapped_column(ARRAY(Date), server_default=text("'{}'::date[]"))
    submitted_at: Mapped[Created]


class OrderWork(Base):
    """An open order that has to be processed, and the time when it is due.

    It has no owner policy on purpose: the order processor (`investing.trading.desk`) looks for work before it
    knows whose it is, and then acts as that owner. It reveals only that there is an open order.
    """

    __tablename__ = "order_work"
    __table_args__ = (of_owner("order_id", "orders"), Index(None, "due_at"), Index(None, "order_id"))

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[dt.datetime]


class Transaction(Owned, Base):
    """One entry of the ledger: its deltas and the facts that they follow from.

    Append-only: the application may insert, and may refresh what follows from the transactions before it (the
    gains, `cost_delta`, and a split's `quantity_delta`); nothing else is ever changed (the migration grants
    no more). `cost_delta` is of the average cost. A reversal has the figures of what it reverses and its
    deltas with the other sign; neither counts when a holding is replayed. `portfolio_id` is null for
    unallotted cash of the account. `is_automatic` is a split that was posted because the instrument had it;
    `is_split_adjusted` says that the quantity is already for shares of the day when it was recorded, so that
    no earlier split is posted after it.
    """

    __tablename__ = "transactions"
    __table_args__ = (
        of_owner("account_id", "accounts"),
        # With the account, so that a transaction cannot name a portfolio of another one.
        ForeignKeyConstraint(
            ["owner_id", "account_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.account_id", "portfolios.id"],
            ondelete="CASCADE",
        ),
        of_owner("order_id", "orders"),
        of_owner("reverses_id", "transactions"),
        of_owner("import_id", "imports"),
        UniqueConstraint("owner_id", "reverses_id"),
        UniqueConstraint("owner_id", "execution_id"),
        Index(None, "owner_id", "account_id", "executed_at", "id"),
        Index(None, "owner_id", "portfolio_id", "executed_at", "id"),
        Index(
            "ix_transactions_of_position", "owner_id", "portfolio_id", "instrument_id", "executed_at", "id"
        ),
        Index(None, "owner_id", "order_id", "executed_at", "id"),
        # Partial, so that transactions that are not imported do not pay for it.
        Index(
            "ix_transactions_fingerprint",
            "owner_id",
            "fingerprint",
            unique=True,
            postgresql_where=text("fingerprint IS NOT NULL"),
        ),
        Index(None, "owner_id", "transfer_id", postgresql_where=text("transfer_id IS NOT NULL")),
        Index(None, "owner_id", "import_id", postgresql_where=text("import_id IS NOT NULL")),
        one_of("type", TransactionType),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("quantity_delta = 0 OR instrument_id IS NOT NULL", name="shares_of_something"),
        CheckConstraint("instrument_id IS NULL OR portfolio_id IS NOT NULL", name="shares_in_a_portfolio"),
        CheckConstraint("commission >= 0 AND amount >= 0", name="not_negative"),
        CheckConstraint("(type = 'SPLIT') = (split_for IS NOT NULL)", name="split_for"),
        CheckConstraint("NOT is_automatic OR type = 'SPLIT'", name="is_automatic"),
    )

    account_id: Mapped[UUID]
    portfolio_id: Mapped[UUID | None]
    instrument_id: Mapped[UUID | None] = mapped_column(ForeignKey("instruments.id"))
    order_id: Mapped[UUID | None]
    execution_id: Mapped[str | None]
    reverses_id: Mapped[UUID | None]
    transfer_id: Mapped[UUID | None]
    type: Mapped[str]
    quantity: Mapped[Quantity | None]
    price: Mapped[Money | None]
    amount: Mapped[Money]
    commission: Mapped[Money]
    split_for: Mapped[Quantity | None]
    is_automatic: Mapped[bool] = mapped_column(server_default=text("false"))
    is_split_adjusted: Mapped[bool] = mapped_column(server_default=text("false"))
    currency: Mapped[str]
    cash_delta: Mapped[Money]
    quantity_delta: Mapped[Quantity]
    cost_delta: Mapped[Money] = mapped_column(server_default=text("0"))
    realized_pnl: Mapped[Money | None]
    realized_pnl_fifo: Mapped[Money | None]
    executed_at: Mapped[dt.datetime]
    notes: Mapped[str | None]
    # For an imported one, so that importing it again does nothing: see investing.rules.trading.import_rows.
    fingerprint: Mapped[bytes | None]
    # The import that it came with; its reversal has none.
    import_id: Mapped[UUID | None]


class Import(Owned, Base):
    """An import that wrote something, and when it was reversed.

    An import through the API stores its report row by row, for a request that is repeated with the same key,
    even if it wrote nothing: such an import has no transactions and is in no list.
    """

    __tablename__ = "imports"
    __table_args__ = (of_owner("portfolio_id", "portfolios"),)

    portfolio_id: Mapped[UUID]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    format: Mapped[str] = mapped_column(server_default=text("'api'"))
    transaction_count: Mapped[int] = mapped_column(server_default=text("0"))
    reversed_at: Mapped[dt.datetime | None]

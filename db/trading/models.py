"""Tables of trading: orders, and the transactions that are the one truth of cash and shares."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Money, Owned, Updated, of_owner, one_of
from db.vocabulary import OrderSide, OrderStatus, OrderType, TimeInForce, TransactionType


class Order(Owned, Updated, Base):
    """A wish to trade, and what became of it."""

    __tablename__ = "orders"
    __table_args__ = (
        of_owner("portfolio_id", "portfolios"),
        of_owner("rebalance_id", "rebalance_history"),
        UniqueConstraint("owner_id", "client_order_id"),
        Index(None, "owner_id", "portfolio_id", "submitted_at", "id"),
        Index(None, "owner_id", "rebalance_id"),
        one_of("side", OrderSide),
        one_of("type", OrderType),
        one_of("status", OrderStatus),
        one_of("time_in_force", TimeInForce),
        CheckConstraint("quantity > 0 AND filled_quantity BETWEEN 0 AND quantity", name="quantity"),
        CheckConstraint("(type = 'LIMIT') = (limit_price IS NOT NULL)", name="limit_price"),
    )

    portfolio_id: Mapped[UUID]
    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"))
    rebalance_id: Mapped[UUID | None]
    client_order_id: Mapped[UUID]
    side: Mapped[str]
    type: Mapped[str]
    status: Mapped[str]
    time_in_force: Mapped[str] = mapped_column(server_default=text("'DAY'"))
    quantity: Mapped[Money]
    filled_quantity: Mapped[Money] = mapped_column(default=Decimal(0))
    limit_price: Mapped[Money | None]
    average_fill_price: Mapped[Money | None]
    rejection_reason: Mapped[str | None]
    submitted_at: Mapped[Created]


class Transaction(Owned, Base):
    """One entry of the ledger: its deltas and the facts they came from.

    Append-only: the application may insert, and may refresh what follows from the transactions before it
    (the gains, `cost_delta`, and a split's `quantity_delta`); nothing else is ever changed (the migration
    grants no more). `cost_delta` is of the average cost. A reversal has the figures of what it reverses and
    its deltas with the other sign; neither counts when a holding is replayed.
    `portfolio_id` is null for cash of the account that no portfolio has been given.
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
        UniqueConstraint("owner_id", "reverses_id"),
        Index(None, "owner_id", "account_id", "executed_at", "id"),
        Index(None, "owner_id", "portfolio_id", "executed_at", "id"),
        Index(
            "ix_transactions_of_position", "owner_id", "portfolio_id", "instrument_id", "executed_at", "id"
        ),
        Index(None, "owner_id", "order_id", "executed_at", "id"),
        Index(None, "owner_id", "transfer_id", postgresql_where=text("transfer_id IS NOT NULL")),
        one_of("type", TransactionType),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("quantity_delta = 0 OR instrument_id IS NOT NULL", name="shares_of_something"),
        CheckConstraint("instrument_id IS NULL OR portfolio_id IS NOT NULL", name="shares_in_a_portfolio"),
        CheckConstraint("commission >= 0 AND amount >= 0", name="not_negative"),
        CheckConstraint("(type = 'SPLIT') = (split_for IS NOT NULL)", name="split_for"),
    )

    account_id: Mapped[UUID]
    portfolio_id: Mapped[UUID | None]
    instrument_id: Mapped[UUID | None] = mapped_column(ForeignKey("instruments.id"))
    order_id: Mapped[UUID | None]
    reverses_id: Mapped[UUID | None]
    transfer_id: Mapped[UUID | None]
    type: Mapped[str]
    quantity: Mapped[Money | None]
    price: Mapped[Money | None]
    amount: Mapped[Money]
    commission: Mapped[Money]
    split_for: Mapped[Money | None]
    currency: Mapped[str]
    cash_delta: Mapped[Money]
    quantity_delta: Mapped[Money]
    cost_delta: Mapped[Money] = mapped_column(default=Decimal(0))
    realized_pnl: Mapped[Money | None]
    realized_pnl_fifo: Mapped[Money | None]
    executed_at: Mapped[dt.datetime]
    notes: Mapped[str | None]

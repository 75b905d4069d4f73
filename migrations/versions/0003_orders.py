"""Orders: what they reserve, who looks after them, and the paper broker's books.

Revision: 0003
Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(precision=28, scale=10)
TIME = sa.DateTime(timezone=True)
IS_OPEN = "status IN ('PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', 'UNKNOWN')"

CHECKS = (
    ("portfolios", "reserved_not_negative", "reserved_cash >= 0"),
    ("portfolios", "reserved_is_there", "margin OR cash_balance >= reserved_cash"),
    ("positions", "reserved_not_negative", "reserved_quantity >= 0"),
    ("positions", "reserved_is_there", "quantity >= reserved_quantity"),
    ("orders", "notional", "notional > 0"),
    ("orders", "version", "version > 0"),
    ("orders", "reserved_cash", f"reserved_cash >= 0 AND (reserved_cash = 0 OR {IS_OPEN})"),
    ("orders", "broker", "broker IN ('PAPER', 'ALPACA', 'INTERACTIVE_BROKERS')"),
)


def _columns() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("portfolios", sa.Column("reserved_cash", MONEY, server_default=sa.text("0"), nullable=False)),
        ("positions", sa.Column("reserved_quantity", MONEY, server_default=sa.text("0"), nullable=False)),
        ("transactions", sa.Column("execution_id", sa.Text(), nullable=True)),
        ("orders", sa.Column("notional", MONEY, nullable=True)),
        ("orders", sa.Column("worst_price", MONEY, nullable=True)),
        ("orders", sa.Column("reserved_cash", MONEY, server_default=sa.text("0"), nullable=False)),
        ("orders", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False)),
        ("orders", sa.Column("rejection_code", sa.Text(), nullable=True)),
        ("orders", sa.Column("rejection_facts", postgresql.JSONB(none_as_null=True), nullable=True)),
        ("orders", sa.Column("broker", sa.Text(), server_default=sa.text("'PAPER'"), nullable=False)),
        ("orders", sa.Column("broker_order_id", sa.Text(), nullable=True)),
        ("orders", sa.Column("expires_at", TIME, nullable=True)),
    ]


def upgrade() -> None:
    for table, column in _columns():
        op.add_column(table, column)
    for table, name, condition in CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
    op.create_unique_constraint(
        op.f("uq_transactions_owner_id_execution_id"), "transactions", ["owner_id", "execution_id"]
    )
    op.create_index(op.f("ix_orders_owner_id_updated_at"), "orders", ["owner_id", "updated_at"])
    op.create_index(
        "ix_orders_open", "orders", ["owner_id", "portfolio_id"], postgresql_where=sa.text(IS_OPEN)
    )
    _create_work()
    _create_paper_books()
    # Neither has an owner's policy: work is looked for before anybody knows whose it is, and the paper broker
    # knows client order ids and nobody's name.
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON order_work TO graphfolio_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON paper_orders, paper_executions TO graphfolio_app")


def _create_work() -> None:
    op.create_table(
        "order_work",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id", "order_id"],
            ["orders.owner_id", "orders.id"],
            name=op.f("fk_order_work_owner_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "order_id", name=op.f("pk_order_work")),
    )
    op.create_index(op.f("ix_order_work_due_at"), "order_work", ["due_at"])
    op.create_index(op.f("ix_order_work_order_id"), "order_work", ["order_id"])


def _create_paper_books() -> None:
    op.create_table(
        "paper_orders",
        sa.Column("client_order_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=True),
        sa.Column("side", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("quantity", MONEY, nullable=False),
        sa.Column("filled_quantity", MONEY, nullable=False),
        sa.Column("limit_price", MONEY, nullable=True),
        sa.Column("worst_price", MONEY, nullable=True),
        sa.Column("commission", MONEY, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rejection_code", sa.Text(), nullable=True),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column("matched_as_of", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_paper_orders_side")),
        sa.CheckConstraint("type IN ('MARKET', 'LIMIT')", name=op.f("ck_paper_orders_type")),
        sa.CheckConstraint(
            "status IN ('OPEN', 'FILLED', 'CANCELLED', 'REJECTED')", name=op.f("ck_paper_orders_status")
        ),
        sa.CheckConstraint(
            "status IN ('CANCELLED', 'REJECTED') OR (instrument_id IS NOT NULL AND side IS NOT NULL AND type IS NOT NULL)",
            name=op.f("ck_paper_orders_complete"),
        ),
        sa.CheckConstraint("filled_quantity BETWEEN 0 AND quantity", name=op.f("ck_paper_orders_quantity")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_paper_orders_instrument_id")
        ),
        sa.PrimaryKeyConstraint("client_order_id", name=op.f("pk_paper_orders")),
    )
    op.create_index(
        "ix_paper_orders_open", "paper_orders", ["instrument_id"], postgresql_where=sa.text("status = 'OPEN'")
    )
    op.create_table(
        "paper_executions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_order_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", MONEY, nullable=False),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("commission", MONEY, nullable=False),
        sa.Column("executed_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.CheckConstraint(
            "quantity > 0 AND price >= 0 AND commission >= 0", name=op.f("ck_paper_executions_positive")
        ),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["paper_orders.client_order_id"],
            name=op.f("fk_paper_executions_client_order_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_executions")),
    )
    op.create_index(op.f("ix_paper_executions_client_order_id"), "paper_executions", ["client_order_id"])
    op.create_index(
        "ix_paper_executions_due",
        "paper_executions",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("paper_executions", "paper_orders", "order_work"):
        op.drop_table(table)
    op.drop_index("ix_orders_open", table_name="orders")
    op.drop_index(op.f("ix_orders_owner_id_updated_at"), table_name="orders")
    op.drop_constraint(op.f("uq_transactions_owner_id_execution_id"), "transactions")
    for table, name, _ in CHECKS:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    for table, column in _columns():
        op.drop_column(table, column.name)

"""Instruments of one's own, values at the last trade, and imports that can be undone.

Revision: 0017
Revises: 0016
"""

import importlib

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

VIEWER = "nullif(current_setting('app.user_id', true), '')::uuid"
MARKET = ("instruments", "price_bars", "quotes")

# Row-level security is forced on the owner too, who has to see every user's ledger while it is filled in.
FILLED_IN = ("imports", "transactions")

# Multiplied exactly, which exp(sum(ln())) is not.
PRODUCT = "CREATE AGGREGATE product (numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1')"

_STANDS = """e.reverses_id IS NULL AND NOT EXISTS (
              SELECT FROM transactions r WHERE r.owner_id = e.owner_id AND r.reverses_id = e.id)"""

# Without a quote, the price of the owner's last trade in any portfolio, divided by what was split since. A
# split is an entry of each portfolio that held something: those of one day and ratio are the same one.
POSITION_VALUES = f"""
CREATE VIEW position_values WITH (security_invoker = true) AS
SELECT s.owner_id, s.id, s.portfolio_id, s.instrument_id, s.quantity, s.reserved_quantity, s.cost_basis,
       s.realized_pnl, s.realized_pnl_fifo,
       coalesce(q.price, t.price) AS price, coalesce(q.as_of, t.executed_at) AS price_as_of,
       CASE WHEN q.price IS NOT NULL THEN 'QUOTE' WHEN t.price IS NOT NULL THEN 'TRADE' END AS price_source,
       round(s.quantity * coalesce(q.price, t.price), 10) AS market_value
FROM positions s
LEFT JOIN quotes q ON q.instrument_id = s.instrument_id
LEFT JOIN LATERAL (
    SELECT round(last.price * f.split_for / f.quantity, 10) AS price, last.executed_at
    FROM (
        SELECT x.* FROM positions h
        CROSS JOIN LATERAL (
            SELECT e.price, e.executed_at, e.id FROM transactions e
            WHERE e.owner_id = h.owner_id AND e.portfolio_id = h.portfolio_id
              AND e.instrument_id = h.instrument_id AND e.type IN ('BUY', 'SELL') AND e.price > 0
              AND {_STANDS}
            ORDER BY e.executed_at DESC, e.id DESC LIMIT 1
        ) x
        WHERE h.owner_id = s.owner_id AND h.instrument_id = s.instrument_id
        ORDER BY x.executed_at DESC, x.id DESC LIMIT 1
    ) last
    CROSS JOIN LATERAL (
        SELECT product(d.split_for) AS split_for, product(d.quantity) AS quantity
        FROM (
            SELECT DISTINCT (e.executed_at AT TIME ZONE 'UTC')::date AS day, e.quantity, e.split_for
            FROM positions h
            JOIN transactions e ON e.owner_id = h.owner_id AND e.portfolio_id = h.portfolio_id
                AND e.instrument_id = h.instrument_id
            WHERE h.owner_id = s.owner_id AND h.instrument_id = s.instrument_id AND e.type = 'SPLIT'
              AND (e.executed_at, e.id) > (last.executed_at, last.id) AND {_STANDS}
        ) d
    ) f
    WHERE q.price IS NULL AND s.quantity > 0
    -- Keeps the query apart, so that nothing of it runs for what has a quote.
    LIMIT 1
) t ON true
"""

PORTFOLIO_SUMMARY = """
CREATE OR REPLACE VIEW portfolio_summary WITH (security_invoker = true) AS
SELECT p.owner_id, p.id AS portfolio_id, p.account_id, p.name, p.currency, p.cash_balance,
       held.market_value, p.cash_balance + held.market_value AS total_value, held.cost_basis,
       held.unrealized_pnl, held.realized_pnl, held.position_count, held.unpriced_position_count
FROM portfolios p
CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.market_value), 0) AS market_value,
           coalesce(sum(s.cost_basis), 0) AS cost_basis,
           coalesce(sum(s.market_value - s.cost_basis), 0) AS unrealized_pnl,
           coalesce(sum(s.realized_pnl), 0) AS realized_pnl,
           count(*) FILTER (WHERE s.quantity > 0) AS position_count,
           count(*) FILTER (WHERE s.quantity > 0 AND s.price IS NULL) AS unpriced_position_count
    FROM position_values s
    WHERE s.owner_id = p.owner_id AND s.portfolio_id = p.id
) held
"""

# What the imports of before have written stands in their reports alone.
COUNT_IMPORTS = """
UPDATE imports SET transaction_count = (
    SELECT count(*) FROM jsonb_array_elements(report -> 'rows') written WHERE written ? 'id')
WHERE jsonb_typeof(report -> 'rows') = 'array'
"""
FILL_IN = """
UPDATE transactions t SET import_id = m.id
FROM imports m CROSS JOIN LATERAL jsonb_array_elements(m.report -> 'rows') written
WHERE jsonb_typeof(m.report -> 'rows') = 'array' AND t.owner_id = m.owner_id
  AND t.id = (written ->> 'id')::uuid
"""


def upgrade() -> None:
    _own_instruments()
    op.execute(PRODUCT)
    op.execute(POSITION_VALUES)
    op.execute(PORTFOLIO_SUMMARY)
    op.execute("GRANT SELECT ON position_values TO graphfolio_app")
    _imports()


def _own_instruments() -> None:
    op.add_column("instruments", sa.Column("owner_id", sa.Uuid(), nullable=True))
    op.add_column("instruments", sa.Column("isin", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_instruments_isin"), "instruments", "isin ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$'"
    )
    op.create_foreign_key(
        op.f("fk_instruments_owner_id"), "instruments", "users", ["owner_id"], ["id"], ondelete="CASCADE"
    )
    op.drop_constraint("uq_instruments_symbol", "instruments", type_="unique")
    op.create_unique_constraint(
        op.f("uq_instruments_symbol_owner_id"),
        "instruments",
        ["symbol", "owner_id"],
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        op.f("ix_instruments_owner_id_symbol"),
        "instruments",
        ["owner_id", "symbol"],
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    for table in ("price_bars", "quotes"):
        op.add_column(table, sa.Column("owner_id", sa.Uuid(), nullable=True))
    for table in MARKET:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY owner ON {table} USING (owner_id IS NULL OR owner_id = {VIEWER})")
        # For those who follow all prices before they know whom one concerns.
        op.execute(
            f"CREATE POLICY market ON {table} FOR SELECT USING (current_setting('app.market', true) = 'on')"
        )
    op.execute("GRANT INSERT ON instruments TO graphfolio_app")


def _imports() -> None:
    op.alter_column("imports", "report", nullable=True)
    op.add_column("imports", sa.Column("format", sa.Text(), server_default=sa.text("'api'"), nullable=False))
    op.add_column(
        "imports",
        sa.Column("transaction_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("imports", sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("transactions", sa.Column("import_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_transactions_owner_id_import_id"),
        "transactions",
        "imports",
        ["owner_id", "import_id"],
        ["owner_id", "id"],
        ondelete="CASCADE",
    )
    op.create_index(
        op.f("ix_transactions_owner_id_import_id"),
        "transactions",
        ["owner_id", "import_id"],
        postgresql_where=sa.text("import_id IS NOT NULL"),
    )
    for table in FILLED_IN:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(COUNT_IMPORTS)
    op.execute(FILL_IN)
    # Foreign keys are checked before the tables may be altered again.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in FILLED_IN:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute("GRANT UPDATE (reversed_at) ON imports TO graphfolio_app")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (reversed_at) ON imports FROM graphfolio_app")
    op.drop_index(op.f("ix_transactions_owner_id_import_id"), "transactions")
    op.drop_constraint(op.f("fk_transactions_owner_id_import_id"), "transactions", type_="foreignkey")
    op.drop_column("transactions", "import_id")
    for column in ("reversed_at", "transaction_count", "format"):
        op.drop_column("imports", column)
    # Those without a report were kept for nothing but to be undone.
    op.execute("ALTER TABLE imports NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM imports WHERE report IS NULL")
    op.execute("ALTER TABLE imports FORCE ROW LEVEL SECURITY")
    op.alter_column("imports", "report", nullable=False)
    views = importlib.import_module("migrations.versions.0002_owners_views_and_triggers")
    op.execute(views.PORTFOLIO_SUMMARY.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    op.execute("DROP VIEW position_values")
    op.execute("DROP AGGREGATE product (numeric)")
    op.execute("REVOKE INSERT ON instruments FROM graphfolio_app")
    # Fails while somebody has instruments of their own, and positions in them: they would belong to everybody.
    for table in MARKET:
        op.execute(f"DROP POLICY market ON {table}")
        op.execute(f"DROP POLICY owner ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM instruments WHERE owner_id IS NOT NULL")
    for table in ("price_bars", "quotes"):
        op.drop_column(table, "owner_id")
    op.drop_index(op.f("ix_instruments_owner_id_symbol"), "instruments")
    op.drop_constraint(op.f("uq_instruments_symbol_owner_id"), "instruments", type_="unique")
    op.create_unique_constraint("uq_instruments_symbol", "instruments", ["symbol"])
    op.drop_constraint(op.f("fk_instruments_owner_id"), "instruments", type_="foreignkey")
    op.drop_constraint(op.f("ck_instruments_isin"), "instruments", type_="check")
    op.drop_column("instruments", "isin")
    op.drop_column("instruments", "owner_id")

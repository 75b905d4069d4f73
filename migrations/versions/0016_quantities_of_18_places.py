"""Quantities have 18 places, and a price of 0 is a price.

Revision: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

QUANTITIES = {
    "positions": ("quantity", "reserved_quantity"),
    "lots": ("remaining_quantity",),
    "lot_uses": ("quantity_delta",),
    "orders": ("quantity", "filled_quantity"),
    "transactions": ("quantity", "quantity_delta", "split_for"),
    "paper_orders": ("quantity", "filled_quantity"),
    "paper_executions": ("quantity",),
    "rebalance_legs": ("quantity", "filled_quantity"),
    "price_bars": ("volume",),
}

# A column cannot change its type while views read it: they are made again as they were found, whatever
# migration made them last. A trigger that names a column is in the way as well.
CHANGE = """
DO $$
DECLARE
    portfolios text := pg_get_viewdef('portfolio_summary'::regclass);
    users text := pg_get_viewdef('user_account_summary'::regclass);
    recent text := pg_get_viewdef('recent_transactions'::regclass);
    watch text := (SELECT pg_get_triggerdef(oid) FROM pg_trigger
                   WHERE tgrelid = 'transactions'::regclass AND tgname = 'quantity_delta_is_a_fact');
BEGIN
    DROP VIEW recent_transactions, user_account_summary, portfolio_summary;
    DROP TRIGGER quantity_delta_is_a_fact ON transactions;
    {changes}
    EXECUTE watch;
    EXECUTE 'CREATE VIEW portfolio_summary WITH (security_invoker = true) AS ' || portfolios;
    EXECUTE 'CREATE VIEW user_account_summary WITH (security_invoker = true) AS ' || users;
    EXECUTE 'CREATE VIEW recent_transactions WITH (security_invoker = true) AS ' || recent;
    GRANT SELECT ON portfolio_summary, user_account_summary, recent_transactions TO graphfolio_app;
END $$
"""

# On the way down no digit is lost silently. A rewrite of a table sees every owner's rows.
EXACT = """
CREATE FUNCTION pg_temp.ten_places(quantity numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF quantity <> round(quantity, 10) THEN
        RAISE EXCEPTION 'the quantity % has more than 10 places, which the schema before 0016 cannot hold',
            quantity;
    END IF;
    RETURN quantity;
END $$
"""


def upgrade() -> None:
    op.execute(_change("numeric(38, 18)", "{column}"))
    for table, name, check in (
        ("price_bars", "positive", None),
        ("price_bars", "range", None),
        ("quotes", "positive", None),
        ("price_bars", "not_negative", "close >= 0 AND adjusted_close >= 0 AND volume >= 0"),
        ("price_bars", "range", "low >= 0 AND open BETWEEN low AND high AND close BETWEEN low AND high"),
        ("quotes", "not_negative", "price >= 0"),
    ):
        _check(table, name, check)


def downgrade() -> None:
    for table, name, check in (
        ("price_bars", "not_negative", None),
        ("price_bars", "range", None),
        ("quotes", "not_negative", None),
        ("price_bars", "positive", "close > 0 AND adjusted_close > 0 AND volume >= 0"),
        ("price_bars", "range", "low > 0 AND open BETWEEN low AND high AND close BETWEEN low AND high"),
        ("quotes", "positive", "price > 0"),
    ):
        _check(table, name, check)
    op.execute(EXACT)
    op.execute(_change("numeric(28, 10)", "pg_temp.ten_places({column})"))


def _change(type: str, using: str) -> str:
    changes = []
    for table, columns in QUANTITIES.items():
        each = (f"ALTER {name} TYPE {type} USING {using.format(column=name)}" for name in columns)
        changes.append(f"ALTER TABLE {table} {', '.join(each)};")
    return CHANGE.format(changes="\n    ".join(changes))


def _check(table: str, name: str, check: str | None) -> None:
    name = op.f(f"ck_{table}_{name}")
    if check is None:
        op.drop_constraint(name, table, type_="check")
    else:
        op.create_check_constraint(name, table, check)

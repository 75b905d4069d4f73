"""Who may see which row, what the server may do, views and triggers.

Revision: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The role is the cluster's, not the database's: it may be there already, and is never dropped here.
ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'graphfolio_app') THEN
        CREATE ROLE graphfolio_app NOLOGIN;
    END IF;
    -- From version 16 on, whoever makes a role is a member of it that may not yet become it.
    IF NOT pg_has_role(current_user, 'graphfolio_app',
                       CASE WHEN current_setting('server_version_num')::int < 160000
                            THEN 'MEMBER' ELSE 'SET' END) THEN
        EXECUTE format('GRANT graphfolio_app TO %I', current_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the role graphfolio_app is missing and this login may not make it: as a superuser run '
        'CREATE ROLE graphfolio_app NOLOGIN; GRANT graphfolio_app TO %', current_user;
END $$
"""

OWNED = (
    "accounts",
    "alert_rules",
    "alerts",
    "api_keys",
    "audit_log",
    "deliveries",
    "idempotency_keys",
    "lots",
    "orders",
    "performance_history",
    "portfolios",
    "positions",
    "rebalance_history",
    "refresh_tokens",
    "transactions",
    "watchlist_items",
    "watchlists",
)

# Inline on purpose: the same expression behind an SQL function costs 38 % of PostgreSQL's time, not 4-10 %.
VIEWER = "nullif(current_setting('app.user_id', true), '')::uuid"

TOUCHED = (
    "accounts",
    "alert_rules",
    "deliveries",
    "instruments",
    "jobs",
    "lots",
    "orders",
    "portfolios",
    "positions",
    "rebalance_history",
    "users",
    "watchlists",
)

GRANTS = (
    "GRANT SELECT, INSERT, UPDATE ON users, refresh_tokens, accounts, portfolios, positions, orders, "
    "rebalance_history, alert_rules, alerts, deliveries, jobs, quotes TO graphfolio_app",
    # No policy guards a login name, which has no owner: once given it leads to nobody else.
    "GRANT SELECT, INSERT ON logins TO graphfolio_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys, idempotency_keys, lots, performance_history, "
    "watchlists, watchlist_items TO graphfolio_app",
    "GRANT DELETE ON alert_rules, jobs, refresh_tokens TO graphfolio_app",
    "GRANT SELECT ON instruments, price_bars, alembic_version TO graphfolio_app",
    # Append-only is the database's promise, not the code's.
    "GRANT SELECT, INSERT ON audit_log, transactions TO graphfolio_app",
    "GRANT UPDATE (realized_pnl) ON transactions TO graphfolio_app",
    "GRANT SELECT ON portfolio_summary, user_account_summary, recent_transactions TO graphfolio_app",
)

PORTFOLIO_SUMMARY = """
CREATE VIEW portfolio_summary WITH (security_invoker = true) AS
SELECT p.owner_id, p.id AS portfolio_id, p.account_id, p.name, p.currency, p.cash_balance,
       held.market_value, p.cash_balance + held.market_value AS total_value, held.cost_basis,
       held.unrealized_pnl, held.realized_pnl, held.position_count, held.unpriced_position_count
FROM portfolios p
CROSS JOIN LATERAL (
    SELECT coalesce(sum(round(s.quantity * q.price, 10)), 0) AS market_value,
           coalesce(sum(s.cost_basis), 0) AS cost_basis,
           coalesce(sum(round(s.quantity * q.price, 10) - s.cost_basis), 0) AS unrealized_pnl,
           coalesce(sum(s.realized_pnl), 0) AS realized_pnl,
           count(*) FILTER (WHERE s.quantity > 0) AS position_count,
           count(*) FILTER (WHERE s.quantity > 0 AND q.price IS NULL) AS unpriced_position_count
    FROM positions s
    LEFT JOIN quotes q ON q.instrument_id = s.instrument_id
    WHERE s.owner_id = p.owner_id AND s.portfolio_id = p.id
) held
"""

USER_ACCOUNT_SUMMARY = """
CREATE VIEW user_account_summary WITH (security_invoker = true) AS
SELECT u.id AS owner_id, u.currency, a.account_count, a.other_currency_account_count,
       p.portfolio_count, p.position_count, a.cash_balance + p.cash_balance AS cash_balance, p.market_value,
       a.cash_balance + p.cash_balance + p.market_value AS total_value
FROM users u
CROSS JOIN LATERAL (
    SELECT count(*) AS account_count,
           count(*) FILTER (WHERE currency <> u.currency) AS other_currency_account_count,
           coalesce(sum(unallotted_cash) FILTER (WHERE currency = u.currency), 0) AS cash_balance
    FROM accounts WHERE owner_id = u.id
) a
CROSS JOIN LATERAL (
    SELECT count(*) AS portfolio_count, coalesce(sum(position_count), 0)::bigint AS position_count,
           coalesce(sum(cash_balance) FILTER (WHERE currency = u.currency), 0) AS cash_balance,
           coalesce(sum(market_value) FILTER (WHERE currency = u.currency), 0) AS market_value
    FROM portfolio_summary WHERE owner_id = u.id
) p
"""

RECENT_TRANSACTIONS = """
CREATE VIEW recent_transactions WITH (security_invoker = true) AS
SELECT a.owner_id, a.name AS account_name, p.name AS portfolio_name, i.symbol, t.*
FROM accounts a
CROSS JOIN LATERAL (
    SELECT id, account_id, portfolio_id, type, quantity, price, amount, commission, currency, cash_delta,
           quantity_delta, realized_pnl, executed_at, notes, instrument_id
    FROM transactions
    WHERE owner_id = a.owner_id AND account_id = a.id
    ORDER BY executed_at DESC, id DESC
    LIMIT 50
) t
LEFT JOIN portfolios p ON p.owner_id = a.owner_id AND p.id = t.portfolio_id
LEFT JOIN instruments i ON i.id = t.instrument_id
"""


def upgrade() -> None:
    op.execute(ROLE)
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY owner ON {table} USING (owner_id = {VIEWER})")
    op.execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY owner ON users USING (id = {VIEWER})")
    # For the list of users, which only an administrator's request turns on, in its own transaction.
    op.execute(
        "CREATE POLICY administrator ON users FOR SELECT "
        "USING (current_setting('app.administrator', true) = 'on')"
    )
    op.execute(
        "CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END $$"
    )
    for table in TOUCHED:
        op.execute(
            f"CREATE TRIGGER touch_updated_at BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION touch_updated_at()"
        )
    op.execute(PORTFOLIO_SUMMARY)
    op.execute(USER_ACCOUNT_SUMMARY)
    op.execute(RECENT_TRANSACTIONS)
    for grant in GRANTS:
        op.execute(grant)


def downgrade() -> None:
    op.execute("DROP VIEW recent_transactions, user_account_summary, portfolio_summary")
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM graphfolio_app")
    for table in TOUCHED:
        op.execute(f"DROP TRIGGER touch_updated_at ON {table}")
    op.execute("DROP FUNCTION touch_updated_at()")
    op.execute("DROP POLICY administrator ON users")
    for table in (*OWNED, "users"):
        op.execute(f"DROP POLICY owner ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")

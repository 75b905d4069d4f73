"""The first tables.

Revision: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "instruments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asset_class", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.Column("prices_adjusted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "asset_class IN ('EQUITY', 'ETF', 'BOND', 'FUND', 'CRYPTO', 'COMMODITY', 'OTHER')",
            name=op.f("ck_instruments_asset_class"),
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_instruments_currency")),
        sa.CheckConstraint("symbol ~ '^[A-Z0-9][A-Z0-9.^=_-]{0,31}$'", name=op.f("ck_instruments_symbol")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
        sa.UniqueConstraint("symbol", name=op.f("uq_instruments_symbol")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "payload", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("status", sa.Text(), server_default=sa.text("'QUEUED'"), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED')", name=op.f("ck_jobs_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_status_run_at"), "jobs", ["status", "run_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'USD'"), nullable=False),
        sa.Column("alert_seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_users_currency")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "accounts",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("account_type", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("initial_balance", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("unallotted_cash", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("is_paper", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "account_type = 'MARGIN' OR unallotted_cash >= 0", name=op.f("ck_accounts_cash_not_negative")
        ),
        sa.CheckConstraint(
            "account_type IN ('CASH', 'MARGIN', 'RETIREMENT')", name=op.f("ck_accounts_account_type")
        ),
        sa.CheckConstraint(
            "broker IN ('PAPER', 'ALPACA', 'INTERACTIVE_BROKERS')", name=op.f("ck_accounts_broker")
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_accounts_currency")),
        sa.CheckConstraint("initial_balance >= 0", name=op.f("ck_accounts_initial_balance")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_accounts_name_length")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_accounts_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_accounts_owner_id_name")),
    )
    op.create_table(
        "audit_log",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity_type", sa.Text(), nullable=True),
        sa.Column("entity_id", sa.Uuid(), nullable=True),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_audit_log_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("arguments_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_idempotency_keys_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "logins",
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("identifier = lower(identifier)", name=op.f("ck_logins_lower")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_logins_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_logins")),
    )
    op.create_index(op.f("ix_logins_user_id"), "logins", ["user_id"], unique=False)
    op.create_table(
        "price_bars",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("open", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("high", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("low", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("close", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("adjusted_close", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("volume", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.CheckConstraint(
            "close > 0 AND adjusted_close > 0 AND volume >= 0", name=op.f("ck_price_bars_positive")
        ),
        sa.CheckConstraint(
            "low > 0 AND open BETWEEN low AND high AND close BETWEEN low AND high",
            name=op.f("ck_price_bars_range"),
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_price_bars_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("instrument_id", "date", name=op.f("pk_price_bars")),
    )
    op.create_table(
        "quotes",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("price", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("price > 0", name=op.f("ck_quotes_positive")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_quotes_instrument_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instrument_id", name=op.f("pk_quotes")),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_refresh_tokens_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_refresh_tokens")),
        sa.UniqueConstraint("owner_id", "token_hash", name=op.f("uq_refresh_tokens_owner_id_token_hash")),
    )
    op.create_index(
        op.f("ix_refresh_tokens_owner_id_family_id"),
        "refresh_tokens",
        ["owner_id", "family_id"],
        unique=False,
    )
    op.create_table(
        "watchlists",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_watchlists_name_length")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_watchlists_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_watchlists")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_watchlists_owner_id_name")),
    )
    op.create_table(
        "api_keys",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("key_hint", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("encryption_key_id", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "broker IN ('PAPER', 'ALPACA', 'INTERACTIVE_BROKERS')", name=op.f("ck_api_keys_broker")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "account_id"],
            ["accounts.owner_id", "accounts.id"],
            name=op.f("fk_api_keys_owner_id_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_api_keys_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("owner_id", "broker", "label", name=op.f("uq_api_keys_owner_id_broker_label")),
    )
    op.create_table(
        "portfolios",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("margin", sa.Boolean(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("risk_tolerance", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("max_position_size", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("auto_rebalance", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rebalance_frequency", sa.Text(), nullable=False),
        sa.Column("drift_band", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("symbols", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column(
            "target_weights", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("cash_balance", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_portfolios_currency")),
        sa.CheckConstraint(
            "rebalance_frequency IN ('DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY', 'YEARLY')",
            name=op.f("ck_portfolios_rebalance_frequency"),
        ),
        sa.CheckConstraint(
            "strategy IN ('MAX_SHARPE', 'MIN_VARIANCE', 'RISK_PARITY', 'HIERARCHICAL_RISK_PARITY', 'MIN_CVAR', 'EQUAL_WEIGHT', 'CUSTOM')",
            name=op.f("ck_portfolios_strategy"),
        ),
        sa.CheckConstraint("drift_band > 0 AND drift_band <= 1", name=op.f("ck_portfolios_drift_band")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_portfolios_name_length")),
        sa.CheckConstraint("margin OR cash_balance >= 0", name=op.f("ck_portfolios_cash_not_negative")),
        sa.CheckConstraint(
            "max_position_size > 0 AND max_position_size <= 1", name=op.f("ck_portfolios_max_position_size")
        ),
        sa.CheckConstraint("risk_tolerance BETWEEN 0 AND 1", name=op.f("ck_portfolios_risk_tolerance")),
        sa.ForeignKeyConstraint(
            ["owner_id", "account_id"],
            ["accounts.owner_id", "accounts.id"],
            name=op.f("fk_portfolios_owner_id_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_portfolios")),
        sa.UniqueConstraint(
            "owner_id", "account_id", "id", name=op.f("uq_portfolios_owner_id_account_id_id")
        ),
        sa.UniqueConstraint(
            "owner_id", "account_id", "name", name=op.f("uq_portfolios_owner_id_account_id_name")
        ),
    )
    op.create_table(
        "watchlist_items",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("watchlist_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_watchlist_items_instrument_id")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "watchlist_id"],
            ["watchlists.owner_id", "watchlists.id"],
            name=op.f("fk_watchlist_items_owner_id_watchlist_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "watchlist_id", "place", name=op.f("pk_watchlist_items")),
        sa.UniqueConstraint(
            "owner_id",
            "watchlist_id",
            "instrument_id",
            name=op.f("uq_watchlist_items_owner_id_watchlist_id_instrument_id"),
        ),
    )
    op.create_table(
        "alert_rules",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=True),
        sa.Column("portfolio_id", sa.Uuid(), nullable=True),
        sa.Column("cooldown_seconds", sa.Integer(), server_default=sa.text("3600"), nullable=False),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last_fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('PRICE_ABOVE', 'PRICE_BELOW', 'DAILY_MOVE', 'POSITION_WEIGHT', 'DRIFT', 'DRAWDOWN', 'PORTFOLIO_VALUE_BELOW', 'CASH_BELOW', 'REBALANCE_COMPLETED', 'REBALANCE_FAILED', 'ORDER_REJECTED')",
            name=op.f("ck_alert_rules_kind"),
        ),
        sa.CheckConstraint(
            "severity IN ('INFO', 'WARNING', 'CRITICAL')", name=op.f("ck_alert_rules_severity")
        ),
        sa.CheckConstraint("cooldown_seconds >= 0", name=op.f("ck_alert_rules_cooldown_seconds")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_alert_rules_instrument_id")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_alert_rules_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_alert_rules_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_alert_rules")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_alert_rules_owner_id_name")),
    )
    op.create_index(op.f("ix_alert_rules_instrument_id"), "alert_rules", ["instrument_id"], unique=False)
    op.create_table(
        "performance_history",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("total_value", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("cash_value", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("positions_value", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("net_flow", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("daily_return", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("cumulative_return", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("sharpe_ratio", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("sortino_ratio", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("volatility", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("max_drawdown", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("num_positions", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("num_positions >= 0", name=op.f("ck_performance_history_num_positions")),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_performance_history_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_performance_history")),
        sa.UniqueConstraint(
            "owner_id", "portfolio_id", "date", name=op.f("uq_performance_history_owner_id_portfolio_id_date")
        ),
    )
    op.create_table(
        "positions",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("cost_basis", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("realized_pnl", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "cost_basis >= 0 AND (quantity > 0 OR cost_basis = 0)", name=op.f("ck_positions_cost_basis")
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_positions_quantity_not_negative")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_positions_instrument_id")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_positions_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_positions")),
        sa.UniqueConstraint(
            "owner_id",
            "portfolio_id",
            "instrument_id",
            name=op.f("uq_positions_owner_id_portfolio_id_instrument_id"),
        ),
    )
    op.create_index(op.f("ix_positions_instrument_id"), "positions", ["instrument_id"], unique=False)
    op.create_table(
        "rebalance_history",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column(
            "old_weights",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "new_weights",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("turnover", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("total_cost", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("trades_executed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('RUNNING', 'COMPLETED', 'PARTIAL', 'FAILED')",
            name=op.f("ck_rebalance_history_status"),
        ),
        sa.CheckConstraint(
            "strategy IN ('MAX_SHARPE', 'MIN_VARIANCE', 'RISK_PARITY', 'HIERARCHICAL_RISK_PARITY', 'MIN_CVAR', 'EQUAL_WEIGHT', 'CUSTOM')",
            name=op.f("ck_rebalance_history_strategy"),
        ),
        sa.CheckConstraint(
            "trigger IN ('MANUAL', 'SCHEDULE', 'DRIFT')", name=op.f("ck_rebalance_history_trigger")
        ),
        sa.CheckConstraint("trades_executed >= 0", name=op.f("ck_rebalance_history_trades_executed")),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_rebalance_history_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_rebalance_history")),
    )
    op.create_index(
        op.f("ix_rebalance_history_owner_id_portfolio_id_id"),
        "rebalance_history",
        ["owner_id", "portfolio_id", "id"],
        unique=False,
    )
    op.create_table(
        "alerts",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "metrics", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("rule_id", sa.Uuid(), nullable=True),
        sa.Column("portfolio_id", sa.Uuid(), nullable=True),
        sa.Column("instrument_id", sa.Uuid(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('PRICE_ABOVE', 'PRICE_BELOW', 'DAILY_MOVE', 'POSITION_WEIGHT', 'DRIFT', 'DRAWDOWN', 'PORTFOLIO_VALUE_BELOW', 'CASH_BELOW', 'REBALANCE_COMPLETED', 'REBALANCE_FAILED', 'ORDER_REJECTED')",
            name=op.f("ck_alerts_kind"),
        ),
        sa.CheckConstraint("severity IN ('INFO', 'WARNING', 'CRITICAL')", name=op.f("ck_alerts_severity")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_alerts_instrument_id")),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_alerts_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "rule_id"],
            ["alert_rules.owner_id", "alert_rules.id"],
            name=op.f("fk_alerts_owner_id_rule_id"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_alerts_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("owner_id", "seq", name=op.f("uq_alerts_owner_id_seq")),
    )
    op.create_table(
        "orders",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("rebalance_id", sa.Uuid(), nullable=True),
        sa.Column("client_order_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("time_in_force", sa.Text(), server_default=sa.text("'DAY'"), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("filled_quantity", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("limit_price", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("average_fill_price", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("rejection_reason", sa.Text(), nullable=True),
        sa.Column(
            "submitted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(type = 'LIMIT') = (limit_price IS NOT NULL)", name=op.f("ck_orders_limit_price")
        ),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_orders_side")),
        sa.CheckConstraint(
            "status IN ('PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED', 'UNKNOWN')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint("time_in_force IN ('DAY', 'GTC')", name=op.f("ck_orders_time_in_force")),
        sa.CheckConstraint("type IN ('MARKET', 'LIMIT')", name=op.f("ck_orders_type")),
        sa.CheckConstraint(
            "quantity > 0 AND filled_quantity BETWEEN 0 AND quantity", name=op.f("ck_orders_quantity")
        ),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_orders_instrument_id")),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_orders_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "rebalance_id"],
            ["rebalance_history.owner_id", "rebalance_history.id"],
            name=op.f("fk_orders_owner_id_rebalance_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_orders")),
        sa.UniqueConstraint("owner_id", "client_order_id", name=op.f("uq_orders_owner_id_client_order_id")),
    )
    op.create_index(
        op.f("ix_orders_owner_id_portfolio_id_submitted_at_id"),
        "orders",
        ["owner_id", "portfolio_id", "submitted_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_orders_owner_id_rebalance_id"), "orders", ["owner_id", "rebalance_id"], unique=False
    )
    op.create_table(
        "deliveries",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('PENDING', 'SENT', 'FAILED', 'DEAD')", name=op.f("ck_deliveries_status")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "alert_id"],
            ["alerts.owner_id", "alerts.id"],
            name=op.f("fk_deliveries_owner_id_alert_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "owner_id", "alert_id", "channel", name=op.f("uq_deliveries_owner_id_alert_id_channel")
        ),
    )
    op.create_index(
        op.f("ix_deliveries_status_next_attempt_at"),
        "deliveries",
        ["status", "next_attempt_at"],
        unique=False,
    )
    op.create_table(
        "transactions",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=True),
        sa.Column("instrument_id", sa.Uuid(), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("transfer_id", sa.Uuid(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("price", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("amount", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("commission", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("split_for", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cash_delta", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("quantity_delta", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("realized_pnl", sa.Numeric(precision=28, scale=10), nullable=True),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(type = 'SPLIT') = (split_for IS NOT NULL)", name=op.f("ck_transactions_split_for")
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_transactions_currency")),
        sa.CheckConstraint(
            "type IN ('BUY', 'SELL', 'DIVIDEND', 'INTEREST', 'FEE', 'TAX', 'DEPOSIT', 'WITHDRAWAL', 'TRANSFER_IN', 'TRANSFER_OUT', 'SPLIT')",
            name=op.f("ck_transactions_type"),
        ),
        sa.CheckConstraint("commission >= 0 AND amount >= 0", name=op.f("ck_transactions_not_negative")),
        sa.CheckConstraint(
            "instrument_id IS NULL OR portfolio_id IS NOT NULL",
            name=op.f("ck_transactions_shares_in_a_portfolio"),
        ),
        sa.CheckConstraint(
            "quantity_delta = 0 OR instrument_id IS NOT NULL",
            name=op.f("ck_transactions_shares_of_something"),
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_transactions_instrument_id")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "account_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.account_id", "portfolios.id"],
            name=op.f("fk_transactions_owner_id_account_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "account_id"],
            ["accounts.owner_id", "accounts.id"],
            name=op.f("fk_transactions_owner_id_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "order_id"],
            ["orders.owner_id", "orders.id"],
            name=op.f("fk_transactions_owner_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "reverses_id"],
            ["transactions.owner_id", "transactions.id"],
            name=op.f("fk_transactions_owner_id_reverses_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("owner_id", "reverses_id", name=op.f("uq_transactions_owner_id_reverses_id")),
    )
    op.create_index(
        "ix_transactions_of_position",
        "transactions",
        ["owner_id", "portfolio_id", "instrument_id", "executed_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_transactions_owner_id_account_id_executed_at_id"),
        "transactions",
        ["owner_id", "account_id", "executed_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_transactions_owner_id_order_id_executed_at_id"),
        "transactions",
        ["owner_id", "order_id", "executed_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_transactions_owner_id_portfolio_id_executed_at_id"),
        "transactions",
        ["owner_id", "portfolio_id", "executed_at", "id"],
        unique=False,
    )
    op.create_table(
        "lots",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("remaining_quantity", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("remaining_cost", sa.Numeric(precision=28, scale=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "remaining_cost >= 0 AND (remaining_quantity > 0 OR remaining_cost = 0)",
            name=op.f("ck_lots_cost"),
        ),
        sa.CheckConstraint("remaining_quantity >= 0", name=op.f("ck_lots_quantity_not_negative")),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id", "instrument_id"],
            ["positions.owner_id", "positions.portfolio_id", "positions.instrument_id"],
            name=op.f("fk_lots_owner_id_portfolio_id_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "transaction_id"],
            ["transactions.owner_id", "transactions.id"],
            name=op.f("fk_lots_owner_id_transaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_lots")),
        sa.UniqueConstraint("owner_id", "transaction_id", name=op.f("uq_lots_owner_id_transaction_id")),
    )
    op.create_index(
        op.f("ix_lots_owner_id_portfolio_id_instrument_id_opened_at"),
        "lots",
        ["owner_id", "portfolio_id", "instrument_id", "opened_at"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_lots_owner_id_portfolio_id_instrument_id_opened_at"), table_name="lots")
    op.drop_table("lots")
    op.drop_index(op.f("ix_transactions_owner_id_portfolio_id_executed_at_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_owner_id_order_id_executed_at_id"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_owner_id_account_id_executed_at_id"), table_name="transactions")
    op.drop_index("ix_transactions_of_position", table_name="transactions")
    op.drop_table("transactions")
    op.drop_index(op.f("ix_deliveries_status_next_attempt_at"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_orders_owner_id_rebalance_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_owner_id_portfolio_id_submitted_at_id"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("alerts")
    op.drop_index(op.f("ix_rebalance_history_owner_id_portfolio_id_id"), table_name="rebalance_history")
    op.drop_table("rebalance_history")
    op.drop_index(op.f("ix_positions_instrument_id"), table_name="positions")
    op.drop_table("positions")
    op.drop_table("performance_history")
    op.drop_index(op.f("ix_alert_rules_instrument_id"), table_name="alert_rules")
    op.drop_table("alert_rules")
    op.drop_table("watchlist_items")
    op.drop_table("portfolios")
    op.drop_table("api_keys")
    op.drop_table("watchlists")
    op.drop_index(op.f("ix_refresh_tokens_owner_id_family_id"), table_name="refresh_tokens")
    op.drop_table("refresh_tokens")
    op.drop_table("quotes")
    op.drop_table("price_bars")
    op.drop_index(op.f("ix_logins_user_id"), table_name="logins")
    op.drop_table("logins")
    op.drop_table("idempotency_keys")
    op.drop_table("audit_log")
    op.drop_table("accounts")
    op.drop_table("users")
    op.drop_index(op.f("ix_jobs_status_run_at"), table_name="jobs")
    op.drop_table("jobs")
    op.drop_table("instruments")

"""The whole schema: who may see which row, what the server may do, functions, tables, views and triggers.

Revision: 1001
Revises: nothing

It takes the place of the revisions 0001 to 0022, which no release ever had: a database that they made is told so
(`db.schema`). From now on there are only new files beside this one.
"""

from alembic import op

revision = "1001"
down_revision = None
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

# Inline on purpose: the same expression behind an SQL function costs 38 % of PostgreSQL's time, not 4-10 %.
VIEWER = "nullif(current_setting('app.user_id', true), '')::uuid"

FUNCTIONS = (
    r"""
CREATE AGGREGATE product(numeric) (
    SFUNC = numeric_mul,
    STYPE = numeric,
    INITCOND = '1'
)
    """,
    r"""
CREATE FUNCTION count_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO change_counters (owner_id, topic, changes) VALUES (NEW.owner_id, TG_ARGV[0], 1) ON CONFLICT (owner_id, topic) DO UPDATE SET changes = change_counters.changes + 1; RETURN NULL; END $$
    """,
    r"""
CREATE FUNCTION note_stale_snapshots() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO performance_work (owner_id, portfolio_id) VALUES (NEW.owner_id, NEW.id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
    """,
    r"""
CREATE FUNCTION refuse_change_of_fact() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'transaction % is no split: its quantity_delta never changes', OLD.id
        USING ERRCODE = 'integrity_constraint_violation';
END $$
    """,
    r"""
CREATE FUNCTION restated(price numeric, instrument uuid, given date, wanted date) RETURNS numeric
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN EXISTS (
    SELECT FROM instrument_splits s
    WHERE s.instrument_id = instrument AND s.ex_date > least(given, wanted)
        AND s.ex_date <= greatest(given, wanted)
) THEN (
    SELECT round(CASE WHEN given < wanted
        THEN (price * product(s.split_for))::numeric(400, 60) / product(s.quantity)
        ELSE (price * product(s.quantity))::numeric(400, 60) / product(s.split_for) END, 18)
    FROM instrument_splits s
    WHERE s.instrument_id = instrument AND s.ex_date > least(given, wanted)
        AND s.ex_date <= greatest(given, wanted)
) ELSE price END
$$
    """,
    r"""
CREATE FUNCTION touch_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN NEW.changed = pg_current_xact_id()::text::bigint; RETURN NEW; END $$
    """,
    r"""
CREATE FUNCTION touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END $$
    """,
    r"""
CREATE FUNCTION close_on(close numeric, instrument uuid, bar date, wanted date) RETURNS numeric
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN EXISTS (SELECT FROM instrument_splits s WHERE s.instrument_id = instrument) THEN restated(
    close, instrument,
    CASE WHEN (SELECT i.price_basis FROM instruments i WHERE i.id = instrument) = 'RAW' THEN bar
         ELSE (SELECT max(b.date) FROM price_bars b WHERE b.instrument_id = instrument) END,
    wanted
) ELSE close END
$$
    """,
)

# In an order in which each finds what it refers to.
TABLES = (
    r"""
CREATE TABLE login_attempts (
    subject bytea NOT NULL,
    full_until timestamptz NOT NULL,
    CONSTRAINT pk_login_attempts PRIMARY KEY (subject)
)
    """,
    r"""
CREATE TABLE market_feeds (
    name text NOT NULL,
    "position" date,
    holder uuid NOT NULL,
    leased_until timestamptz NOT NULL,
    CONSTRAINT pk_market_feeds PRIMARY KEY (name)
)
    """,
    r"""
CREATE TABLE users (
    id uuid NOT NULL,
    username text NOT NULL,
    email text NOT NULL,
    full_name text,
    password_hash text NOT NULL,
    is_admin boolean DEFAULT false NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    currency text DEFAULT 'USD' NOT NULL,
    last_login_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    time_zone text DEFAULT 'America/New_York' NOT NULL,
    CONSTRAINT ck_users_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_users_time_zone CHECK (('2000-01-01 00:00:00+00'::timestamptz AT TIME ZONE time_zone) IS NOT NULL),
    CONSTRAINT pk_users PRIMARY KEY (id)
)
    """,
    r"""
CREATE TABLE accounts (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    broker text NOT NULL,
    account_type text NOT NULL,
    currency text NOT NULL,
    initial_balance numeric(28,10) NOT NULL,
    unallotted_cash numeric(28,10) NOT NULL,
    is_paper boolean DEFAULT true NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    time_zone text DEFAULT 'America/New_York' NOT NULL,
    CONSTRAINT ck_accounts_account_type CHECK (account_type IN ('CASH', 'MARGIN', 'RETIREMENT')),
    CONSTRAINT ck_accounts_broker CHECK (broker IN ('PAPER', 'ALPACA', 'INTERACTIVE_BROKERS')),
    CONSTRAINT ck_accounts_cash_not_negative CHECK ((account_type = 'MARGIN') OR (unallotted_cash >= 0)),
    CONSTRAINT ck_accounts_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_accounts_initial_balance CHECK (initial_balance >= 0),
    CONSTRAINT ck_accounts_name_length CHECK ((length(name) >= 1) AND (length(name) <= 100)),
    CONSTRAINT ck_accounts_time_zone CHECK (('2000-01-01 00:00:00+00'::timestamptz AT TIME ZONE time_zone) IS NOT NULL),
    CONSTRAINT pk_accounts PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_accounts_owner_id_name UNIQUE (owner_id, name),
    CONSTRAINT fk_accounts_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE alert_checks (
    owner_id uuid NOT NULL,
    due_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_alert_checks PRIMARY KEY (owner_id),
    CONSTRAINT fk_alert_checks_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE alert_sequences (
    owner_id uuid NOT NULL,
    epoch uuid DEFAULT gen_random_uuid() NOT NULL,
    seq integer DEFAULT 0 NOT NULL,
    purged_seq integer DEFAULT 0 NOT NULL,
    CONSTRAINT pk_alert_sequences PRIMARY KEY (owner_id),
    CONSTRAINT fk_alert_sequences_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE audit_log (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    action text NOT NULL,
    entity_type text,
    entity_id uuid,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    ip_address text,
    user_agent text,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_audit_log_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE change_counters (
    owner_id uuid NOT NULL,
    topic text NOT NULL,
    changes bigint NOT NULL,
    CONSTRAINT ck_change_counters_topic CHECK (topic IN ('alerts', 'orders', 'logins')),
    CONSTRAINT pk_change_counters PRIMARY KEY (owner_id, topic),
    CONSTRAINT fk_change_counters_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE idempotency_keys (
    owner_id uuid NOT NULL,
    key uuid NOT NULL,
    field text NOT NULL,
    arguments_hash bytea NOT NULL,
    outcome jsonb,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (owner_id, key),
    CONSTRAINT fk_idempotency_keys_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE instruments (
    id uuid NOT NULL,
    symbol text NOT NULL,
    name text NOT NULL,
    asset_class text NOT NULL,
    currency text NOT NULL,
    exchange text,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    former_symbols text[] DEFAULT '{}'::text[] NOT NULL,
    owner_id uuid,
    isin text,
    price_basis text DEFAULT 'RAW'::text NOT NULL,
    CONSTRAINT ck_instruments_asset_class CHECK (asset_class IN ('EQUITY', 'ETF', 'BOND', 'FUND', 'CRYPTO', 'COMMODITY', 'OTHER')),
    CONSTRAINT ck_instruments_currency CHECK (currency ~ '^[A-Z]{3}$'::text),
    CONSTRAINT ck_instruments_isin CHECK (isin ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$'::text),
    CONSTRAINT ck_instruments_price_basis CHECK (price_basis IN ('RAW', 'SPLIT_ADJUSTED', 'ADJUSTED')),
    CONSTRAINT ck_instruments_symbol CHECK (char_length(symbol) BETWEEN 1 AND 32 AND (symbol !~ '^[ .=_/&+''$#:@*!%-]| $|  |[\u0001-\u001f"(),;<>?\[\\\]`a-z{|}~\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]'::text)),
    CONSTRAINT pk_instruments PRIMARY KEY (id),
    CONSTRAINT uq_instruments_symbol_owner_id UNIQUE NULLS NOT DISTINCT (symbol, owner_id),
    CONSTRAINT fk_instruments_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE logins (
    identifier text NOT NULL,
    user_id uuid NOT NULL,
    CONSTRAINT ck_logins_lower CHECK (identifier = lower(identifier)),
    CONSTRAINT pk_logins PRIMARY KEY (identifier),
    CONSTRAINT fk_logins_user_id FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE notification_budgets (
    owner_id uuid NOT NULL,
    window_start timestamptz DEFAULT now() NOT NULL,
    sent integer DEFAULT 0 NOT NULL,
    CONSTRAINT pk_notification_budgets PRIMARY KEY (owner_id),
    CONSTRAINT fk_notification_budgets_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE notification_destinations (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    hint text NOT NULL,
    ciphertext bytea NOT NULL,
    encryption_key_id text NOT NULL,
    confirmed_at timestamptz,
    code_expires_at timestamptz,
    code_tries integer DEFAULT 0 NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    last_sent_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ck_notification_destinations_kind CHECK (kind IN ('EMAIL', 'WEBHOOK', 'APPRISE')),
    CONSTRAINT pk_notification_destinations PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_notification_destinations_owner_id_name UNIQUE (owner_id, name),
    CONSTRAINT fk_notification_destinations_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE refresh_tokens (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    family_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_refresh_tokens PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_refresh_tokens_owner_id_token_hash UNIQUE (owner_id, token_hash),
    CONSTRAINT fk_refresh_tokens_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE watchlists (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ck_watchlists_name_length CHECK ((length(name) >= 1) AND (length(name) <= 100)),
    CONSTRAINT pk_watchlists PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_watchlists_owner_id_name UNIQUE (owner_id, name),
    CONSTRAINT fk_watchlists_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE api_keys (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    broker text NOT NULL,
    label text NOT NULL,
    key_hint text NOT NULL,
    account_id uuid,
    ciphertext bytea NOT NULL,
    encryption_key_id text NOT NULL,
    last_used_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ck_api_keys_broker CHECK (broker IN ('PAPER', 'ALPACA', 'INTERACTIVE_BROKERS')),
    CONSTRAINT pk_api_keys PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_api_keys_owner_id_broker_label UNIQUE (owner_id, broker, label),
    CONSTRAINT fk_api_keys_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE,
    CONSTRAINT fk_api_keys_owner_id_account_id FOREIGN KEY (owner_id, account_id) REFERENCES accounts(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE instrument_splits (
    instrument_id uuid NOT NULL,
    ex_date date NOT NULL,
    quantity numeric(38,18) NOT NULL,
    split_for numeric(38,18) NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ck_instrument_splits_ratio CHECK ((quantity > 0) AND (split_for > 0) AND (quantity <> split_for)),
    CONSTRAINT pk_instrument_splits PRIMARY KEY (instrument_id, ex_date),
    CONSTRAINT fk_instrument_splits_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE paper_orders (
    client_order_id uuid NOT NULL,
    id uuid NOT NULL,
    instrument_id uuid,
    side text,
    type text,
    quantity numeric(38,18) NOT NULL,
    filled_quantity numeric(38,18) NOT NULL,
    limit_price numeric(28,10),
    worst_price numeric(28,10),
    commission numeric(28,10) NOT NULL,
    status text NOT NULL,
    rejection_code text,
    rejection_reason text,
    matched_as_of timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    units_of date,
    followed_splits date[] DEFAULT '{}'::date[] NOT NULL,
    CONSTRAINT ck_paper_orders_complete CHECK (status IN ('CANCELLED', 'REJECTED') OR ((instrument_id IS NOT NULL) AND (side IS NOT NULL) AND (type IS NOT NULL))),
    CONSTRAINT ck_paper_orders_quantity CHECK ((filled_quantity >= 0) AND (filled_quantity <= quantity)),
    CONSTRAINT ck_paper_orders_side CHECK (side IN ('BUY', 'SELL')),
    CONSTRAINT ck_paper_orders_status CHECK (status IN ('OPEN', 'FILLED', 'CANCELLED', 'REJECTED')),
    CONSTRAINT ck_paper_orders_type CHECK (type IN ('MARKET', 'LIMIT')),
    CONSTRAINT pk_paper_orders PRIMARY KEY (client_order_id),
    CONSTRAINT fk_paper_orders_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id)
)
    """,
    r"""
CREATE TABLE portfolios (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    name text NOT NULL,
    currency text NOT NULL,
    margin boolean NOT NULL,
    strategy text NOT NULL,
    risk_tolerance numeric(28,10) NOT NULL,
    max_position_size numeric(28,10) NOT NULL,
    auto_rebalance boolean DEFAULT false NOT NULL,
    rebalance_frequency text NOT NULL,
    drift_band numeric(28,10),
    symbols text[],
    target_weights jsonb,
    cash_balance numeric(28,10) NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    reserved_cash numeric(28,10) DEFAULT 0 NOT NULL,
    snapshots_stale_from date,
    fractional_shares boolean DEFAULT true NOT NULL,
    minimum_trade numeric(28,10) DEFAULT 0 NOT NULL,
    relative_drift_band numeric(28,10),
    cash_reserve numeric(28,10) DEFAULT 0 NOT NULL,
    max_trade numeric(28,10),
    max_turnover numeric(28,10),
    look_back_days integer DEFAULT 756 NOT NULL,
    tax_aware boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_portfolios_automatic CHECK ((NOT auto_rebalance) OR (strategy <> 'NONE')),
    CONSTRAINT ck_portfolios_cash_not_negative CHECK (margin OR (cash_balance >= 0)),
    CONSTRAINT ck_portfolios_cash_reserve CHECK ((cash_reserve >= 0) AND (cash_reserve < (1)::numeric)),
    CONSTRAINT ck_portfolios_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_portfolios_drift_band CHECK ((drift_band > 0) AND (drift_band <= (1)::numeric)),
    CONSTRAINT ck_portfolios_look_back_days CHECK ((look_back_days >= 30) AND (look_back_days <= 7560)),
    CONSTRAINT ck_portfolios_max_position_size CHECK ((max_position_size > 0) AND (max_position_size <= (1)::numeric)),
    CONSTRAINT ck_portfolios_max_trade CHECK ((max_trade > 0) AND (max_trade <= (1)::numeric)),
    CONSTRAINT ck_portfolios_max_turnover CHECK ((max_turnover > 0) AND (max_turnover <= (2)::numeric)),
    CONSTRAINT ck_portfolios_minimum_trade CHECK (minimum_trade >= 0),
    CONSTRAINT ck_portfolios_name_length CHECK ((length(name) >= 1) AND (length(name) <= 100)),
    CONSTRAINT ck_portfolios_rebalance_frequency CHECK (rebalance_frequency IN ('DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY', 'YEARLY')),
    CONSTRAINT ck_portfolios_relative_drift_band CHECK ((relative_drift_band > 0) AND (relative_drift_band <= (1)::numeric)),
    CONSTRAINT ck_portfolios_reserved_is_there CHECK (margin OR (cash_balance >= reserved_cash)),
    CONSTRAINT ck_portfolios_reserved_not_negative CHECK (reserved_cash >= 0),
    CONSTRAINT ck_portfolios_risk_tolerance CHECK ((risk_tolerance >= 0) AND (risk_tolerance <= (1)::numeric)),
    CONSTRAINT ck_portfolios_strategy CHECK (strategy IN ('MAX_SHARPE', 'MIN_VARIANCE', 'RISK_PARITY', 'HIERARCHICAL_RISK_PARITY', 'MIN_CVAR', 'EQUAL_WEIGHT', 'CUSTOM', 'NONE')),
    CONSTRAINT pk_portfolios PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_portfolios_owner_id_account_id_id UNIQUE (owner_id, account_id, id),
    CONSTRAINT uq_portfolios_owner_id_account_id_name UNIQUE (owner_id, account_id, name),
    CONSTRAINT fk_portfolios_owner_id_account_id FOREIGN KEY (owner_id, account_id) REFERENCES accounts(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE price_bars (
    instrument_id uuid NOT NULL,
    date date NOT NULL,
    open numeric(28,10),
    high numeric(28,10),
    low numeric(28,10),
    close numeric(28,10) NOT NULL,
    adjusted_close numeric(28,10),
    volume numeric(38,18),
    owner_id uuid,
    CONSTRAINT ck_price_bars_not_negative CHECK ((close >= 0) AND (adjusted_close >= 0) AND (volume >= 0)),
    CONSTRAINT ck_price_bars_range CHECK ((low >= 0) AND ((open >= low) AND (open <= high)) AND ((close >= low) AND (close <= high))),
    CONSTRAINT pk_price_bars PRIMARY KEY (instrument_id, date),
    CONSTRAINT fk_price_bars_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE quotes (
    instrument_id uuid NOT NULL,
    price numeric(28,10) NOT NULL,
    as_of timestamptz NOT NULL,
    previous_price numeric(28,10),
    changed bigint DEFAULT ((pg_current_xact_id())::text)::bigint NOT NULL,
    owner_id uuid,
    units_of date,
    CONSTRAINT ck_quotes_not_negative CHECK (price >= 0),
    CONSTRAINT pk_quotes PRIMARY KEY (instrument_id),
    CONSTRAINT fk_quotes_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE split_work (
    instrument_id uuid NOT NULL,
    ex_date date NOT NULL,
    due_at timestamptz NOT NULL,
    after_owner uuid,
    again_at timestamptz,
    CONSTRAINT pk_split_work PRIMARY KEY (instrument_id, ex_date),
    CONSTRAINT fk_split_work_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE watchlist_items (
    owner_id uuid NOT NULL,
    watchlist_id uuid NOT NULL,
    place integer NOT NULL,
    instrument_id uuid NOT NULL,
    CONSTRAINT pk_watchlist_items PRIMARY KEY (owner_id, watchlist_id, place),
    CONSTRAINT uq_watchlist_items_owner_id_watchlist_id_instrument_id UNIQUE (owner_id, watchlist_id, instrument_id),
    CONSTRAINT fk_watchlist_items_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_watchlist_items_owner_id_watchlist_id FOREIGN KEY (owner_id, watchlist_id) REFERENCES watchlists(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE alert_rules (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    threshold numeric(28,10) NOT NULL,
    instrument_id uuid,
    portfolio_id uuid,
    cooldown_seconds integer DEFAULT 3600 NOT NULL,
    channels text[] DEFAULT '{}'::text[] NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    last_fired_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    hysteresis numeric(28,10) DEFAULT 0 NOT NULL,
    active_from time,
    active_until time,
    active_weekdays integer[],
    time_zone text,
    units_of date DEFAULT ((now() AT TIME ZONE 'America/New_York'))::date NOT NULL,
    followed_splits date[] DEFAULT '{}'::date[] NOT NULL,
    CONSTRAINT ck_alert_rules_active_hours CHECK (num_nonnulls(active_from, active_until, active_weekdays, time_zone) = ANY (ARRAY[0, 4])),
    CONSTRAINT ck_alert_rules_cooldown_seconds CHECK (cooldown_seconds >= 0),
    CONSTRAINT ck_alert_rules_hysteresis CHECK (hysteresis >= 0),
    CONSTRAINT ck_alert_rules_kind CHECK (kind IN ('PRICE_ABOVE', 'PRICE_BELOW', 'DAILY_MOVE', 'POSITION_WEIGHT', 'DRIFT', 'DRAWDOWN', 'PORTFOLIO_VALUE_BELOW', 'CASH_BELOW', 'REBALANCE_COMPLETED', 'REBALANCE_FAILED', 'ORDER_REJECTED')),
    CONSTRAINT ck_alert_rules_severity CHECK (severity IN ('INFO', 'WARNING', 'CRITICAL')),
    CONSTRAINT pk_alert_rules PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_alert_rules_owner_id_name UNIQUE (owner_id, name),
    CONSTRAINT fk_alert_rules_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_alert_rules_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_rules_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE imports (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    report jsonb,
    created_at timestamptz DEFAULT now() NOT NULL,
    format text DEFAULT 'api' NOT NULL,
    transaction_count integer DEFAULT 0 NOT NULL,
    reversed_at timestamptz,
    CONSTRAINT pk_imports PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_imports_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE paper_executions (
    id uuid NOT NULL,
    client_order_id uuid NOT NULL,
    quantity numeric(38,18) NOT NULL,
    price numeric(28,10) NOT NULL,
    commission numeric(28,10) NOT NULL,
    executed_at timestamptz NOT NULL,
    due_at timestamptz,
    CONSTRAINT ck_paper_executions_positive CHECK ((quantity > 0) AND (price >= 0) AND (commission >= 0)),
    CONSTRAINT pk_paper_executions PRIMARY KEY (id),
    CONSTRAINT fk_paper_executions_client_order_id FOREIGN KEY (client_order_id) REFERENCES paper_orders(client_order_id)
)
    """,
    r"""
CREATE TABLE performance_history (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    date date NOT NULL,
    total_value numeric(28,10) NOT NULL,
    cash_value numeric(28,10) NOT NULL,
    positions_value numeric(28,10) NOT NULL,
    net_flow numeric(28,10) NOT NULL,
    daily_return numeric(28,10),
    cumulative_return numeric(28,10),
    sharpe_ratio numeric(28,10),
    sortino_ratio numeric(28,10),
    volatility numeric(28,10),
    max_drawdown numeric(28,10),
    num_positions integer NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    unpriced_positions integer DEFAULT 0 NOT NULL,
    stale_positions integer DEFAULT 0 NOT NULL,
    unquoted_positions integer DEFAULT 0 NOT NULL,
    num_trades integer,
    flows text,
    CONSTRAINT ck_performance_history_num_positions CHECK (num_positions >= 0),
    CONSTRAINT ck_performance_history_num_trades CHECK (num_trades >= 0),
    CONSTRAINT ck_performance_history_stale_positions CHECK (stale_positions >= 0),
    CONSTRAINT ck_performance_history_unpriced_positions CHECK (unpriced_positions >= 0),
    CONSTRAINT ck_performance_history_unquoted_positions CHECK (unquoted_positions >= 0),
    CONSTRAINT pk_performance_history PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_performance_history_owner_id_portfolio_id_date UNIQUE (owner_id, portfolio_id, date),
    CONSTRAINT fk_performance_history_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE performance_work (
    owner_id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    due_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_performance_work PRIMARY KEY (owner_id, portfolio_id),
    CONSTRAINT fk_performance_work_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE positions (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    instrument_id uuid NOT NULL,
    quantity numeric(38,18) NOT NULL,
    cost_basis numeric(28,10) NOT NULL,
    realized_pnl numeric(28,10) NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    reserved_quantity numeric(38,18) DEFAULT 0 NOT NULL,
    realized_pnl_fifo numeric(28,10) DEFAULT 0 NOT NULL,
    CONSTRAINT ck_positions_cost_basis CHECK ((cost_basis >= 0) AND ((quantity > 0) OR (cost_basis = 0))),
    CONSTRAINT ck_positions_quantity_not_negative CHECK (quantity >= 0),
    CONSTRAINT ck_positions_reserved_is_there CHECK (quantity >= reserved_quantity),
    CONSTRAINT ck_positions_reserved_not_negative CHECK (reserved_quantity >= 0),
    CONSTRAINT pk_positions PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_positions_owner_id_portfolio_id_instrument_id UNIQUE (owner_id, portfolio_id, instrument_id),
    CONSTRAINT fk_positions_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_positions_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE rebalance_due (
    owner_id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    scheduled_at timestamptz,
    drift_at timestamptz,
    attempts integer DEFAULT 0 NOT NULL,
    CONSTRAINT pk_rebalance_due PRIMARY KEY (owner_id, portfolio_id),
    CONSTRAINT fk_rebalance_due_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE rebalance_history (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    strategy text NOT NULL,
    status text NOT NULL,
    trigger text NOT NULL,
    old_weights jsonb DEFAULT '{}'::jsonb NOT NULL,
    new_weights jsonb DEFAULT '{}'::jsonb NOT NULL,
    turnover numeric(28,10) NOT NULL,
    total_cost numeric(28,10) NOT NULL,
    trades_executed integer DEFAULT 0 NOT NULL,
    started_at timestamptz DEFAULT now() NOT NULL,
    completed_at timestamptz,
    failure_reason text,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    target_weights jsonb,
    value_before numeric(28,10),
    plan_hash text,
    CONSTRAINT ck_rebalance_history_status CHECK (status IN ('RUNNING', 'COMPLETED', 'PARTIAL', 'FAILED')),
    CONSTRAINT ck_rebalance_history_strategy CHECK (strategy IN ('MAX_SHARPE', 'MIN_VARIANCE', 'RISK_PARITY', 'HIERARCHICAL_RISK_PARITY', 'MIN_CVAR', 'EQUAL_WEIGHT', 'CUSTOM')),
    CONSTRAINT ck_rebalance_history_trades_executed CHECK (trades_executed >= 0),
    CONSTRAINT ck_rebalance_history_trigger CHECK (trigger IN ('MANUAL', 'SCHEDULE', 'DRIFT')),
    CONSTRAINT pk_rebalance_history PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_rebalance_history_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE alert_states (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    rule_id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    instrument_id uuid,
    is_armed boolean DEFAULT true NOT NULL,
    quiet_until timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_alert_states PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_alert_states_owner_id_rule_id_portfolio_id_instrument_id UNIQUE NULLS NOT DISTINCT (owner_id, rule_id, portfolio_id, instrument_id),
    CONSTRAINT fk_alert_states_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_alert_states_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alert_states_owner_id_rule_id FOREIGN KEY (owner_id, rule_id) REFERENCES alert_rules(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE alert_watches (
    owner_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    instrument_id uuid NOT NULL,
    kind text NOT NULL,
    threshold numeric(28,10) NOT NULL,
    hysteresis numeric(28,10) NOT NULL,
    is_armed boolean DEFAULT true NOT NULL,
    quiet_until timestamptz,
    as_of timestamptz,
    changed bigint DEFAULT ((pg_current_xact_id())::text)::bigint NOT NULL,
    units_of date DEFAULT ((now() AT TIME ZONE 'America/New_York'))::date NOT NULL,
    followed_splits date[] DEFAULT '{}'::date[] NOT NULL,
    CONSTRAINT ck_alert_watches_kind CHECK (kind IN ('PRICE_ABOVE', 'PRICE_BELOW', 'DAILY_MOVE', 'POSITION_WEIGHT', 'DRIFT', 'DRAWDOWN', 'PORTFOLIO_VALUE_BELOW', 'CASH_BELOW', 'REBALANCE_COMPLETED', 'REBALANCE_FAILED', 'ORDER_REJECTED')),
    CONSTRAINT pk_alert_watches PRIMARY KEY (owner_id, rule_id),
    CONSTRAINT fk_alert_watches_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_alert_watches_owner_id_rule_id FOREIGN KEY (owner_id, rule_id) REFERENCES alert_rules(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE alerts (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    seq integer NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    title text NOT NULL,
    message text NOT NULL,
    metrics jsonb DEFAULT '{}'::jsonb NOT NULL,
    rule_id uuid,
    portfolio_id uuid,
    instrument_id uuid,
    acknowledged_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ck_alerts_kind CHECK (kind IN ('PRICE_ABOVE', 'PRICE_BELOW', 'DAILY_MOVE', 'POSITION_WEIGHT', 'DRIFT', 'DRAWDOWN', 'PORTFOLIO_VALUE_BELOW', 'CASH_BELOW', 'REBALANCE_COMPLETED', 'REBALANCE_FAILED', 'ORDER_REJECTED')),
    CONSTRAINT ck_alerts_severity CHECK (severity IN ('INFO', 'WARNING', 'CRITICAL')),
    CONSTRAINT pk_alerts PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_alerts_owner_id_seq UNIQUE (owner_id, seq),
    CONSTRAINT fk_alerts_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_alerts_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE,
    CONSTRAINT fk_alerts_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_alerts_owner_id_rule_id FOREIGN KEY (owner_id, rule_id) REFERENCES alert_rules(owner_id, id) ON DELETE SET NULL (rule_id)
)
    """,
    r"""
CREATE TABLE orders (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    instrument_id uuid NOT NULL,
    rebalance_id uuid,
    client_order_id uuid NOT NULL,
    side text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    time_in_force text DEFAULT 'DAY' NOT NULL,
    quantity numeric(38,18) NOT NULL,
    filled_quantity numeric(38,18) NOT NULL,
    limit_price numeric(28,10),
    average_fill_price numeric(28,10),
    rejection_reason text,
    submitted_at timestamptz DEFAULT now() NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    notional numeric(28,10),
    worst_price numeric(28,10),
    reserved_cash numeric(28,10) DEFAULT 0 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    rejection_code text,
    rejection_facts jsonb,
    broker text DEFAULT 'PAPER' NOT NULL,
    broker_order_id text,
    expires_at timestamptz,
    units_of date,
    followed_splits date[] DEFAULT '{}'::date[] NOT NULL,
    CONSTRAINT ck_orders_broker CHECK (broker IN ('PAPER', 'ALPACA', 'INTERACTIVE_BROKERS')),
    CONSTRAINT ck_orders_limit_price CHECK ((type = 'LIMIT') = (limit_price IS NOT NULL)),
    CONSTRAINT ck_orders_notional CHECK (notional > 0),
    CONSTRAINT ck_orders_quantity CHECK ((quantity > 0) AND ((filled_quantity >= 0) AND (filled_quantity <= quantity))),
    CONSTRAINT ck_orders_reserved_cash CHECK ((reserved_cash >= 0) AND ((reserved_cash = 0) OR status IN ('PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', 'UNKNOWN'))),
    CONSTRAINT ck_orders_side CHECK (side IN ('BUY', 'SELL')),
    CONSTRAINT ck_orders_status CHECK (status IN ('PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED', 'UNKNOWN')),
    CONSTRAINT ck_orders_time_in_force CHECK (time_in_force IN ('DAY', 'GTC')),
    CONSTRAINT ck_orders_type CHECK (type IN ('MARKET', 'LIMIT')),
    CONSTRAINT ck_orders_version CHECK (version > 0),
    CONSTRAINT pk_orders PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_orders_owner_id_client_order_id UNIQUE (owner_id, client_order_id),
    CONSTRAINT fk_orders_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_orders_owner_id_portfolio_id FOREIGN KEY (owner_id, portfolio_id) REFERENCES portfolios(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_orders_owner_id_rebalance_id FOREIGN KEY (owner_id, rebalance_id) REFERENCES rebalance_history(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE rebalance_work (
    owner_id uuid NOT NULL,
    rebalance_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    CONSTRAINT pk_rebalance_work PRIMARY KEY (owner_id, rebalance_id),
    CONSTRAINT fk_rebalance_work_owner_id_rebalance_id FOREIGN KEY (owner_id, rebalance_id) REFERENCES rebalance_history(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE deliveries (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    alert_id uuid,
    channel text NOT NULL,
    status text DEFAULT 'PENDING' NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamptz,
    last_error text,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    kind text DEFAULT 'ALERT' NOT NULL,
    destination_id uuid,
    digest_id uuid,
    sent_at timestamptz,
    CONSTRAINT ck_deliveries_kind CHECK (kind IN ('ALERT', 'DIGEST', 'CONFIRMATION')),
    CONSTRAINT ck_deliveries_status CHECK (status IN ('PENDING', 'SENT', 'FAILED', 'DEAD')),
    CONSTRAINT pk_deliveries PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_deliveries_owner_id_alert_id_channel UNIQUE (owner_id, alert_id, channel),
    CONSTRAINT fk_deliveries_owner_id_alert_id FOREIGN KEY (owner_id, alert_id) REFERENCES alerts(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_deliveries_owner_id_destination_id FOREIGN KEY (owner_id, destination_id) REFERENCES notification_destinations(owner_id, id) ON DELETE SET NULL (destination_id),
    CONSTRAINT fk_deliveries_owner_id_digest_id FOREIGN KEY (owner_id, digest_id) REFERENCES deliveries(owner_id, id) ON DELETE SET NULL (digest_id)
)
    """,
    r"""
CREATE TABLE order_work (
    owner_id uuid NOT NULL,
    order_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    CONSTRAINT pk_order_work PRIMARY KEY (owner_id, order_id),
    CONSTRAINT fk_order_work_owner_id_order_id FOREIGN KEY (owner_id, order_id) REFERENCES orders(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE rebalance_legs (
    owner_id uuid NOT NULL,
    rebalance_id uuid NOT NULL,
    number integer NOT NULL,
    instrument_id uuid NOT NULL,
    side text NOT NULL,
    quantity numeric(38,18) NOT NULL,
    filled_quantity numeric(38,18) DEFAULT 0 NOT NULL,
    quote_price numeric(28,10) NOT NULL,
    status text DEFAULT 'PLANNED' NOT NULL,
    order_id uuid,
    reason text,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT ck_rebalance_legs_number CHECK (number > 0),
    CONSTRAINT ck_rebalance_legs_order_id CHECK (status IN ('PLANNED', 'SKIPPED') OR (order_id IS NOT NULL)),
    CONSTRAINT ck_rebalance_legs_quantity CHECK ((quantity > 0) AND ((filled_quantity >= 0) AND (filled_quantity <= quantity))),
    CONSTRAINT ck_rebalance_legs_side CHECK (side IN ('BUY', 'SELL')),
    CONSTRAINT ck_rebalance_legs_status CHECK (status IN ('PLANNED', 'SUBMITTED', 'FILLED', 'PARTIAL', 'SKIPPED', 'REJECTED')),
    CONSTRAINT pk_rebalance_legs PRIMARY KEY (owner_id, rebalance_id, number),
    CONSTRAINT fk_rebalance_legs_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_rebalance_legs_owner_id_order_id FOREIGN KEY (owner_id, order_id) REFERENCES orders(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_rebalance_legs_owner_id_rebalance_id FOREIGN KEY (owner_id, rebalance_id) REFERENCES rebalance_history(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE transactions (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    portfolio_id uuid,
    instrument_id uuid,
    order_id uuid,
    reverses_id uuid,
    transfer_id uuid,
    type text NOT NULL,
    quantity numeric(38,18),
    price numeric(28,10),
    amount numeric(28,10) NOT NULL,
    commission numeric(28,10) NOT NULL,
    split_for numeric(38,18),
    currency text NOT NULL,
    cash_delta numeric(28,10) NOT NULL,
    quantity_delta numeric(38,18) NOT NULL,
    realized_pnl numeric(28,10),
    executed_at timestamptz NOT NULL,
    notes text,
    created_at timestamptz DEFAULT now() NOT NULL,
    execution_id text,
    fingerprint bytea,
    cost_delta numeric(28,10) DEFAULT 0 NOT NULL,
    realized_pnl_fifo numeric(28,10),
    import_id uuid,
    is_automatic boolean DEFAULT false NOT NULL,
    is_split_adjusted boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_transactions_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT ck_transactions_is_automatic CHECK ((NOT is_automatic) OR (type = 'SPLIT')),
    CONSTRAINT ck_transactions_not_negative CHECK ((commission >= 0) AND (amount >= 0)),
    CONSTRAINT ck_transactions_shares_in_a_portfolio CHECK ((instrument_id IS NULL) OR (portfolio_id IS NOT NULL)),
    CONSTRAINT ck_transactions_shares_of_something CHECK ((quantity_delta = 0) OR (instrument_id IS NOT NULL)),
    CONSTRAINT ck_transactions_split_for CHECK ((type = 'SPLIT') = (split_for IS NOT NULL)),
    CONSTRAINT ck_transactions_type CHECK (type IN ('BUY', 'SELL', 'DIVIDEND', 'INTEREST', 'FEE', 'TAX', 'DEPOSIT', 'WITHDRAWAL', 'TRANSFER_IN', 'TRANSFER_OUT', 'SPLIT')),
    CONSTRAINT pk_transactions PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_transactions_owner_id_execution_id UNIQUE (owner_id, execution_id),
    CONSTRAINT uq_transactions_owner_id_reverses_id UNIQUE (owner_id, reverses_id),
    CONSTRAINT fk_transactions_instrument_id FOREIGN KEY (instrument_id) REFERENCES instruments(id),
    CONSTRAINT fk_transactions_owner_id_account_id FOREIGN KEY (owner_id, account_id) REFERENCES accounts(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_transactions_owner_id_account_id_portfolio_id FOREIGN KEY (owner_id, account_id, portfolio_id) REFERENCES portfolios(owner_id, account_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_transactions_owner_id_import_id FOREIGN KEY (owner_id, import_id) REFERENCES imports(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_transactions_owner_id_order_id FOREIGN KEY (owner_id, order_id) REFERENCES orders(owner_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_transactions_owner_id_reverses_id FOREIGN KEY (owner_id, reverses_id) REFERENCES transactions(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE delivery_work (
    owner_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    due_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_delivery_work PRIMARY KEY (owner_id, delivery_id),
    CONSTRAINT fk_delivery_work_owner_id_delivery_id FOREIGN KEY (owner_id, delivery_id) REFERENCES deliveries(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE lots (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    portfolio_id uuid NOT NULL,
    instrument_id uuid NOT NULL,
    transaction_id uuid NOT NULL,
    opened_at timestamptz NOT NULL,
    remaining_quantity numeric(38,18) NOT NULL,
    remaining_cost numeric(28,10) NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    number integer DEFAULT 0 NOT NULL,
    CONSTRAINT ck_lots_cost CHECK ((remaining_cost >= 0) AND ((remaining_quantity > 0) OR (remaining_cost = 0))),
    CONSTRAINT ck_lots_quantity_not_negative CHECK (remaining_quantity >= 0),
    CONSTRAINT pk_lots PRIMARY KEY (owner_id, id),
    CONSTRAINT uq_lots_owner_id_transaction_id_number UNIQUE (owner_id, transaction_id, number),
    CONSTRAINT fk_lots_owner_id_portfolio_id_instrument_id FOREIGN KEY (owner_id, portfolio_id, instrument_id) REFERENCES positions(owner_id, portfolio_id, instrument_id) ON DELETE CASCADE,
    CONSTRAINT fk_lots_owner_id_transaction_id FOREIGN KEY (owner_id, transaction_id) REFERENCES transactions(owner_id, id) ON DELETE CASCADE
)
    """,
    r"""
CREATE TABLE lot_uses (
    owner_id uuid NOT NULL,
    transaction_id uuid NOT NULL,
    lot_transaction_id uuid NOT NULL,
    lot_number integer NOT NULL,
    quantity_delta numeric(38,18) NOT NULL,
    cost_delta numeric(28,10) NOT NULL,
    gain numeric(28,10),
    CONSTRAINT pk_lot_uses PRIMARY KEY (owner_id, transaction_id, lot_transaction_id, lot_number),
    CONSTRAINT fk_lot_uses_owner_id_lot_transaction_id_lot_number FOREIGN KEY (owner_id, lot_transaction_id, lot_number) REFERENCES lots(owner_id, transaction_id, number) ON DELETE CASCADE,
    CONSTRAINT fk_lot_uses_owner_id_transaction_id FOREIGN KEY (owner_id, transaction_id) REFERENCES transactions(owner_id, id) ON DELETE CASCADE
)
    """,
)

INDEXES = (
    r"""
CREATE INDEX ix_alert_checks_due_at ON alert_checks (due_at)
    """,
    r"""
CREATE INDEX ix_instruments_owner_id_symbol ON instruments (owner_id, symbol) WHERE (owner_id IS NOT NULL)
    """,
    r"""
CREATE INDEX ix_logins_user_id ON logins (user_id)
    """,
    r"""
CREATE INDEX ix_refresh_tokens_owner_id_family_id ON refresh_tokens (owner_id, family_id)
    """,
    r"""
CREATE INDEX ix_paper_orders_open ON paper_orders (instrument_id) WHERE (status = 'OPEN')
    """,
    r"""
CREATE INDEX ix_split_work_due_at ON split_work (due_at)
    """,
    r"""
CREATE INDEX ix_alert_rules_instrument_id ON alert_rules (instrument_id)
    """,
    r"""
CREATE INDEX ix_paper_executions_client_order_id ON paper_executions (client_order_id)
    """,
    r"""
CREATE INDEX ix_paper_executions_due ON paper_executions (due_at) WHERE (due_at IS NOT NULL)
    """,
    r"""
CREATE INDEX ix_performance_work_due_at ON performance_work (due_at)
    """,
    r"""
CREATE INDEX ix_positions_instrument_id ON positions (instrument_id)
    """,
    r"""
CREATE INDEX ix_rebalance_due_due_at ON rebalance_due (due_at)
    """,
    r"""
CREATE INDEX ix_rebalance_history_owner_id_portfolio_id_id ON rebalance_history (owner_id, portfolio_id, id)
    """,
    r"""
CREATE UNIQUE INDEX ix_rebalance_history_running ON rebalance_history (owner_id, portfolio_id) WHERE (status = 'RUNNING')
    """,
    r"""
CREATE INDEX ix_alert_watches_changed ON alert_watches (changed)
    """,
    r"""
CREATE INDEX ix_alert_watches_instrument_id ON alert_watches (instrument_id)
    """,
    r"""
CREATE INDEX ix_alerts_owner_id_created_at ON alerts (owner_id, created_at)
    """,
    r"""
CREATE INDEX ix_alerts_owner_id_rule_id ON alerts (owner_id, rule_id)
    """,
    r"""
CREATE INDEX ix_alerts_unacknowledged ON alerts (owner_id, severity) WHERE (acknowledged_at IS NULL)
    """,
    r"""
CREATE INDEX ix_orders_open ON orders (owner_id, portfolio_id) WHERE status IN ('PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', 'UNKNOWN')
    """,
    r"""
CREATE INDEX ix_orders_owner_id_portfolio_id_submitted_at_id ON orders (owner_id, portfolio_id, submitted_at, id)
    """,
    r"""
CREATE INDEX ix_orders_owner_id_rebalance_id ON orders (owner_id, rebalance_id)
    """,
    r"""
CREATE INDEX ix_orders_owner_id_updated_at ON orders (owner_id, updated_at)
    """,
    r"""
CREATE INDEX ix_rebalance_work_due_at ON rebalance_work (due_at)
    """,
    r"""
CREATE INDEX ix_deliveries_owner_id_destination_id ON deliveries (owner_id, destination_id)
    """,
    r"""
CREATE INDEX ix_deliveries_owner_id_digest_id ON deliveries (owner_id, digest_id)
    """,
    r"""
CREATE INDEX ix_deliveries_without_an_alert ON deliveries (owner_id, created_at) WHERE (alert_id IS NULL)
    """,
    r"""
CREATE INDEX ix_order_work_due_at ON order_work (due_at)
    """,
    r"""
CREATE INDEX ix_order_work_order_id ON order_work (order_id)
    """,
    r"""
CREATE INDEX ix_rebalance_legs_owner_id_order_id ON rebalance_legs (owner_id, order_id)
    """,
    r"""
CREATE UNIQUE INDEX ix_transactions_fingerprint ON transactions (owner_id, fingerprint) WHERE (fingerprint IS NOT NULL)
    """,
    r"""
CREATE INDEX ix_transactions_of_position ON transactions (owner_id, portfolio_id, instrument_id, executed_at, id)
    """,
    r"""
CREATE INDEX ix_transactions_owner_id_account_id_executed_at_id ON transactions (owner_id, account_id, executed_at, id)
    """,
    r"""
CREATE INDEX ix_transactions_owner_id_import_id ON transactions (owner_id, import_id) WHERE (import_id IS NOT NULL)
    """,
    r"""
CREATE INDEX ix_transactions_owner_id_order_id_executed_at_id ON transactions (owner_id, order_id, executed_at, id)
    """,
    r"""
CREATE INDEX ix_transactions_owner_id_portfolio_id_executed_at_id ON transactions (owner_id, portfolio_id, executed_at, id)
    """,
    r"""
CREATE INDEX ix_transactions_owner_id_transfer_id ON transactions (owner_id, transfer_id) WHERE (transfer_id IS NOT NULL)
    """,
    r"""
CREATE INDEX ix_delivery_work_due_at ON delivery_work (due_at)
    """,
    r"""
CREATE INDEX ix_lots_open ON lots (owner_id, portfolio_id, instrument_id, opened_at, transaction_id, number) WHERE (remaining_quantity > 0)
    """,
    r"""
CREATE INDEX ix_lot_uses_owner_id_lot_transaction_id_lot_number ON lot_uses (owner_id, lot_transaction_id, lot_number)
    """,
)

# As PgQueuer makes them for its schedules; its queue is not used.
SCHEDULER = (
    r"""
CREATE TYPE pgqueuer_status AS ENUM
    ('queued', 'picked', 'successful', 'exception', 'canceled', 'deleted', 'failed')
    """,
    r"""
CREATE TABLE pgqueuer_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY,
    created timestamptz NOT NULL DEFAULT now(),
    job_id bigint NOT NULL,
    status pgqueuer_status NOT NULL,
    priority integer NOT NULL,
    entrypoint text NOT NULL,
    traceback jsonb,
    aggregated boolean DEFAULT false
)
    """,
    r"""
CREATE TABLE pgqueuer_schedules (
    id bigserial NOT NULL PRIMARY KEY,
    expression text NOT NULL,
    entrypoint text NOT NULL,
    heartbeat timestamptz NOT NULL DEFAULT now(),
    created timestamptz NOT NULL DEFAULT now(),
    updated timestamptz NOT NULL DEFAULT now(),
    next_run timestamptz NOT NULL DEFAULT now(),
    last_run timestamptz,
    status pgqueuer_status DEFAULT 'queued'::pgqueuer_status,
    UNIQUE (expression, entrypoint)
)
    """,
)

VIEWS = (
    r"""
CREATE VIEW split_factors WITH (security_invoker = true) AS
WITH edges AS (
    SELECT instrument_id, ex_date AS since FROM instrument_splits
    UNION
    SELECT instrument_id, '-infinity' FROM instrument_splits
)
SELECT e.instrument_id, e.since,
       lead(e.since, 1, 'infinity') OVER (PARTITION BY e.instrument_id ORDER BY e.since) AS until,
       coalesce((SELECT product(s.quantity) FROM instrument_splits s
                 WHERE s.instrument_id = e.instrument_id AND s.ex_date > e.since), 1) AS quantity,
       coalesce((SELECT product(s.split_for) FROM instrument_splits s
                 WHERE s.instrument_id = e.instrument_id AND s.ex_date > e.since), 1) AS split_for
FROM edges e
    """,
    r"""
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
              AND e.reverses_id IS NULL AND NOT EXISTS (
              SELECT FROM transactions r WHERE r.owner_id = e.owner_id AND r.reverses_id = e.id)
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
              AND (e.executed_at, e.id) > (last.executed_at, last.id) AND e.reverses_id IS NULL AND NOT EXISTS (
              SELECT FROM transactions r WHERE r.owner_id = e.owner_id AND r.reverses_id = e.id)
        ) d
    ) f
    WHERE q.price IS NULL AND s.quantity > 0
    -- Keeps the query apart, so that nothing of it runs for what has a quote.
    LIMIT 1
) t ON true
    """,
    r"""
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
    """,
    r"""
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
    """,
    r"""
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
    """,
)

# Every row is its owner's, to read and to write, and nobody else's.
OWNED = (
    "accounts",
    "alert_sequences",
    "audit_log",
    "idempotency_keys",
    "notification_budgets",
    "notification_destinations",
    "refresh_tokens",
    "watchlists",
    "api_keys",
    "portfolios",
    "watchlist_items",
    "alert_rules",
    "imports",
    "performance_history",
    "positions",
    "rebalance_history",
    "alert_states",
    "alerts",
    "orders",
    "deliveries",
    "rebalance_legs",
    "transactions",
    "lots",
    "lot_uses",
)

# Whose rows the policies below are about.
GUARDED = (
    "users",
    "instruments",
    "price_bars",
    "quotes",
)

POLICIES = (
    r"""
CREATE POLICY administrator ON users FOR SELECT USING ((current_setting('app.administrator', true) = 'on'))
    """,
    r"""
CREATE POLICY owner ON users USING ((id = (NULLIF(current_setting('app.user_id', true), ''))::uuid))
    """,
    r"""
CREATE POLICY market ON instruments FOR SELECT USING ((current_setting('app.market', true) = 'on'))
    """,
    r"""
CREATE POLICY owner ON instruments USING (((owner_id IS NULL) OR (owner_id = (NULLIF(current_setting('app.user_id', true), ''))::uuid)))
    """,
    r"""
CREATE POLICY market ON price_bars FOR SELECT USING ((current_setting('app.market', true) = 'on'))
    """,
    r"""
CREATE POLICY owner ON price_bars USING (((owner_id IS NULL) OR (owner_id = (NULLIF(current_setting('app.user_id', true), ''))::uuid)))
    """,
    r"""
CREATE POLICY market ON quotes FOR SELECT USING ((current_setting('app.market', true) = 'on'))
    """,
    r"""
CREATE POLICY owner ON quotes USING (((owner_id IS NULL) OR (owner_id = (NULLIF(current_setting('app.user_id', true), ''))::uuid)))
    """,
)

# Tables whose changes are timed.
TOUCHED = (
    "users",
    "accounts",
    "instruments",
    "notification_destinations",
    "watchlists",
    "portfolios",
    "alert_rules",
    "positions",
    "rebalance_history",
    "orders",
    "deliveries",
    "rebalance_legs",
    "lots",
)

TRIGGERS = (
    r"""
CREATE TRIGGER count_alerts AFTER INSERT OR UPDATE ON alert_sequences FOR EACH ROW EXECUTE FUNCTION count_change('alerts')
    """,
    r"""
CREATE TRIGGER count_logins AFTER UPDATE OF revoked_at ON refresh_tokens FOR EACH ROW WHEN ((new.revoked_at IS DISTINCT FROM old.revoked_at)) EXECUTE FUNCTION count_change('logins')
    """,
    r"""
CREATE TRIGGER note_stale_snapshots AFTER UPDATE OF snapshots_stale_from ON portfolios FOR EACH ROW WHEN (((old.snapshots_stale_from IS NULL) AND (new.snapshots_stale_from IS NOT NULL))) EXECUTE FUNCTION note_stale_snapshots()
    """,
    r"""
CREATE TRIGGER note_stale_snapshots_of_new AFTER INSERT ON portfolios FOR EACH ROW WHEN ((new.snapshots_stale_from IS NOT NULL)) EXECUTE FUNCTION note_stale_snapshots()
    """,
    r"""
CREATE TRIGGER touch_changed BEFORE UPDATE ON quotes FOR EACH ROW EXECUTE FUNCTION touch_changed()
    """,
    r"""
CREATE TRIGGER touch_changed BEFORE UPDATE ON alert_watches FOR EACH ROW EXECUTE FUNCTION touch_changed()
    """,
    r"""
CREATE TRIGGER quantity_delta_is_a_fact BEFORE UPDATE OF quantity_delta ON transactions FOR EACH ROW WHEN (((NOT ((old.type = 'SPLIT') OR ((old.type = 'TRANSFER_IN') AND (old.transfer_id IS NOT NULL)))) AND (old.quantity_delta IS DISTINCT FROM new.quantity_delta))) EXECUTE FUNCTION refuse_change_of_fact()
    """,
    r"""
CREATE CONSTRAINT TRIGGER count_orders AFTER INSERT OR UPDATE ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION count_change('orders')
    """,
)

GRANTS = {
    "SELECT": (
        "alembic_version",
        "pgqueuer_log",
        "position_values",
        "portfolio_summary",
        "price_bars",
        "recent_transactions",
        "split_factors",
        "user_account_summary",
    ),
    "SELECT, INSERT": (
        "audit_log",
        "imports",
        "instrument_splits",
        "instruments",
        "logins",
        "transactions",
    ),
    "SELECT, INSERT, DELETE, UPDATE": (
        "alert_checks",
        "alert_rules",
        "alert_states",
        "alert_watches",
        "alerts",
        "api_keys",
        "deliveries",
        "delivery_work",
        "idempotency_keys",
        "login_attempts",
        "lot_uses",
        "lots",
        "notification_destinations",
        "order_work",
        "performance_history",
        "performance_work",
        "rebalance_due",
        "rebalance_work",
        "refresh_tokens",
        "split_work",
        "watchlist_items",
        "watchlists",
    ),
    "SELECT, INSERT, UPDATE": (
        "accounts",
        "alert_sequences",
        "change_counters",
        "market_feeds",
        "notification_budgets",
        "orders",
        "paper_executions",
        "paper_orders",
        "pgqueuer_schedules",
        "portfolios",
        "positions",
        "quotes",
        "rebalance_history",
        "rebalance_legs",
        "users",
    ),
}

# Of what is only ever added to, these columns may be refreshed.
REFRESHED = {
    "imports": "reversed_at",
    "transactions": "quantity_delta, realized_pnl, cost_delta, realized_pnl_fifo",
}


def upgrade() -> None:
    op.execute(ROLE)
    for statement in (*SCHEDULER, *TABLES, *INDEXES, *FUNCTIONS, *VIEWS):
        op.execute(statement)
    for table in (*OWNED, *GUARDED):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    for table in OWNED:
        op.execute(f"CREATE POLICY owner ON {table} USING (owner_id = {VIEWER})")
    for table in TOUCHED:
        op.execute(
            f"CREATE TRIGGER touch_updated_at BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION touch_updated_at()"
        )
    for statement in (*POLICIES, *TRIGGERS):
        op.execute(statement)
    for rights, tables in GRANTS.items():
        op.execute(f"GRANT {rights} ON {', '.join(tables)} TO graphfolio_app")
    for table, columns in REFRESHED.items():
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO graphfolio_app")
    op.execute("GRANT USAGE ON SEQUENCE pgqueuer_schedules_id_seq TO graphfolio_app")


def downgrade() -> None:
    op.execute("REVOKE ALL ON alembic_version FROM graphfolio_app")
    op.execute("DROP VIEW recent_transactions, user_account_summary, portfolio_summary, position_values")
    op.execute("DROP VIEW split_factors")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table.split()[2]}")
    op.execute("DROP TABLE pgqueuer_schedules, pgqueuer_log")
    op.execute("DROP TYPE pgqueuer_status")
    op.execute(
        "DROP FUNCTION close_on, count_change, note_stale_snapshots, refuse_change_of_fact, restated, "
        "touch_changed, touch_updated_at"
    )
    op.execute("DROP AGGREGATE product (numeric)")

-- What PostGraphile serves: views with the names of the fields, related to each other by smart tags.
DROP SCHEMA IF EXISTS peers CASCADE;
CREATE SCHEMA peers;

CREATE VIEW peers."user" WITH (security_invoker = true) AS
SELECT id AS key, encode(convert_to('User:' || id, 'UTF8'), 'base64') AS gid, username
FROM public.users;

CREATE VIEW peers.account WITH (security_invoker = true) AS
SELECT a.id AS key, a.owner_id, encode(convert_to('Account:' || a.id, 'UTF8'), 'base64') AS gid,
       a.name, a.currency,
       trim_scale(a.unallotted_cash + (SELECT coalesce(sum(c.cash_balance), 0) FROM public.portfolios c
                                       WHERE c.owner_id = a.owner_id AND c.account_id = a.id)) AS cash_balance
FROM public.accounts a;

CREATE VIEW peers.portfolio WITH (security_invoker = true) AS
SELECT id AS key, owner_id, account_id, encode(convert_to('Portfolio:' || id, 'UTF8'), 'base64') AS gid,
       name, trim_scale(cash_balance) AS cash_balance
FROM public.portfolios;

CREATE VIEW peers.position WITH (security_invoker = true) AS
SELECT x.id AS key, x.owner_id, x.portfolio_id,
       encode(convert_to('Position:' || x.id, 'UTF8'), 'base64') AS gid, x.symbol,
       trim_scale(x.quantity) AS quantity, trim_scale(round(x.cost_basis / x.quantity, 10)) AS average_cost,
       trim_scale(x.price) AS current_price, trim_scale(x.market_value) AS market_value,
       trim_scale(x.market_value - x.cost_basis) AS unrealized_pnl,
       trim_scale(round(x.market_value / nullif(greatest(x.total, 0), 0), 10)) AS weight
FROM (
    SELECT t.*, i.symbol,
           coalesce(sum(t.market_value) OVER (PARTITION BY t.portfolio_id), 0) + p.cash_balance AS total
    FROM public.position_values t
    JOIN public.portfolios p ON p.owner_id = t.owner_id AND p.id = t.portfolio_id
    JOIN public.instruments i ON i.id = t.instrument_id
    WHERE t.quantity > 0
) x;

CREATE VIEW peers.transaction WITH (security_invoker = true) AS
SELECT t.id AS key, t.owner_id, t.portfolio_id,
       encode(convert_to('Transaction:' || t.id, 'UTF8'), 'base64') AS gid, t.type, i.symbol,
       trim_scale(t.quantity) AS quantity, trim_scale(t.price) AS price, t.executed_at AS executed_on,
       to_char(t.executed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS executed_at
FROM public.transactions t LEFT JOIN public.instruments i ON i.id = t.instrument_id;

COMMENT ON VIEW peers."user" IS E'@primaryKey key';
COMMENT ON VIEW peers.account IS
    E'@primaryKey key\n@foreignKey (owner_id) references "user" (key)|@foreignFieldName accounts';
COMMENT ON VIEW peers.portfolio IS
    E'@primaryKey key\n@foreignKey (account_id) references account (key)|@foreignFieldName portfolios';
COMMENT ON VIEW peers.position IS
    E'@primaryKey key\n@foreignKey (portfolio_id) references portfolio (key)|@foreignFieldName positions';
COMMENT ON VIEW peers.transaction IS
    E'@primaryKey key\n@foreignKey (portfolio_id) references portfolio (key)|@foreignFieldName transactions';
COMMENT ON COLUMN peers."user".gid IS '@name id';
COMMENT ON COLUMN peers.account.gid IS '@name id';
COMMENT ON COLUMN peers.portfolio.gid IS '@name id';
COMMENT ON COLUMN peers.position.gid IS '@name id';
COMMENT ON COLUMN peers.transaction.gid IS '@name id';

GRANT USAGE ON SCHEMA peers TO graphfolio_app;
GRANT SELECT ON ALL TABLES IN SCHEMA peers TO graphfolio_app;

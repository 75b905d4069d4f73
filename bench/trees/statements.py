"""The limit of speed: for each shape ONE hand-written statement that returns the answer as text.

Each checks that the login still stands, sets the viewer of row-level security, names the owner at every level
and answers what the server answers. `$1` is the user as text, `$2` the login.
"""

from bench.trees.shapes import DEEP_PAGE, LARGEST_PAGE

_VIEWER = "WITH v AS MATERIALIZED (SELECT set_config('app.user_id', $1, true) AS id)"
_LOGGED_IN = """users u
    JOIN refresh_tokens s ON s.owner_id = v.id::uuid AND s.id = $2 AND s.revoked_at IS NULL
    WHERE u.id = v.id::uuid AND u.is_active"""


def _id(kind: str, column: str) -> str:
    return f"encode(convert_to('{kind}:' || {column}, 'UTF8'), 'base64')"


def _number(sql: str) -> str:
    return f"""'"' || trim_scale({sql}) || '"'"""


def _maybe(sql: str) -> str:
    return f"coalesce({_number(sql)}, 'null')"


_POSITION = f"""'{{"id":"' || {_id("Position", "x.id")} || '","symbol":"' || x.symbol
    || '","quantity":' || {_number("x.quantity")} || ',"averageCost":' || {_number("x.average_cost")}
    || ',"currentPrice":' || {_maybe("x.price")} || ',"marketValue":' || {_maybe("x.market_value")}
    || ',"unrealizedPnl":' || {_maybe("x.market_value - x.cost_basis")}
    || ',"weight":' || {_maybe("round(x.market_value / nullif(greatest(x.total, 0), 0), 10)")} || '}}'"""

_POSITIONS = """SELECT t.id, i.symbol, t.quantity, t.cost_basis, t.price, t.market_value,
        round(t.cost_basis / t.quantity, 10) AS average_cost,
        coalesce(sum(t.market_value) OVER (), 0) + p.cash_balance AS total
    FROM position_values t JOIN instruments i ON i.id = t.instrument_id
    WHERE t.owner_id = v.id::uuid AND t.portfolio_id = p.id AND t.quantity > 0"""


def _positions(limit: int) -> str:
    return f""" || ',"positions":' || (
    SELECT '{{"nodes":[' || coalesce(string_agg({_POSITION}, ','), '') || ']}}'
    FROM (SELECT * FROM ({_POSITIONS}) y ORDER BY symbol LIMIT {limit}) x)"""


def _pages(portfolio_fields: str) -> str:
    """Return the pages of one list, by the cursors between them ($3 and on), from one scan of it."""
    between = (
        "x.symbol <= $3",
        "x.symbol > $3 AND x.symbol <= $4",
        "x.symbol > $4 AND x.symbol <= $5",
        "x.symbol > $5",
    )
    pages = "".join(
        f""" || ',"p{number}":{{"nodes":[' || coalesce(
        string_agg({_POSITION}, ',') FILTER (WHERE {where}), '') || ']}}'"""
        for number, where in enumerate(between)
    )
    return f"""{portfolio_fields} || (
    SELECT ''{pages} FROM (SELECT * FROM ({_POSITIONS}) y ORDER BY symbol) x)"""


def _transactions(after: str = "") -> str:
    """Return the newest entries; one more than the page is read, which says whether there is a next."""
    return f"""'{{"edges":[' || coalesce(string_agg('{{"cursor":"' || replace(encode(convert_to(
        '["transactions","' || x.at || '","' || x.id || '"]', 'UTF8'), 'base64'), E'\\n', '')
    || '","node":{{"id":"' || {_id("Transaction", "x.id")} || '","type":"' || x.type
    || '","symbol":' || coalesce('"' || x.symbol || '"', 'null') || ',"quantity":' || {_maybe("x.quantity")}
    || ',"price":' || {_maybe("x.price")} || ',"executedAt":"' || x.at || '"}}}}', ',')
    FILTER (WHERE n <= {DEEP_PAGE}), '')
    || '],"pageInfo":{{"hasNextPage":' || (count(*) > {DEEP_PAGE}) || '}}}}'
    FROM (
        SELECT t.id, t.type, i.symbol, t.quantity, t.price, row_number() OVER () AS n,
            to_char(t.executed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
        FROM (
            SELECT * FROM transactions t WHERE t.owner_id = v.id::uuid AND t.portfolio_id = p.id {after}
            ORDER BY t.executed_at DESC, t.id DESC LIMIT {DEEP_PAGE + 1}
        ) t LEFT JOIN instruments i ON i.id = t.instrument_id
    ) x"""


_CASH = f""" || ',"cashBalance":' || {_number("p.cash_balance")}"""
_ACCOUNT_CASH = """a.unallotted_cash + (SELECT coalesce(sum(c.cash_balance), 0) FROM portfolios c
    WHERE c.owner_id = v.id::uuid AND c.account_id = a.id)"""
_ACCOUNT = f""" || ',"name":' || to_json(a.name) || ',"currency":"' || a.currency
    || '","cashBalance":' || {_number(_ACCOUNT_CASH)}"""
_USER = """ || ',"username":' || to_json(u.username)"""


def _tree(portfolio: str, account: str = _ACCOUNT, user: str = _USER) -> str:
    """Return the statement of a whole tree, with these fields beside the ids."""
    portfolios = f"""SELECT '{{"nodes":[' || coalesce(string_agg('{{"id":"' || {_id("Portfolio", "p.id")}
        || '","name":' || to_json(p.name){portfolio} || '}}', ',' ORDER BY p.id), '') || ']}}'
        FROM portfolios p WHERE p.owner_id = v.id::uuid AND p.account_id = a.id"""
    accounts = f"""SELECT '{{"nodes":[' || coalesce(string_agg(
        '{{"id":"' || {_id("Account", "a.id")} || '"'{account}
        || ',"portfolios":' || ({portfolios}) || '}}', ',' ORDER BY a.id), '') || ']}}'
        FROM accounts a WHERE a.owner_id = v.id::uuid"""
    return f"""{_VIEWER}
    SELECT (SELECT '{{"data":{{"me":{{"id":"' || {_id("User", "u.id")} || '"'{user}
        || ',"accounts":' || ({accounts}) || '}}}}}}' FROM {_LOGGED_IN}) FROM v"""


STATEMENTS = {
    "A": f"""{_VIEWER}
    SELECT (SELECT '{{"data":{{"me":{{"id":"' || {_id("User", "u.id")} || '"'{_USER} || '}}}}}}'
    FROM {_LOGGED_IN}) FROM v""",
    "S": _tree(_CASH),
    "M": _tree(_CASH + _positions(50)),
    "L": _tree(f"""{_CASH}{_positions(50)} || ',"transactions":' || (SELECT {_transactions()})"""),
    "G": _tree(_CASH + _positions(LARGEST_PAGE)),
    "W": _tree(_pages(""), "", ""),
    "D": f"""{_VIEWER}
    SELECT (SELECT '{{"data":{{"node":{{"id":"' || {_id("Portfolio", "p.id")} || '","transactions":'
        || (SELECT {_transactions("AND (t.executed_at, t.id) < ($4, $5)")}) || '}}}}}}'
    FROM portfolios p, {_LOGGED_IN} AND p.owner_id = v.id::uuid AND p.id = $3) FROM v""",
}
"""By the shape's key. T reads nothing: only the token is checked."""

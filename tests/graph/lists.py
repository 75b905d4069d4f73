"""Every list of the graph, filled for one user, and what each holds according to plain SQL."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graph.ids import global_id
from tests.graph.conftest import Api
from tests.graph.stored import AS_OF, Stored, row_id

COUNT = 10
"""How many rows the test puts into each list; some have others beside them."""


@dataclass(frozen=True)
class Listed:
    """One list: below which node, the field, what tells its nodes apart, and its ids in order by SQL."""

    parent: str
    field: str
    expected: str
    key: str = "id"

    @property
    def name(self) -> str:
        return f"{self.parent}.{self.field}"

    def document(self, arguments: str, selection: str) -> str:
        """A query with the variable $id of the parent, where the list has one."""
        field = (
            f"{self.field}({arguments}) {{ {selection} }}" if arguments else f"{self.field} {{ {selection} }}"
        )
        if self.parent == "Query":
            return field
        return f"node(id: $id) {{ ... on {self.parent} {{ {field} }} }}"


def _of(table: str, parent: str, order: str) -> str:
    return f"SELECT id FROM {table} WHERE owner_id = $1 AND {parent} = $2 ORDER BY {order}"


LISTS = [
    Listed("Query", "users", "SELECT id FROM users ORDER BY id"),
    Listed("Query", "instruments", 'SELECT id FROM instruments ORDER BY symbol COLLATE "C"'),
    Listed("User", "accounts", _of("accounts", "owner_id", "id")),
    Listed("User", "watchlists", _of("watchlists", "owner_id", "id")),
    Listed("User", "alerts", _of("alerts", "owner_id", "seq DESC")),
    Listed("User", "alertRules", _of("alert_rules", "owner_id", "id")),
    Listed("User", "apiKeys", _of("api_keys", "owner_id", "id")),
    Listed("User", "imports", _of("imports", "transaction_count > 0 AND owner_id", "id DESC")),
    Listed("User", "auditLog", _of("audit_log", "owner_id", "id DESC")),
    Listed("Account", "portfolios", _of("portfolios", "account_id", "id")),
    Listed("Account", "transactions", _of("transactions", "account_id", "executed_at DESC, id DESC")),
    Listed("Portfolio", "transactions", _of("transactions", "portfolio_id", "executed_at DESC, id DESC")),
    Listed("Portfolio", "orders", _of("orders", "portfolio_id", "submitted_at DESC, id DESC")),
    Listed("Portfolio", "performanceHistory", _of("performance_history", "portfolio_id", "date")),
    Listed("Portfolio", "rebalances", _of("rebalance_history", "portfolio_id", "id DESC")),
    Listed(
        "Portfolio",
        "positions",
        "SELECT p.id FROM positions p JOIN instruments i ON i.id = p.instrument_id "
        'WHERE p.owner_id = $1 AND portfolio_id = $2 AND quantity > 0 ORDER BY symbol COLLATE "C"',
    ),
    Listed("Order", "transactions", _of("transactions", "order_id", "executed_at DESC, id DESC")),
    Listed(
        "Rebalance",
        "legs",
        "SELECT number FROM rebalance_legs WHERE owner_id = $1 AND rebalance_id = $2 ORDER BY number",
        key="number",
    ),
    Listed("Rebalance", "orders", _of("orders", "rebalance_id", "submitted_at DESC, id DESC")),
    Listed(
        "Instrument",
        "priceHistory",
        "SELECT to_char(date, 'YYYY-MM-DD') FROM price_bars WHERE instrument_id = $2 ORDER BY date",
        key="date",
    ),
]


@dataclass(frozen=True)
class Filled:
    """The user of the lists, and the node that each hangs below."""

    api: Api
    stored: Stored
    parents: dict[str, UUID]

    @property
    def owner(self) -> UUID:
        return self.parents["User"]

    def id(self, listed: Listed) -> str | None:
        """The parent's global id."""
        return None if listed.parent == "Query" else global_id(listed.parent, self.parents[listed.parent])

    def expected(self, listed: Listed) -> list[str]:
        """The whole list, by the text of its keys."""
        keys = self.stored.rows(_with(listed.expected, self.owner, self.parents.get(listed.parent)))
        return [str(key) for (key,) in keys]

    def ask(self, listed: Listed, arguments: str, selection: str, **variables: Any) -> Any:
        """The connection of the list that a query answers with."""
        data = self.api.data(self._query(listed, arguments, selection), **self._variables(listed, variables))
        return (data if listed.parent == "Query" else data["node"])[listed.field]

    def codes(self, listed: Listed, arguments: str, **variables: Any) -> list[str]:
        """The codes that it is refused with."""
        return self.api.codes(
            self._query(listed, arguments, "totalCount"), **self._variables(listed, variables)
        )

    def _query(self, listed: Listed, arguments: str, selection: str) -> str:
        declared = "$id: ID!, " if listed.parent != "Query" else ""
        cursors = "$after: String, $before: String, $first: Int, $last: Int"
        used = ", ".join(part for part in cursors.split(", ") if part.split(":")[0] in arguments)
        head = f"query({declared}{used})" if declared or used else "query"
        return f"{head} {{ {listed.document(arguments, selection)} }}"

    def _variables(self, listed: Listed, variables: dict[str, Any]) -> dict[str, Any]:
        id = self.id(listed)
        return variables if id is None else {"id": id, **variables}


_N = f"generate_series(1, {COUNT}) n"
# Two of three share their moment with another, so that the order depends on the ids as well.
_MOMENT = f"timestamptz '{AS_OF}' - (n / 3) * interval '1 hour'"

_ROWS = (
    f"""INSERT INTO accounts (owner_id, id, name, broker, account_type, currency, initial_balance,
                              unallotted_cash, is_active)
        SELECT $1, gen_random_uuid(), 'Account ' || n, 'PAPER', 'CASH', 'USD', 0, 0, n % 3 > 0 FROM {_N}""",
    f"""INSERT INTO portfolios (owner_id, id, account_id, name, currency, margin, strategy, risk_tolerance,
                                max_position_size, rebalance_frequency, cash_balance, is_active)
        SELECT $1, gen_random_uuid(), (SELECT min(id::text)::uuid FROM accounts WHERE owner_id = $1),
               'Portfolio ' || n, 'USD', false, 'EQUAL_WEIGHT', 0.5, 1, 'MONTHLY', 0, n % 5 > 0 FROM {_N}""",
    f"""INSERT INTO watchlists (owner_id, id, name) SELECT $1, gen_random_uuid(), 'List ' || n FROM {_N}""",
    f"""INSERT INTO alert_rules (owner_id, id, name, kind, severity, threshold)
        SELECT $1, gen_random_uuid(), 'Rule ' || n, 'DRIFT', 'INFO', 1 FROM {_N}""",
    f"""INSERT INTO alerts (owner_id, id, seq, kind, severity, title, message, acknowledged_at)
        SELECT $1, gen_random_uuid(), n * 2, 'DRIFT', (ARRAY['INFO', 'WARNING', 'CRITICAL'])[n % 3 + 1],
               'Title', 'Message', CASE WHEN n % 4 = 0 THEN now() END FROM {_N}""",
    f"""INSERT INTO api_keys (owner_id, id, broker, label, key_hint, ciphertext, encryption_key_id)
        SELECT $1, gen_random_uuid(), 'ALPACA', 'Key ' || n, 'abcd', ''::bytea, 'k' FROM {_N}""",
    f"""INSERT INTO audit_log (owner_id, id, action) SELECT $1, gen_random_uuid(), 'test.done' FROM {_N}""",
    f"""INSERT INTO users (id, username, email, password_hash)
        SELECT gen_random_uuid(), 'other' || n, 'other' || n || '@example.org', '' FROM {_N}""",
    f"""INSERT INTO instruments (id, symbol, name, asset_class, currency)
        SELECT gen_random_uuid(), (ARRAY['A', 'B.', 'C-'])[n % 3 + 1] || n * 10, 'Name of ' || n, 'EQUITY',
               'USD'
        FROM {_N}""",
)
_OF_A_PORTFOLIO = (
    # What wrote nothing is not listed.
    f"""INSERT INTO imports (owner_id, id, portfolio_id, transaction_count)
        SELECT $1, gen_random_uuid(), $2, n - 1 FROM {_N}""",
    f"""INSERT INTO price_bars (instrument_id, date, close)
        SELECT (SELECT id FROM instruments WHERE symbol = 'A30'), date '2024-01-01' + n * 2, n FROM {_N}""",
    """INSERT INTO positions (owner_id, id, portfolio_id, instrument_id, quantity, cost_basis, realized_pnl)
        SELECT $1, gen_random_uuid(), $2, id, CASE WHEN symbol = 'A60' THEN 0 ELSE 1 END, 0, 0
        FROM instruments""",
    f"""INSERT INTO rebalance_history (owner_id, id, portfolio_id, strategy, status, trigger, turnover,
                                       total_cost)
        SELECT $1, gen_random_uuid(), $2, 'CUSTOM', 'COMPLETED', 'MANUAL', 0, 0 FROM {_N}""",
    f"""INSERT INTO performance_history (owner_id, id, portfolio_id, date, total_value, cash_value,
                                         positions_value, net_flow, num_positions)
        SELECT $1, gen_random_uuid(), $2, date '2024-01-01' + n, n, n, 0, 0, 0 FROM {_N}""",
    f"""INSERT INTO orders (owner_id, id, portfolio_id, rebalance_id, instrument_id, client_order_id, side,
                            type, status, quantity, filled_quantity, submitted_at)
        SELECT $1, gen_random_uuid(), $2, (SELECT min(id::text)::uuid FROM rebalance_history),
               (SELECT id FROM instruments WHERE symbol = 'A30'), gen_random_uuid(), 'BUY', 'MARKET',
               (ARRAY['PENDING', 'FILLED', 'REJECTED'])[n % 3 + 1], 1, 0, {_MOMENT} FROM {_N}""",
    f"""INSERT INTO rebalance_legs (owner_id, rebalance_id, number, instrument_id, side, quantity,
                                    quote_price)
        SELECT $1, (SELECT min(id::text)::uuid FROM rebalance_history), n + 1,
               (SELECT id FROM instruments WHERE symbol = 'A30'), 'BUY', 1, 1 FROM {_N}""",
    f"""INSERT INTO transactions (owner_id, id, account_id, portfolio_id, order_id, instrument_id, type,
                                  amount, commission, currency, cash_delta, quantity_delta, executed_at)
        SELECT $1, gen_random_uuid(), account_id, id, (SELECT min(id::text)::uuid FROM orders),
               CASE WHEN n % 2 = 0 THEN (SELECT id FROM instruments WHERE symbol = 'A30') END,
               CASE WHEN n % 2 = 0 THEN 'DIVIDEND' ELSE 'INTEREST' END, 1, 0, 'USD', 1, 0, {_MOMENT}
        FROM portfolios, {_N} WHERE owner_id = $1 AND id = $2""",
)


def fill(stored: Stored, api: Api) -> Filled:
    """Fills every list for the user, who becomes an administrator."""
    assert api.user_id is not None
    owner = row_id(api.user_id)
    first = "SELECT min(id::text)::uuid FROM %s WHERE owner_id = '%s'"
    stored.run(
        f"UPDATE users SET is_admin = true WHERE id = '{owner}'", *(_with(sql, owner) for sql in _ROWS)
    )
    portfolio = stored.value(first % ("portfolios", owner))
    stored.run(*(_with(sql, owner, portfolio) for sql in _OF_A_PORTFOLIO))
    parents = {
        "User": owner,
        "Account": stored.value(first % ("accounts", owner)),
        "Portfolio": portfolio,
        "Order": stored.value(first % ("orders", owner)),
        "Rebalance": stored.value(first % ("rebalance_history", owner)),
        "Instrument": stored.value("SELECT id FROM instruments WHERE symbol = 'A30'"),
    }
    return Filled(api, stored, parents)


def _with(sql: str, owner: UUID, other: UUID | None = None) -> str:
    return sql.replace("$1", f"'{owner}'::uuid").replace("$2", f"'{other}'::uuid")

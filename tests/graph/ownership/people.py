"""People who own something in every table, each with a word and a figure that only their data holds."""

import base64
import binascii
import random
import re
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from graph.ids import global_id
from tests.graph.conftest import PASSWORD, now
from tests.graph.ownership import stored
from tests.graph.ownership.asking import Caller, Reply

TABLES = {
    "Account": "accounts",
    "Alert": "alerts",
    "AlertRule": "alert_rules",
    "ApiKey": "api_keys",
    "AuditEntry": "audit_log",
    "Delivery": "deliveries",
    "Import": "imports",
    "Instrument": "instruments",
    "Lot": "lots",
    "NotificationDestination": "notification_destinations",
    "Order": "orders",
    "PerformanceSnapshot": "performance_history",
    "Portfolio": "portfolios",
    "Position": "positions",
    "Rebalance": "rebalance_history",
    "Transaction": "transactions",
    "Watchlist": "watchlists",
}
"""The owned types and where their rows are; a user is owned by itself."""

_ENCODED = re.compile(r"[A-Za-z0-9_-]{16,}={0,2}")

# The newest, but of transactions one that has everything: shares, an order, a portfolio.
_BEST = {
    "transactions": "order_id IS NOT NULL DESC, ",
    "performance_history": "date DESC, ",
    "deliveries": "alert_id IS NULL, ",
}

REGISTER = """mutation($input: RegisterInput!) {
  register(input: $input) { accessToken refreshToken user { id } userErrors { code message } } }"""

_SAMPLES = """
WITH p AS (SELECT * FROM portfolios WHERE owner_id = $1 AND strategy = 'CUSTOM'),
i AS (SELECT id FROM instruments WHERE symbol = 'AAPL'),
rebalance AS (
    INSERT INTO rebalance_history (owner_id, id, portfolio_id, strategy, status, trigger, old_weights,
        new_weights, target_weights, turnover, total_cost, failure_reason)
    SELECT $1, $4, p.id, 'CUSTOM', 'COMPLETED', 'MANUAL', jsonb_build_object($2::text, $3::text),
        jsonb_build_object('AAPL', $3::text), jsonb_build_object('AAPL', $3::text), 0.1, $3::text::numeric, $2
    FROM p),
placed AS (
    INSERT INTO orders (owner_id, id, portfolio_id, instrument_id, rebalance_id, client_order_id, side, type,
        status, quantity, filled_quantity, limit_price, average_fill_price, rejection_reason)
    SELECT $1, $5, p.id, i.id, $4, gen_random_uuid(), 'BUY', 'LIMIT', 'PARTIALLY_FILLED', 6, 5,
        $3::text::numeric, $3::text::numeric, $2 FROM p, i),
leg AS (
    INSERT INTO rebalance_legs (owner_id, rebalance_id, number, instrument_id, side, quantity,
        filled_quantity, quote_price, status, order_id, reason)
    SELECT $1, $4, 1, i.id, 'BUY', 6, 5, $3::text::numeric, 'PARTIAL', $5, $2 FROM i),
going_on AS (
    INSERT INTO rebalance_work (owner_id, rebalance_id, due_at) VALUES ($1, $4, now() + interval '1 day')),
due AS (
    INSERT INTO rebalance_due (owner_id, portfolio_id, due_at) SELECT $1, p.id, now() + interval '1 day'
    FROM p),
import AS (
    INSERT INTO imports (owner_id, id, portfolio_id, format, transaction_count, report)
    SELECT $1, gen_random_uuid(), p.id, $2, 1, jsonb_build_object('note', $2::text) FROM p),
-- Everybody has one of this symbol, and a bar of it.
bar AS (
    INSERT INTO price_bars (instrument_id, date, close, owner_id)
    SELECT id, '2024-02-28', $3::text::numeric, owner_id FROM instruments WHERE owner_id = $1),
work AS (
    INSERT INTO order_work (owner_id, order_id, due_at) VALUES ($1, $5, now() + interval '1 day')),
rule AS (
    INSERT INTO alert_rules (owner_id, id, name, kind, severity, threshold, instrument_id, portfolio_id,
        channels, active_from, active_until, active_weekdays, time_zone)
    SELECT $1, $6, $2, 'PRICE_ABOVE', 'INFO', $3::text::numeric, i.id, p.id, ARRAY[$2], '09:00', '17:00',
        '{1}', 'UTC' FROM p, i),
fired AS (
    INSERT INTO alerts (owner_id, id, seq, kind, severity, title, message, metrics, rule_id, portfolio_id,
        instrument_id)
    SELECT $1, $7, 1, 'PRICE_ABOVE', 'INFO', $2, $2, jsonb_build_object($2::text, $3::text), $6, p.id, i.id
    FROM p, i),
counted AS (
    INSERT INTO alert_sequences (owner_id, seq) VALUES ($1, 1)),
state AS (
    INSERT INTO alert_states (owner_id, id, rule_id, portfolio_id, instrument_id)
    SELECT $1, gen_random_uuid(), $6, p.id, i.id FROM p, i),
watch AS (
    INSERT INTO alert_watches (owner_id, rule_id, instrument_id, kind, threshold, hysteresis)
    SELECT $1, $6, i.id, 'PRICE_ABOVE', $3::text::numeric, 0 FROM i),
look AS (
    INSERT INTO alert_checks (owner_id, due_at) VALUES ($1, now() + interval '1 day')),
sent AS (
    INSERT INTO deliveries (owner_id, id, alert_id, destination_id, channel, status, last_error)
    SELECT $1, gen_random_uuid(), $7, id, $2, 'DEAD', $2 FROM notification_destinations WHERE owner_id = $1),
confirmed AS (
    UPDATE notification_destinations SET confirmed_at = now() WHERE owner_id = $1),
counted_for_the_hour AS (
    INSERT INTO notification_budgets (owner_id, sent) VALUES ($1, 1)),
key AS (
    INSERT INTO api_keys (owner_id, id, broker, label, key_hint, account_id, ciphertext, encryption_key_id)
    SELECT $1, gen_random_uuid(), 'ALPACA', $2, right($2, 4), p.account_id, convert_to($2, 'UTF8'), $2
    FROM p),
snapshot AS (
    INSERT INTO performance_history (owner_id, id, portfolio_id, date, total_value, cash_value,
        positions_value, net_flow, daily_return, cumulative_return, num_positions)
    SELECT $1, gen_random_uuid(), p.id, day::date, cash + held, cash, held, flow, 0.1, 0.1, 1
    FROM p, (VALUES ('2024-02-28', 1001, 0, 1000), ('2024-02-29', 801, 200, 0), ('2024-03-01', 801, 220, 0),
                    ('2099-03-01', $3::text::numeric, 0, 0)) AS s(day, cash, held, flow)),
-- What is waiting to be recomputed is no part of any performance: there the figure would fit nothing.
marked AS (
    UPDATE portfolios SET snapshots_stale_from = (now() AT TIME ZONE 'America/New_York')::date
    WHERE owner_id = $1)
UPDATE transactions SET order_id = $5 WHERE owner_id = $1 AND type = 'BUY'
"""


@dataclass
class Person:
    """Somebody with an account: what they send is sent with their token."""

    caller: Caller
    canary: str
    figure: str
    token: str
    refresh_token: str
    owner_id: UUID
    ids: dict[str, str] = field(default_factory=dict)
    spare: dict[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    everything: frozenset[UUID] = frozenset()

    def ask(self, document: str, variables: dict[str, Any] | None = None) -> Reply:
        """The answer to this person."""
        return self.caller.ask(self.token, document, variables or {})

    def do(self, document: str, **variables: Any) -> Any:
        """The data of an answer in which nothing was refused."""
        body = self.ask(document, variables).body
        assert "errors" not in body, body
        for payload in body["data"].values():
            assert not payload.get("userErrors"), payload
        return body["data"]

    def missing(self, type_name: str) -> str:
        """An id like this person's of the type, and next to it in every order, that nothing has."""
        row_id = UUID(base64.urlsafe_b64decode(self.ids[type_name]).decode().partition(":")[2])
        return global_id(type_name, self.neighbour(row_id))

    def neighbour(self, id: UUID) -> UUID:
        """An id next to this one that nothing has."""
        return next(UUID(int=id.int ^ n) for n in range(1, 99) if UUID(int=id.int ^ n) not in self.everything)

    def leaks_into(self, reply: Reply, sent: Iterable[str] = ()) -> list[str]:
        """What of this person's an answer holds, also where it is encoded; what was sent does not count."""
        text = reply.content.decode()
        for echo in sent:
            text = text.replace(echo, "")
        decoded = [_decode(match) for match in _ENCODED.findall(text)]
        return [secret for secret in self.secrets if any(secret in part for part in (text, *decoded))]


def register(caller: Caller) -> Person:
    """A new user who owns nothing yet, and whose names are a word that nobody else has."""
    canary = f"canary{secrets.token_hex(6)}"
    given = {"username": canary, "email": f"{canary}@example.org", "password": PASSWORD, "fullName": canary}
    login = caller.ask(None, REGISTER, {"input": given}).body["data"]["register"]
    assert login["userErrors"] == []
    user_id = login["user"]["id"]
    owner_id = UUID(base64.urlsafe_b64decode(user_id).decode().partition(":")[2])
    figure = f"{random.randrange(2_000_000, 9_000_000)}.{random.randrange(1_000, 9_999)}7"
    person = Person(caller, canary, figure, login["accessToken"], login["refreshToken"], owner_id)
    person.ids["User"] = user_id
    return person


def settle(person: Person, superuser_url: str) -> Person:
    """Gives the person something in every table, and notes every id and text of it."""
    _act(person)
    stored.run(superuser_url, lambda connection: _store(connection, person))
    return person


def _act(person: Person) -> None:
    """What can be had over the API is got over the API."""
    account = _make(person, "createAccount", name=f"{person.canary} savings", initialBalance=person.figure)
    portfolio = {"accountId": account, "initialCash": "50000"}
    # A plan trades the one, and skips the other.
    weights = [{"symbol": "AAPL", "weight": "0.6"}, {"symbol": "IBM", "weight": "0.000000001"}]
    custom = {"strategy": "CUSTOM", "targetWeights": weights, "symbols": ["AAPL"], "driftBand": "0.1"}
    full = _make(person, "createPortfolio", **portfolio, **custom, name=f"{person.canary} full")
    equal = {"strategy": "EQUAL_WEIGHT", "symbols": ["AAPL"]}
    spare = _make(person, "createPortfolio", **portfolio, **equal, name=f"{person.canary} spare")
    shares = {"symbol": "AAPL", "quantity": "5", "price": "100"}
    past = (
        # Earned while nothing was there, which a performance notes.
        {"type": "INTEREST", "amount": "1", "executedAt": "2024-02-28T19:00:00Z"},
        {"type": "DEPOSIT", "amount": "1000", "executedAt": "2024-02-28T20:00:00Z"},
        # As many as are sold today, so that the sale takes from one lot.
        {"type": "BUY", **shares, "quantity": "2", "executedAt": "2024-02-29T20:00:00Z"},
    )
    for what in past:
        _make(person, "recordTransaction", portfolioId=full, **what, idempotencyKey=str(uuid.uuid4()))
    for what in (
        {"type": "BUY", **shares},
        {"type": "SELL", **shares, "quantity": "2"},
        {"type": "FEE", "amount": "1"},
    ):
        # The cash came today, so what it buys is bought today.
        common = {"portfolioId": full, "executedAt": now(), "notes": person.canary}
        made = _make(person, "recordTransaction", **what, **common, idempotencyKey=str(uuid.uuid4()))
    # The fee, which can be reversed still: what an order bought cannot.
    person.spare["Transaction"] = made
    for name, places in (
        ("deposit", {"portfolioId": full}),
        ("withdraw", {}),
        ("transferCash", {"fromPortfolioId": full, "toPortfolioId": spare}),
    ):
        move = {"accountId": account, "amount": "10", "notes": person.canary, **places}
        moved = _make(person, name, **move, idempotencyKey=str(uuid.uuid4()))
        if name == "withdraw":
            back = {"transactionId": moved, "notes": person.canary}
            _make(person, "reverseTransaction", **back, idempotencyKey=str(uuid.uuid4()))
    own = {"symbol": "OWN", "name": person.canary, "exchange": person.canary, "currency": "USD"}
    _make(person, "createInstrument", **own)
    tick = {"symbol": "OWN", "price": person.figure}
    pushed = "mutation($it: [TickInput!]!) { pushQuotes(input: {ticks: $it}) { accepted } }"
    assert person.do(pushed, it=[tick])["pushQuotes"] == {"accepted": 1}
    _make(person, "createWatchlist", name=person.canary, symbols=["AAPL", "OWN"])
    hook = f"https://{person.canary}.example.org/{person.figure}"
    _make(person, "createNotificationDestination", name="mail", kind="WEBHOOK", address=hook)


def _make(person: Person, name: str, /, **given: Any) -> str:
    """The id of what a mutation has made."""
    kind, thing = {
        "createAccount": ("CreateAccountInput", "account"),
        "createPortfolio": ("CreatePortfolioInput", "portfolio"),
        "createWatchlist": ("CreateWatchlistInput", "watchlist"),
        "createInstrument": ("CreateInstrumentInput", "instrument"),
        "createNotificationDestination": (
            "CreateNotificationDestinationInput",
            "notificationDestination",
        ),
        "recordTransaction": ("RecordTransactionInput", "transaction"),
        "reverseTransaction": ("ReverseTransactionInput", "transaction"),
        "deposit": ("CashInput", "transaction"),
        "withdraw": ("CashInput", "transaction"),
        "transferCash": ("TransferCashInput", "transaction"),
    }[name]
    document = (
        f"mutation($it: {kind}!) {{ {name}(input: $it) {{ {thing} {{ id }} userErrors {{ message }} }} }}"
    )
    id: str = person.do(document, it=given)[name][thing]["id"]
    return id


async def _store(connection: "asyncpg.Connection[Any]", person: Person) -> None:
    """What no mutation makes yet is put there as it will be; then everything is noted."""
    new = [uuid.uuid4() for _ in range(4)]
    # Foreign keys are checked at the end of the statement, whatever order its parts run in.
    await connection.execute(_SAMPLES, person.owner_id, person.canary, person.figure, *new)
    for type_name, table in TABLES.items():
        best = _BEST.get(table, "")
        id = await connection.fetchval(
            f"SELECT id FROM {table} WHERE owner_id = $1 ORDER BY {best}id DESC LIMIT 1", person.owner_id
        )
        assert id is not None, f"{table} has no sample row"
        person.ids[type_name] = global_id(type_name, id)
    # The portfolio that holds something, in the account that it is part of.
    full = await connection.fetchval(
        "SELECT id FROM portfolios WHERE owner_id = $1 AND strategy = 'CUSTOM'", person.owner_id
    )
    person.spare["Portfolio"], person.ids["Portfolio"] = person.ids["Portfolio"], global_id("Portfolio", full)
    person.everything = await stored.ids_of(connection, person.owner_id)
    texts = {str(id) for id in person.everything} | {id.hex for id in person.everything}
    person.secrets = frozenset({person.canary, person.figure, *person.ids.values(), *texts})


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text).decode()
    except (binascii.Error, ValueError):
        return ""

"""A login that has ended trades nothing, although the trade's own transaction is what finds that out."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from graph.mutating import Guard
from graph.permissions import IsAuthenticatedWhenWriting
from graph.schema import build_schema
from tests.faults.waiting import until
from tests.graph.conftest import Api
from tests.graph.doing import cash, key, mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored, row_id

AT = "2024-03-01T12:00:00Z"
LOGGED_OUT = "UPDATE refresh_tokens SET revoked_at = now() WHERE owner_id = $1 RETURNING true"
DISABLED = "UPDATE users SET is_active = false WHERE id = $1 RETURNING true"
WRITTEN = """SELECT (SELECT count(*) FROM transactions WHERE owner_id = $1),
    (SELECT count(*) FROM orders WHERE owner_id = $1), (SELECT count(*) FROM audit_log WHERE owner_id = $1),
    (SELECT count(*) FROM idempotency_keys WHERE owner_id = $1),
    (SELECT sum(cash_balance) FROM portfolios WHERE owner_id = $1)"""
# Of pg_locks, since a transaction sees pg_stat_activity as it first was.
WAITING = """SELECT EXISTS (
    SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"""


class Trader:
    """A user with two portfolios, something in one of them, and an order that rests."""

    def __init__(self, api: Api, stored: Stored) -> None:
        self.api = api
        self.stored = stored
        assert api.user_id is not None
        self.id = row_id(api.user_id)
        stored.instrument("END", "10")
        account = open_account(api)
        self.portfolio, other = open_portfolio(api, account), open_portfolio(api, account, "Other")
        cash(api, "deposit", account, "1000", portfolioId=self.portfolio)
        bought = {"symbol": "END", "quantity": "2", "price": "1"}
        recorded(api, self.portfolio, "DEPOSIT", "2024-01-01", amount="10")
        cash_in = recorded(api, self.portfolio, "DEPOSIT", "2024-04-01", amount="10")
        recorded(api, self.portfolio, "BUY", "2024-01-02", **bought)
        moved: dict[str, Any] = {"accountId": account, "portfolioId": self.portfolio, "amount": "1"}
        shares: dict[str, Any] = {"portfolioId": self.portfolio, "symbol": "END", "quantity": "1"}
        limited = {**shares, "side": "BUY", "type": "LIMIT", "limitPrice": "1", "idempotencyKey": key()}
        order = mutate(api, "placeOrder", "order { id }", **limited)["order"]
        inputs: dict[str, dict[str, Any]] = {
            "recordTransaction": {**shares, "type": "BUY", "price": "1", "executedAt": AT},
            "reverseTransaction": {"transactionId": cash_in["id"]},
            "transferShares": {
                "fromPortfolioId": self.portfolio,
                "toPortfolioId": other,
                "symbol": "END",
                "quantity": "1",
            },
            "placeOrder": {**shares, "side": "BUY"},
            "cancelOrder": {"orderId": order["id"]},
            "deposit": moved,
            "withdraw": moved,
            "transferCash": {
                "accountId": account,
                "fromPortfolioId": self.portfolio,
                "toPortfolioId": other,
                "amount": "1",
            },
        }
        self.inputs = {
            name: input if name == "cancelOrder" else {**input, "idempotencyKey": key()}
            for name, input in inputs.items()
        }

    def ask(self, name: str, **other: Any) -> Any:
        """The answer to one of the mutations."""
        kind = "CashInput" if name in ("deposit", "withdraw") else name[0].upper() + name[1:] + "Input"
        query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}"
        return self.api.post(query, input={**self.inputs[name], **other})

    def written(self) -> tuple[Any, ...]:
        """How much the user has of everything that a trade writes."""
        (row,) = self.stored.rows(WRITTEN, self.id)
        return row

    def end(self, how: str) -> None:
        """End the user's logins behind the server's back."""
        assert self.stored.rows(how, self.id) == [(True,)]


@pytest.fixture
def trader(register: Callable[[], Api], stored: Stored) -> Trader:
    return Trader(register(), stored)


def refusal(name: str) -> Any:
    """The answer of a mutation to a login that has ended."""
    error = {
        "message": "Your login has ended: log in again.",
        "path": [name],
        "extensions": {"code": "UNAUTHENTICATED"},
    }
    return {"data": {name: None}, "errors": [error]}


def without_places(answer: Any) -> Any:
    """An answer without the lines and columns of its errors."""
    for error in answer.get("errors", ()):
        error.pop("locations", None)
    return answer


def test_every_such_mutation_is_among_these(trader: Trader) -> None:
    mutations = build_schema()._schema.mutation_type
    assert mutations is not None
    asking = {
        name
        for name, field in mutations.fields.items()
        for guard in field.extensions["strawberry-definition"].extensions
        if isinstance(guard, Guard)
        if any(isinstance(permission, IsAuthenticatedWhenWriting) for permission in guard.permissions)
    }
    assert asking == set(trader.inputs)
    for name in asking:
        assert trader.ask(name) == {"data": {name: {"userErrors": []}}}, name


@pytest.mark.parametrize("how", [LOGGED_OUT, DISABLED])
def test_nothing_is_written(trader: Trader, how: str) -> None:
    """Whatever else is wrong with the request: only those who are logged in learn that."""
    before = trader.written()
    trader.end(how)
    for name in trader.inputs:
        assert without_places(trader.ask(name)) == refusal(name)
        wrong = {"idempotencyKey": "no UUID"} if name != "cancelOrder" else {"orderId": "nothing"}
        assert without_places(trader.ask(name, **wrong)) == refusal(name)
    assert trader.written() == before


def test_a_key_that_is_known_is_not_repeated(trader: Trader) -> None:
    assert trader.ask("deposit") == {"data": {"deposit": {"userErrors": []}}}
    trader.end(LOGGED_OUT)
    assert without_places(trader.ask("deposit")) == refusal("deposit")


def test_what_follows_a_refusal_is_refused(trader: Trader) -> None:
    """Each field of a document asks for itself."""
    query = """mutation($cash: CashInput!) { deposit(input: $cash) { userErrors { code } }
        createWatchlist(input: {name: "mine", symbols: []}) { userErrors { code } } }"""
    given = {"cash": trader.inputs["deposit"]}
    good = trader.api.post(query, **given)
    assert good == {"data": {"deposit": {"userErrors": []}, "createWatchlist": {"userErrors": []}}}
    trader.end(LOGGED_OUT)
    assert trader.api.codes(query, **given) == ["UNAUTHENTICATED"] * 2


@pytest.mark.parametrize("how", [LOGGED_OUT, DISABLED])
async def test_while_a_trade_waits_for_its_lock(
    superuser_url: str, register: Callable[[], Api], stored: Stored, how: str
) -> None:
    """What ends a login before the portfolio is held ends the trade."""
    trader = await asyncio.to_thread(lambda: Trader(register(), stored))
    before = await asyncio.to_thread(trader.written)
    blocker = await asyncpg.connect(superuser_url)
    try:
        await blocker.execute("BEGIN")
        await blocker.execute("SELECT FROM portfolios WHERE id = $1 FOR UPDATE", row_id(trader.portfolio))
        asked = asyncio.create_task(asyncio.to_thread(trader.ask, "recordTransaction"))

        async def is_waiting() -> bool:
            return bool(await blocker.fetchval(WAITING))

        await until(is_waiting, 60)
        await asyncio.to_thread(trader.end, how)
        await blocker.execute("ROLLBACK")
        assert without_places(await asked) == refusal("recordTransaction")
    finally:
        await blocker.close()
    assert await asyncio.to_thread(trader.written) == before

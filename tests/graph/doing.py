"""What tests do over the API again and again."""

import uuid
from collections.abc import Mapping
from typing import Any

from tests.graph.conftest import Api

ERRORS = """userErrors { __typename code field message
  ... on Shortage { required available shortfall onDate }
  ... on UnknownInstrument { symbol } ... on CurrencyMismatch { expected actual } }"""

_TRANSACTION = """transaction { id type symbol quantity price amount commission cashDelta quantityDelta
  realizedPnl executedAt notes }"""


def key() -> str:
    """A new idempotency key."""
    return str(uuid.uuid4())


def mutate(api: Api, name: str, selection: str, /, **input: Any) -> Any:
    """Return the payload of a mutation."""
    kind = name[0].upper() + name[1:] + "Input"
    kind = "CashInput" if name in ("deposit", "withdraw") else kind
    query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {selection} {ERRORS} }} }}"
    return api.data(query, input=input)[name]


def weights(by_symbol: Mapping[str, str]) -> list[dict[str, str]]:
    """Return weights as the API takes and gives them: by symbol."""
    return [{"symbol": symbol, "weight": weight} for symbol, weight in sorted(by_symbol.items())]


def open_account(api: Api, name: str = "Account", **input: Any) -> str:
    """The id of a new account."""
    payload = mutate(api, "createAccount", "account { id }", name=name, **input)
    assert payload["userErrors"] == []
    return str(payload["account"]["id"])


def open_portfolio(api: Api, account_id: str, name: str = "Portfolio", **input: Any) -> str:
    """The id of a new portfolio."""
    given = {"strategy": "EQUAL_WEIGHT", **input}
    payload = mutate(api, "createPortfolio", "portfolio { id }", accountId=account_id, name=name, **given)
    assert payload["userErrors"] == []
    return str(payload["portfolio"]["id"])


def archive(api: Api, portfolio_id: str) -> None:
    """Archive a portfolio."""
    assert mutate(api, "archivePortfolio", "__typename", portfolioId=portfolio_id)["userErrors"] == []


def cash(api: Api, name: str, account_id: str, amount: str, **input: Any) -> Any:
    """The payload of a deposit or a withdrawal."""
    given = {"idempotencyKey": key(), **input}
    return mutate(api, name, _TRANSACTION, accountId=account_id, amount=amount, **given)


def record(api: Api, portfolio_id: str, type: str, executed_at: str, **input: Any) -> Any:
    """The payload of recordTransaction; a plain day means its noon."""
    at = executed_at if "T" in executed_at else f"{executed_at}T12:00:00Z"
    given = {"idempotencyKey": key(), **input}
    return mutate(
        api, "recordTransaction", _TRANSACTION, portfolioId=portfolio_id, type=type, executedAt=at, **given
    )


def recorded(api: Api, portfolio_id: str, type: str, executed_at: str, **input: Any) -> Any:
    """The transaction of a recordTransaction that must succeed."""
    payload = record(api, portfolio_id, type, executed_at, **input)
    assert payload["userErrors"] == []
    return payload["transaction"]


def refused(payload: Any) -> Any:
    """The one userError of a payload in which nothing was done."""
    assert [value for name, value in payload.items() if name != "userErrors" and value is not None] == []
    (error,) = payload["userErrors"]
    return error

"""Reversals, transfers of shares, lots and gains by either method, over the API."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import execute
from tests.graph.conftest import Api

ERRORS = """userErrors { __typename code field message
  ... on InsufficientShares { required available shortfall onDate } }"""
RECORD = f"""mutation($input: RecordTransactionInput!) {{ recordTransaction(input: $input) {{
  transaction {{ id }} {ERRORS} }} }}"""
REVERSE = f"""mutation($input: ReverseTransactionInput!) {{ reverseTransaction(input: $input) {{
  transaction {{ id type amount cashDelta quantityDelta costDelta notes
                 reverses {{ id reversedBy {{ id }} }} }}
  {ERRORS} }} }}"""
MOVE = f"""mutation($input: TransferSharesInput!) {{ transferShares(input: $input) {{
  transaction {{ id type quantity amount costDelta portfolio {{ name }} }} {ERRORS} }} }}"""


@dataclass
class Investor:
    """A user with two portfolios, and short words for what they do."""

    api: Api
    portfolios: list[str]

    def record(self, type: str, day: int, at: int = 0, **facts: str) -> Any:
        """Records a transaction of ABC."""
        given = {
            "portfolioId": self.portfolios[at],
            "type": type,
            "executedAt": f"2020-01-{day:02}T12:00:00Z",
            "idempotencyKey": str(uuid.uuid4()),
            **({} if type == "DEPOSIT" else {"symbol": "ABC"}),
            **facts,
        }
        answer = self.api.data(RECORD, input=given)["recordTransaction"]
        assert answer["userErrors"] == []
        return answer["transaction"]["id"]

    def reverse(self, id: str, **given: str) -> Any:
        """Reverses a transaction."""
        given = {"transactionId": id, "idempotencyKey": str(uuid.uuid4()), **given}
        return self.api.data(REVERSE, input=given)["reverseTransaction"]

    def move(self, quantity: str, day: int, source: int = 0, target: int = 1) -> Any:
        """Moves shares."""
        given = {
            "fromPortfolioId": self.portfolios[source],
            "toPortfolioId": self.portfolios[target],
            "symbol": "ABC",
            "quantity": quantity,
            "executedAt": f"2020-01-{day:02}T12:00:00Z",
            "idempotencyKey": str(uuid.uuid4()),
        }
        return self.api.data(MOVE, input=given)["transferShares"]

    def node(self, id: str, selection: str) -> Any:
        """A node of the user's."""
        return self.api.data(f"query($id: ID!) {{ node(id: $id) {{ {selection} }} }}", id=id)["node"]


@pytest.fixture(scope="module")
async def instrument(superuser_url: str) -> None:
    await execute(
        superuser_url,
        "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
        "VALUES (gen_random_uuid(), 'ABC', 'ABC', 'EQUITY', 'USD')",
    )


@pytest.fixture
def investor(register: Callable[[], Api], instrument: None) -> Investor:
    api = register()
    create = 'mutation { createAccount(input: {name: "A"}) { account { id } } }'
    account = api.data(create)["createAccount"]["account"]["id"]
    portfolio = """mutation($input: CreatePortfolioInput!) { createPortfolio(input: $input) {
      portfolio { id } userErrors { message } } }"""
    made = Investor(api, [])
    for name in ("One", "Two"):
        given = {"accountId": account, "name": name, "strategy": "EQUAL_WEIGHT"}
        made.portfolios.append(api.data(portfolio, input=given)["createPortfolio"]["portfolio"]["id"])
    made.record("DEPOSIT", 1, amount="10000")
    return made


def test_gains_by_either_method_and_the_lots_they_came_from(investor: Investor) -> None:
    first = investor.record("BUY", 2, quantity="10", price="10")
    second = investor.record("BUY", 3, quantity="10", price="20", commission="1")
    sale = investor.record("SELL", 4, quantity="15", price="20", commission="1")
    gains = "average: realizedPnl fifo: realizedPnl(method: FIFO)"
    assert investor.node(
        sale,
        f"""... on Transaction {{ realizedPnl {gains} costDelta reverses {{ id }} reversedBy {{ id }}
          lotUses {{ totalCount nodes {{ openedAt quantity cost gain source {{ id type }} }} }} }}""",
    ) == {
        "realizedPnl": "73.25",
        "average": "73.25",
        "fifo": "98.5",
        "costDelta": "-225.75",
        "reverses": None,
        "reversedBy": None,
        "lotUses": {
            "totalCount": 2,
            "nodes": [
                {
                    "openedAt": "2020-01-02T12:00:00.000000Z",
                    "quantity": "10",
                    "cost": "100",
                    "gain": "99.3333333333",
                    "source": {"id": first, "type": "BUY"},
                },
                {
                    "openedAt": "2020-01-03T12:00:00.000000Z",
                    "quantity": "5",
                    "cost": "100.5",
                    "gain": "-0.8333333333",
                    "source": {"id": second, "type": "BUY"},
                },
            ],
        },
    }
    portfolio = investor.node(
        investor.portfolios[0],
        f"""... on Portfolio {{ {gains} positions {{ nodes {{ {gains} quantity costBasis
          lots(first: 1) {{ totalCount pageInfo {{ hasNextPage }} nodes {{ id openedAt quantity cost
            transaction {{ id }} }} }} }} }} }}""",
    )
    (lot,) = portfolio["positions"]["nodes"][0]["lots"]["nodes"]
    assert portfolio == {
        "average": "73.25",
        "fifo": "98.5",
        "positions": {
            "nodes": [
                {
                    "average": "73.25",
                    "fifo": "98.5",
                    "quantity": "5",
                    "costBasis": "75.25",
                    "lots": {"totalCount": 1, "pageInfo": {"hasNextPage": False}, "nodes": [lot]},
                }
            ]
        },
    }
    assert (lot["quantity"], lot["cost"], lot["transaction"]) == ("5", "100.5", {"id": second})
    assert investor.node(lot["id"], "id ... on Lot { cost }") == {"id": lot["id"], "cost": "100.5"}
    empty = "... on Portfolio { realizedPnl(method: FIFO) }"
    assert investor.node(investor.portfolios[1], empty) == {"realizedPnl": "0"}


def test_a_reversal(investor: Investor) -> None:
    wrong = investor.record("BUY", 2, quantity="10", price="10", commission="1")
    key = str(uuid.uuid4())
    answers = [investor.reverse(wrong, notes="Typed twice", idempotencyKey=key) for _ in range(2)]
    assert answers[0] == answers[1]
    reversal = answers[0]["transaction"]["id"]
    assert answers[0] == {
        "transaction": {
            "id": reversal,
            "type": "BUY",
            "amount": "100",
            "cashDelta": "101",
            "quantityDelta": "-10",
            "costDelta": "-101",
            "notes": "Typed twice",
            "reverses": {"id": wrong, "reversedBy": {"id": reversal}},
        },
        "userErrors": [],
    }
    refused = [investor.reverse(id)["userErrors"][0] for id in (wrong, reversal)]
    assert [(error["__typename"], error["field"]) for error in refused] == [
        ("AlreadyReversed", ["input", "transactionId"]),
        ("InvalidInput", ["input", "transactionId"]),
    ]
    cash = investor.node(investor.portfolios[0], "... on Portfolio { cashBalance positionCount }")
    assert cash == {"cashBalance": "10000", "positionCount": 0}


def test_a_reversal_that_would_leave_too_little_names_the_day(investor: Investor) -> None:
    bought = investor.record("BUY", 2, quantity="10", price="10")
    investor.record("SELL", 5, quantity="4", price="10")
    assert investor.reverse(bought) == {
        "transaction": None,
        "userErrors": [
            {
                "__typename": "InsufficientShares",
                "code": "INSUFFICIENT_SHARES",
                "field": ["input", "transactionId"],
                "message": "4 shares are needed on 2020-01-05, 0 are held.",
                "required": "4",
                "available": "0",
                "shortfall": "4",
                "onDate": "2020-01-05",
            }
        ],
    }


def test_shares_move_with_their_lots(investor: Investor) -> None:
    investor.record("BUY", 2, quantity="4", price="10")
    investor.record("BUY", 3, quantity="4", price="20")
    answer = investor.move("6", 5)
    assert answer["userErrors"] == []
    assert {name: answer["transaction"][name] for name in ("type", "quantity", "costDelta", "portfolio")} == {
        "type": "TRANSFER_IN",
        "quantity": "6",
        "costDelta": "90",
        "portfolio": {"name": "Two"},
    }
    lots = """... on Portfolio { positions { nodes { costBasis lots { nodes { openedAt quantity cost
      transaction { id } } } } } }"""
    moved = {"transaction": {"id": answer["transaction"]["id"]}}
    assert investor.node(investor.portfolios[1], lots)["positions"]["nodes"] == [
        {
            "costBasis": "90",
            "lots": {
                "nodes": [
                    {"openedAt": "2020-01-02T12:00:00.000000Z", "quantity": "4", "cost": "40", **moved},
                    {"openedAt": "2020-01-03T12:00:00.000000Z", "quantity": "2", "cost": "40", **moved},
                ]
            },
        }
    ]
    (error,) = investor.move("2.5", 6)["userErrors"]
    assert (error["__typename"], error["field"]) == ("InsufficientShares", ["input", "quantity"])
    assert (error["required"], error["available"]) == ("2.5", "2")


def test_nobody_reverses_or_moves_what_is_another_s(
    investor: Investor, register: Callable[[], Api], nobody: Api
) -> None:
    bought = investor.record("BUY", 2, quantity="4", price="10")
    stranger = Investor(register(), investor.portfolios)
    assert stranger.reverse(bought)["userErrors"][0]["message"] == "There is no such transaction."
    refused = stranger.move("1", 5)["userErrors"][0]
    assert (refused["__typename"], refused["field"]) == ("NotFound", ["input", "fromPortfolioId"])
    given = {"transactionId": bought, "idempotencyKey": str(uuid.uuid4())}
    assert nobody.codes(REVERSE, input=given) == ["UNAUTHENTICATED"]
    position = "... on Portfolio { positions { nodes { quantity lots { nodes { id } } } } }"
    (held,) = investor.node(investor.portfolios[0], position)["positions"]["nodes"]
    assert held["quantity"] == "4"
    (lot,) = held["lots"]["nodes"]
    assert stranger.node(lot["id"], "id") is None
    assert investor.node(bought, "... on Transaction { reversedBy { id } }") == {"reversedBy": None}

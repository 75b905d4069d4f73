"""Accounts over the API: opening, listing, cash in and out."""

import uuid
from collections.abc import Callable

from tests.graph.conftest import Api


def test_an_account_and_its_cash(register: Callable[[], Api]) -> None:
    api = register()
    created = api.data(
        """mutation { createAccount(input: {name: "Savings", initialBalance: "100.50"}) {
             account { id name broker accountType currency cashBalance initialBalance unallottedCash
                       isActive marketValue totalValue owner { username }
                      transactions { nodes { type amount cashDelta } } }
             userErrors { code } } }"""
    )["createAccount"]
    account_id = created["account"].pop("id")
    assert created == {
        "account": {
            "name": "Savings",
            "broker": "PAPER",
            "accountType": "CASH",
            "currency": "USD",
            "cashBalance": "100.5",
            "initialBalance": "100.5",
            "unallottedCash": "100.5",
            "isActive": True,
            "marketValue": "0",
            "totalValue": "100.5",
            "owner": {"username": api.username},
            "transactions": {"nodes": [{"type": "DEPOSIT", "amount": "100.5", "cashDelta": "100.5"}]},
        },
        "userErrors": [],
    }
    cash = """mutation($input: CashInput!) { withdraw(input: $input) {
        transaction { type amount cashDelta account { cashBalance } }
        userErrors { __typename code field message
            ... on InsufficientCash { required available shortfall onDate } } } }"""
    given = {"accountId": account_id, "amount": "100.51", "idempotencyKey": str(uuid.uuid4())}
    for _ in range(2):
        assert api.data(cash, input=given)["withdraw"] == {
            "transaction": None,
            "userErrors": [
                {
                    "__typename": "InsufficientCash",
                    "code": "INSUFFICIENT_CASH",
                    "field": ["input", "amount"],
                    "message": "100.51 is needed, 100.5 is available.",
                    "required": "100.51",
                    "available": "100.5",
                    "shortfall": "0.01",
                    "onDate": None,
                }
            ],
        }
    given = {"accountId": account_id, "amount": "0.5", "idempotencyKey": str(uuid.uuid4())}
    for amount in ("0.5", "0.50"):
        given["amount"] = amount
        assert api.data(cash, input=given)["withdraw"] == {
            "transaction": {
                "type": "WITHDRAWAL",
                "amount": "0.5",
                "cashDelta": "-0.5",
                "account": {"cashBalance": "100"},
            },
            "userErrors": [],
        }
    given["amount"] = "0.6"
    refused = api.data(cash, input=given)["withdraw"]["userErrors"]
    assert [(error["__typename"], error["field"]) for error in refused] == [
        ("IdempotencyMismatch", ["input", "idempotencyKey"])
    ]

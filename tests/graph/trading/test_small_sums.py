"""Small sums over the API: eighteen places, positions closed to the last digit, worthless shares, and cash of
an account that no portfolio has.
"""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import cash, key, mutate, open_account, open_portfolio, record, recorded, refused
from tests.graph.trading.conftest import Market, Trader

POSITIONS = """query($id: ID!) { node(id: $id) { ... on Portfolio { cashBalance
  positions { nodes { symbol quantity costBasis averageCost marketValue unrealizedPnl unrealizedReturn
                      weight lots { nodes { quantity cost } } } } } } }"""
ACCOUNT = """query($id: ID!) { node(id: $id) { ... on Account { cashBalance unallottedCash
  performance { endValue netFlow timeWeightedReturn } } } }"""
RECORD = "transaction { id amount cashDelta portfolio { id } account { id } }"


@pytest.fixture(scope="module")
def someone(trader: Callable[..., Trader]) -> Trader:
    return trader()


def test_eighteen_places(someone: Trader, market: Market) -> None:
    """A third of a share, and of what is left a third again: everything that goes in comes out."""
    third = "0.333333333333333333"
    symbol = market.list("THIRD", "30")
    account = open_account(someone.api, f"Thirds {uuid.uuid4()}")
    id = open_portfolio(someone.api, account, initialCash="0")
    recorded(someone.api, id, "DEPOSIT", "2024-01-02", amount="1000")
    bought = recorded(someone.api, id, "BUY", "2024-01-03", symbol=symbol, quantity=third, price="30")
    # 0.333333333333333333 x 30 = 9.99999999999999999, which is 10 at ten places.
    assert (bought["quantity"], bought["amount"], bought["cashDelta"]) == (third, "10", "-10")
    one = "0.000000000000000001"
    recorded(someone.api, id, "SELL", "2024-01-04", symbol=symbol, quantity=one, price="30")
    found = someone.api.data(POSITIONS, id=id)["node"]
    left = "0.333333333333333332"
    assert found["cashBalance"] == "990"
    assert found["positions"]["nodes"] == [
        {
            "symbol": symbol,
            "quantity": left,
            "costBasis": "10",
            "averageCost": "30",
            "marketValue": "10",
            "unrealizedPnl": "0",
            "unrealizedReturn": "0",
            "weight": "0.01",
            "lots": {"nodes": [{"quantity": left, "cost": "10"}]},
        }
    ]
    recorded(someone.api, id, "SPLIT", "2024-01-05", symbol=symbol, quantity="3", splitFor="2")
    (after,) = someone.api.data(POSITIONS, id=id)["node"]["positions"]["nodes"]
    assert after["quantity"] == "0.499999999999999998"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("amount", {"type": "FEE", "amount": "1.00000000001"}, "The amount has more than 10 decimals."),
        (
            "commission",
            {"type": "FEE", "amount": "1", "commission": "0.00000000001"},
            "The commission has more than 10 decimals.",
        ),
        (
            "price",
            {"type": "BUY", "symbol": "X", "quantity": "1", "price": "1.00000000001"},
            "The price has more than 10 decimals.",
        ),
        (
            "quantity",
            {"type": "BUY", "symbol": "X", "quantity": "0.1234567890123456789", "price": "1"},
            "The quantity has more than 18 decimals.",
        ),
    ],
)
def test_more_places_than_there_are(someone: Trader, name: str, given: dict[str, str], message: str) -> None:
    """An entry of userErrors that names the field, and nothing is rounded silently."""
    type, facts = given["type"], {name: value for name, value in given.items() if name != "type"}
    error = refused(record(someone.api, someone.portfolio_id, type, "2024-01-02", **facts))
    assert (error["code"], error["field"], error["message"]) == ("INVALID_INPUT", ["input", name], message)


def test_a_row_of_an_import_with_more_places(someone: Trader) -> None:
    rows = [
        {"type": "DEPOSIT", "amount": amount, "executedAt": "2024-01-02T12:00:00Z"}
        for amount in ("1", "1.1234567890123456789")
    ]
    given = {"portfolioId": someone.portfolio_id, "rows": rows, "dryRun": True, "idempotencyKey": key()}
    payload = mutate(someone.api, "importTransactions", "outcomes { status userError { message } }", **given)
    assert payload["outcomes"] == [
        {"status": "OK", "userError": None},
        {"status": "REFUSED", "userError": {"message": "The amount has more than 10 decimals."}},
    ]


def test_places_of_an_order_and_of_a_deposit(someone: Trader, market: Market) -> None:
    symbol = market.list("PLACE", "30")
    order = {"portfolioId": someone.portfolio_id, "symbol": symbol, "side": "BUY", "idempotencyKey": key()}
    for given in (
        {"notional": "1.00000000001"},
        {"quantity": "1", "type": "LIMIT", "limitPrice": "1.00000000001"},
    ):
        error = refused(mutate(someone.api, "placeOrder", "order { id }", **order, **given))
        assert error["message"].endswith("has more than 10 decimals.")
    account = open_account(someone.api, f"Places {uuid.uuid4()}")
    error = refused(cash(someone.api, "deposit", account, "1.00000000001"))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "amount"])
    error = refused(
        mutate(
            someone.api,
            "createPortfolio",
            "portfolio { id }",
            accountId=account,
            name="P",
            strategy="EQUAL_WEIGHT",
            driftBand="0.00000000001",
        )
    )
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "driftBand"])


def test_a_worthless_share(someone: Trader, market: Market) -> None:
    """10 for 200 whose price falls to 0: worth 0, all of it lost, and the weight is 0."""
    symbol = market.list("GONE", "20")
    account = open_account(someone.api, f"Gone {uuid.uuid4()}", initialBalance="250")
    id = open_portfolio(someone.api, account, initialCash="250")
    order = {"portfolioId": id, "symbol": symbol, "quantity": "10"}
    bought = mutate(someone.api, "placeOrder", "order { status }", **order, side="BUY", idempotencyKey=key())
    assert bought["order"]["status"] == "FILLED"
    market.tick(symbol, "0")
    (position,) = someone.api.data(POSITIONS, id=id)["node"]["positions"]["nodes"]
    assert {
        name: position[name] for name in ("marketValue", "unrealizedPnl", "unrealizedReturn", "weight")
    } == {
        "marketValue": "0",
        "unrealizedPnl": "-200",
        "unrealizedReturn": "-1",
        "weight": "0",
    }
    again = mutate(someone.api, "placeOrder", "order { status }", **order, side="BUY", idempotencyKey=key())
    assert refused(again)["message"] == "Nothing can be bought at a price of 0: give a limit price."
    sold = mutate(
        someone.api,
        "placeOrder",
        "order { status averageFillPrice }",
        **order,
        side="SELL",
        idempotencyKey=key(),
    )
    assert sold["order"] == {"status": "FILLED", "averageFillPrice": "0"}
    assert someone.api.data(POSITIONS, id=id)["node"] == {"cashBalance": "50", "positions": {"nodes": []}}


def of_account(api: Api, type: str, day: str, **given: Any) -> Any:
    """The payload of recordTransaction for what no portfolio has."""
    at = f"{day}T15:00:00Z"
    return mutate(
        api, "recordTransaction", RECORD, type=type, executedAt=at, **{"idempotencyKey": key(), **given}
    )


def test_interest_on_unallotted_cash(someone: Trader) -> None:
    """1000 earn 5 and cost 1 and 0.5 of tax: 0.35 % and not a flow. Then the interest is taken back.

    1005 / 1000 x 1004 / 1005 x 1003.5 / 1004 - 1 = 0.0035.
    """
    api = someone.api
    account = open_account(api, f"Interest {uuid.uuid4()}")
    portfolio = open_portfolio(api, account)
    given = of_account(api, "DEPOSIT", "2024-01-02", accountId=account, amount="1000")
    assert given["transaction"]["account"] == {"id": account}
    once = {"accountId": account, "amount": "5", "idempotencyKey": key()}
    interest = of_account(api, "INTEREST", "2024-01-03", **once)
    assert interest["userErrors"] == []
    assert (interest["transaction"]["cashDelta"], interest["transaction"]["portfolio"]) == ("5", None)
    assert of_account(api, "INTEREST", "2024-01-03", **once) == interest
    of_account(api, "FEE", "2024-01-04", accountId=account, amount="1")
    of_account(api, "TAX", "2024-01-05", accountId=account, amount="0.5")
    assert api.data(ACCOUNT, id=account)["node"] == {
        "cashBalance": "1003.5",
        "unallottedCash": "1003.5",
        "performance": {"endValue": "1003.5", "netFlow": "1000", "timeWeightedReturn": "0.0035"},
    }
    # Both may be named, where they belong together.
    both = {"accountId": account, "portfolioId": portfolio}
    in_portfolio = of_account(api, "INTEREST", "2024-01-06", **both, amount="1")
    assert in_portfolio["transaction"]["portfolio"] == {"id": portfolio}
    back = {"transactionId": interest["transaction"]["id"], "idempotencyKey": key()}
    reversed = mutate(api, "reverseTransaction", RECORD, **back)
    assert (reversed["userErrors"], reversed["transaction"]["cashDelta"]) == ([], "-5")
    assert api.data(ACCOUNT, id=account)["node"]["unallottedCash"] == "998.5"


def test_what_an_account_alone_cannot_have(someone: Trader) -> None:
    api = someone.api
    account = open_account(api, f"Alone {uuid.uuid4()}", initialBalance="10")
    other = open_portfolio(api, open_account(api, f"Other {uuid.uuid4()}"))
    for given, field, words in (
        ({"amount": "1"}, "portfolioId", "Give the portfolioId, or the accountId for its unallotted cash."),
        (
            {"accountId": account, "amount": "1", "symbol": "X"},
            "symbol",
            "An account's unallotted cash holds no shares: name the portfolio, or leave the symbol out.",
        ),
        (
            {"accountId": account, "portfolioId": other, "amount": "1"},
            "portfolioId",
            "The account has no such portfolio.",
        ),
        ({"accountId": account, "amount": "0"}, "amount", "The amount must be given, and above zero."),
    ):
        error = refused(of_account(api, "FEE", "2024-01-02", **given))
        assert (error["field"], error["message"]) == (["input", field], words)
    # There were no 10 yet on that day.
    error = refused(of_account(api, "FEE", "2024-01-02", accountId=account, amount="1"))
    assert (error["code"], error["onDate"]) == ("INSUFFICIENT_CASH", "2024-01-02")
    assert refused(of_account(api, "DIVIDEND", "2024-01-02", accountId=account, amount="1"))["field"] == [
        "input",
        "symbol",
    ]

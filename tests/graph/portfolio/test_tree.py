"""The tree on data made by hand: values to the last digit, weights that add up to one, totals."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import open_account, open_portfolio, recorded
from tests.graph.stored import Stored

TREE = (Path(__file__).parents[3] / "graph" / "graphiql" / "tree.graphql").read_text()
HELD = {"AAA": ("3", "7.1234567891"), "BBB": ("0.3333333333", "3"), "CCC": ("1234567.000001", "0.0000000007")}


@pytest.fixture(scope="module")
def api(register: Callable[[], Api], stored: Stored) -> Api:
    """Three priced positions and one without a price in one portfolio, and an account in another currency."""
    for symbol, (_, price) in HELD.items():
        stored.instrument(symbol, price)
    stored.instrument("NONE")
    stored.instrument("EUR", "2", currency="EUR")
    made = register()
    account_id = open_account(made, "Dollars", initialBalance="1000")
    portfolio_id = open_portfolio(made, account_id, "Many", initialCash="500")
    for symbol, (quantity, _) in HELD.items():
        recorded(
            made, portfolio_id, "TRANSFER_IN", "2024-01-01", symbol=symbol, quantity=quantity, amount="1"
        )
    recorded(made, portfolio_id, "TRANSFER_IN", "2024-01-01", symbol="NONE", quantity="9", amount="90")
    open_portfolio(made, account_id, "Empty")
    euros = open_account(made, "Euros", currency="EUR", initialBalance="50")
    europe = open_portfolio(made, euros, "Europe")
    recorded(made, europe, "TRANSFER_IN", "2024-01-01", symbol="EUR", quantity="4", amount="6")
    return made


def accounts(api: Api) -> Any:
    """The accounts of the tree query, by name."""
    return {account["name"]: account for account in api.data(TREE)["me"]["accounts"]["nodes"]}


def portfolio(api: Api, account: str, name: str) -> Any:
    """A portfolio of the tree query."""
    (found,) = (node for node in accounts(api)[account]["portfolios"]["nodes"] if node["name"] == name)
    return found


# Three products, rounded half up at the tenth place: 21.3703703673, 0.9999999999 and 0.0008641969.
MARKET_VALUE = Decimal("22.3712345641")


def test_market_values_are_quantity_times_price(api: Api) -> None:
    found = portfolio(api, "Dollars", "Many")
    values = {node["symbol"]: node["marketValue"] for node in found["positions"]["nodes"]}
    assert values == {"AAA": "21.3703703673", "BBB": "0.9999999999", "CCC": "0.0008641969", "NONE": None}
    gains = {node["symbol"]: node["unrealizedPnl"] for node in found["positions"]["nodes"]}
    assert gains == {"AAA": "20.3703703673", "BBB": "-0.0000000001", "CCC": "-0.9991358031", "NONE": None}
    assert Decimal(found["marketValue"]) == MARKET_VALUE
    assert Decimal(found["totalValue"]) == MARKET_VALUE + 500
    assert Decimal(found["unrealizedPnl"]) == MARKET_VALUE - 3
    prices = {node["symbol"]: node["currentPrice"] for node in found["positions"]["nodes"]}
    assert prices == {symbol: price for symbol, (_, price) in HELD.items()} | {"NONE": None}


def test_weights_and_cash_add_up_to_one(api: Api) -> None:
    found = portfolio(api, "Dollars", "Many")
    weights = {node["symbol"]: node["weight"] for node in found["positions"]["nodes"]}
    total = MARKET_VALUE + 500
    assert weights.pop("NONE") is None
    assert weights == {
        "AAA": str(round(Decimal("21.3703703673") / total, 10)),
        "BBB": str(round(Decimal("0.9999999999") / total, 10)),
        "CCC": f"{round(Decimal('0.0008641969') / total, 10):f}",
    }
    query = """query($id: ID!) { node(id: $id) { ... on Portfolio {
        cashWeight unpricedPositionCount positionCount costBasis
        positions(first: 2) { nodes { weight } } } } }"""
    node = api.data(query, id=found["id"])["node"]
    assert sum(map(Decimal, weights.values())) + Decimal(node["cashWeight"]) == 1
    assert (node["unpricedPositionCount"], node["positionCount"], node["costBasis"]) == (1, 4, "93")
    # A page of positions does not change what their weights are of.
    assert [position["weight"] for position in node["positions"]["nodes"]] == [weights["AAA"], weights["BBB"]]


def test_a_portfolio_of_nothing_has_no_weights(api: Api) -> None:
    empty = portfolio(api, "Dollars", "Empty")
    assert (empty["totalValue"], empty["marketValue"], empty["unrealizedPnl"]) == ("0", "0", "0")
    query = "query($id: ID!) { node(id: $id) { ... on Portfolio { cashWeight positionCount } } }"
    assert api.data(query, id=empty["id"])["node"] == {"cashWeight": None, "positionCount": 0}


def test_totals_of_accounts_and_of_the_user(api: Api) -> None:
    found = accounts(api)
    assert Decimal(found["Dollars"]["totalValue"]) == 1000 + MARKET_VALUE
    assert found["Dollars"]["cashBalance"] == "1000"
    assert (found["Euros"]["currency"], found["Euros"]["totalValue"]) == ("EUR", "58")
    assert portfolio(api, "Euros", "Europe")["positions"]["nodes"][0]["unrealizedReturn"] == "0.3333333333"
    query = """{ me { summary { currency accountCount otherCurrencyAccountCount portfolioCount positionCount
        cashBalance marketValue totalValue } } }"""
    assert api.data(query)["me"]["summary"] == {
        "currency": "USD",
        "accountCount": 2,
        "otherCurrencyAccountCount": 1,
        "portfolioCount": 3,
        "positionCount": 5,
        "cashBalance": "1000",
        "marketValue": str(MARKET_VALUE),
        "totalValue": str(MARKET_VALUE + 1000),
    }


def test_in_another_currency(api: Api, stored: Stored) -> None:
    stored.rows("UPDATE users SET currency = 'EUR' WHERE username = $1", api.username)
    query = "{ me { summary { currency otherCurrencyAccountCount cashBalance marketValue totalValue } } }"
    assert api.data(query)["me"]["summary"] == {
        "currency": "EUR",
        "otherCurrencyAccountCount": 1,
        "cashBalance": "50",
        "marketValue": "8",
        "totalValue": "58",
    }
    stored.rows("UPDATE users SET currency = 'USD' WHERE username = $1", api.username)

"""recordTransaction, type by type and out of order: exact figures of cash, positions, lots and gains."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import open_account, open_portfolio, record, recorded, refused
from tests.graph.stored import Stored, row_id


@pytest.fixture(scope="module")
def api(register: Callable[[], Api], stored: Stored) -> Api:
    stored.instrument("AAPL", "10")
    stored.instrument("IBM", "20")
    stored.instrument("SAP", "30", currency="EUR")
    return register()


@pytest.fixture
def portfolio_id(api: Api, request: pytest.FixtureRequest) -> str:
    """A portfolio of its own for each test, which was given 1000 long ago."""
    name = request.node.name[:90]
    id = open_portfolio(api, open_account(api, name), name)
    recorded(api, id, "DEPOSIT", "2020-01-01", amount="1000")
    return id


HOLDING = """query($id: ID!) { node(id: $id) { ... on Portfolio { cashBalance realizedPnl
    positions { nodes { symbol quantity averageCost costBasis realizedPnl } } } } }"""


def holding(api: Api, portfolio_id: str) -> Any:
    """Cash, and of each open position its quantity, cost and gain."""
    found = api.data(HOLDING, id=portfolio_id)["node"]
    positions = {
        node["symbol"]: (node["quantity"], node["costBasis"], node["realizedPnl"])
        for node in found["positions"]["nodes"]
    }
    return found["cashBalance"], positions


def lots(stored: Stored, portfolio_id: str) -> list[tuple[str, str, str]]:
    """The open lots, oldest first: day, quantity and cost."""
    rows = stored.rows(
        """SELECT to_char(opened_at, 'MM-DD'), trim_scale(remaining_quantity)::text,
                  trim_scale(remaining_cost)::text
           FROM lots WHERE portfolio_id = $1 AND remaining_quantity > 0 ORDER BY opened_at""",
        row_id(portfolio_id),
    )
    return [(day, quantity, cost) for day, quantity, cost in rows]


AAPL = {"symbol": "AAPL"}


def test_buying_and_selling(api: Api, stored: Stored, portfolio_id: str) -> None:
    bought = recorded(
        api, portfolio_id, "BUY", "2020-02-01", **AAPL, quantity="3", price="10.01", commission="1", notes="!"
    )
    bought.pop("id")
    assert bought == {
        "type": "BUY",
        "symbol": "AAPL",
        "quantity": "3",
        "price": "10.01",
        "amount": "30.03",
        "commission": "1",
        "cashDelta": "-31.03",
        "quantityDelta": "3",
        "realizedPnl": None,
        "executedAt": "2020-02-01T12:00:00.000000Z",
        "notes": "!",
    }
    recorded(api, portfolio_id, "BUY", "2020-02-02", **AAPL, quantity="1", price="20")
    assert holding(api, portfolio_id) == ("948.97", {"AAPL": ("4", "51.03", "0")})
    sold = recorded(
        api, portfolio_id, "SELL", "2020-02-03", **AAPL, quantity="2", price="15", commission="0.5"
    )
    # Average cost of two of four shares that cost 51.03; from the oldest lot two thirds of 31.03.
    assert (sold["cashDelta"], sold["quantityDelta"], sold["realizedPnl"]) == ("29.5", "-2", "3.985")
    assert holding(api, portfolio_id) == ("978.47", {"AAPL": ("2", "25.515", "3.985")})
    assert lots(stored, portfolio_id) == [("02-01", "1", "10.3433333333"), ("02-02", "1", "20")]
    error = refused(record(api, portfolio_id, "SELL", "2020-02-04", **AAPL, quantity="2.5", price="15"))
    assert error == {
        "__typename": "InsufficientShares",
        "code": "INSUFFICIENT_SHARES",
        "field": ["input", "quantity"],
        "message": "2.5 shares are needed on 2020-02-04, 2 are held.",
        "required": "2.5",
        "available": "2",
        "shortfall": "0.5",
        "onDate": "2020-02-04",
    }
    recorded(api, portfolio_id, "SELL", "2020-02-05", **AAPL, quantity="2", price="15")
    assert holding(api, portfolio_id) == ("1008.47", {})
    assert lots(stored, portfolio_id) == []
    assert api.data(HOLDING, id=portfolio_id)["node"]["realizedPnl"] == "8.47"


@pytest.mark.parametrize(
    ("type", "facts", "cash_delta", "quantity_delta"),
    [
        ("DIVIDEND", {**AAPL, "amount": "2.5", "commission": "0.1"}, "2.4", "0"),
        ("INTEREST", {"amount": "2.5"}, "2.5", "0"),
        ("DEPOSIT", {"amount": "2.5"}, "2.5", "0"),
        ("TRANSFER_IN", {"amount": "2.5"}, "2.5", "0"),
        ("FEE", {"amount": "2.5"}, "-2.5", "0"),
        ("FEE", {**AAPL, "amount": "2.5"}, "-2.5", "0"),
        ("TAX", {"amount": "2.5"}, "-2.5", "0"),
        ("WITHDRAWAL", {"amount": "2.5", "commission": "1"}, "-3.5", "0"),
        ("TRANSFER_OUT", {"amount": "2.5"}, "-2.5", "0"),
        ("TRANSFER_IN", {**AAPL, "quantity": "4", "amount": "2.5"}, "0", "4"),
        ("TRANSFER_IN", {**AAPL, "quantity": "4", "price": "2.5", "commission": "1"}, "-1", "4"),
        ("TRANSFER_OUT", {**AAPL, "quantity": "4"}, "0", "-4"),
        ("SPLIT", {**AAPL, "quantity": "2"}, "0", "10"),
        ("SPLIT", {**AAPL, "quantity": "3", "splitFor": "2"}, "0", "5"),
        ("SPLIT", {**AAPL, "quantity": "1", "splitFor": "10"}, "0", "-9"),
    ],
)
def test_every_type(
    api: Api, portfolio_id: str, type: str, facts: dict[str, str], cash_delta: str, quantity_delta: str
) -> None:
    recorded(api, portfolio_id, "BUY", "2020-02-01", **AAPL, quantity="10", price="10")
    made = recorded(api, portfolio_id, type, "2020-03-01", **facts)
    assert (made["cashDelta"], made["quantityDelta"], made["realizedPnl"]) == (
        cash_delta,
        quantity_delta,
        None,
    )
    cash, positions = holding(api, portfolio_id)
    assert Decimal(cash) == 900 + Decimal(cash_delta)
    assert Decimal(positions["AAPL"][0]) == 10 + Decimal(quantity_delta)
    if type == "SPLIT":
        assert positions["AAPL"][1] == "100"


def test_a_buy_of_long_ago(api: Api, stored: Stored, portfolio_id: str) -> None:
    recorded(api, portfolio_id, "BUY", "2020-03-01", **AAPL, quantity="10", price="10")
    sold = recorded(api, portfolio_id, "SELL", "2020-04-01", **AAPL, quantity="10", price="12")
    assert sold["realizedPnl"] == "20"
    recorded(api, portfolio_id, "BUY", "2020-02-01", **AAPL, quantity="10", price="2")
    # Twenty shares for 120 now, so ten of them cost 60; first in, first out takes the new lot.
    again = api.data(
        "query($id: ID!) { node(id: $id) { ... on Transaction { realizedPnl } } }", id=sold["id"]
    )
    assert again == {"node": {"realizedPnl": "60"}}
    assert holding(api, portfolio_id) == ("1000", {"AAPL": ("10", "60", "60")})
    assert lots(stored, portfolio_id) == [("03-01", "10", "100")]


def test_a_sale_of_long_ago_must_leave_enough_for_later_ones(
    api: Api, stored: Stored, portfolio_id: str
) -> None:
    recorded(api, portfolio_id, "BUY", "2020-02-01", **AAPL, quantity="10", price="10")
    later = recorded(api, portfolio_id, "SELL", "2020-04-01", **AAPL, quantity="7", price="12")
    before = holding(api, portfolio_id), lots(stored, portfolio_id)
    error = refused(record(api, portfolio_id, "SELL", "2020-03-01", **AAPL, quantity="4", price="30"))
    assert (error["required"], error["available"], error["onDate"]) == ("7", "6", "2020-04-01")
    assert (holding(api, portfolio_id), lots(stored, portfolio_id)) == before
    made = recorded(api, portfolio_id, "SELL", "2020-03-01", **AAPL, quantity="3", price="30")
    assert (made["realizedPnl"], later["realizedPnl"]) == ("60", "14")
    assert holding(api, portfolio_id) == ("1074", {})


def test_cash_that_goes_out_long_ago_must_be_there_ever_since(api: Api, portfolio_id: str) -> None:
    recorded(api, portfolio_id, "WITHDRAWAL", "2020-03-01", amount="900")
    recorded(api, portfolio_id, "DEPOSIT", "2020-05-01", amount="500")
    error = refused(record(api, portfolio_id, "WITHDRAWAL", "2020-02-01", amount="100.01"))
    assert error == {
        "__typename": "InsufficientCash",
        "code": "INSUFFICIENT_CASH",
        "field": ["input", "amount"],
        "message": "100.01 is needed on 2020-03-01, 100 is available.",
        "required": "100.01",
        "available": "100",
        "shortfall": "0.01",
        "onDate": "2020-03-01",
    }
    error = refused(record(api, portfolio_id, "FEE", "2019-12-31", amount="1"))
    assert (error["available"], error["onDate"]) == ("0", "2019-12-31")
    assert holding(api, portfolio_id) == ("600", {})
    recorded(api, portfolio_id, "WITHDRAWAL", "2020-02-01", amount="100")
    assert holding(api, portfolio_id) == ("500", {})


@pytest.mark.parametrize(
    ("type", "facts", "code", "field"),
    [
        ("BUY", {"quantity": "1", "price": "1"}, "INVALID_INPUT", "symbol"),
        ("BUY", {**AAPL, "price": "1"}, "INVALID_INPUT", "quantity"),
        ("BUY", {**AAPL, "quantity": "1"}, "INVALID_INPUT", "price"),
        ("BUY", {**AAPL, "quantity": "0", "price": "1"}, "INVALID_INPUT", "quantity"),
        ("BUY", {**AAPL, "quantity": "2", "price": "1", "amount": "3"}, "INVALID_INPUT", "amount"),
        ("BUY", {"symbol": "NONE", "quantity": "1", "price": "1"}, "UNKNOWN_INSTRUMENT", "symbol"),
        ("BUY", {"symbol": "SAP", "quantity": "1", "price": "1"}, "CURRENCY_MISMATCH", "symbol"),
        ("BUY", {**AAPL, "quantity": "1000", "price": "1.01"}, "INSUFFICIENT_CASH", "amount"),
        ("SELL", {"symbol": "IBM", "quantity": "1", "price": "1"}, "INSUFFICIENT_SHARES", "quantity"),
        ("SPLIT", {"symbol": "IBM", "quantity": "2"}, "INVALID_INPUT", None),
        ("SPLIT", {**AAPL, "quantity": "2", "amount": "1"}, "INVALID_INPUT", "amount"),
        ("FEE", {"amount": "1", "commission": "-1"}, "INVALID_INPUT", "commission"),
        ("FEE", {"amount": "0"}, "INVALID_INPUT", "amount"),
        ("FEE", {"amount": "1", "splitFor": "2"}, "INVALID_INPUT", "splitFor"),
        ("INTEREST", {**AAPL, "amount": "1"}, "INVALID_INPUT", "symbol"),
        ("TRANSFER_IN", {**AAPL, "quantity": "1"}, "INVALID_INPUT", "amount"),
    ],
)
def test_refusals(
    api: Api, portfolio_id: str, type: str, facts: dict[str, str], code: str, field: str | None
) -> None:
    error = refused(record(api, portfolio_id, type, "2020-02-01", **facts))
    assert (error["code"], error["field"]) == (code, field and ["input", field])
    assert holding(api, portfolio_id) == ("1000", {})


def test_facts_of_refusals(api: Api, portfolio_id: str) -> None:
    sap = {"symbol": "SAP", "quantity": "1", "price": "1"}
    error = refused(record(api, portfolio_id, "BUY", "2020-02-01", **sap))
    assert (error["__typename"], error["expected"], error["actual"]) == ("CurrencyMismatch", "USD", "EUR")
    none = {"symbol": "NONE", "quantity": "1", "price": "1"}
    error = refused(record(api, portfolio_id, "BUY", "2020-02-01", **none))
    assert (error["__typename"], error["symbol"]) == ("UnknownInstrument", "NONE")

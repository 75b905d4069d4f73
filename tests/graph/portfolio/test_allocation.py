"""Allocation over the API: by every dimension, at every level, on positions and prices made by hand."""

from decimal import Decimal
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import mutate, open_account, open_portfolio, recorded, weights
from tests.graph.stored import Stored, row_id

D = Decimal
DIMENSIONS = ("ASSET_CLASS", "SYMBOL", "CURRENCY", "ACCOUNT", "PORTFOLIO")
SLICES = """by currency totalValue targetSource
  slices { label isCash currency value cashValue unpricedPositionCount weight targetWeight drift assetClass
    symbol accountId portfolioId }
  unavailable { figure reason positionId }"""
ALL = f"""query($by: AllocationDimension!) {{ me {{ allocation(by: $by) {{ {SLICES} }}
  accounts {{ nodes {{ id name totalValue allocation(by: $by) {{ {SLICES} }}
    portfolios {{ nodes {{ id name cashWeight positions {{ nodes {{ id symbol weight }} }}
      allocation(by: $by) {{ {SLICES} }} }} }} }} }} }} }}"""


@pytest.fixture(scope="module", autouse=True)
def market(stored: Stored) -> None:
    """Two shares, a bond, one without a price and one in euros."""
    for symbol, price in (("ABC", "100"), ("XYZ", "7"), ("BND", "30"), ("LATE", None), ("NEW", "1")):
        stored.instrument(symbol, price)
    stored.instrument("EURO", "2", currency="EUR")
    stored.run("UPDATE instruments SET asset_class = 'BOND' WHERE symbol = 'BND'")


def bought(api: Api, portfolio: str, **quantities: int) -> None:
    for symbol, quantity in quantities.items():
        shares = {"symbol": symbol, "quantity": str(quantity), "price": "1"}
        recorded(api, portfolio, "BUY", "2024-05-02", **shares)


def funded(api: Api, account: str, name: str, cash: str, **settings: Any) -> str:
    portfolio = open_portfolio(api, account, name, **settings)
    recorded(api, portfolio, "DEPOSIT", "2024-05-01", amount=cash)
    return portfolio


def values(allocation: Any) -> dict[str, tuple[Any, Any]]:
    return {slice["label"]: (slice["value"], slice["weight"]) for slice in allocation["slices"]}


def of_one(api: Api, by: str, **more: Any) -> Any:
    """The allocation of the user's only portfolio."""
    return api.data(ALL, by=by, **more)["me"]["accounts"]["nodes"][0]["portfolios"]["nodes"][0]["allocation"]


def test_every_dimension_at_every_level(api: Api) -> None:
    one = open_account(api, "One", initialBalance="30")
    two = open_account(api, "Two")
    bought(api, funded(api, one, "First", "103"), ABC=1, XYZ=2)
    bought(api, funded(api, one, "Second", "7"), ABC=2)
    bought(api, funded(api, two, "Third", "11"), BND=1)
    found = {by: api.data(ALL, by=by)["me"] for by in DIMENSIONS}

    def of_user(by: str) -> dict[str, tuple[Any, Any]]:
        return values(found[by]["allocation"])

    # 100 in the first, with 100 of cash, 200 and 5, 30 and 10, and 30 that nobody has been given.
    assert of_user("SYMBOL") == {
        "ABC": ("300", "0.6134969325"),
        "BND": ("30", "0.0613496933"),
        "XYZ": ("14", "0.0286298569"),
        "CASH": ("145", "0.2965235173"),
    }
    assert of_user("ASSET_CLASS") == {
        "EQUITY": ("314", "0.6421267894"),
        "BOND": ("30", "0.0613496933"),
        "CASH": ("145", "0.2965235173"),
    }
    assert of_user("CURRENCY") == {"USD": ("489", "1")}
    # Halves go away from zero, and the largest takes what rounding leaves.
    assert of_user("ACCOUNT") == {"One": ("449", "0.918200409"), "Two": ("40", "0.081799591")}
    assert of_user("PORTFOLIO") == {
        "First": ("214", "0.4376278119"),
        "Second": ("205", "0.4192229039"),
        "Third": ("40", "0.081799591"),
        "CASH": ("30", "0.0613496932"),
    }
    (first, _) = found["PORTFOLIO"]["accounts"]["nodes"]
    assert values(first["allocation"])["First"][0] == "214"
    accounts = found["ACCOUNT"]["accounts"]["nodes"]
    portfolios = accounts[0]["portfolios"]["nodes"]
    slices = found["ACCOUNT"]["allocation"]["slices"]
    assert [slice["accountId"] for slice in slices] == [account["id"] for account in accounts]
    slices = found["PORTFOLIO"]["allocation"]["slices"]
    assert [slice["portfolioId"] for slice in slices[:2]] == [portfolio["id"] for portfolio in portfolios]
    assert found["SYMBOL"]["allocation"]["slices"][0]["symbol"] == "ABC"
    assert found["ASSET_CLASS"]["allocation"]["slices"][0]["assetClass"] == "EQUITY"
    assert [s["cashValue"] for s in found["ACCOUNT"]["allocation"]["slices"]] == ["135", "10"]
    for by, user in found.items():
        accounts = user["accounts"]["nodes"]
        inner = [p["allocation"] for a in accounts for p in a["portfolios"]["nodes"]]
        for allocation in (user["allocation"], *(a["allocation"] for a in accounts), *inner):
            assert sum(D(slice["weight"]) for slice in allocation["slices"]) == 1
            assert sum(D(slice["value"]) for slice in allocation["slices"]) == D(allocation["totalValue"])
            assert (allocation["by"], allocation["currency"]) == (by, "USD")
        for account in accounts:
            assert account["allocation"]["totalValue"] == account["totalValue"]
    for account in found["SYMBOL"]["accounts"]["nodes"]:
        for portfolio in account["portfolios"]["nodes"]:
            # The very weights that positions and cash have.
            held = {p["symbol"]: p["weight"] for p in portfolio["positions"]["nodes"]}
            held["CASH"] = portfolio["cashWeight"]
            slices = portfolio["allocation"]["slices"]
            assert {slice["label"]: slice["weight"] for slice in slices} == held


def test_targets_of_the_owner(api: Api) -> None:
    targets = weights({"ABC": "0.5", "NEW": "0.2", "BND": "0.1"})
    settings = {"strategy": "CUSTOM", "targetWeights": targets}
    portfolio = funded(api, open_account(api), "Own", "101", **settings)
    bought(api, portfolio, ABC=1, XYZ=10, BND=1)
    # Worth 100 + 70 + 30, and 89 in cash.
    found = of_one(api, "SYMBOL")
    assert found["targetSource"] == "OWNER"
    assert [s["label"] for s in found["slices"]] == ["ABC", "XYZ", "BND", "NEW", "CASH"]
    told = {s["label"]: (s["weight"], s["targetWeight"], s["drift"]) for s in found["slices"]}
    assert told == {
        "ABC": ("0.3460207612", "0.5", "-0.1539792388"),
        "XYZ": ("0.2422145329", "0", "0.2422145329"),
        "BND": ("0.1038062284", "0.1", "0.0038062284"),
        "NEW": ("0", "0.2", "-0.2"),
        "CASH": ("0.3079584775", "0.2", "0.1079584775"),
    }
    assert found["unavailable"] == []
    by_class = {s["label"]: s["targetWeight"] for s in of_one(api, "ASSET_CLASS")["slices"]}
    assert by_class == {"EQUITY": "0.7", "BOND": "0.1", "CASH": "0.2"}
    # What the plan would aim for: scaled where the reserve wants more cash.
    payload = mutate(api, "updatePortfolio", "portfolio { id }", portfolioId=portfolio, cashReserve="0.6")
    assert payload["userErrors"] == []
    found = of_one(api, "SYMBOL")
    assert {s["label"]: s["targetWeight"] for s in found["slices"]} == {
        "ABC": "0.25", "NEW": "0.1", "BND": "0.05", "XYZ": "0", "CASH": "0.6",
    }  # fmt: skip
    nowhere = of_one(api, "CURRENCY")
    assert [(one["figure"], one["reason"]) for one in nowhere["unavailable"]] == [
        ("TARGET_WEIGHT", "NO_TARGETS")
    ]
    assert (nowhere["targetSource"], nowhere["slices"][0]["targetWeight"]) == (None, None)


def test_targets_of_the_last_rebalance(api: Api, stored: Stored) -> None:
    portfolio = funded(api, open_account(api), "Equal", "101")
    bought(api, portfolio, ABC=1)
    found = of_one(api, "SYMBOL")
    assert (found["targetSource"], found["slices"][0]["drift"]) == (None, None)
    insert = """INSERT INTO rebalance_history (owner_id, id, portfolio_id, strategy, status, trigger,
            turnover, total_cost, target_weights)
        SELECT owner_id, ('00000000-0000-7000-8000-00000000000' || $2)::uuid, id, $3, 'COMPLETED', 'MANUAL',
               0, 0, $4::text::jsonb FROM portfolios WHERE id = $1"""
    runs = (
        ("1", "EQUAL_WEIGHT", '{"ABC": "0.9"}'),
        ("2", "EQUAL_WEIGHT", '{"ABC": "0.4", "XYZ": "0.4"}'),
        # Of another strategy, and without any: neither is what the portfolio's strategy wants.
        ("3", "MIN_VARIANCE", '{"ABC": "0.1"}'),
        ("4", "EQUAL_WEIGHT", None),
    )
    for run in runs:
        stored.rows(insert, row_id(portfolio), *run)
    found = of_one(api, "SYMBOL")
    assert found["targetSource"] == "LAST_REBALANCE"
    told = {s["label"]: (s["targetWeight"], s["drift"]) for s in found["slices"]}
    assert told == {"ABC": ("0.4", "0.1"), "XYZ": ("0.4", "-0.4"), "CASH": ("0.2", "0.3")}
    # At an account there is nothing to hold it against.
    account = api.data(ALL, by="SYMBOL")["me"]["accounts"]["nodes"][0]["allocation"]
    assert [(one["figure"], one["reason"]) for one in account["unavailable"]] == [
        ("TARGET_WEIGHT", "NO_TARGETS")
    ]


def test_what_has_no_price_is_listed(api: Api) -> None:
    """Neither a quote nor a trade: a purchase would be a price."""
    portfolio = funded(api, open_account(api), "Dark", "101")
    bought(api, portfolio, ABC=1)
    recorded(api, portfolio, "TRANSFER_IN", "2024-05-02", symbol="LATE", quantity="2", amount="2")
    by_symbol, by_class = of_one(api, "SYMBOL"), of_one(api, "ASSET_CLASS")
    assert values(by_symbol) == {"ABC": ("100", "0.5"), "LATE": (None, None), "CASH": ("100", "0.5")}
    assert values(by_class) == {"EQUITY": ("100", "0.5"), "CASH": ("100", "0.5")}
    assert by_class["slices"][0]["unpricedPositionCount"] == 1
    (dark,) = api.data(ALL, by="SYMBOL")["me"]["accounts"]["nodes"][0]["portfolios"]["nodes"]
    ids = {position["symbol"]: position["id"] for position in dark["positions"]["nodes"]}
    for found in (by_symbol, by_class):
        assert found["unavailable"][0] == {
            "figure": "VALUE", "reason": "NO_PRICES", "positionId": ids["LATE"],
        }  # fmt: skip


def test_several_currencies_are_not_added_up(api: Api) -> None:
    bought(api, funded(api, open_account(api, "Dollars"), "D", "10"), ABC=1)
    bought(api, funded(api, open_account(api, "Euros", currency="EUR"), "E", "10"), EURO=4)
    found = api.data(ALL, by="ASSET_CLASS")["me"]["allocation"]
    told = {(s["label"], s["currency"]): (s["value"], s["weight"]) for s in found["slices"]}
    assert told == {
        ("EQUITY", "USD"): ("100", None),
        ("EQUITY", "EUR"): ("8", None),
        ("CASH", "USD"): ("9", None),
        ("CASH", "EUR"): ("6", None),
    }
    assert (found["currency"], found["totalValue"]) == (None, None)
    reasons = {one["figure"]: one["reason"] for one in found["unavailable"]}
    assert reasons == {"WEIGHT": "SEVERAL_CURRENCIES", "TARGET_WEIGHT": "SEVERAL_CURRENCIES"}
    by_currency = api.data(ALL, by="CURRENCY")["me"]["allocation"]
    assert {s["label"]: s["value"] for s in by_currency["slices"]} == {"USD": "109", "EUR": "14"}


@pytest.mark.parametrize("by", DIMENSIONS)
def test_nothing_has_no_weights(api: Api, by: str) -> None:
    found = api.data(ALL, by=by)["me"]["allocation"]
    assert (found["slices"], found["totalValue"], found["currency"]) == ([], "0", None)
    open_account(api)
    found = api.data(ALL, by=by)["me"]["allocation"]
    assert [(s["value"], s["weight"]) for s in found["slices"]] == [("0", None)]
    assert {one["figure"]: one["reason"] for one in found["unavailable"]} == {
        "WEIGHT": "NO_VALUE", "TARGET_WEIGHT": "NO_TARGETS",
    }  # fmt: skip

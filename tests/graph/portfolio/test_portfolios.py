"""Portfolios over the API: opening, changing setting by setting, archiving."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import cash, key, mutate, open_account, open_portfolio, record, refused, weights
from tests.graph.stored import Stored

SETTINGS = """portfolio { name strategy riskTolerance maxPositionSize autoRebalance rebalanceFrequency
  driftBand symbols targetWeights { symbol weight instrument { symbol } } isActive cashBalance currency }"""


@pytest.fixture(scope="module")
def api(register: Callable[[], Api], stored: Stored) -> Api:
    stored.instrument("AAPL", "10")
    stored.instrument("IBM", "20")
    return register()


@pytest.fixture(scope="module")
def account_id(api: Api) -> str:
    return open_account(api, initialBalance="100", currency="EUR")


def change(api: Api, id: str, **input: Any) -> Any:
    """The payload of updatePortfolio."""
    return mutate(api, "updatePortfolio", SETTINGS, portfolioId=id, **input)


def test_opening(api: Api, account_id: str) -> None:
    given: dict[str, Any] = {
        "accountId": account_id,
        "name": " Growth ",
        "strategy": "CUSTOM",
        "initialCash": "60.5",
    }
    given |= {
        "symbols": ["IBM", "AAPL"],
        "targetWeights": weights({"AAPL": "0.6", "IBM": "0.40"}),
        "driftBand": "0.05",
    }
    created = mutate(api, "createPortfolio", SETTINGS, **given)
    assert created == {
        "portfolio": {
            "name": "Growth",
            "strategy": "CUSTOM",
            "riskTolerance": "0.5",
            "maxPositionSize": "1",
            "autoRebalance": False,
            "rebalanceFrequency": "MONTHLY",
            "driftBand": "0.05",
            "symbols": ["IBM", "AAPL"],
            "targetWeights": [
                {"symbol": "AAPL", "weight": "0.6", "instrument": {"symbol": "AAPL"}},
                {"symbol": "IBM", "weight": "0.4", "instrument": {"symbol": "IBM"}},
            ],
            "isActive": True,
            "cashBalance": "60.5",
            "currency": "EUR",
        },
        "userErrors": [],
    }
    assert refused(mutate(api, "createPortfolio", SETTINGS, **given))["code"] == "NAME_TAKEN"
    query = "query($id: ID!) { node(id: $id) { ... on Account { unallottedCash cashBalance } } }"
    assert api.data(query, id=account_id)["node"] == {"unallottedCash": "39.5", "cashBalance": "100"}
    error = refused(mutate(api, "createPortfolio", SETTINGS, **given | {"name": "More"}))
    assert (error["field"], error["shortfall"]) == (["input", "initialCash"], "21")
    assert api.data(query, id=account_id)["node"] == {"unallottedCash": "39.5", "cashBalance": "100"}


def test_changing_setting_by_setting(api: Api, account_id: str) -> None:
    id = open_portfolio(api, account_id, "Changing", driftBand="0.1", symbols=["AAPL"])
    before = change(api, id)["portfolio"]
    assert change(api, id, driftBand=None)["portfolio"] == before | {"driftBand": None}
    before = change(api, id, symbols=None, riskTolerance="0")["portfolio"]
    assert (before["symbols"], before["riskTolerance"], before["name"]) == (None, "0", "Changing")
    for name in (
        "name",
        "strategy",
        "riskTolerance",
        "maxPositionSize",
        "autoRebalance",
        "rebalanceFrequency",
    ):
        error = refused(change(api, id, **{name: None}))
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", name])
    assert refused(change(api, id, strategy="CUSTOM"))["field"] == ["input", "targetWeights"]
    custom = change(api, id, strategy="CUSTOM", targetWeights=weights({"AAPL": "1"}))["portfolio"]
    (weight,) = custom["targetWeights"]
    assert weight == {"symbol": "AAPL", "weight": "1", "instrument": {"symbol": "AAPL"}}
    assert custom == before | {"strategy": "CUSTOM", "targetWeights": [weight]}
    # Nothing but CUSTOM in the row, and nothing to change: still an answer.
    assert change(api, id) == {"portfolio": custom, "userErrors": []}
    assert change(api, id, strategy="MIN_CVAR")["portfolio"] == before | {"strategy": "MIN_CVAR"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("riskTolerance", "1.1"),
        ("riskTolerance", "-0.1"),
        ("maxPositionSize", "0"),
        ("driftBand", "0"),
        ("driftBand", "1.0000000001"),
        ("initialCash", "-1"),
        ("symbols", ["AAPL", "AAPL"]),
        ("symbols", ["AAPL", "NONE"]),
        ("symbols", [f"S{n}" for n in range(501)]),
        ("targetWeights", weights({"AAPL": "1"})),
    ],
)
def test_settings_that_are_refused(api: Api, account_id: str, setting: str, value: Any) -> None:
    given = {"accountId": account_id, "name": "Refused", "strategy": "EQUAL_WEIGHT", setting: value}
    error = refused(mutate(api, "createPortfolio", SETTINGS, **given))
    assert error["field"] == ["input", setting]
    assert error["code"] in ("INVALID_INPUT", "UNKNOWN_INSTRUMENT")


@pytest.mark.parametrize(
    "targets",
    [
        None,
        [],
        weights({"AAPL": "-0.1"}),
        weights({"AAPL": "1.1"}),
        weights({"AAPL": "0.12345678901"}),
        weights({"AAPL": "0.6", "IBM": "0.4000000001"}),
        weights({"NONE": "0.5"}),
        weights({"AAPL": "0.5"}) * 2,
    ],
    ids=repr,
)
def test_target_weights_that_are_refused(api: Api, account_id: str, targets: Any) -> None:
    given = {"accountId": account_id, "name": "Custom", "strategy": "CUSTOM", "targetWeights": targets}
    assert refused(mutate(api, "createPortfolio", SETTINGS, **given))["field"] == ["input", "targetWeights"]


def test_who_only_tracks_needs_no_strategy(api: Api, account_id: str) -> None:
    """It is the default; nothing is rebalanced without one, by hand or by itself."""
    made = mutate(api, "createPortfolio", f"{SETTINGS[:-1]} id }}", accountId=account_id, name="Tracked")
    portfolio = made["portfolio"]
    id = portfolio.pop("id")
    assert (portfolio["strategy"], portfolio["autoRebalance"]) == ("NONE", False)
    plan = """query($id: ID!, $strategy: Strategy) { node(id: $id) { ... on Portfolio {
        rebalancePlan(strategy: $strategy) { strategy } } } }"""
    rebalance = "rebalance { strategy status }"
    for given in ({}, {"strategy": "NONE"}):
        (error,) = api.post(plan, id=id, **given)["errors"]
        assert error["extensions"]["code"] == "NO_STRATEGY"
        refusal = refused(
            mutate(api, "rebalancePortfolio", rebalance, portfolioId=id, idempotencyKey=key(), **given)
        )
        assert (refusal["__typename"], refusal["code"]) == ("NoStrategy", "NO_STRATEGY")
        assert refusal["field"] == ["input", "strategy"]
    automatic = refused(change(api, id, autoRebalance=True))
    assert (automatic["code"], automatic["field"]) == ("INVALID_INPUT", ["input", "strategy"])
    assert refused(change(api, id, targetWeights=weights({"AAPL": "1"})))["code"] == "INVALID_INPUT"
    chosen = change(api, id, strategy="EQUAL_WEIGHT", autoRebalance=True)["portfolio"]
    assert chosen == portfolio | {"strategy": "EQUAL_WEIGHT", "autoRebalance": True}
    assert refused(change(api, id, strategy="NONE"))["code"] == "INVALID_INPUT"
    assert change(api, id, strategy="NONE", autoRebalance=False)["portfolio"] == portfolio
    wrong = {"accountId": account_id, "name": "Automatic", "autoRebalance": True}
    assert refused(mutate(api, "createPortfolio", SETTINGS, **wrong))["field"] == ["input", "strategy"]


def test_opened_once(api: Api) -> None:
    """With a key a retry answers with what was opened, and other arguments are refused."""
    given = {"name": "Once", "initialBalance": "10", "idempotencyKey": key()}
    opened = [mutate(api, "createAccount", "account { id cashBalance }", **given) for _ in range(2)]
    assert opened[0] == opened[1]
    assert opened[0]["account"]["cashBalance"] == "10"
    other = mutate(api, "createAccount", "account { id }", **given | {"initialBalance": "11"})
    assert refused(other)["code"] == "IDEMPOTENCY_MISMATCH"
    inside = {"accountId": opened[0]["account"]["id"], "name": "Once", "initialCash": "4"}
    inside |= {"idempotencyKey": key()}
    made = [mutate(api, "createPortfolio", "portfolio { id cashBalance }", **inside) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0]["portfolio"]["cashBalance"] == "4"
    other = mutate(api, "createPortfolio", "portfolio { id }", **inside | {"initialCash": "5"})
    assert refused(other)["code"] == "IDEMPOTENCY_MISMATCH"
    assert refused(mutate(api, "createPortfolio", "portfolio { id }", **inside | {"idempotencyKey": "x"}))[
        "field"
    ] == ["input", "idempotencyKey"]


def test_archiving(api: Api, account_id: str) -> None:
    id = open_portfolio(api, account_id, "Archived")
    archived = mutate(api, "archivePortfolio", "portfolio { isActive }", portfolioId=id)
    assert archived == {"portfolio": {"isActive": False}, "userErrors": []}
    assert writes(api, account_id, id) == ["PORTFOLIO_INACTIVE"] * 3
    restored = mutate(api, "restorePortfolio", "portfolio { isActive }", portfolioId=id)
    assert restored == {"portfolio": {"isActive": True}, "userErrors": []}
    assert writes(api, account_id, id) == [None] * 3
    closed = mutate(api, "archiveAccount", "account { isActive }", accountId=account_id)
    assert closed == {"account": {"isActive": False}, "userErrors": []}
    assert writes(api, account_id, id) == ["ACCOUNT_INACTIVE"] * 3
    given = {"accountId": account_id, "name": "Late", "strategy": "EQUAL_WEIGHT"}
    assert refused(mutate(api, "createPortfolio", SETTINGS, **given))["code"] == "ACCOUNT_INACTIVE"
    assert refused(cash(api, "withdraw", account_id, "1"))["code"] == "ACCOUNT_INACTIVE"
    opened = mutate(api, "restoreAccount", "account { isActive }", accountId=account_id)
    assert opened == {"account": {"isActive": True}, "userErrors": []}
    assert writes(api, account_id, id) == [None] * 3


def writes(api: Api, account_id: str, id: str) -> list[str | None]:
    """The codes that every kind of write to the portfolio is refused with."""
    moved = {"accountId": account_id, "toPortfolioId": id, "amount": "1", "idempotencyKey": key()}
    payloads = [
        cash(api, "deposit", account_id, "1", portfolioId=id),
        record(api, id, "INTEREST", "2024-05-01", amount="1"),
        mutate(api, "transferCash", "transaction { id }", **moved),
    ]
    return [payload["userErrors"][0]["code"] if payload["userErrors"] else None for payload in payloads]

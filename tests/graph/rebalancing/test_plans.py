"""Dry runs over the API, on the prices that come with it: a strategy's weights, the trades, the refusals."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from investing.market.loading import load_market_data
from tests.graph.conftest import Api, now
from tests.graph.doing import archive, cash, key, mutate, open_account, open_portfolio, recorded, refused
from tests.graph.stored import Stored

TWENTY = "AMD BAC BBY CVX GE HD JNJ JPM KO LLY MRK PEP PFE PG RRC UNH WMT XOM".split()

PLAN = """query($id: ID!, $strategy: Strategy, $buyOnly: Boolean! = false) {
  node(id: $id) { ... on Portfolio { rebalancePlan(strategy: $strategy, buyOnly: $buyOnly) {
    strategy planHash cashWeight currentCashWeight totalValue turnover estimatedCost cashAfter currency
    estimatedRealizedPnl fifo: estimatedRealizedPnl(method: FIFO)
    targets { symbol currentWeight targetWeight drift } skipped { symbol reason }
    trades { symbol side quantity estimatedPrice estimatedAmount estimatedCost
      estimatedRealizedPnl fifo: estimatedRealizedPnl(method: FIFO) } } } } }"""


@pytest.fixture(scope="module", autouse=True)
def prices(owner_url: str) -> None:
    load_market_data(owner_url, lambda step, done, total: None)


@pytest.fixture(scope="module")
def api(register: Callable[[], Api]) -> Api:
    return register()


@pytest.fixture(scope="module")
def account_id(api: Api) -> str:
    return open_account(api, initialBalance="1000000")


@pytest.fixture
def opened(api: Api, account_id: str) -> Callable[..., str]:
    """Opens a portfolio with 10,000 in cash, and says its id."""

    def portfolio(**given: Any) -> str:
        return open_portfolio(api, account_id, key(), **{"initialCash": "10000", **given})

    return portfolio


def plan(api: Api, id: str, **variables: Any) -> Any:
    """The plan that there is."""
    return api.data(PLAN, id=id, **variables)["node"]["rebalancePlan"]


def no_plan(api: Api, id: str, **variables: Any) -> Any:
    """The extensions of the one error of a plan that there is not, which is null."""
    answer = api.post(PLAN, id=id, **variables)
    assert answer["data"] == {"node": {"rebalancePlan": None}}
    (error,) = answer["errors"]
    assert error["path"] == ["node", "rebalancePlan"]
    return error["extensions"]


def weights(found: Any) -> dict[str, Decimal]:
    """The target weights by symbol."""
    return {target["symbol"]: Decimal(target["targetWeight"]) for target in found["targets"]}


def buy(api: Api, id: str, symbol: str, quantity: str, price: str) -> None:
    recorded(api, id, "BUY", now(), symbol=symbol, quantity=quantity, price=price)


@pytest.mark.parametrize(
    "strategy", ["MAX_SHARPE", "MIN_VARIANCE", "RISK_PARITY", "HIERARCHICAL_RISK_PARITY", "MIN_CVAR"]
)
def test_a_strategy_becomes_trades(api: Api, opened: Callable[..., str], strategy: str) -> None:
    id = opened(
        strategy=strategy, symbols=TWENTY, riskTolerance="1", maxPositionSize="0.3", lookBackDays=2520
    )
    found = plan(api, id)
    assert (found["strategy"], found["totalValue"], found["currency"]) == (strategy, "10000", "USD")
    assert found["currentCashWeight"] == "1"
    by_symbol = weights(found)
    assert sum(by_symbol.values()) == 1
    assert max(by_symbol.values()) <= Decimal("0.3")
    assert {trade["side"] for trade in found["trades"]} == {"BUY"}
    spent = sum(Decimal(trade["estimatedAmount"]) for trade in found["trades"])
    assert Decimal(found["cashAfter"]) == 10000 - spent
    assert 0 <= 10000 - spent < 1
    for trade in found["trades"]:
        assert abs(Decimal(trade["estimatedAmount"]) - by_symbol[trade["symbol"]] * 10000) < Decimal("0.01")
    # The same question, the same answer.
    assert plan(api, id) == found
    # Another strategy for once.
    assert plan(api, id, strategy="EQUAL_WEIGHT")["targets"][0]["targetWeight"] == "0.055555"


def test_what_is_held_becomes_what_is_wanted(api: Api, opened: Callable[..., str], stored: Stored) -> None:
    for symbol, price in (("ONE", "10"), ("TWO", "20"), ("OLD", "50")):
        stored.instrument(symbol, price)
    id = opened(
        strategy="CUSTOM",
        symbols=["ONE", "TWO"],
        targetWeights=[{"symbol": "ONE", "weight": "0.5"}, {"symbol": "TWO", "weight": "0.25"}],
        initialCash="1000",
        fractionalShares=False,
    )
    buy(api, id, "OLD", "4", "40")
    buy(api, id, "OLD", "4", "60")
    buy(api, id, "TWO", "5", "19")
    found = plan(api, id)
    # 505 of cash, 400 of OLD, 100 of TWO.
    assert found["totalValue"] == "1005"
    assert found["targets"] == [
        {"symbol": "OLD", "currentWeight": "0.3980099502", "targetWeight": "0", "drift": "0.3980099502"},
        {"symbol": "ONE", "currentWeight": "0", "targetWeight": "0.5", "drift": "-0.5"},
        {"symbol": "TWO", "currentWeight": "0.0995024876", "targetWeight": "0.25", "drift": "-0.1504975124"},
    ]
    assert (found["cashWeight"], found["currentCashWeight"]) == ("0.25", "0.5024875622")
    assert found["trades"] == [
        {
            "symbol": symbol,
            "side": side,
            "quantity": quantity,
            "estimatedPrice": price,
            "estimatedAmount": amount,
            "estimatedCost": "0",
            "estimatedRealizedPnl": "0",
            "fifo": "0",
        }
        for symbol, side, quantity, price, amount in (
            ("OLD", "SELL", "8", "50", "400"),
            ("ONE", "BUY", "50", "10", "500"),
            ("TWO", "BUY", "8", "20", "160"),
        )
    ]
    # TWO lacks 151.25: eight are 8.75 too much, seven 11.25 too little. 1060 / 1005 are traded.
    assert (found["cashAfter"], found["turnover"]) == ("245", "1.0547263682")
    assert plan(api, id, buyOnly=True)["skipped"] == [{"symbol": "OLD", "reason": "BUY_ONLY"}]
    # The gain of a sale of half is given by both methods.
    mutate(api, "updatePortfolio", "portfolio { id }", portfolioId=id, maxTrade="0.2")
    sale = plan(api, id)["trades"][0]
    assert (sale["quantity"], sale["estimatedRealizedPnl"], sale["fifo"]) == ("4", "0", "40")


def test_the_hash_moves_with_prices_holdings_and_settings(
    api: Api, opened: Callable[..., str], stored: Stored
) -> None:
    stored.instrument("MOVE", "10")
    id = opened(strategy="EQUAL_WEIGHT", symbols=["MOVE"])
    hashes = [plan(api, id)["planHash"], plan(api, id)["planHash"]]
    assert hashes[0] == hashes[1]
    stored.instrument("MOVE", "10.01")
    hashes.append(plan(api, id)["planHash"])
    buy(api, id, "MOVE", "1", "10")
    hashes.append(plan(api, id)["planHash"])
    mutate(api, "updatePortfolio", "portfolio { id }", portfolioId=id, driftBand="0.5")
    hashes.append(plan(api, id)["planHash"])
    assert len(set(hashes)) == 4


def test_within_the_band_nothing_is_traded(api: Api, opened: Callable[..., str], stored: Stored) -> None:
    stored.instrument("NEAR", "10")
    stored.instrument("FAR", "10")
    id = opened(strategy="EQUAL_WEIGHT", symbols=["FAR", "NEAR"], driftBand="0.05", initialCash="1000")
    buy(api, id, "NEAR", "52", "10")
    buy(api, id, "FAR", "48", "10")
    found = plan(api, id)
    assert (found["trades"], found["turnover"], found["cashAfter"]) == ([], "0", "0")
    assert [one["reason"] for one in found["skipped"]] == ["IN_BAND", "IN_BAND"]
    mutate(api, "updatePortfolio", "portfolio { id }", portfolioId=id, relativeDriftBand="0.02")
    assert [trade["side"] for trade in plan(api, id)["trades"]] == ["SELL", "BUY"]


def test_open_orders_keep_what_they_have_reserved(
    api: Api, opened: Callable[..., str], stored: Stored
) -> None:
    stored.instrument("BUSY", "10")
    stored.instrument("FREE", "10")
    id = opened(strategy="EQUAL_WEIGHT", symbols=["BUSY", "FREE"], initialCash="1000")
    given = {"portfolioId": id, "symbol": "BUSY", "side": "BUY", "type": "LIMIT", "limitPrice": "5"}
    placed = mutate(api, "placeOrder", "order { id status }", **given, quantity="40", idempotencyKey=key())
    assert placed["order"]["status"] == "ACCEPTED"
    # 200 are reserved for 40 of BUSY, which are worth 400 of the 500 that it is to have.
    trades = [(trade["symbol"], trade["quantity"]) for trade in plan(api, id)["trades"]]
    assert trades == [("BUSY", "10"), ("FREE", "50")]
    assert cash(api, "withdraw", account_of(api, id), "400", portfolioId=id)["userErrors"] == []
    # 600 together, 400 of them to spend: 300 for each, of which BUSY has more coming.
    found = plan(api, id)
    assert [(trade["symbol"], trade["quantity"]) for trade in found["trades"]] == [("FREE", "30")]
    assert found["skipped"] == [{"symbol": "BUSY", "reason": "OPEN_ORDERS"}]


def account_of(api: Api, id: str) -> str:
    query = "query($id: ID!) { node(id: $id) { ... on Portfolio { account { id } } } }"
    return str(api.data(query, id=id)["node"]["account"]["id"])


def test_too_little_history(api: Api, opened: Callable[..., str]) -> None:
    # FB came to the market in 2012, and the raw series end in 2013.
    id = opened(strategy="MIN_VARIANCE", symbols=["FB", "IBM"])
    assert no_plan(api, id) == {
        "code": "INSUFFICIENT_HISTORY",
        "symbol": "FB",
        "availableDays": 195,
        "requiredDays": 756,
        "lastDate": "2013-03-01",
    }
    mutate(api, "updatePortfolio", "portfolio { id }", portfolioId=id, lookBackDays=195)
    assert sum(weights(plan(api, id)).values()) == 1
    # Returns that all of them have, but of ten years ago, would be a plan for then.
    id = opened(strategy="MIN_VARIANCE", symbols=["IBM", "JNJ"])
    assert no_plan(api, id)["lastDate"] == "2013-03-01"


def test_what_else_there_is_no_plan_for(api: Api, opened: Callable[..., str], stored: Stored) -> None:
    for symbol in ("BARE", "LONE", "TWINA", "TWINB"):
        stored.instrument(symbol, "10")
    stored.instrument("MUTE")
    closes = [str(100 + (day * 37 % 11)) for day in range(61)]
    for symbol in ("LONE", "TWINA", "TWINB", "MUTE"):
        stored.bars(symbol, dt.date(2022, 1, 1), closes)
    fifty = {"lookBackDays": 60, "strategy": "RISK_PARITY"}
    assert no_plan(api, opened(**fifty, symbols=["BARE", "LONE"])) == {"code": "NO_PRICE", "symbol": "BARE"}
    assert no_plan(api, opened(**fifty, symbols=["MUTE"])) == {"code": "NO_PRICE", "symbol": "MUTE"}
    assert no_plan(api, opened(**fifty, symbols=["TWINA", "TWINB"])) == {
        "code": "SINGULAR_COVARIANCE",
        "symbols": ["TWINA", "TWINB"],
    }
    assert no_plan(
        api, opened(strategy="EQUAL_WEIGHT", symbols=["BARE", "LONE"], maxPositionSize="0.49")
    ) == {
        "code": "INFEASIBLE_CAP",
        "positions": 2,
        "maxPositionSize": "0.49",
        "leastSize": "0.5",
    }
    # 61 closes have 60 returns, but for the one from the close of 0 on.
    stored.instrument("LOST", "10")
    stored.bars("LOST", dt.date(2022, 1, 1), [*closes[:30], "0", *closes[31:]])
    lost = {"code": "INSUFFICIENT_HISTORY", "symbol": "LOST", "availableDays": 59, "requiredDays": 60}
    for symbols in (["LOST"], ["LONE", "LOST"]):
        assert no_plan(api, opened(**fifty, symbols=symbols)) == {**lost, "lastDate": "2022-03-02"}
    assert no_plan(api, opened(strategy="MIN_CVAR"))["code"] == "EMPTY_UNIVERSE"
    poor = opened(strategy="EQUAL_WEIGHT", symbols=["BARE"], initialCash="0")
    assert no_plan(api, poor) == {"code": "WORTH_NOTHING", "totalValue": "0"}
    assert no_plan(api, poor, strategy="CUSTOM")["code"] == "INVALID_INPUT"
    steep = {
        "strategy": "CUSTOM",
        "targetWeights": [{"symbol": "BARE", "weight": "0.5"}],
        "maxPositionSize": "0.4",
    }
    assert no_plan(api, opened(**steep))["code"] == "INVALID_INPUT"
    archive(api, poor)
    assert no_plan(api, poor)["code"] == "PORTFOLIO_INACTIVE"


def test_no_gain_no_sharpe_ratio(api: Api, opened: Callable[..., str], stored: Stored) -> None:
    stored.instrument("FALL", "10")
    stored.bars("FALL", dt.date(2022, 1, 1), [str(200 - day - day * 37 % 11) for day in range(61)])
    stored.instrument("DROP", "10")
    stored.bars("DROP", dt.date(2022, 1, 1), [str(300 - day - day * 41 % 13) for day in range(61)])
    id = opened(strategy="MAX_SHARPE", symbols=["DROP", "FALL"], lookBackDays=60)
    assert no_plan(api, id) == {"code": "NO_EXCESS_RETURN"}


def test_another_currency(api: Api, stored: Stored) -> None:
    account = open_account(api, "Euros", initialBalance="1000", currency="EUR")
    stored.instrument("DOLLAR", "10")
    id = open_portfolio(api, account, symbols=["DOLLAR"], initialCash="1000")
    assert no_plan(api, id) == {"code": "CURRENCY_MISMATCH", "expected": "EUR", "actual": "USD"}


def test_a_plan_is_no_strangers(api: Api, opened: Callable[..., str], register: Callable[[], Api]) -> None:
    id = opened(strategy="EQUAL_WEIGHT", symbols=["JNJ"])
    assert register().data(PLAN, id=id) == {"node": None}


def test_many_plans_in_one_question_cost_too_much(api: Api) -> None:
    plans = " ".join(f"a{n}: rebalancePlan {{ planHash }}" for n in range(60))
    query = f"{{ me {{ accounts {{ nodes {{ portfolios {{ nodes {{ {plans} }} }} }} }} }} }}"
    assert api.codes(query) == ["QUERY_TOO_COMPLEX"]


SETTINGS = """portfolio { fractionalShares minimumTrade relativeDriftBand cashReserve maxTrade maxTurnover
  lookBackDays taxAware }"""
GIVEN = {
    "fractionalShares": False,
    "minimumTrade": "25.5",
    "relativeDriftBand": "0.25",
    "cashReserve": "0.02",
    "maxTrade": "0.1",
    "maxTurnover": "1.5",
    "lookBackDays": 252,
    "taxAware": True,
}


def test_settings(api: Api, opened: Callable[..., str], stored: Stored) -> None:
    id = opened(strategy="EQUAL_WEIGHT")
    assert mutate(api, "updatePortfolio", SETTINGS, portfolioId=id)["portfolio"] == {
        "fractionalShares": True,
        "minimumTrade": "0",
        "relativeDriftBand": None,
        "cashReserve": "0",
        "maxTrade": None,
        "maxTurnover": None,
        "lookBackDays": 756,
        "taxAware": False,
    }
    assert mutate(api, "updatePortfolio", SETTINGS, portfolioId=id, **GIVEN)["portfolio"] == GIVEN
    off = mutate(api, "updatePortfolio", SETTINGS, portfolioId=id, maxTrade=None, relativeDriftBand=None)
    assert off["portfolio"] == GIVEN | {"maxTrade": None, "relativeDriftBand": None}
    made = opened(strategy="EQUAL_WEIGHT", **GIVEN)
    assert mutate(api, "updatePortfolio", SETTINGS, portfolioId=made)["portfolio"] == GIVEN
    noted = stored.rows("SELECT details->>'max_turnover' FROM audit_log WHERE details ? 'max_turnover'")
    assert noted.count(("1.5",)) == 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("minimumTrade", "-1"),
        ("relativeDriftBand", "0"),
        ("relativeDriftBand", "1.1"),
        ("cashReserve", "-0.1"),
        ("cashReserve", "1"),
        ("maxTrade", "0"),
        ("maxTrade", "1.01"),
        ("maxTurnover", "0"),
        ("maxTurnover", "2.01"),
        ("lookBackDays", 29),
        ("lookBackDays", 7561),
        ("taxAware", None),
        ("cashReserve", None),
    ],
)
def test_settings_that_are_refused(api: Api, opened: Callable[..., str], setting: str, value: Any) -> None:
    id = opened(strategy="EQUAL_WEIGHT", initialCash="0")
    error = refused(mutate(api, "updatePortfolio", SETTINGS, portfolioId=id, **{setting: value}))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", setting])

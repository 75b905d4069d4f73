"""Performance over the API: of portfolios, accounts and users, on prices and trades made by hand."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.graph.conftest import Api
from tests.graph.doing import key, mutate, open_account, open_portfolio, recorded
from tests.graph.portfolio.performing import OF_ALL, at, day, invested, portfolios

D = Decimal


def test_a_week_by_hand(api: Api, refresh: Callable[[], None], market: None) -> None:
    invested(api)
    refresh()
    found = portfolios(api, **{"from": day(0), "to": day(6), "benchmark": "BENCH"})["One"]
    assert (found["from"], found["to"], found["staleFrom"], found["currency"]) == (
        day(0),
        day(6),
        None,
        "USD",
    )
    assert (found["startValue"], found["endValue"], found["netFlow"]) == ("2000", "2030", "0")
    assert found["timeWeightedReturn"] == "0.015"
    # From 2020 to 1510 and back to 2020 two days later.
    assert found["maxDrawdown"] == {
        "depth": "0.2524752475",
        "peak": day(2),
        "trough": day(3),
        "recovery": day(5),
    }
    assert found["bestDay"] == {"date": day(5), "return": "0.2625"}
    assert found["worstDay"] == {"date": day(3), "return": "-0.2524752475"}
    assert found["contributions"] == [
        {"gain": "30", "contribution": "0.015", "instrument": {"symbol": "ABC"}}
    ]
    assert found["months"] == [
        {
            "firstDay": "2020-01-01",
            "startValue": "2000",
            "endValue": "2030",
            "netFlow": "0",
            "timeWeightedReturn": "0.015",
            "contribution": "0.015",
        }
    ]
    assert found["years"] == [{"firstDay": "2020-01-01", "contribution": "0.015"}]
    beside = found["benchmark"]
    assert (beside["symbol"], beside["benchmarkReturn"], beside["excessReturn"]) == ("BENCH", "0.015", "0")
    assert D(beside["beta"]) > D("0.9")
    reasons = {one["figure"]: one["reason"] for one in found["unavailable"]}
    yearly = ("ANNUALIZED_RETURN", "MONEY_WEIGHTED_RETURN")
    of_periods = ("PERIODS_PER_YEAR", "VOLATILITY", "SHARPE_RATIO", "SORTINO_RATIO", "TRACKING_ERROR")
    late = dict.fromkeys(of_periods, "TOO_SHORT")
    assert reasons == dict.fromkeys(yearly, "UNDER_ONE_YEAR") | late
    assert "A yearly figure needs at least 365 days." in {one["message"] for one in found["unavailable"]}


def test_a_part_of_it(api: Api, refresh: Callable[[], None], market: None) -> None:
    invested(api)
    refresh()
    found = portfolios(api, **{"from": day(3), "to": day(5)})["One"]
    assert (found["from"], found["to"], found["startValue"]) == (day(3), day(5), "1510")
    assert found["timeWeightedReturn"] == "0.3377483444"
    assert found["benchmark"] is None
    # Before the first day it begins with it, after the last one it ends with that.
    whole = portfolios(api, **{"from": "1999-01-01", "to": "2030-01-01"})["One"]
    assert (whole["from"], whole["to"]) == (day(0), day(6))
    assert whole["timeWeightedReturn"] == portfolios(api)["One"]["timeWeightedReturn"] == "0.015"
    after = portfolios(api, **{"from": "2029-01-01"})["One"]
    assert (after["from"], after["to"], after["timeWeightedReturn"]) == (day(6), day(6), None)
    assert {one["reason"] for one in after["unavailable"]} == {"TOO_SHORT"}
    before = portfolios(api, to="1999-01-01")["One"]
    assert (before["from"], before["startValue"], before["contributions"]) == (None, None, None)
    assert {one["reason"] for one in before["unavailable"]} == {"NO_HISTORY"}


def test_several_positions_and_cash_add_up(api: Api, refresh: Callable[[], None], market: None) -> None:
    _, portfolio = invested(api)
    recorded(api, portfolio, "BUY", at(1), symbol="XYZ", quantity="20", price="9.5", commission="1")
    recorded(api, portfolio, "INTEREST", at(2), amount="4")
    recorded(api, portfolio, "DIVIDEND", at(2), symbol="XYZ", amount="3")
    recorded(api, portfolio, "SELL", at(4), symbol="ABC", quantity="10", price="61")
    recorded(api, portfolio, "DEPOSIT", at(5), amount="500")
    refresh()
    found = portfolios(api)["One"]
    gains = {(one["instrument"] or {}).get("symbol"): one["gain"] for one in found["contributions"]}
    # ABC: 610 for what was worth 1000; XYZ: worth 200 for 191, and a dividend; interest.
    assert gains == {"ABC": "-390", "XYZ": "12", None: "4"}
    total = sum((D(one["contribution"]) for one in found["contributions"]), D(0))
    assert total == D(found["timeWeightedReturn"])
    assert D(found["endValue"]) - D(found["startValue"]) - D(found["netFlow"]) == -374
    assert found["startValue"] == "0"


def test_a_split_in_two_changes_nothing_of_the_users(
    register: Callable[[], Api], refresh: Callable[[], None], market: None
) -> None:
    """Shares that move between one's own portfolios are a flow to each, and none to the user."""
    apart, together = register(), register()
    for api in (apart, together):
        _, portfolio = invested(api)
        recorded(api, portfolio, "BUY", at(1), symbol="XYZ", quantity="5", price="10")
        if api is apart:
            other = open_portfolio(api, open_account(api, "Other"), "Other")
            transfer = {"fromPortfolioId": portfolio, "toPortfolioId": other, "symbol": "ABC"}
            moved = mutate(
                api, "transferShares", "transaction { id }", **transfer, quantity="4", executedAt=at(2),
                idempotencyKey=key(),
            )  # fmt: skip
            assert moved["userErrors"] == []
    refresh()
    variables = {"benchmark": "BENCH"}
    one, other = (api.data(OF_ALL, **variables)["me"]["performance"] for api in (apart, together))
    assert one == other
    assert one["timeWeightedReturn"] == "0.015"
    parts = portfolios(apart)
    # Four shares at 101: the market of ABC, whose hours are not known, closes with the day.
    assert (parts["One"]["netFlow"], parts["Other"]["netFlow"]) == ("1596", "404")
    assert (parts["Other"]["startValue"], parts["Other"]["endValue"]) == ("0", "412")
    assert parts["Other"]["from"] == day(2)


def test_cash_inside_an_account_is_no_flow_of_its(
    api: Api, refresh: Callable[[], None], market: None
) -> None:
    account = open_account(api, "A", initialBalance="1000")
    portfolio = open_portfolio(api, account, "P", initialCash="400")
    refresh()
    user = api.data(OF_ALL)["me"]
    (its,) = user["accounts"]["nodes"]
    for found in (user["performance"], its["performance"]):
        assert (found["startValue"], found["endValue"], found["netFlow"]) == ("0", "1000", "1000")
    (inner,) = its["portfolios"]["nodes"]
    assert inner["performance"]["endValue"] == "400"
    assert portfolio


def test_several_currencies_have_no_common_figure(
    api: Api, refresh: Callable[[], None], market: None
) -> None:
    invested(api)
    euros = open_account(api, "Euros", currency="EUR", initialBalance="5")
    assert euros
    refresh()
    user = api.data(OF_ALL)["me"]
    found = user["performance"]
    assert (found["timeWeightedReturn"], found["endValue"], found["currency"]) == (None, None, None)
    assert {one["reason"] for one in found["unavailable"]} == {"SEVERAL_CURRENCIES"}
    assert (found["contributions"], found["months"]) == (None, None)
    by_name = {account["name"]: account["performance"] for account in user["accounts"]["nodes"]}
    assert by_name["Euros"]["endValue"] == "5"
    assert by_name["Account of One"]["timeWeightedReturn"] == "0.015"


def test_nothing_at_all(api: Api, market: None) -> None:
    found = api.data(OF_ALL)["me"]["performance"]
    assert {one["reason"] for one in found["unavailable"]} == {"NO_HISTORY"}


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [("NOPE", "NO_BENCHMARK_PRICES"), ("LATE", "NO_BENCHMARK_PRICES"), ("EURO", "SEVERAL_CURRENCIES")],
)
def test_benchmarks_that_say_nothing(
    api: Api, refresh: Callable[[], None], market: None, symbol: str, reason: str
) -> None:
    invested(api)
    refresh()
    found = portfolios(api, benchmark=symbol)["One"]
    assert found["benchmark"] == {"symbol": symbol} | dict.fromkeys(
        ("benchmarkReturn", "excessReturn", "beta", "correlation", "trackingError")
    )
    missing = {one["figure"] for one in found["unavailable"] if one["reason"] == reason}
    assert missing == {"BENCHMARK_RETURN", "EXCESS_RETURN", "BETA", "CORRELATION", "TRACKING_ERROR"}


def test_a_position_without_a_price_leaves_no_figure(
    api: Api, refresh: Callable[[], None], market: None
) -> None:
    _, portfolio = invested(api)
    # Shares that come in tell no price.
    recorded(api, portfolio, "TRANSFER_IN", at(1), symbol="LATE", quantity="1", amount="1")
    refresh()
    found = portfolios(api)["One"]
    assert found["timeWeightedReturn"] is None
    assert {one["reason"] for one in found["unavailable"]} == {"NO_PRICES"}
    # Once it has one, all is known from then on.
    assert portfolios(api, **{"from": day(3)})["One"]["timeWeightedReturn"] is not None


def test_what_waits_is_left_out(api: Api, refresh: Callable[[], None], market: None) -> None:
    _, portfolio = invested(api)
    refresh()
    recorded(api, portfolio, "DEPOSIT", at(2), amount="5")
    (account,) = api.data(OF_ALL)["me"]["accounts"]["nodes"]
    (stale,) = account["portfolios"]["nodes"]
    assert stale["performanceStaleFrom"] == day(2)
    for found in (stale["performance"], account["performance"]):
        assert (found["from"], found["to"], found["staleFrom"]) == (day(0), day(1), day(2))
        assert found["timeWeightedReturn"] == "0.005"
    recorded(api, portfolio, "DEPOSIT", at(-1), amount="5")
    found = portfolios(api)["One"]
    assert (found["from"], found["staleFrom"]) == (None, day(-1))
    assert {one["reason"] for one in found["unavailable"]} == {"STALE"}
    refresh()
    found = portfolios(api)["One"]
    assert (found["from"], found["to"], found["staleFrom"]) == (day(-1), day(6), None)


@pytest.mark.parametrize(
    "arguments", ['from: "2020-02-01", to: "2020-01-01"', 'riskFree: "-1"', 'riskFree: "1"']
)
def test_what_makes_no_sense_is_an_error(api: Api, arguments: str) -> None:
    query = f"{{ me {{ performance({arguments}) {{ from }} }} }}"
    assert api.codes(query) == ["BAD_USER_INPUT"]


def test_the_risk_free_rate_counts(api: Api, refresh: Callable[[], None], market: None) -> None:
    portfolio = open_portfolio(api, open_account(api), "Long")
    recorded(api, portfolio, "DEPOSIT", at(0), amount="2000")
    recorded(api, portfolio, "BUY", at(0), symbol="LONG", quantity="10", price="100")
    refresh()
    query = """{ me { a: performance { sharpeRatio volatility }
                      b: performance(riskFree: "0.05") { sharpeRatio volatility } } }"""
    found = api.data(query)["me"]
    assert D(found["b"]["sharpeRatio"]) < D(found["a"]["sharpeRatio"])
    assert found["a"]["volatility"] == found["b"]["volatility"]


def test_the_same_asked_twice_with_other_arguments(
    api: Api, refresh: Callable[[], None], market: None
) -> None:
    """Two spans of one portfolio, with the contributions of each."""
    invested(api)
    refresh()
    spans = f'a: performance(to: "{day(3)}") {{ F }} b: performance(from: "{day(3)}") {{ F }}'
    query = f"{{ me {{ accounts {{ nodes {{ portfolios {{ nodes {{ {spans} }} }} }} }} }} }}"
    fields = "timeWeightedReturn contributions { gain contribution }"
    found = api.data(query.replace("F }", f"{fields} }}"))["me"]["accounts"]["nodes"][0]["portfolios"][
        "nodes"
    ][0]
    assert [one["gain"] for name in "ab" for one in found[name]["contributions"]] == ["-490", "520"]
    for name in "ab":
        (one,) = found[name]["contributions"]
        assert one["contribution"] == found[name]["timeWeightedReturn"]


def test_the_first_day_of_the_calendar(api: Api, refresh: Callable[[], None], market: None) -> None:
    _, portfolio = invested(api)
    recorded(api, portfolio, "DEPOSIT", "0001-01-02T00:00:00Z", amount="5")
    assert portfolios(api)["One"]["staleFrom"] == "0001-01-01"
    refresh()
    found = portfolios(api)["One"]
    assert (found["staleFrom"], found["endValue"]) == (None, "2035")

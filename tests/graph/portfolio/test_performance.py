"""Performance over the API: of portfolios, accounts and users, on prices and trades made by hand."""

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from db.sessions import open_sessions
from investing.portfolio.snapshots import refresh_due
from tests.graph.conftest import Api
from tests.graph.doing import key, mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored

D = Decimal
FIRST = dt.date(2020, 1, 1)

FIGURES = """from to staleFrom currency startValue endValue netFlow timeWeightedReturn annualizedReturn
  moneyWeightedReturn volatility sharpeRatio sortinoRatio maxDrawdown { depth peak trough recovery }
  bestDay { date return } worstDay { date return } unavailable { figure reason message }
  contributions { gain contribution instrument { symbol } }
  months: periods { firstDay startValue endValue netFlow timeWeightedReturn contribution }
  years: periods(by: YEAR) { firstDay contribution }
  benchmark { symbol benchmarkReturn excessReturn beta correlation trackingError }"""
OF_ALL = f"""query($from: Date, $to: Date, $benchmark: String) {{
  me {{ performance(from: $from, to: $to, benchmark: $benchmark) {{ {FIGURES} }}
    accounts {{ nodes {{ name performance(from: $from, to: $to, benchmark: $benchmark) {{ {FIGURES} }}
      portfolios {{ nodes {{ name performanceStaleFrom
        performance(from: $from, to: $to, benchmark: $benchmark) {{ {FIGURES} }} }} }} }} }} }} }}"""


@pytest.fixture(scope="module")
def refresh(app_url: str) -> Callable[[], None]:
    """Brings all snapshots up to date, as the job does."""

    def run() -> None:
        async def work() -> None:
            async with open_sessions(app_url, size=2) as sessions:
                await refresh_due(sessions)

        asyncio.run(work())

    return run


@pytest.fixture(scope="module")
def market(stored: Stored) -> None:
    """ABC rises by 1 % a day and falls by half on one, XYZ stays, and BENCH goes half the way of ABC."""
    for symbol in ("ABC", "XYZ", "BENCH", "LATE", "LONG"):
        stored.instrument(symbol)
    stored.instrument("EURO", currency="EUR")
    stored.bars("ABC", FIRST, ["100", "101", "102", "51", "60", "102", "103"])
    stored.bars("XYZ", FIRST, ["10"] * 7)
    stored.bars("LONG", FIRST, ["100", "103"] * 7)
    stored.bars("BENCH", FIRST, ["100", "100.5", "101", "75", "80", "101", "101.5"])
    stored.bars("LATE", FIRST + dt.timedelta(days=3), ["1"] * 4)
    stored.bars("EURO", FIRST, ["1"] * 7)


def day(n: int) -> str:
    return (FIRST + dt.timedelta(days=n)).isoformat()


def at(n: int) -> str:
    return f"{day(n)}T20:00:00Z"


def invested(api: Api, name: str = "One") -> tuple[str, str]:
    """A portfolio with 10 ABC for 1000 and 1000 more in cash since the first day, in its own account."""
    account = open_account(api, f"Account of {name}")
    portfolio = open_portfolio(api, account, name)
    recorded(api, portfolio, "DEPOSIT", at(0), amount="2000")
    recorded(api, portfolio, "BUY", at(0), symbol="ABC", quantity="10", price="100")
    return account, portfolio


def portfolios(api: Api, **variables: Any) -> dict[str, Any]:
    """The performance of each portfolio by its name."""
    accounts = api.data(OF_ALL, **variables)["me"]["accounts"]["nodes"]
    return {p["name"]: p["performance"] for a in accounts for p in a["portfolios"]["nodes"]}


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


def test_a_benchmark_on_raw_closes_follows_its_splits(
    api: Api, refresh: Callable[[], None], market: None, stored: Stored
) -> None:
    # 100 to 22.25 with 28 new shares for each old one: 22.25 x 28 / 100 - 1 = 5.23. By the closes -77.75 %.
    id = stored.instrument("SPLITS")
    stored.bars("SPLITS", FIRST, ["100", "100", "100", "100", "3.6", "22.2", "22.25"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 28, 1)", id, FIRST + dt.timedelta(days=4))
    invested(api)
    refresh()
    found = portfolios(api, **{"from": day(0), "to": day(6), "benchmark": "SPLITS"})["One"]
    assert found["benchmark"]["benchmarkReturn"] == "5.23"


@pytest.mark.parametrize("basis", ["RAW", "SPLIT_ADJUSTED"])
def test_splits_change_no_return_whatever_the_closes_are_adjusted_for(
    api: Api, refresh: Callable[[], None], market: None, stored: Stored, basis: str
) -> None:
    # 10 shares at 40, 4 for 1 on the fifth day, and 11 for a new one: 40 x 11 / 400 - 1 = 0.1 both ways. The
    # seventh day has no bar of its own: the raw close of the fourth is carried over the split to the fifth.
    closes = ["40", "40", "40", "40"] if basis == "RAW" else ["10"] * 4
    symbol = f"B{basis[:3]}"
    id = stored.instrument(symbol)
    stored.rows("UPDATE instruments SET price_basis = $2 WHERE id = $1", id, basis)
    stored.bars(symbol, FIRST, closes)
    stored.bars(symbol, FIRST + dt.timedelta(days=5), ["11", "11"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 4, 1)", id, FIRST + dt.timedelta(days=4))
    portfolio = open_portfolio(api, open_account(api, "Split"), "Split")
    recorded(api, portfolio, "DEPOSIT", at(0), amount="400")
    recorded(api, portfolio, "BUY", at(0), symbol=symbol, quantity="10", price="40")
    recorded(api, portfolio, "DEPOSIT", at(4), amount="1")
    recorded(api, portfolio, "WITHDRAWAL", at(4), amount="1")
    refresh()
    found = portfolios(api, **{"from": day(0), "to": day(6)})["Split"]
    assert (found["timeWeightedReturn"], found["maxDrawdown"]["depth"]) == ("0.1", "0")


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


@pytest.fixture
def api(register: Callable[[], Api]) -> Api:
    return register()


def _passing_flows(api: Api, portfolio: str) -> None:
    """On each of the days around the ex-date, and in the night before it."""
    for at_ in ("10T15", "11T03", "11T15", "12T15", "13T12", "13T18"):
        recorded(api, portfolio, "DEPOSIT", f"2020-02-{at_}:00:00Z", amount="1000")
        recorded(api, portfolio, "WITHDRAWAL", f"2020-02-{at_}:00:01Z", amount="1000")


def test_a_split_changes_no_return_where_user_and_account_live_in_other_zones(
    register: Callable[[], Api], refresh: Callable[[], None], market: None, stored: Stored
) -> None:
    """In Berlin the ex-date, the eleventh, begins at 18:00 of the tenth in New York, where the user's days
    end six hours later: what is held at the end of the tenth there are new shares already.
    """
    api = register()
    id = stored.instrument("ZONED")
    stored.rows("UPDATE instruments SET exchange = 'NYSE' WHERE id = $1", id)
    stored.bars("ZONED", dt.date(2020, 2, 9), ["100", "100", "50", "50"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 2, 1)", id, dt.date(2020, 2, 11))
    account = open_account(api, "Berlin", timeZone="Europe/Berlin")
    portfolio = open_portfolio(api, account, "Zoned")
    recorded(api, portfolio, "DEPOSIT", "2020-02-09T15:00:00Z", amount="1000")
    recorded(api, portfolio, "BUY", "2020-02-09T15:30:00Z", symbol="ZONED", quantity="10", price="100")
    _passing_flows(api, portfolio)
    refresh()
    figures = "performance { timeWeightedReturn maxDrawdown { depth } endValue contributions { gain } }"
    query = f"{{ me {{ {figures} accounts {{ nodes {{ {figures} }} }} }} }}"
    user = api.data(query)["me"]
    (its,) = user.pop("accounts")["nodes"]
    for found in (user["performance"], its["performance"]):
        assert (found["timeWeightedReturn"], found["maxDrawdown"]["depth"]) == ("0", "0")
        assert (found["endValue"], found["contributions"]) == ("1000", [])


def test_shares_that_come_in_on_the_ex_date_are_new_ones(
    register: Callable[[], Api], refresh: Callable[[], None], market: None, stored: Stored
) -> None:
    """Nothing was held before, so no split is posted; the last close is one for an old share all the same."""
    api = register()
    id = stored.instrument("COMES")
    stored.rows("UPDATE instruments SET exchange = 'NYSE' WHERE id = $1", id)
    stored.bars("COMES", dt.date(2020, 2, 10), ["100", "50", "50"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 2, 1)", id, dt.date(2020, 2, 11))
    portfolio = open_portfolio(api, open_account(api, "Comes"), "Comes")
    recorded(
        api, portfolio, "TRANSFER_IN", "2020-02-11T16:00:00Z", symbol="COMES", quantity="20", amount="1000"
    )
    refresh()
    figures = "performance { netFlow endValue timeWeightedReturn }"
    query = f"{{ me {{ {figures} accounts {{ nodes {{ {figures} }} }} }} }}"
    user = api.data(query)["me"]
    (its,) = user.pop("accounts")["nodes"]
    expected = {"netFlow": "1000", "endValue": "1000", "timeWeightedReturn": "0"}
    assert (user["performance"], its["performance"]) == (expected, expected)


@pytest.mark.parametrize("way", ["dated later", "adjusted quantities"])
def test_a_split_changes_no_return_whichever_day_its_owner_has_it(
    register: Callable[[], Api], refresh: Callable[[], None], market: None, stored: Stored, way: str
) -> None:
    """Prices are new from the ex-date on; shares are new from the owner's entry on, or have always been."""
    api = register()
    symbol = way[:5].strip().upper()
    id = stored.instrument(symbol)
    stored.rows("UPDATE instruments SET exchange = 'NYSE' WHERE id = $1", id)
    stored.bars(symbol, dt.date(2020, 2, 9), ["100", "100", "50", "50", "50", "50"])
    stored.rows("INSERT INTO instrument_splits VALUES ($1, $2, 2, 1)", id, dt.date(2020, 2, 11))
    portfolio = open_portfolio(api, open_account(api, way), way)
    recorded(api, portfolio, "DEPOSIT", "2020-02-09T15:00:00Z", amount="1000")
    rows = [{"type": "BUY", "symbol": symbol, "quantity": "10", "price": "100"}]
    if way == "dated later":
        rows.append({"type": "SPLIT", "symbol": symbol, "quantity": "2"})
    else:
        rows = [{"type": "BUY", "symbol": symbol, "quantity": "20", "price": "50"}]
    days = ("2020-02-09T15:30:00Z", "2020-02-13T15:00:00Z")
    given: dict[str, Any] = {"rows": [row | {"executedAt": at} for row, at in zip(rows, days, strict=False)]}
    more = {"adjustedQuantities": way != "dated later", "idempotencyKey": key()}
    mutate(api, "importTransactions", "written", portfolioId=portfolio, **given, **more)
    _passing_flows(api, portfolio)
    refresh()
    figures = "performance { timeWeightedReturn maxDrawdown { depth } endValue contributions { gain } }"
    found = api.data(f"{{ me {{ {figures} accounts {{ nodes {{ {figures} }} }} }} }}")["me"]
    (its,) = found.pop("accounts")["nodes"]
    expected = {
        "timeWeightedReturn": "0",
        "maxDrawdown": {"depth": "0"},
        "endValue": "1000",
        "contributions": [],
    }
    assert (found["performance"], its["performance"]) == (expected, expected)

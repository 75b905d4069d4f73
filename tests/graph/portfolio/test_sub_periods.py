"""True sub-periods over the API: small histories with figures worked out by hand, at every level."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from db.sessions import open_sessions
from investing.portfolio.snapshots import refresh_due
from tests.graph.alerts.test_rules import attempt
from tests.graph.conftest import Api
from tests.graph.doing import open_account, open_portfolio, recorded
from tests.graph.stored import Stored, row_id

FIGURES = """from startValue endValue netFlow timeWeightedReturn volatility maxDrawdown { depth peak trough }
  notes { figure reason amount date } unavailable { figure reason } contributions { gain contribution }
  benchmark { benchmarkReturn excessReturn }
  explain { subPeriods { nodes { startDate date startValue endValue netFlow flowAt return dayReturn } } }"""
OF_ALL = f"""query($benchmark: String) {{ me {{ performance(benchmark: $benchmark) {{ {FIGURES} }}
  accounts {{ nodes {{ performance(benchmark: $benchmark) {{ {FIGURES} }}
    portfolios {{ nodes {{ performance(benchmark: $benchmark) {{ {FIGURES} }}
      performanceHistory {{ nodes {{ date netFlow dailyReturn cumulativeReturn }} }} }} }} }} }} }} }}"""


@pytest.fixture(scope="module", autouse=True)
def market(stored: Stored) -> None:
    """PLAIN trades where nobody knows the hours, NYSE's in New York, and FUND has a price each month."""
    for symbol in ("PLAIN", "NYSE", "FUND"):
        stored.instrument(symbol)
    stored.run("UPDATE instruments SET exchange = 'NYSE' WHERE symbol = 'NYSE'")
    stored.bars("NYSE", dt.date(2024, 1, 4), ["90"])
    stored.bars("PLAIN", dt.date(2023, 1, 2), ["90", "90", "99", "99", "110"])
    for date, close in (("2024-01-31", "100"), ("2024-02-29", "110"), ("2024-03-28", "99")):
        stored.bars("FUND", dt.date.fromisoformat(date), [close])


@pytest.fixture
def portfolio(api: Api) -> str:
    return open_portfolio(api, open_account(api))


@pytest.fixture(scope="module")
def refresh(app_url: str) -> Callable[[], None]:
    def run() -> None:
        async def work() -> None:
            async with open_sessions(app_url, size=2) as sessions:
                await refresh_due(sessions)

        asyncio.run(work())

    return run


def levels(api: Api, **variables: Any) -> list[Any]:
    """The performance of the one portfolio, of its account and of the user."""
    user = api.data(OF_ALL, **variables)["me"]
    (account,) = user["accounts"]["nodes"]
    (portfolio,) = account["portfolios"]["nodes"]
    return [portfolio["performance"], account["performance"], user["performance"]]


def test_money_that_only_passes_through(api: Api, portfolio: str, refresh: Callable[[], None]) -> None:
    recorded(api, portfolio, "DEPOSIT", "2024-01-02T15:00:00Z", amount="100")
    recorded(api, portfolio, "DEPOSIT", "2024-01-04T15:00:00Z", amount="10000")
    trade = {"symbol": "PLAIN", "quantity": "100"}
    recorded(api, portfolio, "BUY", "2024-01-04T16:00:00Z", price="100", **trade)
    recorded(api, portfolio, "SELL", "2024-01-04T17:00:00Z", price="105", **trade)
    recorded(api, portfolio, "WITHDRAWAL", "2024-01-04T18:00:00Z", amount="10500")
    refresh()
    one, *others = levels(api)
    assert others == [one] * 2
    # 500 on 10,100.
    assert (one["timeWeightedReturn"], one["netFlow"], one["endValue"]) == ("0.0495049505", "-400", "100")
    assert one["contributions"] == [{"gain": "500", "contribution": "0.0495049505"}]
    first, *_ = one["explain"]["subPeriods"]["nodes"]
    assert (first["startValue"], first["endValue"], first["netFlow"]) == ("0", "0", "100")
    periods = [p for p in one["explain"]["subPeriods"]["nodes"] if p["date"] == "2024-01-04"]
    names = ("startValue", "endValue", "netFlow", "return", "dayReturn")
    assert [tuple(period[name] for name in names) for period in periods] == [
        ("100", "100", "10000", "0", None),
        ("10100", "10600", "-10500", "0.0495049505", None),
        ("100", "100", "0", "0", "0.0495049505"),
    ]
    assert [p["flowAt"] for p in periods] == [
        "2024-01-04T15:00:00.000000Z",
        "2024-01-04T18:00:00.000000Z",
        None,
    ]
    assert [p["startDate"] for p in periods] == ["2024-01-02", "2024-01-04", "2024-01-04"]


def test_what_is_earned_without_capital(api: Api, portfolio: str, refresh: Callable[[], None]) -> None:
    trade = {"symbol": "PLAIN", "quantity": "10"}
    recorded(api, portfolio, "DEPOSIT", "2024-01-02T15:00:00Z", amount="1000")
    recorded(api, portfolio, "BUY", "2024-01-02T16:00:00Z", price="100", **trade)
    recorded(api, portfolio, "SELL", "2024-01-02T17:00:00Z", price="110", **trade)
    recorded(api, portfolio, "WITHDRAWAL", "2024-01-02T18:00:00Z", amount="1100")
    recorded(api, portfolio, "DIVIDEND", "2024-01-04T15:00:00Z", symbol="PLAIN", amount="5")
    recorded(api, portfolio, "WITHDRAWAL", "2024-01-04T16:00:00Z", amount="5")
    refresh()
    note = {
        "figure": "TIME_WEIGHTED_RETURN",
        "reason": "RETURN_WITHOUT_CAPITAL",
        "amount": "5",
        "date": "2024-01-04",
    }
    for found in levels(api):
        assert (found["timeWeightedReturn"], found["netFlow"]) == ("0.1", "-105")
        assert found["notes"] == [note]
        assert found["contributions"] == [{"gain": "105", "contribution": "0.1"}]


def test_after_the_close_of_new_york(api: Api, portfolio: str, refresh: Callable[[], None]) -> None:
    recorded(api, portfolio, "DEPOSIT", "2024-01-04T14:00:00Z", amount="2000")
    recorded(api, portfolio, "BUY", "2024-01-04T15:00:00Z", symbol="NYSE", quantity="10", price="100")
    recorded(api, portfolio, "DEPOSIT", "2024-01-04T22:00:00Z", amount="8000")
    refresh()
    for found in levels(api):
        assert (found["timeWeightedReturn"], found["endValue"]) == ("-0.05", "9900")
        fall = {"depth": "0.05", "peak": "2024-01-04", "trough": "2024-01-04"}
        assert (found["from"], found["startValue"], found["maxDrawdown"]) == ("2024-01-04", "0", fall)


def test_the_first_day_counts(api: Api, portfolio: str, refresh: Callable[[], None]) -> None:
    """In figures, snapshots, months, explanations and in what a rule on drawdowns would have seen."""
    recorded(api, portfolio, "DEPOSIT", "2023-01-02T15:00:00Z", amount="1000")
    recorded(api, portfolio, "BUY", "2023-01-02T15:30:00Z", symbol="PLAIN", quantity="10", price="100")
    refresh()
    for found in levels(api):
        assert (found["timeWeightedReturn"], found["maxDrawdown"]["depth"]) == ("0.1", "0.1")
        assert (found["startValue"], found["netFlow"], found["endValue"]) == ("0", "1000", "1100")
        assert found["contributions"] == [{"gain": "100", "contribution": "0.1"}]
    user = api.data(OF_ALL)["me"]
    history = user["accounts"]["nodes"][0]["portfolios"]["nodes"][0]["performanceHistory"]["nodes"]
    assert [
        (row["dailyReturn"], row["cumulativeReturn"]) for row in sorted(history, key=lambda r: r["date"])
    ] == [
        ("-0.1", "-0.1"),
        ("0", "-0.1"),
        ("0.1", "-0.01"),
        ("0", "-0.01"),
        ("0.1111111111", "0.1"),
    ]
    fallen = attempt(
        api, "2023-01-01", kind="DRAWDOWN", threshold="0.05", portfolioId=portfolio, cooldownSeconds=0
    )
    assert [(one["date"], one["value"]) for one in fallen["firings"]] == [("2023-01-02", "0.1")]


def test_a_fund_beside_itself(api: Api, portfolio: str, refresh: Callable[[], None]) -> None:
    for day, amount, price in (("01-31", "1000", "100"), ("02-29", "1100", "110")):
        recorded(api, portfolio, "DEPOSIT", f"2024-{day}T15:00:00Z", amount=amount)
        fund = {"symbol": "FUND", "quantity": "10", "price": price}
        recorded(api, portfolio, "BUY", f"2024-{day}T15:30:00Z", **fund)
    refresh()
    for found in levels(api, benchmark="FUND"):
        assert found["timeWeightedReturn"] == "-0.01"
        assert found["benchmark"] == {"benchmarkReturn": "-0.01", "excessReturn": "0"}
        assert found["contributions"] == [{"gain": "-120", "contribution": "-0.01"}]


def test_below_nothing(register: Callable[[], Api], refresh: Callable[[], None]) -> None:
    api = register()
    portfolio = open_portfolio(api, open_account(api, accountType="MARGIN"))
    recorded(api, portfolio, "DEPOSIT", "2024-01-02T15:00:00Z", amount="100")
    recorded(api, portfolio, "FEE", "2024-01-03T15:00:00Z", amount="150")
    recorded(api, portfolio, "DEPOSIT", "2024-01-05T15:00:00Z", amount="200")
    refresh()
    for found in levels(api):
        reasons = {one["figure"]: one["reason"] for one in found["unavailable"]}
        assert (found["timeWeightedReturn"], found["contributions"]) == (None, None)
        assert (reasons["TIME_WEIGHTED_RETURN"], found["endValue"]) == ("NEGATIVE_CAPITAL", "150")


def test_a_dividend_that_prices_contain(
    api: Api, portfolio: str, refresh: Callable[[], None], stored: Stored
) -> None:
    stored.instrument("ADJUSTED")
    stored.run("UPDATE instruments SET price_basis = 'ADJUSTED' WHERE symbol = 'ADJUSTED'")
    stored.bars("ADJUSTED", dt.date(2024, 1, 2), ["100", "105"])
    recorded(api, portfolio, "DEPOSIT", "2024-01-02T15:00:00Z", amount="1000")
    recorded(api, portfolio, "BUY", "2024-01-02T16:00:00Z", symbol="ADJUSTED", quantity="10", price="100")
    recorded(api, portfolio, "DIVIDEND", "2024-01-03T15:00:00Z", symbol="ADJUSTED", amount="50")
    refresh()
    for found in levels(api):
        # 1,050 become 1,100.
        assert (found["timeWeightedReturn"], found["netFlow"]) == ("0.0476190476", "1050")
        flows = [p["netFlow"] for p in found["explain"]["subPeriods"]["nodes"] if p["flowAt"]]
        assert flows == ["1000", "50"]


def test_days_of_another_time_zone(
    register: Callable[[], Api], refresh: Callable[[], None], stored: Stored
) -> None:
    """An account in Tokyo, where New York's Monday closes on Tuesday; its user's own days stay New York's."""
    api = register()
    assert api.user_id is not None
    portfolio = open_portfolio(api, open_account(api))
    stored.rows("UPDATE accounts SET time_zone = 'Asia/Tokyo' WHERE owner_id = $1", row_id(api.user_id))
    stored.instrument("EAST")
    stored.run("UPDATE instruments SET exchange = 'NYSE' WHERE symbol = 'EAST'")
    stored.bars("EAST", dt.date(2024, 1, 8), ["100", "110", "121"])
    # 9 January in both, before the close of the 8th is known there, and after it.
    recorded(api, portfolio, "DEPOSIT", "2024-01-09T15:00:00Z", amount="1000")
    recorded(api, portfolio, "BUY", "2024-01-09T15:30:00Z", symbol="EAST", quantity="10", price="100")
    stored.rows(
        "UPDATE portfolios SET snapshots_stale_from = '2024-01-01' WHERE owner_id = $1", row_id(api.user_id)
    )
    refresh()
    user = api.data(OF_ALL)["me"]
    (account,) = user["accounts"]["nodes"]
    (one,) = account["portfolios"]["nodes"]
    # In Tokyo it is already the 10th, on which the close of the 9th counts, and on the 11th that of the 10th.
    days = [(p["date"], p["endValue"]) for p in account["performance"]["explain"]["subPeriods"]["nodes"]]
    assert days == [("2024-01-10", "0"), ("2024-01-10", "1100"), ("2024-01-11", "1210")]
    assert [row["date"] for row in one["performanceHistory"]["nodes"]] == ["2024-01-10", "2024-01-11"]
    days = [(p["date"], p["endValue"]) for p in user["performance"]["explain"]["subPeriods"]["nodes"]]
    assert days == [("2024-01-09", "0"), ("2024-01-09", "1100"), ("2024-01-10", "1210")]
    for found in (user, account, one):
        assert found["performance"]["timeWeightedReturn"] == "0.21"
        assert found["performance"]["contributions"] == [{"gain": "210", "contribution": "0.21"}]

"""By what deviations are made yearly, over the API: the spacing of the days with prices, at every level."""

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from db.sessions import open_sessions
from investing.portfolio.snapshots import refresh_due
from tests.graph.conftest import Api
from tests.graph.doing import open_account, open_portfolio, recorded
from tests.graph.stored import Stored, row_id

FIGURES = """periodsPerYear volatility sharpeRatio sortinoRatio timeWeightedReturn
  unavailable { figure reason } benchmark { trackingError beta }
  explain(figure: VOLATILITY) { inputs { name value } }"""
OF_ALL = f"""query($benchmark: String) {{ me {{ performance(benchmark: $benchmark) {{ {FIGURES} }}
  accounts {{ nodes {{ performance(benchmark: $benchmark) {{ {FIGURES} }}
    portfolios {{ nodes {{ name performance(benchmark: $benchmark) {{ {FIGURES} }}
      performanceHistory(last: 1) {{ nodes {{ volatility }} }} }} }} }} }} }} }}"""
D = Decimal
MONDAY = dt.date(2024, 4, 1)
WEEKS = 12
OF_PERIODS = {"PERIODS_PER_YEAR", "VOLATILITY", "SHARPE_RATIO", "SORTINO_RATIO", "TRACKING_ERROR"}


@pytest.fixture(scope="module", autouse=True)
def market(stored: Stored) -> None:
    """FUND has a price each month, +2 % and -1 % in turn; LIVE on 60 weekdays, and DEAD on the first five."""
    for symbol in ("FUND", "LIVE", "DEAD", "ODD"):
        stored.instrument(symbol)
    month_ends = [dt.date(2022 + n // 12, n % 12 + 1, 1) - dt.timedelta(days=1) for n in range(25)]
    for n, date in enumerate(month_ends):
        stored.bars("FUND", date, [str(100 * D("1.02") ** ((n + 1) // 2) * D("0.99") ** (n // 2))])
    for week in range(WEEKS):
        closes = [str(100 + (week * 5 + n) * 7 % 5) for n in range(5)]
        stored.bars("LIVE", MONDAY + dt.timedelta(days=7 * week), closes)
    stored.bars("DEAD", MONDAY, ["10", "10.1", "10", "10.2", "10"])
    for n, days in enumerate((0, 1, 21, 24, 74, 75, 95, 98, 148, 149, 169, 172, 222, 223)):
        stored.bars("ODD", MONDAY + dt.timedelta(days=days), [str(100 + n)])


@pytest.fixture(scope="module")
def refresh(app_url: str) -> Callable[[], None]:
    def run() -> None:
        async def work() -> None:
            async with open_sessions(app_url, size=2) as sessions:
                await refresh_due(sessions)

        asyncio.run(work())

    return run


def bought(api: Api, account: str, name: str, date: dt.date, **quantities: int) -> str:
    """A portfolio with cash, and of each symbol so much at 10."""
    portfolio = open_portfolio(api, account, name)
    recorded(api, portfolio, "DEPOSIT", f"{date}T19:00:00Z", amount="10000")
    for symbol, quantity in quantities.items():
        recorded(
            api, portfolio, "BUY", f"{date}T20:00:00Z", symbol=symbol, quantity=str(quantity), price="10"
        )
    return portfolio


def told(api: Api, **variables: Any) -> tuple[Any, Any, dict[str, Any]]:
    """The performance of the user, of the one account, and of its portfolios by name."""
    user = api.data(OF_ALL, **variables)["me"]
    (account,) = user["accounts"]["nodes"]
    portfolios = {one["name"]: one["performance"] for one in account["portfolios"]["nodes"]}
    return user["performance"], account["performance"], portfolios


def n_of(performance: Any) -> str:
    (n,) = [one["value"] for one in performance["explain"]["inputs"] if one["name"] == "n"]
    return str(n)


def test_a_fund_with_a_price_each_month(api: Api, refresh: Callable[[], None]) -> None:
    """24 returns, mean 0.005, each 0.015 away from it: sqrt(24 x 0.015^2 / 23 x 12) = 0.05307910421576...

    Where it is all that there is, and cash that came in on other days makes no returns of its own.
    """
    portfolio = open_portfolio(api, open_account(api), "Fund")
    recorded(api, portfolio, "DEPOSIT", "2021-12-31T19:00:00Z", amount="1000")
    recorded(api, portfolio, "BUY", "2021-12-31T20:00:00Z", symbol="FUND", quantity="10", price="100")
    recorded(api, portfolio, "DEPOSIT", "2022-05-11T19:00:00Z", amount="7")
    recorded(api, portfolio, "WITHDRAWAL", "2022-05-11T20:00:00Z", amount="7")
    refresh()
    user, account, portfolios = told(api, benchmark="FUND")
    for found in (user, account, portfolios["Fund"]):
        assert (found["periodsPerYear"], found["volatility"], n_of(found)) == (12, "0.0530791042", "24")
        assert found["benchmark"] == {"trackingError": "0", "beta": "1"}
        assert not OF_PERIODS & {one["figure"] for one in found["unavailable"]}
    history = api.data(OF_ALL)["me"]["accounts"]["nodes"][0]["portfolios"]["nodes"][0]
    assert history["performanceHistory"]["nodes"] == [{"volatility": "0.0530791042"}]


def test_interest_on_a_sunday_is_of_the_monday_after_it(api: Api, refresh: Callable[[], None]) -> None:
    account = open_account(api)
    for name, day in (("Sunday", "2024-05-12"), ("Monday", "2024-05-13")):
        portfolio = bought(api, account, name, MONDAY, LIVE=50)
        recorded(api, portfolio, "INTEREST", f"{day}T16:00:00Z", amount="9")
    refresh()
    _, _, portfolios = told(api)
    sunday, monday = portfolios["Sunday"], portfolios["Monday"]
    assert n_of(sunday) == n_of(monday) == "59"
    for figure in ("periodsPerYear", "volatility", "sharpeRatio", "sortinoRatio", "timeWeightedReturn"):
        assert sunday[figure] == monday[figure] is not None
    assert sunday["periodsPerYear"] == 252


def test_what_has_stopped_having_prices_is_waited_for_no_more(api: Api, refresh: Callable[[], None]) -> None:
    """DEAD has its last close on Friday 5 April: the six weekdays until the 15th join the 16th, and 54 of 60
    days end a period. So it is whether one portfolio holds both shares, or two do in one account.
    """
    bought(api, open_account(api), "Both", MONDAY, LIVE=50, DEAD=30)
    refresh()
    user, account, portfolios = told(api)
    assert (n_of(portfolios["Both"]), portfolios["Both"]["periodsPerYear"]) == ("53", 252)
    assert user == account == portfolios["Both"]


def test_and_so_it_is_where_each_is_in_its_own_portfolio(
    register: Callable[[], Api], refresh: Callable[[], None], stored: Stored
) -> None:
    two, three = register(), register()
    for api in (two, three):
        account = open_account(api)
        bought(api, account, "Live", MONDAY, LIVE=50)
        bought(api, account, "Dead", MONDAY, DEAD=30)
        recorded(api, open_portfolio(api, account, "Empty"), "DEPOSIT", f"{MONDAY}T19:00:00Z", amount="1")
    # The days of the user are cut again, from the ledger.
    assert three.user_id is not None
    stored.rows("UPDATE users SET time_zone = 'Europe/Berlin' WHERE id = $1", row_id(three.user_id))
    refresh()
    (user, account, _), (others, *_) = told(two), told(three)
    for found in (user, account, others):
        assert (n_of(found), found["periodsPerYear"]) == ("53", 252)
        assert found["volatility"] == user["volatility"] is not None


def test_days_that_are_not_evenly_spaced(api: Api, refresh: Callable[[], None]) -> None:
    bought(api, open_account(api), "Odd", MONDAY, ODD=10)
    refresh()
    _, _, portfolios = told(api, benchmark="ODD")
    found = portfolios["Odd"]
    assert (found["periodsPerYear"], found["volatility"], found["explain"]) == (None, None, None)
    reasons = {one["figure"] for one in found["unavailable"] if one["reason"] == "IRREGULAR_SPACING"}
    assert reasons == OF_PERIODS
    # What is not per year is still available.
    assert found["benchmark"]["beta"] is not None

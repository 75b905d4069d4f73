"""The days of the market made by hand, and what is asked of performance on them."""

import datetime as dt
from typing import Any

from tests.graph.conftest import Api
from tests.graph.doing import open_account, open_portfolio, recorded

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


def day(n: int) -> str:
    return (FIRST + dt.timedelta(days=n)).isoformat()


def at(n: int) -> str:
    return f"{day(n)}T20:00:00Z"


def portfolios(api: Api, **variables: Any) -> dict[str, Any]:
    """The performance of each portfolio by its name."""
    accounts = api.data(OF_ALL, **variables)["me"]["accounts"]["nodes"]
    return {p["name"]: p["performance"] for a in accounts for p in a["portfolios"]["nodes"]}


def invested(api: Api, name: str = "One") -> tuple[str, str]:
    """A portfolio with 10 ABC for 1000 and 1000 more in cash since the first day, in its own account."""
    account = open_account(api, f"Account of {name}")
    portfolio = open_portfolio(api, account, name)
    recorded(api, portfolio, "DEPOSIT", at(0), amount="2000")
    recorded(api, portfolio, "BUY", at(0), symbol="ABC", quantity="10", price="100")
    return account, portfolio

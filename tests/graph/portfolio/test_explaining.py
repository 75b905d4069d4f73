"""Explanations: each figure is worked out again from the explanation's own numbers, to the last digit."""

import asyncio
import datetime as dt
import random
import statistics
from collections.abc import Callable, Iterable, Iterator
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from itertools import pairwise
from typing import Any

import pytest

from db.sessions import open_sessions
from investing.portfolio.snapshots import refresh_due
from tests.graph.conftest import Api
from tests.graph.doing import key, mutate, open_account, open_portfolio, recorded
from tests.graph.stored import Stored

D = Decimal
FIRST = dt.date(2020, 1, 1)
PLACES = D("1E-10")
DAYS = 420
MISSING = 100

EXPLANATION = """figure value currency method formula source inputs { name value date }"""
PROFITS = f"""query($id: ID!, $method: CostMethod!, $from: Date, $to: Date) {{ node(id: $id) {{
  ... on Portfolio {{ realizedPnl(method: $method)
    explainRealizedPnl(method: $method, from: $from, to: $to) {{ {EXPLANATION}
      sales(first: 100) {{ totalCount nodes {{ symbol amount commission realizedPnl(method: $method) }} }} }}
    positions {{ nodes {{ symbol quantity costBasis unrealizedPnl explainUnrealizedPnl {{ {EXPLANATION}
      price {{ symbol price kind date asOf }} lots {{ nodes {{ quantity cost }} }}
      transactions {{ totalCount nodes {{ type quantityDelta costDelta }} }} }} }} }}
    transactions(first: 100) {{ nodes {{ type realizedPnl(method: $method)
      explainRealizedPnl(method: $method) {{ {EXPLANATION}
        lotUses {{ nodes {{ quantity cost gain }} }} }} }} }} }} }} }}"""
FIGURE = f"""query($id: ID!, $figure: PerformanceFigure!, $after: String, $benchmark: String) {{
  node(id: $id) {{ ... on Portfolio {{ performance(benchmark: $benchmark, riskFree: "0.02") {{
    startValue timeWeightedReturn annualizedReturn moneyWeightedReturn periodsPerYear volatility
    sharpeRatio sortinoRatio maxDrawdown {{ depth }} bestDay {{ return }} endValue
    benchmark {{ benchmarkReturn excessReturn beta correlation trackingError }}
    explain(figure: $figure) {{ {EXPLANATION} prices {{ symbol price kind date }}
      payments(first: 100) {{ totalCount nodes {{ date amount }} }}
      subPeriods(first: 150, after: $after) {{ totalCount pageInfo {{ hasNextPage endCursor }}
        nodes {{ startDate date startValue netFlow flowAt endValue return dayReturn benchmarkReturn
          periodReturn periodBenchmarkReturn }}
      }} }} }} }} }} }}"""


@pytest.fixture(scope="module", autouse=True)
def wide() -> Iterator[None]:
    """The arithmetic of the tests: wide, and halves away from zero."""
    with localcontext(Context(prec=90, rounding=ROUND_HALF_UP)):
        yield


@pytest.fixture(scope="module")
def api(register: Callable[[], Api]) -> Api:
    return register()


@pytest.fixture(scope="module")
def portfolio(api: Api, stored: Stored, app_url: str) -> str:
    """A year and more of two shares, with everything that can happen to them."""
    chance = random.Random(20)
    for symbol, quote in (("ABC", "61.7"), ("XYZ", "7.03"), ("BENCH", None), ("DARK", None)):
        stored.instrument(symbol, quote)
    for symbol, price in (("ABC", D(100)), ("XYZ", D(9)), ("BENCH", D(3000))):
        closes = []
        for _ in range(DAYS):
            price = round(price * (1 + D(chance.randrange(-300, 312)) / 10_000), 2)
            closes.append(str(price))
        # One close of XYZ is missing: that day joins the next.
        known = MISSING if symbol == "XYZ" else DAYS
        stored.bars(symbol, FIRST, closes[:known])
        stored.bars(symbol, FIRST + dt.timedelta(days=known + 1), closes[known + 1 :])
    id = open_portfolio(api, open_account(api), "Explained")
    post(api, id, 0, "DEPOSIT", amount="20000")
    post(api, id, 0, "BUY", symbol="ABC", quantity="10", price="100", commission="1.5")
    post(api, id, 3, "BUY", symbol="XYZ", quantity="70", price="9.01")
    post(api, id, 20, "BUY", symbol="ABC", quantity="7.3", price="93.33", commission="0.7")
    post(api, id, 30, "DEPOSIT", amount="1234.56")
    post(api, id, 33, "SPLIT", symbol="ABC", quantity="3", splitFor="2")
    post(api, id, 40, "SELL", symbol="ABC", quantity="16.7", price="66.6", commission="1.01")
    wrong = post(api, id, 41, "SELL", symbol="ABC", quantity="3", price="1")
    post(api, id, 50, "WITHDRAWAL", amount="777")
    post(api, id, 60, "DIVIDEND", symbol="XYZ", amount="13.13")
    post(api, id, 70, "SELL", symbol="ABC", quantity="2.5", price="70.07", commission="1")
    post(api, id, 80, "SELL", symbol="XYZ", quantity="70", price="8.5", commission="1")
    post(api, id, 90, "BUY", symbol="XYZ", quantity="11", price="8")
    post(api, id, DAYS - 20, "DEPOSIT", amount="500")
    mutate(api, "reverseTransaction", "transaction { id }", transactionId=wrong, idempotencyKey=key())

    async def refresh() -> None:
        async with open_sessions(app_url, size=2) as sessions:
            await refresh_due(sessions)

    asyncio.run(refresh())
    return id


def post(api: Api, id: str, day: int, type: str, **given: Any) -> str:
    at = f"{FIRST + dt.timedelta(days=day)}T20:00:00Z"
    return str(recorded(api, id, type, at, **given)["id"])


def inputs(explanation: Any) -> dict[str, D]:
    return {one["name"]: D(one["value"]) for one in explanation["inputs"] if one["value"] is not None}


@pytest.mark.parametrize("method", ["AVERAGE_COST", "FIFO"])
def test_gains_of_sales(api: Api, portfolio: str, method: str) -> None:
    found = api.data(PROFITS, id=portfolio, method=method)["node"]
    explained = [t for t in found["transactions"]["nodes"] if t["explainRealizedPnl"]]
    assert [t["type"] for t in explained] == ["SELL"] * 3
    # Neither the mistake nor its reversal, which are sales as well.
    assert sum(t["type"] == "SELL" for t in found["transactions"]["nodes"]) == 5
    for transaction in explained:
        its = transaction["explainRealizedPnl"]
        given, uses = inputs(its), its["lotUses"]["nodes"]
        assert (its["figure"], its["currency"]) == ("REALIZED_PNL", "USD")
        proceeds = given["amount"] - given["commission"]
        assert sum(D(use["quantity"]) for use in uses) == given["quantity"]
        if method == "FIFO":
            assert sum(D(use["gain"]) for use in uses) == D(its["value"])
            left = proceeds
            for n, use in enumerate(uses, 1):
                part = (proceeds * D(use["quantity"]) / given["quantity"]).quantize(PLACES)
                part = left if n == len(uses) else part
                left -= part
                assert D(use["gain"]) == part - D(use["cost"])
        else:
            cost = (given["costBefore"] * given["quantity"] / given["quantityBefore"]).quantize(PLACES)
            assert given["cost"] == cost
            assert proceeds - cost == D(its["value"])
        assert its["value"] == transaction["realizedPnl"]
    assert {len(t["explainRealizedPnl"]["lotUses"]["nodes"]) for t in explained} == {1, 2}


@pytest.mark.parametrize("method", ["AVERAGE_COST", "FIFO"])
def test_gains_of_a_portfolio(api: Api, portfolio: str, method: str) -> None:
    def asked(**between: str) -> Any:
        return api.data(PROFITS, id=portfolio, method=method, **between)["node"]

    whole = asked()
    assert whole["explainRealizedPnl"]["value"] == whole["realizedPnl"]
    days = {name: str(FIRST + dt.timedelta(days=n)) for name, n in (("from", 70), ("to", 70))}
    for found, count in ((whole, 3), (asked(**days), 1), (asked(**{"from": "2031-01-01"}), 0)):
        its = found["explainRealizedPnl"]
        sales = its["sales"]["nodes"]
        assert its["sales"]["totalCount"] == len(sales) == inputs(its)["sales"] == count
        assert sum(D(sale["realizedPnl"]) for sale in sales) == D(its["value"])
        for name in ("amount", "commission"):
            assert sum(D(sale[name]) for sale in sales) == inputs(its)[name]


def test_a_sale_is_of_the_account_s_day(register: Callable[[], Api], stored: Stored) -> None:
    """23:30 of the ninth in UTC is the tenth in Berlin, and was the ninth in New York."""
    api = register()
    stored.instrument("SOLD")
    id = open_portfolio(api, open_account(api, "Berlin", timeZone="Europe/Berlin"))
    recorded(api, id, "DEPOSIT", "2024-01-08T12:00:00Z", amount="100")
    recorded(api, id, "BUY", "2024-01-08T12:00:00Z", symbol="SOLD", quantity="1", price="10")
    recorded(api, id, "SELL", "2024-01-09T23:30:00Z", symbol="SOLD", quantity="1", price="15")
    of_day = """query($id: ID!, $day: Date!) { node(id: $id) { ... on Portfolio {
        explainRealizedPnl(from: $day, to: $day) { value sales { totalCount } } } } }"""
    found = [
        api.data(of_day, id=id, day=day)["node"]["explainRealizedPnl"] for day in ("2024-01-09", "2024-01-10")
    ]
    assert found == [
        {"value": "0", "sales": {"totalCount": 0}},
        {"value": "5", "sales": {"totalCount": 1}},
    ]


def test_gains_of_positions(api: Api, portfolio: str) -> None:
    found = api.data(PROFITS, id=portfolio, method="FIFO")["node"]["positions"]["nodes"]
    assert [position["symbol"] for position in found] == ["ABC", "XYZ"]
    for position in found:
        its = position["explainUnrealizedPnl"]
        given, moves = inputs(its), its["transactions"]["nodes"]
        assert its["transactions"]["totalCount"] == len(moves)
        assert sum(D(move["quantityDelta"]) for move in moves) == given["quantity"]
        assert sum(D(move["costDelta"]) for move in moves) == given["costBasis"]
        assert sum(D(lot["quantity"]) for lot in its["lots"]["nodes"]) == given["quantity"]
        price = its["price"]
        assert (price["symbol"], price["kind"], price["date"]) == (position["symbol"], "QUOTE", None)
        worth = (given["quantity"] * D(price["price"])).quantize(PLACES)
        assert worth == given["marketValue"]
        assert worth - given["costBasis"] == D(its["value"]) == D(position["unrealizedPnl"])


def test_without_a_price_there_is_nothing_to_explain(register: Callable[[], Api], portfolio: str) -> None:
    other = register()
    dark = open_portfolio(other, open_account(other), "Dark")
    post(other, dark, 0, "DEPOSIT", amount="9")
    post(other, dark, 0, "TRANSFER_IN", symbol="DARK", quantity="1", amount="1")
    found = other.data(PROFITS, id=dark, method="FIFO")["node"]
    assert found["positions"]["nodes"][0]["explainUnrealizedPnl"] is None
    assert found["explainRealizedPnl"]["value"] == "0"
    of_figure = other.data(FIGURE, id=dark, figure="VOLATILITY")["node"]["performance"]
    assert of_figure["explain"] is None


def explained(api: Api, portfolio: str, figure: str) -> tuple[Any, Any, list[Any]]:
    """The performance, its explanation of a figure, and all its sub-periods, page by page."""
    periods: list[Any] = []
    after = None
    while True:
        variables = {"id": portfolio, "figure": figure, "after": after, "benchmark": "BENCH"}
        performance = api.data(FIGURE, **variables)["node"]["performance"]
        explanation = performance["explain"]
        page = explanation["subPeriods"]
        periods += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    # One for each day, the first one from its first flow on, and one more for each flow.
    assert len(periods) == page["totalCount"] == DAYS + 4
    for a, b in pairwise(periods):
        assert a["date"] == b["startDate"]
        assert D(a["endValue"]) + D(a["netFlow"]) == D(b["startValue"])
    assert (explanation["figure"], bool(explanation["method"]), bool(explanation["formula"])) == (
        figure,
        True,
        True,
    )
    return performance, explanation, periods


def growth(period: Any) -> D:
    if not D(period["startValue"]):
        assert period["return"] is None
        return D(1)
    grown = D(period["endValue"]) / D(period["startValue"])
    assert (grown - 1).quantize(PLACES) == D(period["return"])
    return grown


def linked(periods: list[Any]) -> D:
    index = D(1)
    for period in periods:
        index *= growth(period)
    return index


def covariance(a: list[D], b: list[D]) -> D:
    n = len(a)
    products = total(x * y for x, y in zip(a, b, strict=True))
    return (n * products - total(a) * total(b)) / (n * (n - 1))


def total(numbers: Iterable[D]) -> D:
    return sum(numbers, D(0))


def again(figure: str, explanation: Any, periods: list[Any]) -> D:
    """The figure from nothing but the explanation's numbers."""
    given = inputs(explanation)
    named = {one["name"]: one["date"] for one in explanation["inputs"]}
    every = [D(period["dayReturn"]) for period in periods if period["dayReturn"] is not None]
    ends = [period for period in periods if period["periodReturn"] is not None]
    ours = [D(end["periodReturn"]) for end in ends]
    theirs = [D(end["periodBenchmarkReturn"]) for end in ends]
    # The first day is a part of a day, and one is joined to the next.
    assert (len(every), len(ours)) == (DAYS, DAYS - 2)
    if "n" in given:
        assert given["n"] == len(ours)
    mean, deviation = total(ours) / len(ours), covariance(ours, ours).sqrt()
    by = given.get("periodsPerYear", D(1))
    free = D((1 + given.get("riskFree", D(0))) ** (D(1) / by)) - 1
    prices = [D(price["price"]) for price in explanation["prices"]]
    match figure:
        case "VALUES":
            return given["startValue"] + given["netFlow"] + given["gain"]
        case "TIME_WEIGHTED_RETURN":
            return linked(periods) - 1
        case "ANNUALIZED_RETURN":
            return D(linked(periods) ** (1 / (given["calendarDays"] / 365))) - 1
        case "PERIODS_PER_YEAR":
            dates = [dt.date.fromisoformat(end["date"]) for end in ends]
            assert statistics.median((b - a).days for a, b in pairwise(dates)) == 1
            return D(365)
        case "VOLATILITY":
            return deviation * by.sqrt()
        case "SHARPE_RATIO":
            return (mean - free) / deviation * by.sqrt()
        case "SORTINO_RATIO":
            downside = D(total(min(r - free, D(0)) ** 2 for r in ours) / len(ours)).sqrt()
            return (mean - free) / downside * by.sqrt()
        case "MAX_DRAWDOWN":
            peak = named.get("peak", "")
            return 1 - linked([p for p in periods if peak < p["date"] <= named["trough"]])
        case "BEST_AND_WORST_DAY":
            assert given["worstDay"] == min(every)
            return max(every)
        case "CONTRIBUTIONS":
            gains, index = D(0), D(1)
            for period in periods:
                start = D(period["startValue"])
                if start:
                    gains += index * (D(period["endValue"]) - start) / start
                index *= growth(period)
            return gains
        case "BENCHMARK_RETURN":
            return prices[-1] / prices[0] - 1
        case "EXCESS_RETURN":
            return given["timeWeightedReturn"] - given["benchmarkReturn"]
        case "BETA":
            return covariance(ours, theirs) / covariance(theirs, theirs)
        case "CORRELATION":
            return covariance(ours, theirs) / (covariance(ours, ours) * covariance(theirs, theirs)).sqrt()
        case "TRACKING_ERROR":
            apart = [a - b for a, b in zip(ours, theirs, strict=True)]
            return (covariance(apart, apart) * by).sqrt()
    raise AssertionError(figure)


FIELDS = {
    "VALUES": ("endValue",),
    "TIME_WEIGHTED_RETURN": ("timeWeightedReturn",),
    "ANNUALIZED_RETURN": ("annualizedReturn",),
    "PERIODS_PER_YEAR": ("periodsPerYear",),
    "VOLATILITY": ("volatility",),
    "SHARPE_RATIO": ("sharpeRatio",),
    "SORTINO_RATIO": ("sortinoRatio",),
    "MAX_DRAWDOWN": ("maxDrawdown", "depth"),
    "BEST_AND_WORST_DAY": ("bestDay", "return"),
    "CONTRIBUTIONS": ("timeWeightedReturn",),
    "BENCHMARK_RETURN": ("benchmark", "benchmarkReturn"),
    "EXCESS_RETURN": ("benchmark", "excessReturn"),
    "BETA": ("benchmark", "beta"),
    "CORRELATION": ("benchmark", "correlation"),
    "TRACKING_ERROR": ("benchmark", "trackingError"),
}


@pytest.mark.parametrize("figure", FIELDS)
def test_figures_of_a_performance(api: Api, portfolio: str, figure: str) -> None:
    performance, explanation, periods = explained(api, portfolio, figure)
    told = performance
    for name in FIELDS[figure]:
        told = told[name]
    assert D(explanation["value"]) == D(told)
    assert again(figure, explanation, periods).quantize(PLACES) == D(told)
    assert [price["symbol"] for price in explanation["prices"]] == ["BENCH", "BENCH"]


def test_the_money_weighted_return(api: Api, portfolio: str) -> None:
    """A root that is searched for: the payments change sign within half of the tenth place around it."""
    performance, explanation, periods = explained(api, portfolio, "MONEY_WEIGHTED_RETURN")
    assert explanation["value"] == performance["moneyWeightedReturn"]
    payments = [(dt.date.fromisoformat(p["date"]), D(p["amount"])) for p in explanation["payments"]["nodes"]]
    assert explanation["payments"]["totalCount"] == len(payments) == 5
    assert (payments[-1][0] - payments[0][0]).days == inputs(explanation)["calendarDays"] == DAYS - 1
    # What was put in is negative; the flows are those of the sub-periods.
    flows = [(p["date"], -D(p["netFlow"])) for p in periods if D(p["netFlow"])]
    assert [(str(date), amount) for date, amount in payments[:-1]] == flows
    assert payments[0] == (FIRST, D(-20000))
    assert [p["flowAt"] is not None for p in periods] == [bool(D(p["netFlow"])) for p in periods]
    assert payments[-1][1] == D(periods[-1]["endValue"])

    def worth(rate: D) -> D:
        with localcontext(prec=50):
            growth = 1 + rate
            return sum((amount / growth ** (D((date - FIRST).days) / 365) for date, amount in payments), D(0))

    rate = D(explanation["value"])
    assert worth(rate - D("5E-11")) * worth(rate + D("5E-11")) < 0

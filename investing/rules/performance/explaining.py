"""Explain a figure of a performance: its inputs and its formula.

With the sub-periods, the payments and the inputs, anybody can recompute the figure to the last digit;
docs/analytics.md describes every definition in more detail.
"""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from db.vocabulary import PerformanceFigure as Figure
from investing.rules.performance import series
from investing.rules.performance.benchmark import (
    BenchmarkClose,
    BenchmarkPrice,
    Comparison,
    change,
    closes_of,
)
from investing.rules.performance.figures import Figures
from investing.rules.performance.frequency import ReturnPeriod
from investing.rules.performance.returns import ONE, WIDE, ZERO, growth, stored
from investing.rules.performance.series import Point, begins_with_a_flow, daily_returns


class Working(NamedTuple):
    """How a figure is computed: in words, as a formula, and by which source."""

    method: str
    formula: str
    source: str


class Input(NamedTuple):
    """A number or a date that goes into a figure."""

    name: str
    value: Decimal | None = None
    date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class SubPeriod:
    """The time from a day's end or a flow to the next of either.

    `net_flow` is what came in at its end, at `flow_at`, and 0 if it ends with the day. `number` is its index
    within the day on which it ends. `growth` is the return at ten places, None if there was no capital. The
    last sub-period of a day also has the day's return, and the benchmark's over the same day. The last one of
    a period has the period's return (`investing.rules.performance.frequency`) and the benchmark's over the
    same days, if there is one.
    """

    start: dt.date
    end: dt.date
    number: int
    start_value: Decimal
    end_value: Decimal
    net_flow: Decimal
    flow_at: dt.datetime | None
    growth: Decimal | None
    daily: Decimal | None = None
    benchmark: Decimal | None = None
    period: Decimal | None = None
    benchmark_period: Decimal | None = None


_GIPS = "Global Investment Performance Standards (GIPS), 2020"
_SHARPE = "W. F. Sharpe, Capital Asset Prices, Journal of Finance, 1964"
_GROWTH = "growth_t = endValue / startValue of each sub-period that begins above zero"
_OF_PERIODS = "over the periods' returns r_1 ... r_n (periodReturn)"
_FREE = "f = (1 + riskFree) ^ (1 / periodsPerYear) - 1"
_BESIDE = (
    "over the periods, r the portfolio's return (periodReturn) and b the benchmark's (periodBenchmarkReturn)"
)

WORKINGS: Mapping[Figure, Working] = {
    Figure.VALUES: Working(
        "The value at the beginning, the net flow, and the gain in between.",
        "startValue + netFlow + gain",
        _GIPS,
    ),
    Figure.TIME_WEIGHTED_RETURN: Working(
        "Sub-periods from flow to flow and from day to day, linked.",
        f"growth_1 x ... x growth_n - 1; {_GROWTH}",
        _GIPS,
    ),
    Figure.ANNUALIZED_RETURN: Working(
        "The time-weighted return, not rounded, per year of 365 days.",
        f"(growth_1 x ... x growth_n) ^ (365 / calendarDays) - 1; {_GROWTH}",
        _GIPS,
    ),
    Figure.MONEY_WEIGHTED_RETURN: Working(
        "The only yearly rate at which the present values of all payments add up to 0, found by search: the "
        "sum changes its sign between the rate - 5E-11 and the rate + 5E-11.",
        "x where the sum of amount_i / (1 + x) ^ (days_i / 365) is 0, days from the first payment on",
        "Microsoft Excel's XIRR",
    ),
    Figure.PERIODS_PER_YEAR: Working(
        "How many periods a year has, by the spacing of the days that end one: those with a close of "
        "everything that is held and has prices.",
        "by the median of the calendar days between two such days: 1 makes 365 (every day) or 252 (business "
        "days), 6 to 8 make 52, 27 to 33 make 12, 85 to 95 make 4; at most a tenth of them may differ",
        "The convention of returns per day, week, month and quarter",
    ),
    Figure.VOLATILITY: Working(
        "The sample standard deviation of the periods' returns, per year.",
        f"sqrt(sum (r_t - mean)^2 / (n - 1)) x sqrt(periodsPerYear), {_OF_PERIODS}",
        "W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management, 1994",
    ),
    Figure.SHARPE_RATIO: Working(
        "The mean excess return divided by the standard deviation, per year.",
        f"(mean - f) / sqrt(sum (r_t - mean)^2 / (n - 1)) x sqrt(periodsPerYear), {_FREE}, {_OF_PERIODS}",
        "W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management, 1994",
    ),
    Figure.SORTINO_RATIO: Working(
        "The mean excess return divided by the downside deviation, per year.",
        f"(mean - f) / sqrt(sum min(r_t - f, 0)^2 / n) x sqrt(periodsPerYear), {_FREE}, {_OF_PERIODS}",
        "F. A. Sortino and L. N. Price, Journal of Investing, 1994",
    ),
    Figure.MAX_DRAWDOWN: Working(
        "The deepest fall of the index that begins with 1 and grows with each sub-period.",
        "1 - product of growth_t of the days after peak until trough, from the first sub-period on if "
        f"there is no peak; {_GROWTH}",
        "M. Magdon-Ismail and A. Atiya, Maximum Drawdown, Risk Magazine, 2004",
    ),
    Figure.BEST_AND_WORST_DAY: Working(
        "The highest return of a day; the lowest is among the inputs.", "max r_t (dayReturn)", _GIPS
    ),
    Figure.CONTRIBUTIONS: Working(
        "The gain of all positions in each sub-period divided by the capital at its beginning, times what "
        "the whole had grown to by then.",
        f"sum of growth_1 x ... x growth_(t-1) x (endValue - startValue) / startValue; {_GROWTH}",
        "Groupe de Recherche en Attribution de Performance, 1997",
    ),
    Figure.BENCHMARK_RETURN: Working(
        "From the first of the prices to the last.", "last price / first price - 1", _GIPS
    ),
    Figure.EXCESS_RETURN: Working(
        "The arithmetic difference of the returns.", "timeWeightedReturn - benchmarkReturn", _GIPS
    ),
    Figure.BETA: Working(
        "The slope of one's returns on the benchmark's.", f"cov(r, b) / var(b), {_BESIDE}", _SHARPE
    ),
    Figure.CORRELATION: Working(
        "The correlation of the returns.", f"cov(r, b) / sqrt(var(r) x var(b)), {_BESIDE}", _SHARPE
    ),
    Figure.TRACKING_ERROR: Working(
        "The sample standard deviation of the periods' differences, per year.",
        f"sqrt(var(r - b)) x sqrt(periodsPerYear), {_BESIDE}",
        "R. C. Grinold and R. N. Kahn, Active Portfolio Management, 2nd edition, 2000",
    ),
}


def sub_periods(
    points: Sequence[Point], periods: Sequence[ReturnPeriod], prices: Sequence[BenchmarkPrice] | None
) -> list[SubPeriod]:
    """Return the sub-periods of these days, with the periods that they form.

    The benchmark's returns are beside them if its prices begin early enough.
    """
    ends = {period.end: period for period in periods}
    returns = {day.date: day.daily for day in daily_returns(points)}
    closes = closes_at(points, prices)
    found: list[SubPeriod] = []
    for index, (before, point) in enumerate(itertools.pairwise(points), 1):
        benchmark_return = change(closes[index - 1].price, closes[index].price) if closes else None
        *earlier, last = _of_day(before, point)
        last = dataclasses.replace(last, daily=returns.get(point.date), benchmark=benchmark_return)
        if period := ends.get(index):
            same = change(closes[period.start].price, closes[index].price) if closes else None
            last = dataclasses.replace(last, period=period.value, benchmark_period=same)
        found += [*earlier, last]
    return found


def _of_day(before: Point, point: Point) -> list[SubPeriod]:
    values = series.sub_periods(before.total_value, point.flows, point.total_value)
    found = []
    for number, (start, end) in enumerate(values):
        grown = growth(start, end)
        is_last = number == len(point.flows)
        found.append(
            SubPeriod(
                start=point.date if number else before.date,
                end=point.date,
                number=number,
                start_value=start,
                end_value=end,
                net_flow=ZERO if is_last else point.flows[number].amount,
                flow_at=None if is_last else point.flows[number].at,
                growth=None if grown is None else stored(WIDE.subtract(grown, ONE)),
            )
        )
    return found


def closes_at(points: Sequence[Point], prices: Sequence[BenchmarkPrice] | None) -> list[BenchmarkClose]:
    """Return the benchmark's close of each point; nothing where its prices begin too late or one is 0."""
    closes = closes_of(points, prices) if prices else []
    return closes if all(close.price for close in closes[:-1]) else []


def value_of(figure: Figure, figures: Figures, comparison: Comparison | None) -> Decimal | None:
    """Return the figure as one number, None if it is not available."""
    match figure:
        case Figure.VALUES:
            return figures.end_value if figures.net_flow is not None else None
        case Figure.MAX_DRAWDOWN:
            return None if figures.max_drawdown is None else stored(figures.max_drawdown.depth)
        case Figure.BEST_AND_WORST_DAY:
            return None if figures.best_day is None else figures.best_day.daily
        case Figure.CONTRIBUTIONS:
            refused = {one.figure for one in figures.unavailable}
            return None if figure in refused else figures.time_weighted_return
        case Figure.PERIODS_PER_YEAR:
            return None if figures.periods_per_year is None else Decimal(figures.periods_per_year)
    source = figures if hasattr(figures, figure.lower()) else comparison
    found: Decimal | None = getattr(source, figure.lower(), None)
    return found


def inputs_of(
    figure: Figure,
    figures: Figures,
    comparison: Comparison | None,
    risk_free: Decimal,
    points: Sequence[Point],
) -> list[Input]:
    """Return the inputs of an available figure, apart from the sub-periods, the payments and the prices."""
    counted = Input("n", Decimal(len(figures.periods)))
    by = figures.periods_per_year
    yearly = [] if by is None else [Input("periodsPerYear", Decimal(by))]
    match figure:
        case Figure.VALUES:
            start, end, flow = (
                figures.start_value or ZERO,
                figures.end_value or ZERO,
                figures.net_flow or ZERO,
            )
            return [Input("startValue", start), Input("netFlow", flow), Input("gain", end - start - flow)]
        case Figure.ANNUALIZED_RETURN | Figure.MONEY_WEIGHTED_RETURN:
            assert figures.start is not None
            assert figures.end is not None
            return [Input("calendarDays", Decimal((figures.end - figures.start).days))]
        case Figure.SHARPE_RATIO | Figure.SORTINO_RATIO:
            return [counted, *yearly, Input("riskFree", risk_free)]
        case Figure.VOLATILITY | Figure.TRACKING_ERROR:
            return [counted, *yearly]
        case Figure.MAX_DRAWDOWN:
            fall = figures.max_drawdown
            assert fall is not None, "the figure is available"
            peak = None if _falls_at_once(points) and fall.peak == points[0].date else fall.peak
            days = (("peak", peak), ("trough", fall.trough), ("recovery", fall.recovery))
            return [Input(name, date=date) for name, date in days if date is not None]
        case Figure.BEST_AND_WORST_DAY:
            both = (("bestDay", figures.best_day), ("worstDay", figures.worst_day))
            return [Input(name, day.daily, day.date) for name, day in both if day is not None]
        case Figure.BENCHMARK_RETURN:
            return []
        case Figure.EXCESS_RETURN:
            assert comparison is not None
            benchmark_return = comparison.benchmark_return
            return [
                Input("timeWeightedReturn", figures.time_weighted_return),
                Input("benchmarkReturn", benchmark_return),
            ]
    return [counted]


def _falls_at_once(points: Sequence[Point]) -> bool:
    """Return whether the first day begins with its first flow and ends lower.

    A fall from there begins with the first capital, not with a day's end.
    """
    first = next(daily_returns(points), None)
    return (
        begins_with_a_flow(points) and first is not None and first.date == points[0].date and first.index < 1
    )

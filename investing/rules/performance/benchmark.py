"""A performance compared with a benchmark: how far ahead, how close, and how strongly it moves with it.

The comparison takes the portfolio's periods that have a return (`investing.rules.performance.frequency`:
mostly days), and for each the benchmark's return over the same days: from its last price on or before the
first to its last price on or before the second. If the portfolio begins with its first flow, the benchmark
begins with the last close that was known at that moment. Prices are adjusted for splits and dividends if all
adjusted ones are known, so that a dividend of the benchmark is not a loss; otherwise they are closes, all per
share of the last day, so that a split is not a loss either.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from db.vocabulary import PerformanceFigure as Figure
from db.vocabulary import PriceKind
from db.vocabulary import UnavailableReason as Reason
from investing.rules.money import PLACES
from investing.rules.performance.figures import Figures, Unavailable
from investing.rules.performance.returns import ONE, WIDE, ZERO, stored
from investing.rules.performance.series import Point, begins_with_a_flow

_FIGURES = (
    Figure.BENCHMARK_RETURN,
    Figure.EXCESS_RETURN,
    Figure.BETA,
    Figure.CORRELATION,
    Figure.TRACKING_ERROR,
)


@dataclass(frozen=True, slots=True)
class BenchmarkPrice:
    """One instrument's price at one day's close, per share of the last day of all.

    `adjusted` is the close as if all later splits and dividends had already happened. `closed_at` is when its
    market closed; None stands for the end of the day.
    """

    date: dt.date
    close: Decimal
    adjusted: Decimal | None
    closed_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of a comparison: numbers for beta and correlation, otherwise fractions; at ten places.

    `excess_return` is the time-weighted return minus the benchmark's. `tracking_error` is the sample standard
    deviation of the periods' differences x sqrt(periods per year). `beta` is the covariance with the
    benchmark over the benchmark's variance. Source: W. F. Sharpe, Capital Asset Prices, Journal of Finance,
    1964, for beta; R. C. Grinold and R. N. Kahn, Active Portfolio Management, 2nd edition, 2000, for the
    tracking error.
    """

    benchmark_return: Decimal | None = None
    excess_return: Decimal | None = None
    beta: Decimal | None = None
    correlation: Decimal | None = None
    tracking_error: Decimal | None = None
    unavailable: Sequence[Unavailable] = field(default=())


def incomparable(reason: Reason) -> Comparison:
    """Return a comparison without figures, for one reason."""
    return Comparison(unavailable=[Unavailable.because(figure, reason) for figure in _FIGURES])


def compare(points: Sequence[Point], figures: Figures, prices: Sequence[BenchmarkPrice]) -> Comparison:
    """Compare the points, whose figures are given, with the prices, which are in order of their days.

    The comparison has no figures if the first point comes before the first price.
    """
    total_return = figures.time_weighted_return
    closes = [close.price for close in closes_of(points, prices)]
    if not closes:
        return incomparable(Reason.NO_BENCHMARK_PRICES)
    if not all(closes[:-1]):
        # There is no return on a price of 0.
        return incomparable(Reason.NO_BENCHMARK_PRICES)
    benchmark_return = stored(WIDE.subtract(WIDE.divide(closes[-1], closes[0]), ONE))
    if total_return is None or benchmark_return is None:
        of_return = Figure.TIME_WEIGHTED_RETURN
        reasons = [one.reason for one in figures.unavailable if one.figure is of_return]
        reason = reasons[0] if reasons else Reason.OUT_OF_RANGE
        without = [Unavailable.because(figure, reason) for figure in _FIGURES[1:]]
        return Comparison(benchmark_return, unavailable=without)
    pairs = [
        (one.value, change(closes[one.start], closes[one.end]))
        for one in figures.periods
        if one.value is not None
    ]
    return _compared(total_return, benchmark_return, pairs, _yearly(figures))


def _yearly(figures: Figures) -> int | Reason:
    """Return how many periods make a year, or why no number of them does."""
    if figures.periods_per_year is not None:
        return figures.periods_per_year
    return next(one.reason for one in figures.unavailable if one.figure is Figure.PERIODS_PER_YEAR)


def change(before: Decimal, after: Decimal) -> Decimal:
    """Return the return of a price over a day or a period, at ten places, as the portfolio's are."""
    return WIDE.quantize(WIDE.subtract(WIDE.divide(after, before), ONE), PLACES)


class BenchmarkClose(NamedTuple):
    """The close that applies to a point: its own day, the price and its kind."""

    date: dt.date
    price: Decimal
    kind: PriceKind


def closes_of(points: Sequence[Point], prices: Sequence[BenchmarkPrice]) -> list[BenchmarkClose]:
    """Return the close that applies to each point, all of one kind; none if the prices begin too late."""
    if not points or not prices or points[0].date < prices[0].date:
        return []
    days = [price.date for price in prices]
    by_adjusted = [price.adjusted for price in prices if price.adjusted is not None]
    is_adjusted = len(by_adjusted) == len(prices)
    closes = by_adjusted if is_adjusted else [price.close for price in prices]
    kind = PriceKind.ADJUSTED_CLOSE if is_adjusted else PriceKind.CLOSE
    indices = [bisect_right(days, point.date) - 1 for point in points]
    indices[0] = _index_at_opening(points, prices, indices[0])
    return [BenchmarkClose(days[index], closes[index], kind) for index in indices]


def _index_at_opening(points: Sequence[Point], prices: Sequence[BenchmarkPrice], index: int) -> int:
    """Return the index of the price that the benchmark begins with.

    That is the price of the day's end or, if the whole first day counts and has a flow, the last one known at
    its first flow.
    """
    if not begins_with_a_flow(points) or not points[1].flows:
        return index
    at = points[1].flows[0].at
    while index > 0 and prices[index].date == points[0].date:
        closed_at = prices[index].closed_at
        if closed_at is not None and at is not None and closed_at <= at:
            break
        index -= 1
    return index


def _compared(
    total_return: Decimal,
    benchmark_return: Decimal,
    pairs: Sequence[tuple[Decimal, Decimal]],
    periods_per_year: int | Reason,
) -> Comparison:
    unavailable: list[Unavailable] = []
    excess = stored(WIDE.subtract(total_return, benchmark_return))
    if len(pairs) < 2:
        late = (Figure.BETA, Figure.CORRELATION, Figure.TRACKING_ERROR)
        unavailable += [Unavailable.because(figure, Reason.TOO_SHORT) for figure in late]
        return Comparison(benchmark_return, excess, unavailable=unavailable)
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    variance, own = _covariance(theirs, theirs), _covariance(ours, ours)
    covariance = _covariance(ours, theirs)
    differences = [WIDE.subtract(a, b) for a, b in pairs]
    beta = correlation = None
    if variance:
        beta = stored(WIDE.divide(covariance, variance))
    else:
        unavailable.append(Unavailable.because(Figure.BETA, Reason.NO_VARIANCE))
    if variance and own:
        correlation = stored(WIDE.divide(covariance, WIDE.sqrt(WIDE.multiply(variance, own))))
    else:
        unavailable.append(Unavailable.because(Figure.CORRELATION, Reason.NO_VARIANCE))
    tracking_error = None
    if isinstance(periods_per_year, Reason):
        unavailable.append(Unavailable.because(Figure.TRACKING_ERROR, periods_per_year))
    else:
        spread = _covariance(differences, differences)
        tracking_error = stored(WIDE.sqrt(WIDE.multiply(spread, Decimal(periods_per_year))))
    return Comparison(benchmark_return, excess, beta, correlation, tracking_error, unavailable)


def _covariance(a: Sequence[Decimal], b: Sequence[Decimal]) -> Decimal:
    """Return the sample covariance (n - 1); exact until its one division, so that equal values have none."""
    n = Decimal(len(a))
    sum_a = sum_b = products = ZERO
    for x, y in zip(a, b, strict=True):
        sum_a, sum_b = WIDE.add(sum_a, x), WIDE.add(sum_b, y)
        products = WIDE.fma(x, y, products)
    spread = WIDE.subtract(WIDE.multiply(n, products), WIDE.multiply(sum_a, sum_b))
    return WIDE.divide(spread, n * (n - 1))

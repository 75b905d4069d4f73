"""All figures of a performance and, for each one that is not available, the reason.

The inputs of each figure, for explanations: the points (the value of each day and at each of its flows) for
values, returns and drawdown; the daily returns, rounded to ten places, for the best and the worst day; the
returns of periods of days (`investing.rules.performance.frequency`), rounded likewise, for volatility, Sharpe
and Sortino; the points' flows with the first and the last value for the money-weighted return.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from db.vocabulary import PerformanceFigure as Figure
from db.vocabulary import UnavailableReason as Reason
from investing.rules.performance.drawdowns import Drawdown, deepest
from investing.rules.performance.frequency import PeriodStatistics, PricedDay, ReturnPeriod
from investing.rules.performance.money_weighted import money_weighted
from investing.rules.performance.returns import ONE, WIDE, ZERO, Statistics, annualized, is_a_year, stored
from investing.rules.performance.series import DayGrowth, DayReturn, Point, growths, linked

RETURNS = (
    Figure.TIME_WEIGHTED_RETURN,
    Figure.ANNUALIZED_RETURN,
    Figure.MONEY_WEIGHTED_RETURN,
    Figure.PERIODS_PER_YEAR,
    Figure.VOLATILITY,
    Figure.SHARPE_RATIO,
    Figure.SORTINO_RATIO,
    Figure.MAX_DRAWDOWN,
    Figure.BEST_AND_WORST_DAY,
    Figure.CONTRIBUTIONS,
)
"""The figures that need at least one day's return."""

OF_PERIODS = (Figure.PERIODS_PER_YEAR, Figure.VOLATILITY, Figure.SHARPE_RATIO, Figure.SORTINO_RATIO)
"""The figures that need returns of periods of equal length."""

MESSAGES = {
    Reason.NO_HISTORY: "There is no day to report on yet.",
    Reason.STALE: "The days in question are waiting to be recomputed: ask again in a moment.",
    Reason.TOO_SHORT: "There are too few periods with a return: 12 are needed, 2 for beta and correlation.",
    Reason.IRREGULAR_SPACING: "The days with prices are not evenly spaced: no number of them makes a year.",
    Reason.UNDER_ONE_YEAR: "A yearly figure needs at least 365 days.",
    Reason.NO_PRICES: "Something that was held had no price, so its value is not known.",
    Reason.NO_CASH_FLOWS: "Nothing was paid in, or nothing came back.",
    Reason.NO_ROOT: "No rate turns what was paid in into what came back.",
    Reason.SEVERAL_ROOTS: "More than one rate turns what was paid in into what came back, or may do so.",
    Reason.NO_VARIANCE: "The returns do not vary, or none falls short: there is nothing to divide by.",
    Reason.TOTAL_LOSS: "More than everything was lost on a day, and no return can be linked across that.",
    Reason.OUT_OF_RANGE: "The figure is too large, or too close to the loss of everything, to be stated.",
    Reason.SEVERAL_CURRENCIES: "There are several currencies, and no exchange rates.",
    Reason.NO_BENCHMARK_PRICES: "The benchmark has no prices for these days.",
    Reason.NO_RATE: "There is no exchange rate for that day.",
    Reason.STALE_RATE: "The last exchange rate before that day is too old.",
    Reason.NO_VALUE: "The total value is zero or less, so there is nothing to take a fraction of.",
    Reason.NO_TARGETS: "There are no target weights to compare this with.",
    Reason.RETURN_WITHOUT_CAPITAL: "This was earned while there was no capital to earn it on.",
    Reason.NEGATIVE_CAPITAL: "The value was below zero at some moment; no return can be computed from there.",
}


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A figure that is not available, and why."""

    figure: Figure
    reason: Reason
    message: str

    @classmethod
    def because(cls, figure: Figure, reason: Reason) -> "Unavailable":
        """Return a figure that is not available for this reason, with the reason's message."""
        return cls(figure, reason, MESSAGES[reason])


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a figure that is available: the amount, in the performance's currency, and the date."""

    figure: Figure
    reason: Reason
    amount: Decimal
    date: dt.date


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures from `start` to `end`; returns are fractions, None if `unavailable` says why.

    `periods` are those with a return, which the deviations are computed from: their `start` and `end` are
    indices of points.
    """

    start: dt.date | None = None
    end: dt.date | None = None
    start_value: Decimal | None = None
    end_value: Decimal | None = None
    net_flow: Decimal | None = None
    time_weighted_return: Decimal | None = None
    annualized_return: Decimal | None = None
    money_weighted_return: Decimal | None = None
    periods_per_year: int | None = None
    volatility: Decimal | None = None
    sharpe_ratio: Decimal | None = None
    sortino_ratio: Decimal | None = None
    max_drawdown: Drawdown | None = None
    best_day: DayReturn | None = None
    worst_day: DayReturn | None = None
    unavailable: Sequence[Unavailable] = field(default=())
    notes: Sequence[Note] = field(default=())
    periods: Sequence[ReturnPeriod] = field(default=())


def nothing(reason: Reason) -> Figures:
    """Return figures of which none is available, for one reason."""
    every = (Figure.VALUES, *RETURNS)
    return Figures(unavailable=[Unavailable.because(figure, reason) for figure in every])


def measure(points: Sequence[Point], risk_free: Decimal = ZERO) -> Figures:
    """Return the figures of these days; the first point is where they begin, its value the start value.

    If the whole first day is to count, the first point is an opening
    (`investing.rules.performance.series.with_opening`). `risk_free` is a rate per year, as a fraction above
    -1.
    """
    if not points:
        return nothing(Reason.NO_HISTORY)
    return _Computation(points, risk_free).figures()


def without_capital(points: Sequence[Point]) -> list[Note]:
    """Return what was earned in sub-periods that began with no capital, by day: no return contains it."""
    return _without_capital(growths(points))


def _without_capital(days: Iterable[tuple[Point, DayGrowth]]) -> list[Note]:
    return [
        Note(Figure.TIME_WEIGHTED_RETURN, Reason.RETURN_WITHOUT_CAPITAL, day.without_capital, point.date)
        for point, day in days
        if day.without_capital
    ]


def payments(points: Sequence[Point]) -> list[tuple[dt.date, Decimal]]:
    """Return what was paid in (negative) and what came back, with the values at the beginning and the end.

    If there was nothing at the beginning, the first payment is the first flow.
    """
    first, last = points[0], points[-1]
    begun = [(first.date, -first.total_value)] if first.total_value else []
    flows = [(point.date, -point.net_flow) for point in points[1:] if point.net_flow]
    return [*begun, *flows, (last.date, last.total_value)]


class _Computation:
    """The figures being computed, and why some of them are not available."""

    def __init__(self, points: Sequence[Point], risk_free: Decimal) -> None:
        self._points, self._risk_free = points, risk_free
        self._first, self._last = points[0], points[-1]
        self._growths = list(growths(points))
        self._unavailable: list[Unavailable] = []

    def figures(self) -> Figures:
        first, last = self._first, self._last
        if any(point.unpriced_positions for point in self._points):
            self._mark_unavailable(Reason.NO_PRICES, Figure.VALUES, *RETURNS)
            start = None if first.unpriced_positions else first.total_value
            end = None if last.unpriced_positions else last.total_value
            return Figures(first.date, last.date, start, end, unavailable=self._unavailable)
        flow = sum((point.net_flow for point in self._points[1:]), ZERO)
        values = (first.date, last.date, first.total_value, last.total_value, flow)
        notes = _without_capital(self._growths)
        if any(day.is_negative for _, day in self._growths):
            of_money = Figure.MONEY_WEIGHTED_RETURN
            self._mark_unavailable(
                Reason.NEGATIVE_CAPITAL, *(figure for figure in RETURNS if figure is not of_money)
            )
            return Figures(
                *values,
                money_weighted_return=self._money_weighted(),
                unavailable=self._unavailable,
                notes=notes,
            )
        days = list(linked(self._growths))
        if not days:
            self._mark_unavailable(Reason.TOO_SHORT, *RETURNS)
            return Figures(*values, unavailable=self._unavailable, notes=notes)
        total = stored(WIDE.subtract(days[-1].index, ONE))
        if total is None:
            self._mark_unavailable(Reason.OUT_OF_RANGE, Figure.TIME_WEIGHTED_RETURN, Figure.CONTRIBUTIONS)
        series = self._series()
        statistics = series.statistics()
        if isinstance(statistics, Reason):
            self._mark_unavailable(statistics, *OF_PERIODS)
        if any(day.daily < -1 for day in days):
            self._mark_unavailable(Reason.TOTAL_LOSS, Figure.CONTRIBUTIONS)
        fall = deepest([(first.date, ONE), *((day.date, day.index) for day in days)])
        return Figures(
            *values,
            time_weighted_return=total,
            annualized_return=self._annualized(WIDE.subtract(days[-1].index, ONE)),
            money_weighted_return=self._money_weighted(),
            periods_per_year=None if isinstance(by := series.periods_per_year(), Reason) else by,
            volatility=self._of_periods(statistics, Figure.VOLATILITY, Statistics.volatility),
            sharpe_ratio=self._of_periods(statistics, Figure.SHARPE_RATIO, Statistics.sharpe_ratio),
            sortino_ratio=self._of_periods(statistics, Figure.SORTINO_RATIO, Statistics.sortino_ratio),
            max_drawdown=fall,
            best_day=max(days, key=lambda day: day.daily),
            worst_day=min(days, key=lambda day: day.daily),
            unavailable=self._unavailable,
            notes=notes,
            periods=series.periods,
        )

    def _series(self) -> PeriodStatistics:
        """Return the days joined to periods; the first point's own growth is in none of them."""
        series = PeriodStatistics(self._risk_free)
        series.add(_priced(self._first, None))
        for point, day in self._growths:
            series.add(_priced(point, day.growth))
        return series

    def _mark_unavailable(self, reason: Reason, *figures: Figure) -> None:
        self._unavailable += [Unavailable.because(figure, reason) for figure in figures]

    def _annualized(self, total: Decimal) -> Decimal | None:
        if not is_a_year(self._first.date, self._last.date):
            self._mark_unavailable(Reason.UNDER_ONE_YEAR, Figure.ANNUALIZED_RETURN)
            return None
        found = annualized(total, self._first.date, self._last.date)
        if found is None:
            self._mark_unavailable(Reason.OUT_OF_RANGE, Figure.ANNUALIZED_RETURN)
        return found

    def _money_weighted(self) -> Decimal | None:
        paid = payments(self._points)
        # What came in and went out on the same day was never invested.
        if not is_a_year(paid[0][0], self._last.date):
            self._mark_unavailable(Reason.UNDER_ONE_YEAR, Figure.MONEY_WEIGHTED_RETURN)
            return None
        found = money_weighted(paid)
        if isinstance(found, Reason):
            self._mark_unavailable(found, Figure.MONEY_WEIGHTED_RETURN)
            return None
        return found

    def _of_periods(
        self,
        statistics: Statistics | Reason,
        figure: Figure,
        compute: Callable[[Statistics], Decimal | None],
    ) -> Decimal | None:
        """Return a figure that in most cases needs returns that vary."""
        if isinstance(statistics, Reason):
            return None
        found = compute(statistics)
        if found is None:
            self._mark_unavailable(Reason.NO_VARIANCE, figure)
        return found


def _priced(point: Point, growth: Decimal | None) -> PricedDay:
    counts = (point.num_positions, point.stale_positions, point.unquoted_positions)
    return PricedDay(point.date, growth, *counts)

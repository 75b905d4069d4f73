"""How a portfolio, an account or a user did between two days, and why a figure cannot be told."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Self

import strawberry

from graph.context import Info
from graph.errors import BadUserInput
from graph.market.loaders import InstrumentById
from graph.market.types import Instrument
from graph.portfolio.explanations import PerformanceExplanation, explain_performance
from graph.portfolio.performance_loaders import (
    BenchmarkBySymbol,
    GainsByPerformance,
    PerformanceByAccount,
    PerformanceByPortfolio,
    PerformanceByUser,
)
from graph.scalars import CurrencyCode
from graph.vocabulary import PerformanceFigure, Period, UnavailableReason
from investing.portfolio.gains import Gain
from investing.portfolio.performance import Performance as Measured
from investing.portfolio.performance import PerformanceRequest
from investing.rules.performance.benchmark import BenchmarkPrice, Comparison, compare, incomparable
from investing.rules.performance.contribution import PeriodReturn, by_period
from investing.rules.performance.drawdowns import Drawdown
from investing.rules.performance.figures import Note
from investing.rules.performance.returns import stored
from investing.rules.performance.series import DayReturn

PerformanceFrom = Annotated[
    dt.date | None,
    strawberry.argument(
        name="from",
        description="The day whose end is where the figures begin, or the last one before it that there is; "
        "if left out, they begin with the first flow, and its whole day counts.",
    ),
]
PerformanceTo = Annotated[
    dt.date | None, strawberry.argument(name="to", description="The last day; the newest if left out.")
]
BenchmarkSymbol = Annotated[
    str | None, strawberry.argument(description="The symbol of an instrument to compare with.")
]
RiskFree = Annotated[
    Decimal,
    strawberry.argument(description="A rate per year, such as 0.03, that ratios count from; 0 if left out."),
]


@strawberry.type(description="A figure that cannot be told, and why.")
class UnavailableFigure:
    figure: PerformanceFigure = strawberry.field(description="Which figure.")
    reason: UnavailableReason = strawberry.field(description="Why, for programs.")
    message: str = strawberry.field(description="Why, for people.")


@strawberry.type(description="What is to be known about a figure that is there.")
class FigureNote:
    figure: str = strawberry.field(description="Which figure, as PerformanceFigure names it.")
    reason: str = strawberry.field(description="What there is to know, as UnavailableReason names it.")
    amount: Decimal | None = strawberry.field(
        description="How much it is about, in the performance's currency."
    )
    date: dt.date | None = strawberry.field(description="The day that it is about.")

    @classmethod
    def of(cls, note: Note) -> Self:
        """As the rules tell it."""
        return cls(figure=note.figure.value, reason=note.reason.value, amount=note.amount, date=note.date)


@strawberry.type(
    description="The deepest fall of the time-weighted index from a peak, of several as deep the first. "
    "Deposits and withdrawals are no part of it."
)
class MaxDrawdown:
    depth: Decimal = strawberry.field(description="As a positive fraction of the peak; 0 if nothing fell.")
    peak: dt.date | None = strawberry.field(description="The last day at the height that it fell from.")
    trough: dt.date | None = strawberry.field(description="The first day at its lowest.")
    recovery: dt.date | None = strawberry.field(
        description="The first day back at the height of the peak, null while there is none."
    )

    @classmethod
    def of(cls, fall: Drawdown) -> Self:
        """As the rules tell it."""
        depth = stored(fall.depth)
        assert depth is not None, "a fraction can be told"
        return cls(depth=depth, peak=fall.peak, trough=fall.trough, recovery=fall.recovery)


@strawberry.type(name="DayReturn", description="One day and its return.")
class OneDay:
    date: dt.date = strawberry.field(description="The day.")
    return_: Decimal = strawberry.field(name="return", description="Its return, as a fraction.")

    @classmethod
    def of(cls, day: DayReturn | None) -> Self | None:
        """As the rules tell it."""
        return None if day is None else cls(date=day.date, return_=day.daily)


@strawberry.type(
    description="A performance beside an instrument's, over the same days. What cannot be told is null, and "
    "in the performance's `unavailable`."
)
class BenchmarkComparison:
    symbol: str = strawberry.field(description="The benchmark's symbol.")
    benchmark_return: Decimal | None = strawberry.field(
        description="The benchmark's own return, by adjusted closes where all are known."
    )
    excess_return: Decimal | None = strawberry.field(
        description="The time-weighted return less the benchmark's."
    )
    beta: Decimal | None = strawberry.field(
        description="Covariance of the periods' returns with the benchmark's over the variance of the "
        "benchmark's."
    )
    correlation: Decimal | None = strawberry.field(
        description="Correlation of the periods' returns with the benchmark's."
    )
    tracking_error: Decimal | None = strawberry.field(
        description="Sample standard deviation of the periods' differences, x sqrt(`periodsPerYear`)."
    )


@strawberry.type(
    description="What a position added to the return. All contributions of a performance add up to its "
    "time-weighted return exactly, and all gains to what its value grew by without flows."
)
class Contribution:
    instrument_id: strawberry.Private[Any]
    gain: Decimal = strawberry.field(
        description="What it was worth more at the end than at the beginning, with what it paid and cost in "
        "between, in the performance's currency."
    )
    contribution: Decimal = strawberry.field(description="Its part of the time-weighted return.")

    @classmethod
    def of(cls, gain: Gain) -> Self:
        """As the service tells it."""
        return cls(instrument_id=gain.instrument_id, gain=gain.gain, contribution=gain.contribution)

    @strawberry.field(
        description="What was held; null for cash: interest, fees and taxes that belong to no instrument."
    )
    async def instrument(self, info: Info) -> Instrument | None:
        if self.instrument_id is None:
            return None
        return Instrument.from_row(
            await info.context.loader(InstrumentById).load_existing(self.instrument_id)
        )


@strawberry.type(description="A calendar month or year, or the part of it that is looked at.")
class PeriodPerformance:
    first_day: dt.date = strawberry.field(description="The first day of the month or year.")
    start_value: Decimal = strawberry.field(description="What there was at its beginning.")
    end_value: Decimal = strawberry.field(description="What there was at its end.")
    net_flow: Decimal = strawberry.field(description="What came in from outside, less what left.")
    time_weighted_return: Decimal | None = strawberry.field(
        description="Its own return, null where nothing was there to grow."
    )
    contribution: Decimal = strawberry.field(
        description="Its part of the return of the whole; all of them add up to that exactly."
    )

    @classmethod
    def of(cls, period: PeriodReturn) -> Self:
        """As the rules tell it."""
        return cls(
            first_day=period.first,
            start_value=period.start_value,
            end_value=period.end_value,
            net_flow=period.net_flow,
            time_weighted_return=period.time_weighted_return,
            contribution=period.contribution,
        )


@strawberry.type(
    description="How a portfolio, an account or a user did between two days. What moves between one's own "
    "portfolios is external to each of them and internal to an account or a user that has both. Returns are "
    "fractions: 0.05 is 5 %. A figure that cannot be told is null, and `unavailable` says why."
)
class Performance:
    measured: strawberry.Private[Measured]
    comparison: strawberry.Private[Comparison | None]
    prices: strawberry.Private[Sequence[BenchmarkPrice] | None]
    start: dt.date | None = strawberry.field(
        name="from",
        description="The day at whose end the figures begin, or the day of the first flow where they begin "
        "with that; null without any.",
    )
    end: dt.date | None = strawberry.field(name="to", description="The day with which they end.")
    stale_from: dt.date | None = strawberry.field(
        description="From this day on everything waits to be computed anew, and is left out; null if nothing."
    )
    currency: CurrencyCode | None = strawberry.field(
        description="The currency of its amounts, null if there are several."
    )
    start_value: Decimal | None = strawberry.field(
        description="What there was at the end of `from`; 0 where the figures begin with the first flow."
    )
    end_value: Decimal | None = strawberry.field(description="What there was at the end of `to`.")
    net_flow: Decimal | None = strawberry.field(
        description="What came in from outside since they begin, less what left; shares at the price that "
        "was known at that moment."
    )
    time_weighted_return: Decimal | None = strawberry.field(
        description="The return without the effect of flows: that of each sub-period from flow to flow and "
        "from day to day, linked."
    )
    annualized_return: Decimal | None = strawberry.field(
        description="The time-weighted return per year of 365 days; from one year on."
    )
    money_weighted_return: Decimal | None = strawberry.field(
        description="The yearly rate at which all that was put in grew to what came of it (XIRR); from one "
        "year on."
    )
    periods_per_year: int | None = strawberry.field(
        description="How many periods make a year, by which deviations are annualised: 365, 252 (business "
        "days), 52, 12 or 4, as the days are spaced on which all that is held and has prices has a close. "
        "Each of them ends a period; other days join the next. Null where they are not "
        "evenly spaced or are fewer than 12."
    )
    volatility: Decimal | None = strawberry.field(
        description="Sample standard deviation of the periods' returns, x sqrt(`periodsPerYear`)."
    )
    sharpe_ratio: Decimal | None = strawberry.field(
        description="Mean return of a period over the risk-free rate's, by standard deviation, "
        "x sqrt(`periodsPerYear`)."
    )
    sortino_ratio: Decimal | None = strawberry.field(
        description="The same by downside deviation, which counts what falls short of the risk-free rate."
    )
    max_drawdown: MaxDrawdown | None = strawberry.field(description="The deepest fall.")
    best_day: OneDay | None = strawberry.field(description="The day with the highest return.")
    worst_day: OneDay | None = strawberry.field(description="The day with the lowest return.")
    benchmark: BenchmarkComparison | None = strawberry.field(
        description="Beside the benchmark, null if none was named."
    )
    unavailable: list[UnavailableFigure] = strawberry.field(
        description="The figures that are null, each with the reason."
    )
    notes: list[FigureNote] = strawberry.field(
        description="What is to be known about figures that are there: RETURN_WITHOUT_CAPITAL is what was "
        "earned on a day while nothing was there to earn it on, so that no return contains it."
    )

    @classmethod
    def of(
        cls,
        measured: Measured,
        symbol: str | None,
        comparison: Comparison | None,
        prices: Sequence[BenchmarkPrice] | None,
    ) -> Self:
        """As the rules tell it."""
        figures = measured.figures
        missing = [*figures.unavailable, *(comparison.unavailable if comparison else ())]
        return cls(
            measured=measured,
            comparison=comparison,
            prices=prices,
            start=figures.start,
            end=figures.end,
            stale_from=measured.stale_from,
            currency=None if measured.currency is None else CurrencyCode(measured.currency),
            start_value=figures.start_value,
            end_value=figures.end_value,
            net_flow=figures.net_flow,
            time_weighted_return=figures.time_weighted_return,
            annualized_return=figures.annualized_return,
            money_weighted_return=figures.money_weighted_return,
            periods_per_year=figures.periods_per_year,
            volatility=figures.volatility,
            sharpe_ratio=figures.sharpe_ratio,
            sortino_ratio=figures.sortino_ratio,
            max_drawdown=None if figures.max_drawdown is None else MaxDrawdown.of(figures.max_drawdown),
            best_day=OneDay.of(figures.best_day),
            worst_day=OneDay.of(figures.worst_day),
            benchmark=_beside(symbol, comparison),
            unavailable=[
                UnavailableFigure(figure=one.figure, reason=one.reason, message=one.message)
                for one in missing
            ],
            notes=[FigureNote.of(note) for note in figures.notes],
        )

    @strawberry.field(
        description="What each position added to the return, largest first. Null where `unavailable` says "
        "so, or where something was posted while this was read: ask again."
    )
    async def contributions(self, info: Info) -> list[Contribution] | None:
        gains: Any = await info.context.loader(GainsByPerformance).load(self.measured)
        return None if gains is None else [Contribution.of(gain) for gain in gains]

    @strawberry.field(
        description="How a figure came about: sub-periods, flows, prices and method. Null where "
        "`unavailable` says why there is no such figure, and for one beside a benchmark without a benchmark."
    )
    def explain(
        self,
        figure: Annotated[
            PerformanceFigure, strawberry.argument(description="Which figure.")
        ] = PerformanceFigure.TIME_WEIGHTED_RETURN,
    ) -> PerformanceExplanation | None:
        symbol = self.benchmark.symbol if self.benchmark else None
        return explain_performance(self.measured, figure, symbol, self.comparison, self.prices)

    @strawberry.field(
        description="Month by month or year by year, oldest first. Null where `unavailable` says so of "
        "contributions."
    )
    def periods(
        self,
        by: Annotated[Period, strawberry.argument(description="Months or years.")] = Period.MONTH,
    ) -> list[PeriodPerformance] | None:
        refused = {one.figure for one in self.measured.figures.unavailable}
        if PerformanceFigure.CONTRIBUTIONS in refused:
            return None
        return [PeriodPerformance.of(period) for period in by_period(self.measured.points, by)]


async def performance(
    info: Info,
    loader: type[PerformanceByPortfolio | PerformanceByAccount | PerformanceByUser],
    id: Any,
    between: tuple[dt.date | None, dt.date | None],
    symbol: str | None,
    risk_free: Decimal,
) -> Performance:
    """The performance of one portfolio, account or user. Raises BadUserInput for what makes no sense."""
    start, end = between
    if start is not None and end is not None and start > end:
        raise BadUserInput("`from` comes before `to`.")
    if not -1 < risk_free < 1:
        raise BadUserInput("`riskFree` is a fraction above -1 and below 1.")
    measured: Measured = await info.context.loader(loader).load(
        (id, PerformanceRequest(start, end, risk_free))
    )
    return Performance.of(measured, symbol, *await _compared(info, measured, symbol))


async def _compared(
    info: Info, measured: Measured, symbol: str | None
) -> tuple[Comparison | None, Sequence[BenchmarkPrice] | None]:
    """The comparison, and the prices where they can be compared with."""
    if symbol is None:
        return None, None
    if not measured.points:
        return incomparable(measured.figures.unavailable[0].reason), None
    days = (measured.points[0].date, measured.points[-1].date)
    benchmark = await info.context.loader(BenchmarkBySymbol).load((symbol, *days))
    if benchmark is None:
        return incomparable(UnavailableReason.NO_BENCHMARK_PRICES), None
    if benchmark.currency != measured.currency:
        return incomparable(UnavailableReason.SEVERAL_CURRENCIES), None
    assert measured.scope is not None, "what has days has a scope"
    prices = benchmark.prices_for(measured.points, measured.scope.time_zone)
    return compare(measured.points, measured.figures, prices), prices


def _beside(symbol: str | None, comparison: Comparison | None) -> BenchmarkComparison | None:
    if symbol is None or comparison is None:
        return None
    return BenchmarkComparison(
        symbol=symbol,
        benchmark_return=comparison.benchmark_return,
        excess_return=comparison.excess_return,
        beta=comparison.beta,
        correlation=comparison.correlation,
        tracking_error=comparison.tracking_error,
    )

"""The performance of a portfolio, an account or a user between two days; why a figure is unavailable."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Self

import strawberry

from graph.context import Info
from graph.errors import BadUserInput
from graph.loaders.market import InstrumentById
from graph.loaders.performance import (
    BenchmarkBySymbol,
    GainsByPerformance,
    PerformanceByAccount,
    PerformanceByPortfolio,
    PerformanceByUser,
)
from graph.market.types import Instrument, instrument_with_symbol
from graph.portfolio.performance_explanations import PerformanceExplanation, explain_performance
from graph.scalars import CurrencyCode
from graph.vocabulary import PerformanceFigure, Period, UnavailableReason
from investing.background import run_apart
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
        description="The figures start at the end of this day, or of the last day before it that has a "
        "snapshot. If left out, they start with the first flow, and include its whole day.",
    ),
]
PerformanceTo = Annotated[
    dt.date | None, strawberry.argument(name="to", description="The last day; the newest one if left out.")
]
BenchmarkSymbol = Annotated[
    str | None, strawberry.argument(description="The symbol of an instrument to compare with.")
]
RiskFree = Annotated[
    Decimal,
    strawberry.argument(
        description="The risk-free rate per year for the ratios, such as 0.03; 0 if left out."
    ),
]


@strawberry.type(description="A figure that is not available, and why.")
class UnavailableFigure:
    figure: PerformanceFigure = strawberry.field(description="The figure.")
    reason: UnavailableReason = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people.")


@strawberry.type(description="Something to know about a figure that is available.")
class FigureNote:
    figure: str = strawberry.field(description="The figure, as a name of PerformanceFigure.")
    reason: str = strawberry.field(description="The reason, as a name of UnavailableReason.")
    amount: Decimal | None = strawberry.field(
        description="The amount concerned, in the performance's currency."
    )
    date: dt.date | None = strawberry.field(description="The day concerned.")

    @classmethod
    def of(cls, note: Note) -> Self:
        """Return the note that the rules give."""
        return cls(figure=note.figure.value, reason=note.reason.value, amount=note.amount, date=note.date)


@strawberry.type(
    description="The largest fall of the time-weighted index from a peak; the first one if several are "
    "equal. Deposits and withdrawals do not count."
)
class MaxDrawdown:
    depth: Decimal = strawberry.field(description="A positive fraction of the peak; 0 if there was no fall.")
    peak: dt.date | None = strawberry.field(description="The last day at the value of the peak.")
    trough: dt.date | None = strawberry.field(description="The first day at the lowest value.")
    recovery: dt.date | None = strawberry.field(
        description="The first day back at the value of the peak; null until then."
    )

    @classmethod
    def of(cls, fall: Drawdown) -> Self:
        """Return the drawdown that the rules give."""
        depth = stored(fall.depth)
        assert depth is not None, "a fraction can be told"
        return cls(depth=depth, peak=fall.peak, trough=fall.trough, recovery=fall.recovery)


@strawberry.type(name="DayReturn", description="One day and its return.")
class OneDay:
    date: dt.date = strawberry.field(description="The day.")
    return_: Decimal = strawberry.field(name="return", description="Its return, as a fraction.")

    @classmethod
    def of(cls, day: DayReturn | None) -> Self | None:
        """Return the day's return that the rules give; None for None."""
        return None if day is None else cls(date=day.date, return_=day.daily)


@strawberry.type(
    description="A performance compared with that of an instrument over the same days. What cannot be "
    "computed is null and listed in the performance's `unavailable`."
)
class BenchmarkComparison:
    symbol: str = strawberry.field(description="The benchmark's symbol.")
    benchmark_return: Decimal | None = strawberry.field(
        description="The benchmark's own return, from adjusted closes if all of them are known."
    )
    excess_return: Decimal | None = strawberry.field(
        description="The time-weighted return minus the benchmark's."
    )
    beta: Decimal | None = strawberry.field(
        description="The covariance of the periods' returns with the benchmark's, divided by the variance of "
        "the benchmark's."
    )
    correlation: Decimal | None = strawberry.field(
        description="The correlation of the periods' returns with the benchmark's."
    )
    tracking_error: Decimal | None = strawberry.field(
        description="The sample standard deviation of the periods' excess returns over the benchmark, times "
        "sqrt(`periodsPerYear`)."
    )

    @strawberry.field(description="The benchmark.")
    async def instrument(self, info: Info) -> Instrument | None:
        return await instrument_with_symbol(info, self.symbol)


@strawberry.type(
    description="What a position contributed to the return. All contributions of a performance add up "
    "exactly to its time-weighted return, and all gains to its change in value excluding flows."
)
class Contribution:
    instrument_id: strawberry.Private[Any]
    gain: Decimal = strawberry.field(
        description="Its change in value plus what it paid and minus what it cost, in the performance's "
        "currency."
    )
    contribution: Decimal = strawberry.field(description="Its part of the time-weighted return.")

    @classmethod
    def of(cls, gain: Gain) -> Self:
        """Return the gain that the service gives."""
        return cls(instrument_id=gain.instrument_id, gain=gain.gain, contribution=gain.contribution)

    @strawberry.field(
        description="The instrument; null for cash: interest, fees and taxes that belong to no instrument."
    )
    async def instrument(self, info: Info) -> Instrument | None:
        if self.instrument_id is None:
            return None
        return Instrument.from_row(
            await info.context.loader(InstrumentById).load_existing(self.instrument_id)
        )


@strawberry.type(description="A calendar month or year, or the part of it that is covered.")
class PeriodPerformance:
    first_day: dt.date = strawberry.field(description="The first day of the month or year.")
    start_value: Decimal = strawberry.field(description="The value at its start.")
    end_value: Decimal = strawberry.field(description="The value at its end.")
    net_flow: Decimal = strawberry.field(description="The external inflows minus the outflows.")
    time_weighted_return: Decimal | None = strawberry.field(
        description="Its return; null if there was no capital."
    )
    contribution: Decimal = strawberry.field(
        description="Its part of the whole return; all parts add up to that exactly."
    )

    @classmethod
    def of(cls, period: PeriodReturn) -> Self:
        """Return the sub-period that the rules give."""
        return cls(
            first_day=period.first,
            start_value=period.start_value,
            end_value=period.end_value,
            net_flow=period.net_flow,
            time_weighted_return=period.time_weighted_return,
            contribution=period.contribution,
        )


@strawberry.type(
    description="The performance of a portfolio, an account or a user between two days. Transfers between "
    "portfolios are external flows of each portfolio, but not of an account or a user that has "
    "both. Returns are fractions: 0.05 is five percent. A figure that cannot be computed is "
    "null, and `unavailable` gives the reason."
)
class Performance:
    measured: strawberry.Private[Measured]
    comparison: strawberry.Private[Comparison | None]
    prices: strawberry.Private[Sequence[BenchmarkPrice] | None]
    start: dt.date | None = strawberry.field(
        name="from",
        description="The day at whose end the figures start, or the day of the first flow if they start with "
        "that; null if there is neither.",
    )
    end: dt.date | None = strawberry.field(name="to", description="The day with which they end.")
    stale_from: dt.date | None = strawberry.field(
        description="The day from which on everything is left out, because it is waiting to be recomputed; "
        "null if nothing is."
    )
    currency: CurrencyCode | None = strawberry.field(
        description="The currency of its amounts; null if there are several."
    )
    start_value: Decimal | None = strawberry.field(
        description="The value at the end of `from`; 0 if the figures start with the first flow."
    )
    end_value: Decimal | None = strawberry.field(description="The value at the end of `to`.")
    net_flow: Decimal | None = strawberry.field(
        description="The external inflows minus the outflows; shares count at the price known at that moment."
    )
    time_weighted_return: Decimal | None = strawberry.field(
        description="The return without the effect of flows: the linked returns of the sub-periods between "
        "flows and ends of days."
    )
    annualized_return: Decimal | None = strawberry.field(
        description="The time-weighted return per year of 365 days; for spans of at least a year."
    )
    money_weighted_return: Decimal | None = strawberry.field(
        description="The internal rate of return per year (XIRR); for spans of at least a year."
    )
    periods_per_year: int | None = strawberry.field(
        description="The number of periods in a year, for annualising deviations: 365, 252 (business days), "
        "52, 12 or 4, depending on the spacing of the days on which everything that is held and "
        "has prices has a close. Each of them ends a period; other days join the next one. Null "
        "if they are not evenly spaced or fewer than 12."
    )
    volatility: Decimal | None = strawberry.field(
        description="The sample standard deviation of the periods' returns, times sqrt(`periodsPerYear`)."
    )
    sharpe_ratio: Decimal | None = strawberry.field(
        description="The mean of the periods' excess returns over the risk-free rate, divided by their "
        "standard deviation, times sqrt(`periodsPerYear`)."
    )
    sortino_ratio: Decimal | None = strawberry.field(
        description="The same with the downside deviation, which counts only returns below the risk-free "
        "rate."
    )
    max_drawdown: MaxDrawdown | None = strawberry.field(description="The largest drawdown.")
    best_day: OneDay | None = strawberry.field(description="The day with the highest return.")
    worst_day: OneDay | None = strawberry.field(description="The day with the lowest return.")
    benchmark: BenchmarkComparison | None = strawberry.field(
        description="The comparison with the benchmark; null if none was given."
    )
    unavailable: list[UnavailableFigure] = strawberry.field(
        description="The figures that are null, each with the reason."
    )
    notes: list[FigureNote] = strawberry.field(
        description="Things to know about figures that are available. RETURN_WITHOUT_CAPITAL: an amount was "
        "earned while there was no capital, so that no return includes it."
    )

    @classmethod
    def of(
        cls,
        measured: Measured,
        symbol: str | None,
        comparison: Comparison | None,
        prices: Sequence[BenchmarkPrice] | None,
    ) -> Self:
        """Return the performance that the rules give."""
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
        description="What each position contributed to the return, largest first. Null if not available, see "
        "`unavailable`, or if something was recorded while this was being read: then query it "
        "again."
    )
    async def contributions(self, info: Info) -> list[Contribution] | None:
        gains: Any = await info.context.loader(GainsByPerformance).load(self.measured)
        return None if gains is None else [Contribution.of(gain) for gain in gains]

    @strawberry.field(
        description="How a figure was computed: sub-periods, flows, prices and method. Null if the figure is "
        "not available, see `unavailable`, or if it needs a benchmark and none was given."
    )
    async def explain(
        self,
        info: Info,
        figure: Annotated[
            PerformanceFigure, strawberry.argument(description="The figure.")
        ] = PerformanceFigure.TIME_WEIGHTED_RETURN,
    ) -> PerformanceExplanation | None:
        symbol = self.benchmark.symbol if self.benchmark else None
        return await run_apart(
            info.context.viewer_id,
            explain_performance,
            self.measured,
            figure,
            symbol,
            self.comparison,
            self.prices,
        )

    @strawberry.field(
        description="The performance by month or by year, oldest first. Null if contributions are not "
        "available, see `unavailable`."
    )
    async def periods(
        self,
        info: Info,
        by: Annotated[Period, strawberry.argument(description="Months or years.")] = Period.MONTH,
    ) -> list[PeriodPerformance] | None:
        refused = {one.figure for one in self.measured.figures.unavailable}
        if PerformanceFigure.CONTRIBUTIONS in refused:
            return None
        periods = await run_apart(info.context.viewer_id, by_period, self.measured.points, by)
        return [PeriodPerformance.of(period) for period in periods]


async def performance(
    info: Info,
    loader: type[PerformanceByPortfolio | PerformanceByAccount | PerformanceByUser],
    id: Any,
    between: tuple[dt.date | None, dt.date | None],
    symbol: str | None,
    risk_free: Decimal,
) -> Performance:
    """Return the performance of one portfolio, account or user.

    Raise BadUserInput if the arguments make no sense.
    """
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
    """Return the comparison, and the prices if they can be compared with."""
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
    time_zone = measured.scope.time_zone

    def computed() -> tuple[Comparison, Sequence[BenchmarkPrice]]:
        prices = benchmark.prices_for(measured.points, time_zone)
        return compare(measured.points, measured.figures, prices), prices

    return await run_apart(info.context.viewer_id, computed)


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

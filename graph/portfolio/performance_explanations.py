"""Explain a performance by the prices, flows and sub-periods behind it, and the method."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Self

import strawberry

from db.pages import Key, Listing
from graph.connections import After, Before, Connection, First, Last, page_through
from graph.context import Info
from graph.scalars import CurrencyCode
from graph.trading.explanations import Explanation, ExplanationInput, PriceUsed
from graph.vocabulary import ExplainedFigure, PerformanceFigure
from investing.background import run_apart
from investing.portfolio.performance import Performance as Measured
from investing.rules.performance import explaining as rules
from investing.rules.performance.benchmark import BenchmarkPrice, Comparison
from investing.rules.performance.figures import payments

_OF_SUB_PERIODS = (Key("date", "", dt.date.fromisoformat), Key("number", "", int))
SUB_PERIODS: Listing[dict[str, Any]] = Listing(dict, "subPeriods", {}, "", _OF_SUB_PERIODS, owner=None)
PAYMENTS: Listing[dict[str, Any]] = Listing(dict, "payments", {}, "", (Key("number", "", int),), owner=None)


@strawberry.type(
    description="The time from the end of a day or a flow to the next one of either. The next sub-period "
    "starts with `endValue` plus `netFlow`."
)
class SubPeriod:
    start_date: dt.date = strawberry.field(
        description="The day at whose end it begins, or, if it begins with a flow, the day of that flow."
    )
    date: dt.date = strawberry.field(description="The day on which it ends.")
    start_value: Decimal = strawberry.field(
        description="The value at its start, after a flow at that moment."
    )
    end_value: Decimal = strawberry.field(
        description="The value at its end: at the end of the day, or just before a flow, with the prices "
        "known at that moment."
    )
    net_flow: Decimal = strawberry.field(
        description="The flow with which it ends, negative for an outflow; 0 at the end of a day."
    )
    flow_at: dt.datetime | None = strawberry.field(
        description="The time of the flow; null at the end of a day."
    )
    return_: Decimal | None = strawberry.field(
        name="return", description="Its return, to ten decimal places; null if there was no capital."
    )
    day_return: Decimal | None = strawberry.field(
        description="The return of the whole day that it ends, to ten decimal places; null if the day goes "
        "on, or if there was no capital."
    )
    benchmark_return: Decimal | None = strawberry.field(
        description="The benchmark's return on the same day; null without a benchmark, and if the day goes "
        "on."
    )
    period_return: Decimal | None = strawberry.field(
        description="The return of the whole period that it ends, to ten decimal places. A period is a day "
        "together with the preceding days on which not everything held had a close. Null if no "
        "period ends, or if there was no capital. Deviations are computed from these returns."
    )
    period_benchmark_return: Decimal | None = strawberry.field(
        description="The benchmark's return in the same period; null without a benchmark, and if no period "
        "ends."
    )

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """Return what the rule gives."""
        one: rules.SubPeriod = row["of"]
        return cls(
            start_date=one.start,
            date=one.end,
            start_value=one.start_value,
            end_value=one.end_value,
            net_flow=one.net_flow,
            flow_at=one.flow_at,
            return_=one.growth,
            day_return=one.daily,
            benchmark_return=one.benchmark,
            period_return=one.period,
            period_benchmark_return=one.benchmark_period,
        )


@strawberry.type(
    description="A cash flow of the money-weighted return: negative for a payment in, positive "
    "for a payment out."
)
class Payment:
    date: dt.date = strawberry.field(description="The day.")
    amount: Decimal = strawberry.field(
        description="The starting value or a flow, with its sign reversed, or the final value."
    )

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """Return what the rule gives."""
        return cls(date=row["date"], amount=row["amount"])


@strawberry.type(description="How a figure of a performance was computed.")
class PerformanceExplanation(Explanation):
    measured: strawberry.Private[Measured]
    benchmark_prices: strawberry.Private[Sequence[BenchmarkPrice] | None]
    prices: list[PriceUsed] = strawberry.field(
        description="The benchmark's first and last price; empty without a benchmark."
    )

    @strawberry.field(description="The sub-periods from flow to flow and from day to day, oldest first.")
    async def sub_periods(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[SubPeriod]:
        found = await run_apart(
            info.context.viewer_id,
            rules.sub_periods,
            self.measured.points,
            self.measured.figures.periods,
            self.benchmark_prices,
        )
        rows = [{"date": one.end, "number": one.number, "of": one} for one in found]
        return page_through(SUB_PERIODS, rows, SubPeriod.from_row, (first, after, last, before))

    @strawberry.field(description="The cash flows of the money-weighted return, oldest first.")
    def payments(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Payment]:
        found = enumerate(payments(self.measured.points))
        rows = [{"number": n, "date": date, "amount": amount} for n, (date, amount) in found]
        return page_through(PAYMENTS, rows, Payment.from_row, (first, after, last, before))


def explain_performance(
    measured: Measured,
    figure: PerformanceFigure,
    symbol: str | None,
    comparison: Comparison | None,
    prices: Sequence[BenchmarkPrice] | None,
) -> PerformanceExplanation | None:
    """Explain a performance beside a benchmark; None for an unavailable figure."""
    figures = measured.figures
    value = rules.value_of(figure, figures, comparison)
    if value is None:
        return None
    working = rules.WORKINGS[figure]
    inputs = rules.inputs_of(figure, figures, comparison, measured.risk_free, measured.points)
    closes = rules.closes_at(measured.points, prices)
    ends = [closes[0], closes[-1]] if closes else []
    currency = measured.currency if figure is PerformanceFigure.VALUES else None
    return PerformanceExplanation(
        measured=measured,
        benchmark_prices=prices,
        figure=ExplainedFigure(figure.value),
        value=value,
        currency=None if currency is None else CurrencyCode(currency),
        method=working.method,
        formula=working.formula,
        source=working.source,
        inputs=[ExplanationInput(name=one.name, value=one.value, date=one.date) for one in inputs],
        prices=[
            PriceUsed(symbol=symbol or "", price=close.price, kind=close.kind, date=close.date)
            for close in ends
        ],
    )

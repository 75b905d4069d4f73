"""Explain a number by the lots, prices, flows and sub-periods behind it, and the method."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from db.pages import Key, Listing
from graph.connections import After, Before, Connection, First, Last, connect, page_through
from graph.context import Info
from graph.market.types import Instrument, instrument_with_symbol
from graph.portfolio.explanation_loaders import (
    GainOfSales,
    HeldBeforeSale,
    SaleCountByPortfolio,
    SalesByPortfolio,
    TransactionCountByPosition,
    TransactionsByPosition,
)
from graph.portfolio.loaders import LotCountByPosition, LotsByPosition
from graph.portfolio.lots import Lot, LotUse
from graph.scalars import CurrencyCode
from graph.trading.loaders import LotUseCountByTransaction, LotUsesByTransaction
from graph.vocabulary import CostMethod, ExplainedFigure, PerformanceFigure, PriceKind
from investing.background import run_apart
from investing.portfolio.performance import Performance as Measured
from investing.rules.performance import explaining as rules
from investing.rules.performance.benchmark import BenchmarkPrice, Comparison
from investing.rules.performance.figures import payments

if TYPE_CHECKING:
    from graph.trading.types import Transaction

_Transaction = Annotated["Transaction", strawberry.lazy("graph.trading.types")]
_LEDGER = "IRS Publication 550: average basis; first in, first out"
_METHODS = {
    CostMethod.AVERAGE_COST: "Cost on average: buying fees join the cost, a sale takes its part of it.",
    CostMethod.FIFO: "First in, first out: a sale uses up the oldest lots, each with its own cost.",
}

_OF_SUB_PERIODS = (Key("date", "", dt.date.fromisoformat), Key("number", "", int))
SUB_PERIODS: Listing[dict[str, Any]] = Listing(dict, "subPeriods", {}, "", _OF_SUB_PERIODS, owner=None)
PAYMENTS: Listing[dict[str, Any]] = Listing(dict, "payments", {}, "", (Key("number", "", int),), owner=None)


@strawberry.type(description="A number or a day that a figure is computed from.")
class ExplanationInput:
    name: str = strawberry.field(description="Its name in the formula.")
    value: Decimal | None = strawberry.field(description="The number; null for a day alone.", default=None)
    date: dt.date | None = strawberry.field(description="The day that it belongs to, if any.", default=None)


@strawberry.type(description="A price that a figure is computed from.")
class PriceUsed:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    price: Decimal = strawberry.field(description="The price of a share.")
    kind: PriceKind = strawberry.field(description="Where the price comes from.")
    date: dt.date | None = strawberry.field(description="The day, for a close.", default=None)
    as_of: dt.datetime | None = strawberry.field(description="The time, for a quote.", default=None)

    @strawberry.field(description="The instrument.")
    async def instrument(self, info: Info) -> Instrument | None:
        return await instrument_with_symbol(info, self.symbol)


@strawberry.interface(
    description="How a figure was computed. The numbers given are enough to recompute it to the last digit."
)
class Explanation:
    figure: ExplainedFigure = strawberry.field(description="The figure.")
    value: Decimal = strawberry.field(description="The value of the figure.")
    currency: CurrencyCode | None = strawberry.field(
        description="The currency of its amounts; null if it has none."
    )
    method: str = strawberry.field(description="The method, in words.")
    formula: str = strawberry.field(description="The formula, in terms of the names of inputs and fields.")
    source: str = strawberry.field(description="The source of the definition.")
    inputs: list[ExplanationInput] = strawberry.field(description="The numbers that it is computed from.")


@strawberry.type(description="How a position's unrealised gain was computed, at average cost.")
class UnrealizedPnlExplanation(Explanation):
    row: strawberry.Private[Any]
    price: PriceUsed = strawberry.field(description="The price that it is valued at.")

    @classmethod
    def from_row(cls, row: Any) -> Self | None:
        """Return the explanation of a position's row; None if it has no price."""
        if row["current_price"] is None:
            return None
        numbers = {
            "quantity": row["quantity"],
            "price": row["current_price"],
            "marketValue": row["market_value"],
            "costBasis": row["cost_basis"],
        }
        return cls(
            row=row,
            figure=ExplainedFigure.UNREALIZED_PNL,
            value=row["unrealized_pnl"],
            currency=row["currency"],
            method=_METHODS[CostMethod.AVERAGE_COST],
            formula="marketValue - costBasis; marketValue = quantity x price, at ten places; quantity and "
            "costBasis are the sums of the transactions' quantityDelta and costDelta",
            source=_LEDGER,
            inputs=_inputs(numbers),
            price=PriceUsed(
                symbol=row["symbol"],
                price=row["current_price"],
                kind=PriceKind(row["price_source"]),
                as_of=row["price_as_of"],
            ),
        )

    @strawberry.field(description="What is left of its purchases by first in, first out.")
    async def lots(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Lot]:
        page = (first, after, last, before)
        return await connect(info, LotsByPosition, LotCountByPosition, Lot.from_row, self.row["id"], page)

    @strawberry.field(description="All transactions of the position, newest first.")
    async def transactions(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[_Transaction]:
        from graph.trading.types import Transaction

        loaders = TransactionsByPosition, TransactionCountByPosition
        page = (first, after, last, before)
        return await connect(info, *loaders, Transaction.from_row, self.row["id"], page)


@strawberry.type(description="How the gain of a sale was computed.")
class RealizedPnlExplanation(Explanation):
    row: strawberry.Private[Any]

    @strawberry.field(description="The lots that the sale used, oldest first.")
    async def lot_uses(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[LotUse]:
        loaders = LotUsesByTransaction, LotUseCountByTransaction
        page = (first, after, last, before)
        return await connect(info, *loaders, LotUse.from_row, self.row["id"], page)


async def explain_sale(info: Info, row: Any, method: CostMethod) -> RealizedPnlExplanation | None:
    """Return the explanation of a transaction's row; None if it is no sale, or once it is reversed."""
    if row["realized_pnl"] is None or row["reverses_id"] is not None:
        return None
    before: Any = await info.context.loader(HeldBeforeSale).load(row["id"])
    if before is None:
        return None
    numbers = {name: Decimal(row[name]) for name in ("amount", "commission", "quantity")}
    if method is CostMethod.FIFO:
        formula = (
            "the sum of the lotUses' gains; each gain is (amount - commission) x its quantity / quantity, at "
            "ten places and the rest for the last one, less its cost"
        )
    else:
        numbers |= {"quantityBefore": Decimal(before["quantity"]), "costBefore": Decimal(before["cost"])}
        numbers |= {"cost": -Decimal(row["cost_delta"])}
        formula = (
            "amount - commission - cost; cost = costBefore x quantity / quantityBefore, at ten places, and "
            "all of it with the last share"
        )
    return RealizedPnlExplanation(
        row=row,
        figure=ExplainedFigure.REALIZED_PNL,
        value=row["realized_pnl_fifo" if method is CostMethod.FIFO else "realized_pnl"],
        currency=row["currency"],
        method=_METHODS[method],
        formula=formula,
        source=_LEDGER,
        inputs=_inputs(numbers),
    )


@strawberry.type(description="How the gain of a portfolio's sales between two days was computed.")
class SalesExplanation(Explanation):
    portfolio_id: strawberry.Private[Any]
    between: strawberry.Private[tuple[dt.date | None, dt.date | None]]

    @strawberry.field(description="The sales, newest first; each can be explained itself.")
    async def sales(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[_Transaction]:
        from graph.trading.types import Transaction

        start, end = self.between
        return await connect(
            info,
            SalesByPortfolio,
            SaleCountByPortfolio,
            Transaction.from_row,
            self.portfolio_id,
            (first, after, last, before),
            **{"from": start, "to": end},
        )


async def explain_sales(
    info: Info, row: Any, method: CostMethod, between: tuple[dt.date | None, dt.date | None]
) -> SalesExplanation:
    """Return the explanation of the sales of a portfolio's row."""
    found: Any = await info.context.loader(GainOfSales).load((row["id"], *between))
    names = {"sales": "sales", "amount": "amount", "commission": "commission"}
    numbers = {name: Decimal(found[column] if found else 0) for name, column in names.items()}
    gain = "realized_pnl_fifo" if method is CostMethod.FIFO else "realized_pnl"
    return SalesExplanation(
        portfolio_id=row["id"],
        between=between,
        figure=ExplainedFigure.REALIZED_PNL,
        value=found[gain] if found else Decimal(0),
        currency=row["currency"],
        method=_METHODS[method],
        formula="the sum of the sales' realizedPnl by this method",
        source=_LEDGER,
        inputs=_inputs(numbers),
    )


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


def _inputs(numbers: dict[str, Decimal]) -> list[ExplanationInput]:
    return [ExplanationInput(name=name, value=value) for name, value in numbers.items()]

"""How a number came about: the lots, prices, flows and sub-periods behind it, and the method."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from db.pages import Key, Listing
from graph.connections import After, Before, Connection, First, Last, connect, page_through
from graph.context import Info
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
SUB_PERIODS: Listing[dict[str, Any]] = Listing(dict, "subPeriods", "", "", _OF_SUB_PERIODS, owner=None)
PAYMENTS: Listing[dict[str, Any]] = Listing(dict, "payments", "", "", (Key("number", "", int),), owner=None)


@strawberry.type(description="A number or a day that goes into a figure.")
class ExplanationInput:
    name: str = strawberry.field(description="What the formula calls it.")
    value: Decimal | None = strawberry.field(description="The number, null for a day alone.", default=None)
    date: dt.date | None = strawberry.field(description="The day that it is of, if of one.", default=None)


@strawberry.type(description="A price that went into a figure.")
class PriceUsed:
    symbol: str = strawberry.field(description="Whose price.")
    price: Decimal = strawberry.field(description="The price of a share.")
    kind: PriceKind = strawberry.field(description="Where it comes from.")
    date: dt.date | None = strawberry.field(description="The day of a close.", default=None)
    as_of: dt.datetime | None = strawberry.field(description="The moment of a quote.", default=None)


@strawberry.interface(
    description="How a figure came about. Its own numbers are enough to work it out again to the last digit."
)
class Explanation:
    figure: ExplainedFigure = strawberry.field(description="Which figure.")
    value: Decimal = strawberry.field(description="The figure itself.")
    currency: CurrencyCode | None = strawberry.field(
        description="The currency of its amounts; null where they have none."
    )
    method: str = strawberry.field(description="How it is worked out, in words.")
    formula: str = strawberry.field(description="The formula, by the names of the inputs and the fields.")
    source: str = strawberry.field(description="Who defines it so.")
    inputs: list[ExplanationInput] = strawberry.field(description="The single numbers that go into it.")


@strawberry.type(description="How a position's unrealised gain came about, on average cost.")
class UnrealizedPnlExplanation(Explanation):
    row: strawberry.Private[Any]
    price: PriceUsed = strawberry.field(description="The price that it is valued at.")

    @classmethod
    def from_row(cls, row: Any) -> Self | None:
        """Of a position's row; None where it has no price."""
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

    @strawberry.field(description="What is left of its purchases, first in first out: as many shares.")
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

    @strawberry.field(description="All that happened to the position, newest first.")
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


@strawberry.type(description="How the gain of one sale came about.")
class RealizedPnlExplanation(Explanation):
    row: strawberry.Private[Any]

    @strawberry.field(description="What the sale took from lots, the oldest first.")
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
    """Of a transaction's row; None for what is no sale, and once it is reversed."""
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


@strawberry.type(description="How what a portfolio's sales gained between two days came about.")
class SalesExplanation(Explanation):
    portfolio_id: strawberry.Private[Any]
    between: strawberry.Private[tuple[dt.date | None, dt.date | None]]

    @strawberry.field(description="The sales, newest first; each can be explained in turn.")
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
    """Of a portfolio's row."""
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
    description="From a day's end or a flow to the next of either. The next one begins with `endValue` and "
    "`netFlow` together."
)
class SubPeriod:
    start_date: dt.date = strawberry.field(
        description="The day at whose end it begins, or on which, where it begins with a flow of its own day."
    )
    date: dt.date = strawberry.field(description="The day on which it ends.")
    start_value: Decimal = strawberry.field(
        description="What there was at its beginning, after a flow there."
    )
    end_value: Decimal = strawberry.field(
        description="What there was at its end: at the day's, or just before a flow, by what was known then."
    )
    net_flow: Decimal = strawberry.field(
        description="The flow with which it ends: what came in, or left (negative); 0 at a day's end."
    )
    flow_at: dt.datetime | None = strawberry.field(description="When that came; null at a day's end.")
    return_: Decimal | None = strawberry.field(
        name="return", description="Its return, at ten places; null where nothing was there to grow."
    )
    day_return: Decimal | None = strawberry.field(
        description="The return of the whole day that it ends, at ten places; null where the day goes on, "
        "and where nothing was there to grow."
    )
    benchmark_return: Decimal | None = strawberry.field(
        description="The benchmark's over the same day; null without one, and where the day goes on."
    )
    period_return: Decimal | None = strawberry.field(
        description="The return of the whole period that it ends, at ten places: of its day, with the days "
        "before it that joined it because not all that is held had a close. Null where it ends none, and "
        "where nothing was there to grow. Deviations are of these."
    )
    period_benchmark_return: Decimal | None = strawberry.field(
        description="The benchmark's over the same period; null without one, and where no period ends."
    )

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """As the rule tells it."""
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


@strawberry.type(description="What was put in on a day, negative, or came out of it, positive.")
class Payment:
    date: dt.date = strawberry.field(description="The day.")
    amount: Decimal = strawberry.field(
        description="The value at the beginning with the other sign, a flow with the other sign, or the "
        "value at the end."
    )

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """As the rule tells it."""
        return cls(date=row["date"], amount=row["amount"])


@strawberry.type(description="How a figure of a performance came about.")
class PerformanceExplanation(Explanation):
    measured: strawberry.Private[Measured]
    benchmark_prices: strawberry.Private[Sequence[BenchmarkPrice] | None]
    prices: list[PriceUsed] = strawberry.field(
        description="The benchmark's first and last price, nothing without one."
    )

    @strawberry.field(description="The sub-periods from flow to flow and from day to day, oldest first.")
    def sub_periods(
        self,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[SubPeriod]:
        found = rules.sub_periods(self.measured.points, self.measured.figures.periods, self.benchmark_prices)
        rows = [{"date": one.end, "number": one.number, "of": one} for one in found]
        return page_through(SUB_PERIODS, rows, SubPeriod.from_row, (first, after, last, before))

    @strawberry.field(
        description="What was put in and what came of it, oldest first: the money-weighted return's flows."
    )
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
    """Of a performance beside a benchmark; None for a figure that cannot be had."""
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

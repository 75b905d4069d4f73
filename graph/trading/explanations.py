"""What every explanation of a figure has, and how the gain of a sale was computed."""

import datetime as dt
from decimal import Decimal
from typing import Any

import strawberry

from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.loaders.explanations import HeldBeforeSale
from graph.loaders.trading import LotUseCountByTransaction, LotUsesByTransaction
from graph.market.types import Instrument, instrument_with_symbol
from graph.scalars import CurrencyCode
from graph.trading.lots import LotUse
from graph.vocabulary import CostMethod, ExplainedFigure, PriceKind

LEDGER_SOURCE = "IRS Publication 550: average basis; first in, first out"
METHODS = {
    CostMethod.AVERAGE_COST: "Cost on average: buying fees join the cost, a sale takes its part of it.",
    CostMethod.FIFO: "First in, first out: a sale uses up the oldest lots, each with its own cost.",
}


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


def inputs_from(numbers: dict[str, Decimal]) -> list[ExplanationInput]:
    """Return the inputs of an explanation: numbers by their names in the formula."""
    return [ExplanationInput(name=name, value=value) for name, value in numbers.items()]


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
        method=METHODS[method],
        formula=formula,
        source=LEDGER_SOURCE,
        inputs=inputs_from(numbers),
    )

"""Explain the gains of a portfolio: a position's by its lots and price, those of its sales by the sales."""

import datetime as dt
from decimal import Decimal
from typing import Any, Self

import strawberry

from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.loaders.explanations import (
    GainOfSales,
    SaleCountByPortfolio,
    SalesByPortfolio,
    TransactionCountByPosition,
    TransactionsByPosition,
)
from graph.loaders.portfolio import LotCountByPosition, LotsByPosition
from graph.trading.explanations import LEDGER_SOURCE, METHODS, Explanation, PriceUsed, inputs_from
from graph.trading.lots import Lot
from graph.trading.types import Transaction
from graph.vocabulary import CostMethod, ExplainedFigure, PriceKind


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
            method=METHODS[CostMethod.AVERAGE_COST],
            formula="marketValue - costBasis; marketValue = quantity x price, at ten places; quantity and "
            "costBasis are the sums of the transactions' quantityDelta and costDelta",
            source=LEDGER_SOURCE,
            inputs=inputs_from(numbers),
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
    ) -> Connection[Transaction]:
        loaders = TransactionsByPosition, TransactionCountByPosition
        page = (first, after, last, before)
        return await connect(info, *loaders, Transaction.from_row, self.row["id"], page)


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
    ) -> Connection[Transaction]:
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
        method=METHODS[method],
        formula="the sum of the sales' realizedPnl by this method",
        source=LEDGER_SOURCE,
        inputs=inputs_from(numbers),
    )

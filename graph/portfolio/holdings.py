"""Positions and performance snapshots: what hangs below a portfolio."""

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from db.canonical import DecimalText
from db.portfolio.rows import ListedPositionRow, SnapshotRow
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.market.loaders import InstrumentById
from graph.market.types import Instrument
from graph.node import Node, refetched_by
from graph.portfolio.explanations import UnrealizedPnlExplanation
from graph.portfolio.loaders import (
    LotCountByPosition,
    LotsByPosition,
    PortfolioById,
    PositionById,
    SnapshotById,
    WeightsByPortfolio,
)
from graph.portfolio.lots import Lot
from graph.scalars import CurrencyCode
from graph.vocabulary import AssetClass, CostMethod, Method, PriceKind

if TYPE_CHECKING:
    from graph.portfolio.types import Portfolio

_Portfolio = Annotated["Portfolio", strawberry.lazy("graph.portfolio.types")]


@strawberry.type(description="What a portfolio holds of one instrument. Amounts in its currency.")
class Position(Node):
    row: strawberry.Private[ListedPositionRow]
    symbol: str = strawberry.field(description="The instrument's symbol.")
    asset_class: AssetClass = strawberry.field(description="What kind of thing the instrument is.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")
    quantity: DecimalText = strawberry.field(description="How many shares are held.")
    reserved_quantity: DecimalText = strawberry.field(description="How many of them open sales hold back.")
    average_cost: DecimalText = strawberry.field(description="The cost basis of one share, 0 once closed.")
    cost_basis: DecimalText = strawberry.field(description="What the shares cost, buying fees included.")
    current_price: DecimalText | None = strawberry.field(
        description="The latest price; without a quote that of your own last trade in the instrument, in any "
        "portfolio, divided by its splits since. Null without either."
    )
    price_as_of: dt.datetime | None = strawberry.field(description="When that price was.")
    price_source: PriceKind | None = strawberry.field(
        description="Where that price comes from, null without one."
    )
    market_value: DecimalText | None = strawberry.field(description="Quantity x price, null without a price.")
    unrealized_pnl: DecimalText | None = strawberry.field(
        description="Market value less cost basis, null without a price."
    )
    unrealized_pnl_percent: DecimalText | None = strawberry.field(
        description="Unrealised gain in percent of the cost basis; null without a price or a cost."
    )

    @classmethod
    def from_row(cls, row: ListedPositionRow) -> Self:
        """The position of a row of the list of positions."""
        return cls(
            row=row,
            id=global_id("Position", row["id"]),
            symbol=row["symbol"],
            asset_class=AssetClass(row["asset_class"]),
            currency=CurrencyCode(row["currency"]),
            quantity=row["quantity"],
            reserved_quantity=row["reserved_quantity"],
            average_cost=row["average_cost"],
            cost_basis=row["cost_basis"],
            current_price=row["current_price"],
            price_as_of=row["price_as_of"],
            price_source=None if row["price_source"] is None else PriceKind(row["price_source"]),
            market_value=row["market_value"],
            unrealized_pnl=row["unrealized_pnl"],
            unrealized_pnl_percent=row["unrealized_pnl_percent"],
        )

    @strawberry.field(description="What sales gained over their cost, after commissions.")
    def realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> DecimalText:
        return self.row["realized_pnl_fifo" if method is CostMethod.FIFO else "realized_pnl"]

    @strawberry.field(description="How the unrealised gain came about; null without a price.")
    def explain_unrealized_pnl(self) -> UnrealizedPnlExplanation | None:
        return UnrealizedPnlExplanation.from_row(self.row)

    @strawberry.field(description="What is left of its purchases, oldest first.")
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

    @strawberry.field(
        description="Market value as a fraction of the portfolio's total value, cash included. Null without "
        "a price, or where the total value is not above zero."
    )
    async def weight(self, info: Info) -> Decimal | None:
        weights: Any = await info.context.loader(WeightsByPortfolio).load(self.row["portfolio_id"])
        return weights.get(self.row["id"])

    @strawberry.field(description="The instrument that is held.")
    async def instrument(self, info: Info) -> Instrument:
        return Instrument.from_row(
            await info.context.loader(InstrumentById).load_existing(self.row["instrument_id"])
        )

    @strawberry.field(description="The portfolio that holds it.")
    async def portfolio(self, info: Info) -> _Portfolio:
        from graph.portfolio.types import Portfolio

        return Portfolio.from_row(
            await info.context.loader(PortfolioById).load_existing(self.row["portfolio_id"])
        )


@strawberry.type(
    description="A portfolio at the end of one day. Returns and ratios are fractions, counted from its first "
    "day on; one that cannot be computed is null."
)
class PerformanceSnapshot(Node):
    date: dt.date = strawberry.field(description="The day.")
    total_value: DecimalText = strawberry.field(description="Cash and positions together.")
    cash_value: DecimalText = strawberry.field(description="Cash.")
    positions_value: DecimalText = strawberry.field(description="What the positions were worth.")
    net_flow: DecimalText = strawberry.field(
        description="What came in from outside the portfolio on that day, less what went out."
    )
    daily_return: DecimalText | None = strawberry.field(description="The day's return, without flows.")
    cumulative_return: DecimalText | None = strawberry.field(description="The time-weighted return so far.")
    sharpe_ratio: DecimalText | None = strawberry.field(
        description="Mean over deviation, x sqrt(periods per year)."
    )
    sortino_ratio: DecimalText | None = strawberry.field(
        description="Mean over downside deviation, x sqrt(periods per year)."
    )
    volatility: DecimalText | None = strawberry.field(
        description="Sample standard deviation of the returns of periods, x sqrt(periods per year), from 12 "
        "of them on. A period ends with a close of all that is held and has prices; other days join the "
        "next. A year has 365, 252, 52, 12 or 4, as they are spaced; null where they are not evenly."
    )
    max_drawdown: DecimalText | None = strawberry.field(
        description="The deepest fall of the time-weighted index from a peak, as a positive fraction."
    )
    num_positions: int = strawberry.field(description="How many positions were open.")
    unpriced_positions: int = strawberry.field(
        description="How many had no price yet, and so count as nothing: no return is known then."
    )

    @classmethod
    def from_row(cls, row: SnapshotRow) -> Self:
        """The snapshot of a row of the list of snapshots."""
        return cls(
            id=global_id("PerformanceSnapshot", row["id"]),
            date=row["date"],
            total_value=row["total_value"],
            cash_value=row["cash_value"],
            positions_value=row["positions_value"],
            net_flow=row["net_flow"],
            daily_return=row["daily_return"],
            cumulative_return=row["cumulative_return"],
            sharpe_ratio=row["sharpe_ratio"],
            sortino_ratio=row["sortino_ratio"],
            volatility=row["volatility"],
            max_drawdown=row["max_drawdown"],
            num_positions=row["num_positions"],
            unpriced_positions=row["unpriced_positions"],
        )


refetched_by("Position", PositionById, Position.from_row)
refetched_by("PerformanceSnapshot", SnapshotById, PerformanceSnapshot.from_row)

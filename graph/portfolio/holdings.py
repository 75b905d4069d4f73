"""Positions and performance snapshots of a portfolio."""

import datetime as dt
from decimal import Decimal
from typing import Any, Self

import strawberry

from db.canonical import DecimalText
from db.portfolio.rows import ListedPositionRow, SnapshotRow
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.loaders.portfolio import (
    LotCountByPosition,
    LotsByPosition,
    PositionById,
    SnapshotById,
    WeightsByPortfolio,
)
from graph.market.types import Instrument, instrument_with_id
from graph.node import PORTFOLIO, Node, refetched_by, related
from graph.portfolio.explanations import UnrealizedPnlExplanation
from graph.scalars import CurrencyCode
from graph.trading.lots import Lot
from graph.vocabulary import AssetClass, CostMethod, Method, PriceKind


@strawberry.type(description="A portfolio's holding of one instrument. Amounts are in its currency.")
class Position(Node):
    row: strawberry.Private[ListedPositionRow]
    symbol: str = strawberry.field(description="The instrument's symbol.")
    asset_class: AssetClass = strawberry.field(description="What kind of thing the instrument is.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")
    quantity: DecimalText = strawberry.field(description="The number of shares held.")
    reserved_quantity: DecimalText = strawberry.field(
        description="The number of shares reserved by open sell orders."
    )
    average_cost: DecimalText = strawberry.field(
        description="The cost basis per share; 0 once the position is closed."
    )
    cost_basis: DecimalText = strawberry.field(description="The cost of the shares, including buying fees.")
    current_price: DecimalText | None = strawberry.field(
        description="The latest price: the quote, or else the price of your own last trade in the instrument "
        "in any portfolio, adjusted for later splits. Null without either."
    )
    price_as_of: dt.datetime | None = strawberry.field(description="The time of that price.")
    price_source: PriceKind | None = strawberry.field(
        description="Where that price comes from; null without one."
    )
    market_value: DecimalText | None = strawberry.field(
        description="Quantity times price; null without a price."
    )
    unrealized_pnl: DecimalText | None = strawberry.field(
        description="Market value minus cost basis; null without a price."
    )
    unrealized_return: DecimalText | None = strawberry.field(
        description="The unrealised gain as a fraction of the cost basis: 0.05 is five percent. Null without "
        "a price, or if the cost basis is 0."
    )

    @classmethod
    def from_row(cls, row: ListedPositionRow) -> Self:
        """Return the position of a row of the list of positions."""
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
            unrealized_return=row["unrealized_return"],
        )

    @strawberry.field(description="The realised gain of its sales, after commissions.")
    def realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> DecimalText:
        return self.row["realized_pnl_fifo" if method is CostMethod.FIFO else "realized_pnl"]

    @strawberry.field(description="How the unrealised gain was computed; null without a price.")
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
        description="The market value as a fraction of the portfolio's total value, cash included. Null "
        "without a price, or if the total value is not above zero."
    )
    async def weight(self, info: Info) -> Decimal | None:
        weights: Any = await info.context.loader(WeightsByPortfolio).load(self.row["portfolio_id"])
        return weights.get(self.row["id"])

    @strawberry.field(description="The instrument that is held.")
    async def instrument(self, info: Info) -> Instrument:
        return await instrument_with_id(info, self.row["instrument_id"])

    @strawberry.field(description="The portfolio that holds it.", graphql_type=PORTFOLIO)
    async def portfolio(self, info: Info) -> Node:
        return await related(info, PORTFOLIO, self.row["portfolio_id"])


@strawberry.type(
    description="A portfolio at the end of one day. Returns and ratios are fractions and start from its "
    "first day; one that cannot be computed is null."
)
class PerformanceSnapshot(Node):
    date: dt.date = strawberry.field(description="The day.")
    total_value: DecimalText = strawberry.field(description="Cash plus positions.")
    cash_value: DecimalText = strawberry.field(description="Cash.")
    positions_value: DecimalText = strawberry.field(description="The value of the positions.")
    net_flow: DecimalText = strawberry.field(
        description="The external inflows of that day minus the outflows."
    )
    daily_return: DecimalText | None = strawberry.field(description="The return of the day, excluding flows.")
    cumulative_return: DecimalText | None = strawberry.field(
        description="The time-weighted return up to this day."
    )
    sharpe_ratio: DecimalText | None = strawberry.field(
        description="Mean excess return divided by its standard deviation, times sqrt(periods per year)."
    )
    sortino_ratio: DecimalText | None = strawberry.field(
        description="Mean excess return divided by its downside deviation, times sqrt(periods per year)."
    )
    volatility: DecimalText | None = strawberry.field(
        description="The sample standard deviation of the periods' returns, times sqrt(periods per year); "
        "from 12 periods on. A period ends on a day on which everything that is held and has "
        "prices has a close; other days join the next one. A year has 365, 252, 52, 12 or 4 "
        "periods, depending on their spacing; null if they are not evenly spaced."
    )
    max_drawdown: DecimalText | None = strawberry.field(
        description="The largest fall of the time-weighted index from a peak, as a positive fraction."
    )
    position_count: int = strawberry.field(description="The number of open positions.")
    unpriced_position_count: int = strawberry.field(
        description="The number of positions without a price, which count as zero; the returns are then not "
        "known."
    )

    @classmethod
    def from_row(cls, row: SnapshotRow) -> Self:
        """Return the snapshot of a row of the list of snapshots."""
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
            position_count=row["position_count"],
            unpriced_position_count=row["unpriced_position_count"],
        )


refetched_by("Position", PositionById, Position.from_row)
refetched_by("PerformanceSnapshot", SnapshotById, PerformanceSnapshot.from_row)

"""Rebalances that were run."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry.scalars import JSON

from db.canonical import DecimalText
from db.rebalancing.rows import RebalanceLegRow, RebalanceRow
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.node import Node, refetched_by
from graph.portfolio.loaders import PortfolioById
from graph.rebalancing.loaders import LegCountByRebalance, LegsByRebalance, RebalanceById
from graph.scalars import json_of
from graph.trading.loaders import OrderById, OrderCountByRebalance, OrdersByRebalance
from graph.trading.types import Order
from graph.vocabulary import LegStatus, OrderSide, RebalanceStatus, RebalanceTrigger, Strategy

if TYPE_CHECKING:
    from graph.portfolio.types import Portfolio

_Portfolio = Annotated["Portfolio", strawberry.lazy("graph.portfolio.types")]


@strawberry.type(description="One trade of a rebalance, as planned, and what became of it.")
class RebalanceLeg:
    row: strawberry.Private[RebalanceLegRow]
    number: int = strawberry.field(description="Its place in the plan, from 1; sells come before buys.")
    symbol: str = strawberry.field(description="The instrument's symbol.")
    side: OrderSide = strawberry.field(description="Which way it trades.")
    quantity: DecimalText = strawberry.field(description="How many shares were planned.")
    filled_quantity: DecimalText = strawberry.field(description="How many shares are traded.")
    status: LegStatus = strawberry.field(description="Where it stands.")
    reason: str | None = strawberry.field(
        description="Why not all of it was traded: a code, a colon, and a sentence."
    )

    @classmethod
    def from_row(cls, row: RebalanceLegRow) -> Self:
        """The leg of a row of the list of legs."""
        return cls(
            row=row,
            number=row["number"],
            symbol=row["symbol"],
            side=OrderSide(row["side"]),
            quantity=row["quantity"],
            filled_quantity=row["filled_quantity"],
            status=LegStatus(row["status"]),
            reason=row["reason"],
        )

    @strawberry.field(description="Its order, once there is one.")
    async def order(self, info: Info) -> Order | None:
        if self.row["order_id"] is None:
            return None
        return Order.from_row(await info.context.loader(OrderById).load_existing(self.row["order_id"]))


@strawberry.type(description="One run of a rebalance. Amounts in the portfolio's currency.")
class Rebalance(Node):
    row: strawberry.Private[RebalanceRow]
    strategy: Strategy = strawberry.field(description="How the target weights were found.")
    status: RebalanceStatus = strawberry.field(description="Where it stands.")
    trigger: RebalanceTrigger = strawberry.field(description="What started it.")
    old_weights: JSON = strawberry.field(description="The weights before, decimal strings by symbol.")
    new_weights: JSON = strawberry.field(description="The weights after, decimal strings by symbol.")
    target_weights: JSON | None = strawberry.field(
        description="The weights that it was to reach, decimal strings by symbol; null where none were found."
    )
    plan_hash: str | None = strawberry.field(description="The hash of the plan that it followed.")
    turnover: DecimalText = strawberry.field(
        description="What was traded, buys and sells together, as a fraction of the total value before."
    )
    total_cost: DecimalText = strawberry.field(
        description="Commissions, and by how much the prices were worse than the plan's quotes."
    )
    trades_executed: int = strawberry.field(description="How many trades were made.")
    started_at: dt.datetime = strawberry.field(description="When it began.")
    completed_at: dt.datetime | None = strawberry.field(description="When it ended, null while it runs.")
    failure_reason: str | None = strawberry.field(description="Why it failed, or failed in part.")
    leg_count: int = strawberry.field(description="How many trades were planned.")
    legs_ended: int = strawberry.field(description="How many of them have ended, filled or not.")

    @classmethod
    def from_row(cls, row: RebalanceRow) -> Self:
        """The rebalance of a row of the list of rebalances."""
        return cls(
            row=row,
            id=global_id("Rebalance", row["id"]),
            strategy=Strategy(row["strategy"]),
            status=RebalanceStatus(row["status"]),
            trigger=RebalanceTrigger(row["trigger"]),
            old_weights=JSON(row["old_weights"]),
            new_weights=JSON(row["new_weights"]),
            target_weights=json_of(row["target_weights"]),
            plan_hash=row["plan_hash"],
            turnover=row["turnover"],
            total_cost=row["total_cost"],
            trades_executed=row["trades_executed"],
            started_at=row["started_at"],
            completed_at=row["completed_at"],
            failure_reason=row["failure_reason"],
            leg_count=row["leg_count"],
            legs_ended=row["legs_ended"],
        )

    @strawberry.field(description="The portfolio that was rebalanced.")
    async def portfolio(self, info: Info) -> _Portfolio:
        from graph.portfolio.types import Portfolio

        return Portfolio.from_row(
            await info.context.loader(PortfolioById).load_existing(self.row["portfolio_id"])
        )

    @strawberry.field(description="The orders that it placed, newest first.")
    async def orders(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Order]:
        page = (first, after, last, before)
        return await connect(
            info, OrdersByRebalance, OrderCountByRebalance, Order.from_row, self.row["id"], page
        )

    @strawberry.field(description="The trades that were planned, in their order.")
    async def legs(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[RebalanceLeg]:
        page = (first, after, last, before)
        loaders = LegsByRebalance, LegCountByRebalance
        return await connect(info, *loaders, RebalanceLeg.from_row, self.row["id"], page)


refetched_by("Rebalance", RebalanceById, Rebalance.from_row)

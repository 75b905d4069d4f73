"""Rebalances that were run."""

import datetime as dt
from typing import Self

import strawberry

from db.canonical import DecimalText
from db.rebalancing.rows import RebalanceLegRow, RebalanceRow
from graph.codes import LegReason
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.loaders.rebalancing import LegCountByRebalance, LegsByRebalance, RebalanceById
from graph.loaders.trading import OrderById, OrderCountByRebalance, OrdersByRebalance
from graph.market.types import Instrument, instrument_with_id
from graph.node import PORTFOLIO, Node, refetched_by, related
from graph.rebalancing.weights import Weight, weights_of
from graph.trading.types import Order
from graph.vocabulary import LegStatus, OrderSide, RebalanceStatus, RebalanceTrigger, Strategy
from investing.rules.rebalancing.legs import parse_reason


@strawberry.type(description="A planned trade of a rebalance, and its result.")
class RebalanceLeg:
    row: strawberry.Private[RebalanceLegRow]
    number: int = strawberry.field(
        description="Its number in the plan, starting from 1; sells come before buys."
    )
    symbol: str = strawberry.field(description="The instrument's symbol.")
    side: OrderSide = strawberry.field(description="Whether it buys or sells.")
    quantity: DecimalText = strawberry.field(description="The planned number of shares.")
    filled_quantity: DecimalText = strawberry.field(description="The number of shares traded so far.")
    status: LegStatus = strawberry.field(description="Its status.")
    reason: LegReason | None = strawberry.field(description="Why not all of it was traded, for programs.")
    message: str | None = strawberry.field(description="Why not all of it was traded, for people.")

    @classmethod
    def from_row(cls, row: RebalanceLegRow) -> Self:
        """Return the leg of a row of the list of legs."""
        reason, message = (None, None) if row["reason"] is None else parse_reason(row["reason"])
        return cls(
            row=row,
            number=row["number"],
            symbol=row["symbol"],
            side=OrderSide(row["side"]),
            quantity=row["quantity"],
            filled_quantity=row["filled_quantity"],
            status=LegStatus(row["status"]),
            reason=reason,
            message=message,
        )

    @strawberry.field(description="The instrument.")
    async def instrument(self, info: Info) -> Instrument:
        return await instrument_with_id(info, self.row["instrument_id"])

    @strawberry.field(description="Its order, once there is one.")
    async def order(self, info: Info) -> Order | None:
        if self.row["order_id"] is None:
            return None
        return Order.from_row(await info.context.loader(OrderById).load_existing(self.row["order_id"]))


@strawberry.type(description="A rebalance of a portfolio. Amounts are in the portfolio's currency.")
class Rebalance(Node):
    row: strawberry.Private[RebalanceRow]
    strategy: Strategy = strawberry.field(description="How the target weights were determined.")
    status: RebalanceStatus = strawberry.field(description="Its status.")
    trigger: RebalanceTrigger = strawberry.field(description="What started it.")
    old_weights: list[Weight] = strawberry.field(description="The weights before, by symbol.")
    new_weights: list[Weight] = strawberry.field(description="The weights after, by symbol.")
    target_weights: list[Weight] | None = strawberry.field(
        description="The target weights, by symbol; null if none were determined."
    )
    plan_hash: str | None = strawberry.field(description="The hash of the plan that it carried out.")
    turnover: DecimalText = strawberry.field(
        description="Purchases plus sales, as a fraction of the total value before."
    )
    total_cost: DecimalText = strawberry.field(
        description="Commissions, plus the amount by which the prices were worse than the plan's quotes."
    )
    trades_executed: int = strawberry.field(description="The number of trades made.")
    started_at: dt.datetime = strawberry.field(description="When it began.")
    completed_at: dt.datetime | None = strawberry.field(
        description="When it ended; null while it is running."
    )
    failure_reason: str | None = strawberry.field(description="Why it failed, wholly or in part.")
    leg_count: int = strawberry.field(description="The number of planned trades.")
    legs_ended: int = strawberry.field(description="The number of trades that have ended, filled or not.")

    @classmethod
    def from_row(cls, row: RebalanceRow) -> Self:
        """Return the rebalance of a row of the list of rebalances."""
        return cls(
            row=row,
            id=global_id("Rebalance", row["id"]),
            strategy=Strategy(row["strategy"]),
            status=RebalanceStatus(row["status"]),
            trigger=RebalanceTrigger(row["trigger"]),
            old_weights=weights_of(row["old_weights"]),
            new_weights=weights_of(row["new_weights"]),
            target_weights=None if row["target_weights"] is None else weights_of(row["target_weights"]),
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

    @strawberry.field(description="The portfolio that was rebalanced.", graphql_type=PORTFOLIO)
    async def portfolio(self, info: Info) -> Node:
        return await related(info, PORTFOLIO, self.row["portfolio_id"])

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

    @strawberry.field(description="The planned trades, in order.")
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

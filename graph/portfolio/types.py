"""Portfolios."""

import datetime as dt
from decimal import Decimal
from typing import Any, Self

import strawberry

from db.canonical import DecimalText
from db.portfolio.rows import ListedPortfolioRow
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.loaders.allocation import WholeByPortfolio
from graph.loaders.performance import PerformanceByPortfolio
from graph.loaders.portfolio import (
    CashWeightByPortfolio,
    FifoGainByPortfolio,
    PortfolioById,
    PositionCountByPortfolio,
    PositionsByPortfolio,
    SnapshotCountByPortfolio,
    SnapshotsByPortfolio,
    SummaryByPortfolio,
)
from graph.loaders.rebalancing import RebalanceCountByPortfolio, RebalancesByPortfolio
from graph.loaders.trading import (
    OrderCountByPortfolio,
    OrdersByPortfolio,
    TransactionCountByPortfolio,
    TransactionsByPortfolio,
)
from graph.market.types import From, To
from graph.node import ACCOUNT, Node, refetched_by, related
from graph.portfolio.allocation import Allocation, Dimension, allocation
from graph.portfolio.explanations import SalesExplanation, explain_sales
from graph.portfolio.holdings import PerformanceSnapshot, Position
from graph.portfolio.performance import (
    BenchmarkSymbol,
    Performance,
    PerformanceFrom,
    PerformanceTo,
    RiskFree,
    performance,
)
from graph.portfolio.unavailable import LeftOutByPortfolio, UnavailableValue, unavailable_values
from graph.rebalancing.plans import BuyOnly, PlanStrategy, RebalancePlan, dry_run
from graph.rebalancing.types import Rebalance
from graph.rebalancing.weights import Weight, weights_of
from graph.scalars import CurrencyCode
from graph.trading.filters import OrdersFilter, TransactionsFilter, orders_like, transactions_like
from graph.trading.types import Order, Transaction
from graph.vocabulary import (
    AllocationDimension,
    CostMethod,
    Method,
    RebalanceFrequency,
    Strategy,
)


@strawberry.type(
    description="A part of an account with its own cash, positions and strategy. Amounts are in its currency."
)
class Portfolio(Node):
    row: strawberry.Private[ListedPortfolioRow]
    name: str = strawberry.field(description="Its name, unique in the account.")
    currency: CurrencyCode = strawberry.field(
        description="The currency of all its amounts, which is the account's."
    )
    strategy: Strategy = strawberry.field(description="How its target weights are determined.")
    risk_tolerance: DecimalText = strawberry.field(
        description="0 for the least risk, 1 for the strategy's own."
    )
    max_position_size: DecimalText = strawberry.field(
        description="The largest weight of a position, up to 1."
    )
    auto_rebalance: bool = strawberry.field(
        description="Whether it is rebalanced automatically: at 10:00 in New York on the first market day of "
        "each rebalanceFrequency, and when a weight has drifted from its target by more than the "
        "driftBand."
    )
    rebalance_frequency: RebalanceFrequency = strawberry.field(description="How often it does so.")
    drift_band: DecimalText | None = strawberry.field(
        description="How far a weight may drift from its target before it is rebalanced, as a fraction."
    )
    symbols: list[str] | None = strawberry.field(
        description="The symbols of the instruments that it may hold; null for those that it already holds."
    )
    target_weights: list[Weight] | None = strawberry.field(
        description="The weights of the strategy CUSTOM, by symbol; what is missing to 1 is cash. Null for "
        "others."
    )
    fractional_shares: bool = strawberry.field(
        description="Whether rebalancing trades fractions of shares. If not, a plan comes as close to its "
        "targets as whole shares and the cash allow."
    )
    minimum_trade: DecimalText = strawberry.field(description="The smallest amount that rebalancing trades.")
    relative_drift_band: DecimalText | None = strawberry.field(
        description="How far a weight may drift, as a fraction of its target; of two bands the narrower one "
        "counts."
    )
    cash_reserve: DecimalText = strawberry.field(
        description="The fraction of the total value that stays in cash when it is rebalanced."
    )
    max_trade: DecimalText | None = strawberry.field(
        description="The largest trade of a rebalance, as a fraction of the total value."
    )
    max_turnover: DecimalText | None = strawberry.field(
        description="The limit on purchases plus sales of a rebalance, as a fraction of the total value."
    )
    look_back_days: int = strawberry.field(
        description="The number of daily returns that its strategy looks back on."
    )
    tax_aware: bool = strawberry.field(
        description="Whether rebalancing sells losses first if not everything can be sold."
    )
    is_active: bool = strawberry.field(description="False once it is archived.")
    created_at: dt.datetime = strawberry.field(description="When it was opened.")
    cash_balance: DecimalText = strawberry.field(description="Its cash.")
    reserved_cash: DecimalText = strawberry.field(
        description="The part of its cash that open orders reserve."
    )
    available_cash: DecimalText = strawberry.field(description="Its cash minus what open orders reserve.")
    performance_stale_from: dt.date | None = strawberry.field(
        description="The first day whose snapshot is waiting to be recomputed; null if none is."
    )

    @classmethod
    def from_row(cls, row: ListedPortfolioRow) -> Self:
        """Return the portfolio of a row of the list of portfolios."""
        return cls(
            row=row,
            id=global_id("Portfolio", row["id"]),
            name=row["name"],
            currency=CurrencyCode(row["currency"]),
            strategy=Strategy(row["strategy"]),
            risk_tolerance=row["risk_tolerance"],
            max_position_size=row["max_position_size"],
            auto_rebalance=row["auto_rebalance"],
            rebalance_frequency=RebalanceFrequency(row["rebalance_frequency"]),
            drift_band=row["drift_band"],
            symbols=row["symbols"],
            target_weights=None if row["target_weights"] is None else weights_of(row["target_weights"]),
            fractional_shares=row["fractional_shares"],
            minimum_trade=row["minimum_trade"],
            relative_drift_band=row["relative_drift_band"],
            cash_reserve=row["cash_reserve"],
            max_trade=row["max_trade"],
            max_turnover=row["max_turnover"],
            look_back_days=row["look_back_days"],
            tax_aware=row["tax_aware"],
            is_active=row["is_active"],
            created_at=row["created_at"],
            cash_balance=row["cash_balance"],
            reserved_cash=row["reserved_cash"],
            available_cash=row["available_cash"],
            performance_stale_from=row["snapshots_stale_from"],
        )

    async def _summary(self, info: Info) -> Any:
        return await info.context.loader(SummaryByPortfolio).load(self.row["id"])

    @strawberry.field(description="The value of its positions; one without a price counts as zero.")
    async def market_value(self, info: Info) -> Decimal:
        return (await self._summary(info))["market_value"]

    @strawberry.field(description="Market value plus cash.")
    async def total_value(self, info: Info) -> Decimal:
        return (await self._summary(info))["total_value"]

    @strawberry.field(description="The cost of its positions, at average cost including buying fees.")
    async def cost_basis(self, info: Info) -> Decimal:
        return (await self._summary(info))["cost_basis"]

    @strawberry.field(description="Market value minus cost, of the positions that have a price.")
    async def unrealized_pnl(self, info: Info) -> Decimal:
        return (await self._summary(info))["unrealized_pnl"]

    @strawberry.field(description="The realised gain of its sales, after commissions.")
    async def realized_pnl(self, info: Info, method: Method = CostMethod.AVERAGE_COST) -> Decimal:
        if method is CostMethod.FIFO:
            gain: Any = await info.context.loader(FifoGainByPortfolio).load(self.row["id"])
            return gain
        return (await self._summary(info))["realized_pnl"]

    @strawberry.field(
        description="How the realised gain of its sales was computed: of all sales, or of "
        "those between two days."
    )
    async def explain_realized_pnl(
        self,
        info: Info,
        method: Method = CostMethod.AVERAGE_COST,
        from_: From = None,
        to: To = None,
    ) -> SalesExplanation:
        return await explain_sales(info, self.row, method, (from_, to))

    @strawberry.field(description="The number of open positions.")
    async def position_count(self, info: Info) -> int:
        return (await self._summary(info))["position_count"]

    @strawberry.field(description="The number of open positions without a price.")
    async def unpriced_position_count(self, info: Info) -> int:
        return (await self._summary(info))["unpriced_position_count"]

    @strawberry.field(
        description="What its market value and total value leave out: each instrument that it holds and that "
        "can be valued by neither a quote nor a trade of yours. Empty if they are complete."
    )
    async def unavailable(self, info: Info) -> list[UnavailableValue]:
        return await unavailable_values(info, LeftOutByPortfolio, self.row["id"])

    @strawberry.field(
        description="Cash as a fraction of the total value: 1 minus the positions' weights, so that all of "
        "them add up to exactly 1. Null if the total value is not above zero."
    )
    async def cash_weight(self, info: Info) -> Decimal | None:
        weight: Any = await info.context.loader(CashWeightByPortfolio).load(self.row["id"])
        return weight

    @strawberry.field(description="The account that it belongs to.", graphql_type=ACCOUNT)
    async def account(self, info: Info) -> Node:
        return await related(info, ACCOUNT, self.row["account_id"])

    @strawberry.field(description="The open positions, by symbol.")
    async def positions(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Position]:
        page = (first, after, last, before)
        return await connect(
            info, PositionsByPortfolio, PositionCountByPortfolio, Position.from_row, self.row["id"], page
        )

    @strawberry.field(description="The ledger, newest first.")
    async def transactions(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: TransactionsFilter = None,
    ) -> Connection[Transaction]:
        return await connect(
            info,
            TransactionsByPortfolio,
            TransactionCountByPortfolio,
            Transaction.from_row,
            self.row["id"],
            (first, after, last, before),
            **transactions_like(filter),
        )

    @strawberry.field(description="The orders, newest first.")
    async def orders(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: OrdersFilter = None,
    ) -> Connection[Order]:
        return await connect(
            info,
            OrdersByPortfolio,
            OrderCountByPortfolio,
            Order.from_row,
            self.row["id"],
            (first, after, last, before),
            **orders_like(filter),
        )

    @strawberry.field(description="Daily snapshots, oldest first.")
    async def performance_history(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        from_: From = None,
        to: To = None,
    ) -> Connection[PerformanceSnapshot]:
        return await connect(
            info,
            SnapshotsByPortfolio,
            SnapshotCountByPortfolio,
            PerformanceSnapshot.from_row,
            self.row["id"],
            (first, after, last, before),
            **{"from": from_, "to": to},
        )

    @strawberry.field(description="Its performance between two days, computed from daily snapshots.")
    async def performance(
        self,
        info: Info,
        from_: PerformanceFrom = None,
        to: PerformanceTo = None,
        benchmark: BenchmarkSymbol = None,
        risk_free: RiskFree = Decimal(0),
    ) -> Performance:
        return await performance(
            info, PerformanceByPortfolio, self.row["id"], (from_, to), benchmark, risk_free
        )

    @strawberry.field(description="Its allocation at the latest prices.")
    async def allocation(self, info: Info, by: Dimension = AllocationDimension.ASSET_CLASS) -> Allocation:
        return await allocation(info, WholeByPortfolio, self.row["id"], by)

    @strawberry.field(description="Its rebalances, newest first.")
    async def rebalances(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Rebalance]:
        page = (first, after, last, before)
        return await connect(
            info, RebalancesByPortfolio, RebalanceCountByPortfolio, Rebalance.from_row, self.row["id"], page
        )

    @strawberry.field(
        description="A dry run: what rebalancePortfolio would do now. Null with a coded error if no plan can "
        "be made."
    )
    async def rebalance_plan(
        self, info: Info, strategy: PlanStrategy = None, buy_only: BuyOnly = False
    ) -> RebalancePlan | None:
        return await dry_run(info, self.row, strategy, buy_only)


refetched_by("Portfolio", PortfolioById, Portfolio.from_row)

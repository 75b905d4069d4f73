"""Portfolios."""

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry
from strawberry.scalars import JSON

from db.canonical import DecimalText
from db.portfolio.rows import ListedPortfolioRow
from graph.account.loaders import AccountById
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.market.types import From, To
from graph.node import Node, refetched_by
from graph.portfolio.allocation import Allocation, Dimension, allocation
from graph.portfolio.allocation_loaders import WholeByPortfolio
from graph.portfolio.explanations import SalesExplanation, explain_sales
from graph.portfolio.holdings import PerformanceSnapshot, Position
from graph.portfolio.loaders import (
    CashWeightByPortfolio,
    FifoGainByPortfolio,
    PortfolioById,
    PositionCountByPortfolio,
    PositionsByPortfolio,
    SnapshotCountByPortfolio,
    SnapshotsByPortfolio,
    SummaryByPortfolio,
)
from graph.portfolio.performance import (
    BenchmarkSymbol,
    Performance,
    PerformanceFrom,
    PerformanceTo,
    RiskFree,
    performance,
)
from graph.portfolio.performance_loaders import PerformanceByPortfolio
from graph.portfolio.unavailable import LeftOutByPortfolio, UnavailableValue, unavailable_values
from graph.rebalancing.loaders import RebalanceCountByPortfolio, RebalancesByPortfolio
from graph.rebalancing.plans import BuyOnly, PlanStrategy, RebalancePlan, dry_run
from graph.rebalancing.types import Rebalance
from graph.scalars import CurrencyCode, json_of
from graph.trading.loaders import (
    OrderCountByPortfolio,
    OrdersByPortfolio,
    TransactionCountByPortfolio,
    TransactionsByPortfolio,
)
from graph.trading.types import Order, Transaction
from graph.vocabulary import (
    AllocationDimension,
    CostMethod,
    Method,
    OrderStatus,
    RebalanceFrequency,
    Strategy,
    TransactionType,
)

if TYPE_CHECKING:
    from graph.account.types import Account

_Account = Annotated["Account", strawberry.lazy("graph.account.types")]
_Type = Annotated[TransactionType | None, strawberry.argument(description="Only these.")]
_Symbol = Annotated[str | None, strawberry.argument(description="Only those of this instrument.")]
_Status = Annotated[OrderStatus | None, strawberry.argument(description="Only those that stand there.")]


@strawberry.type(
    description="A part of an account that is invested by one strategy. Amounts in its currency."
)
class Portfolio(Node):
    row: strawberry.Private[ListedPortfolioRow]
    name: str = strawberry.field(description="Its name, unique in the account.")
    currency: CurrencyCode = strawberry.field(description="The currency of all its amounts: the account's.")
    strategy: Strategy = strawberry.field(description="How its target weights are found.")
    risk_tolerance: DecimalText = strawberry.field(
        description="0 for the least risk, 1 for the strategy's own."
    )
    max_position_size: DecimalText = strawberry.field(
        description="The largest weight of a position, up to 1."
    )
    auto_rebalance: bool = strawberry.field(
        description="Whether it rebalances by itself: at 10:00 in New York on the first market day of each "
        "day, week, month, quarter or year, and when a weight has drifted beyond the driftBand."
    )
    rebalance_frequency: RebalanceFrequency = strawberry.field(description="How often it does so.")
    drift_band: DecimalText | None = strawberry.field(
        description="How far a weight may drift from its target before it is rebalanced, as a fraction."
    )
    symbols: list[str] | None = strawberry.field(
        description="What it may hold; null for what it holds already."
    )
    target_weights: JSON | None = strawberry.field(
        description="The weights of the strategy CUSTOM: symbols with decimal strings."
    )
    fractional_shares: bool = strawberry.field(
        description="Whether rebalancing trades parts of shares. If not, a plan comes as near to its targets "
        "as whole shares that the cash pays for can."
    )
    minimum_trade: DecimalText = strawberry.field(description="The smallest amount that rebalancing trades.")
    relative_drift_band: DecimalText | None = strawberry.field(
        description="How far a weight may drift as a part of its target; of two bands the narrower counts."
    )
    cash_reserve: DecimalText = strawberry.field(
        description="What stays cash when it is rebalanced, as a fraction of the total value."
    )
    max_trade: DecimalText | None = strawberry.field(
        description="The largest trade of a rebalance, as a fraction of the total value."
    )
    max_turnover: DecimalText | None = strawberry.field(
        description="The most that a rebalance buys and sells together, as a fraction of the total value."
    )
    look_back_days: int = strawberry.field(description="How many daily returns its strategy looks back on.")
    tax_aware: bool = strawberry.field(
        description="Whether rebalancing sells losses first where not everything can be sold."
    )
    is_active: bool = strawberry.field(description="False once it is archived.")
    created_at: dt.datetime = strawberry.field(description="When it was opened.")
    cash_balance: DecimalText = strawberry.field(description="Its cash.")
    reserved_cash: DecimalText = strawberry.field(description="What of its cash open orders hold back.")
    available_cash: DecimalText = strawberry.field(description="Its cash less what open orders hold back.")
    performance_stale_from: dt.date | None = strawberry.field(
        description="The first day whose snapshot waits to be computed anew; null while all of them hold."
    )

    @classmethod
    def from_row(cls, row: ListedPortfolioRow) -> Self:
        """The portfolio of a row of the list of portfolios."""
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
            target_weights=json_of(row["target_weights"]),
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

    @strawberry.field(description="What its positions are worth; one without a price counts as nothing.")
    async def market_value(self, info: Info) -> Decimal:
        return (await self._summary(info))["market_value"]

    @strawberry.field(description="Market value and cash together.")
    async def total_value(self, info: Info) -> Decimal:
        return (await self._summary(info))["total_value"]

    @strawberry.field(description="What its positions cost, on average cost with buying fees.")
    async def cost_basis(self, info: Info) -> Decimal:
        return (await self._summary(info))["cost_basis"]

    @strawberry.field(description="Market value less cost, of the positions that have a price.")
    async def unrealized_pnl(self, info: Info) -> Decimal:
        return (await self._summary(info))["unrealized_pnl"]

    @strawberry.field(description="What its sales gained over their cost, after commissions.")
    async def realized_pnl(self, info: Info, method: Method = CostMethod.AVERAGE_COST) -> Decimal:
        if method is CostMethod.FIFO:
            gain: Any = await info.context.loader(FifoGainByPortfolio).load(self.row["id"])
            return gain
        return (await self._summary(info))["realized_pnl"]

    @strawberry.field(description="How what its sales gained came about, of all of them or between two days.")
    async def explain_realized_pnl(
        self,
        info: Info,
        method: Method = CostMethod.AVERAGE_COST,
        from_: From = None,
        to: To = None,
    ) -> SalesExplanation:
        return await explain_sales(info, self.row, method, (from_, to))

    @strawberry.field(description="How many positions are open.")
    async def position_count(self, info: Info) -> int:
        return (await self._summary(info))["position_count"]

    @strawberry.field(description="How many open positions have no price, and so no value.")
    async def unpriced_position_count(self, info: Info) -> int:
        return (await self._summary(info))["unpriced_position_count"]

    @strawberry.field(
        description="What its market value and total value leave out: each instrument that it holds and that "
        "has neither a quote nor a trade of yours to value it by. Empty where they are complete."
    )
    async def unavailable(self, info: Info) -> list[UnavailableValue]:
        return await unavailable_values(info, LeftOutByPortfolio, self.row["id"])

    @strawberry.field(
        description="Cash as a fraction of the total value: what the positions' weights leave of 1, so that "
        "they add up to 1 exactly. Null where the total value is not above zero."
    )
    async def cash_weight(self, info: Info) -> Decimal | None:
        weight: Any = await info.context.loader(CashWeightByPortfolio).load(self.row["id"])
        return weight

    @strawberry.field(description="The account that it is part of.")
    async def account(self, info: Info) -> _Account:
        from graph.account.types import Account

        return Account.from_row(await info.context.loader(AccountById).load_existing(self.row["account_id"]))

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
        type: _Type = None,
        symbol: _Symbol = None,
    ) -> Connection[Transaction]:
        return await connect(
            info,
            TransactionsByPortfolio,
            TransactionCountByPortfolio,
            Transaction.from_row,
            self.row["id"],
            (first, after, last, before),
            type=type and type.value,
            symbol=symbol,
        )

    @strawberry.field(description="The orders, newest first.")
    async def orders(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        status: _Status = None,
    ) -> Connection[Order]:
        return await connect(
            info,
            OrdersByPortfolio,
            OrderCountByPortfolio,
            Order.from_row,
            self.row["id"],
            (first, after, last, before),
            status=status and status.value,
        )

    @strawberry.field(description="How it did, day by day, oldest first.")
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

    @strawberry.field(description="How it did between two days, by its daily snapshots.")
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

    @strawberry.field(description="What it is made of, at the latest prices.")
    async def allocation(self, info: Info, by: Dimension = AllocationDimension.ASSET_CLASS) -> Allocation:
        return await allocation(info, WholeByPortfolio, self.row["id"], by)

    @strawberry.field(description="The history of its rebalances, newest first.")
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
        description="A dry run: what rebalancePortfolio would do now. Null with a coded error where no plan "
        "can be made."
    )
    async def rebalance_plan(
        self, info: Info, strategy: PlanStrategy = None, buy_only: BuyOnly = False
    ) -> RebalancePlan | None:
        return await dry_run(info, self.row, strategy, buy_only)


refetched_by("Portfolio", PortfolioById, Portfolio.from_row)

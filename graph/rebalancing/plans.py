"""Plans: a dry run of a rebalance, and what it would trade."""

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from graph.context import Info
from graph.scalars import CurrencyCode
from graph.user_errors import field_error
from graph.vocabulary import CostMethod, Method, OrderSide, SkipReason, Strategy
from investing.rebalancing.planning import plan_portfolio
from investing.rules.errors import DomainError
from investing.rules.rebalancing import plans as rules

PlanStrategy = Annotated[
    Strategy | None, strawberry.argument(description="Another strategy than the portfolio's own.")
]
BuyOnly = Annotated[
    bool,
    strawberry.argument(
        description="Only invest the cash that is there, whatever the drift bands: nothing is sold."
    ),
]


@strawberry.type(description="The weight that an instrument has, and the one that it ought to have.")
class WeightTarget:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    current_weight: Decimal = strawberry.field(description="Market value as a fraction of the total value.")
    target_weight: Decimal = strawberry.field(description="The weight that the strategy wants.")
    drift: Decimal = strawberry.field(description="Current weight less target weight.")


@strawberry.type(description="One market order of a plan, estimated from the latest price.")
class PlannedTrade:
    plan: strawberry.Private[rules.PlannedTrade]
    symbol: str = strawberry.field(description="The instrument's symbol.")
    side: OrderSide = strawberry.field(description="Which way it trades.")
    quantity: Decimal = strawberry.field(description="How many shares.")
    estimated_price: Decimal = strawberry.field(description="The latest price with the broker's slippage.")
    estimated_amount: Decimal = strawberry.field(description="Quantity x estimated price.")
    estimated_cost: Decimal = strawberry.field(description="The commission and what slippage takes.")

    @classmethod
    def of(cls, trade: rules.PlannedTrade) -> Self:
        """The trade as clients see it."""
        return cls(
            plan=trade,
            symbol=trade.symbol,
            side=trade.side,
            quantity=trade.quantity,
            estimated_price=trade.estimated_price,
            estimated_amount=trade.estimated_amount,
            estimated_cost=trade.estimated_cost,
        )

    @strawberry.field(description="What the sale would gain, after commission, as the ledger will report it.")
    def estimated_realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> Decimal:
        return _gain(self.plan, method)


@strawberry.type(description="A position that the plan leaves off its target.")
class SkippedTarget:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    reason: SkipReason = strawberry.field(description="Why.")


@strawberry.type(
    description="What a rebalance would do now. Amounts in the portfolio's currency, weights as fractions of "
    "its total value. The target weights and the cash weight add up to 1 exactly."
)
class RebalancePlan:
    plan: strawberry.Private[rules.Plan]
    strategy: Strategy = strawberry.field(description="How the target weights were found.")
    plan_hash: str = strawberry.field(
        description="Stands for all that it rests on: settings, weights, holdings, cash, prices, trades."
    )
    targets: list[WeightTarget] = strawberry.field(description="Every instrument held or wanted, by symbol.")
    cash_weight: Decimal = strawberry.field(description="What the target weights leave of 1.")
    current_cash_weight: Decimal = strawberry.field(description="What the current weights leave of 1.")
    trades: list[PlannedTrade] = strawberry.field(description="What is to be traded, sells before buys.")
    skipped: list[SkippedTarget] = strawberry.field(description="What stays off its target, and why.")
    total_value: Decimal = strawberry.field(description="What the portfolio is worth before.")
    turnover: Decimal = strawberry.field(
        description="What is traded, buys and sells together, as a fraction of the total value."
    )
    estimated_cost: Decimal = strawberry.field(description="Commissions and slippage.")
    cash_after: Decimal = strawberry.field(description="The cash that is left, costs paid.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")

    @classmethod
    def of(cls, plan: rules.Plan, currency: Any) -> Self:
        """The plan as clients see it."""
        return cls(
            plan=plan,
            strategy=plan.strategy,
            plan_hash=plan.hash,
            targets=[
                WeightTarget(
                    symbol=target.symbol,
                    current_weight=target.current_weight,
                    target_weight=target.target_weight,
                    drift=target.drift,
                )
                for target in plan.targets
            ],
            cash_weight=plan.cash_weight,
            current_cash_weight=plan.current_cash_weight,
            trades=[PlannedTrade.of(trade) for trade in plan.trades],
            skipped=[SkippedTarget(symbol=one.symbol, reason=one.reason) for one in plan.skipped],
            total_value=plan.value,
            turnover=plan.turnover,
            estimated_cost=plan.estimated_cost,
            cash_after=plan.cash_after,
            currency=currency,
        )

    @strawberry.field(description="What its sales would gain, after commissions, as the ledger will report.")
    def estimated_realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> Decimal:
        return _gain(self.plan, method)


def _gain(plan: rules.Plan | rules.PlannedTrade, method: CostMethod) -> Decimal:
    return plan.estimated_realized_pnl_fifo if method is CostMethod.FIFO else plan.estimated_realized_pnl


async def dry_run(info: Info, portfolio: Any, strategy: Strategy | None, buy_only: bool) -> RebalancePlan:
    """The plan of a portfolio's row. Raises a coded error where there is none."""
    context = info.context
    portfolio_id: UUID = portfolio["id"]
    try:
        plan = await plan_portfolio(
            context.sessions,
            context.optimiser,
            context.trading_config,
            context.viewer_id,
            portfolio_id,
            strategy,
            buy_only=buy_only,
        )
    except DomainError as domain_error:
        raise field_error(domain_error) from None
    return RebalancePlan.of(plan, portfolio["currency"])

"""Plans: a dry run of a rebalance, and what it would trade."""

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from graph.context import Info
from graph.market.types import Instrument, instrument_with_id, instrument_with_symbol
from graph.scalars import CurrencyCode
from graph.user_errors import field_error
from graph.vocabulary import CostMethod, Method, OrderSide, SkipReason, Strategy
from investing.rebalancing.planning import plan_portfolio
from investing.rules.errors import DomainError
from investing.rules.rebalancing import plans as rules

PlanStrategy = Annotated[
    Strategy | None, strawberry.argument(description="A strategy other than the portfolio's own.")
]
BuyOnly = Annotated[
    bool,
    strawberry.argument(
        description="Only invest the available cash, whatever the drift bands; sell nothing."
    ),
]


async def _planned(info: Info, symbol: str) -> Instrument:
    instrument = await instrument_with_symbol(info, symbol)
    assert instrument is not None, "a plan has prices of all that it is about"
    return instrument


@strawberry.type(description="The current and the target weight of an instrument.")
class WeightTarget:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    current_weight: Decimal = strawberry.field(
        description="The market value as a fraction of the total value."
    )
    target_weight: Decimal = strawberry.field(description="The target weight.")
    drift: Decimal = strawberry.field(description="The current weight minus the target weight.")

    @strawberry.field(description="The instrument.")
    async def instrument(self, info: Info) -> Instrument:
        return await _planned(info, self.symbol)


@strawberry.type(description="One market order of a plan, estimated from the latest price.")
class PlannedTrade:
    plan: strawberry.Private[rules.PlannedTrade]
    symbol: str = strawberry.field(description="The instrument's symbol.")
    side: OrderSide = strawberry.field(description="Whether it buys or sells.")
    quantity: Decimal = strawberry.field(description="The number of shares.")
    estimated_price: Decimal = strawberry.field(
        description="The latest price including the broker's slippage."
    )
    estimated_amount: Decimal = strawberry.field(description="Quantity times estimated price.")
    estimated_cost: Decimal = strawberry.field(description="The commission and the slippage.")

    @classmethod
    def of(cls, trade: rules.PlannedTrade) -> Self:
        """Return the trade as clients see it."""
        return cls(
            plan=trade,
            symbol=trade.symbol,
            side=trade.side,
            quantity=trade.quantity,
            estimated_price=trade.estimated_price,
            estimated_amount=trade.estimated_amount,
            estimated_cost=trade.estimated_cost,
        )

    @strawberry.field(description="The instrument.")
    async def instrument(self, info: Info) -> Instrument:
        return await instrument_with_id(info, self.plan.instrument_id)

    @strawberry.field(
        description="The realised gain of the sale, after commission, as the ledger will report it."
    )
    def estimated_realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> Decimal:
        return _gain(self.plan, method)


@strawberry.type(description="A position that the plan leaves off its target.")
class SkippedTarget:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    reason: SkipReason = strawberry.field(description="The reason.")

    @strawberry.field(description="The instrument.")
    async def instrument(self, info: Info) -> Instrument:
        return await _planned(info, self.symbol)


@strawberry.type(
    description="What a rebalance would do now. Amounts are in the portfolio's currency, weights are "
    "fractions of its total value. The target weights and the cash weight add up to exactly 1."
)
class RebalancePlan:
    plan: strawberry.Private[rules.Plan]
    strategy: Strategy = strawberry.field(description="How the target weights were determined.")
    plan_hash: str = strawberry.field(
        description="A hash of everything that the plan depends on: settings, weights, holdings, cash, "
        "prices and trades."
    )
    targets: list[WeightTarget] = strawberry.field(
        description="Every instrument that is held or to be held, by symbol."
    )
    cash_weight: Decimal = strawberry.field(description="1 minus the target weights.")
    current_cash_weight: Decimal = strawberry.field(description="1 minus the current weights.")
    trades: list[PlannedTrade] = strawberry.field(description="The trades, sells before buys.")
    skipped: list[SkippedTarget] = strawberry.field(
        description="The positions that stay off their targets, and why."
    )
    total_value: Decimal = strawberry.field(description="The value of the portfolio before the trades.")
    turnover: Decimal = strawberry.field(
        description="Purchases plus sales, as a fraction of the total value."
    )
    estimated_cost: Decimal = strawberry.field(description="Commissions and slippage.")
    cash_after: Decimal = strawberry.field(description="The cash that is left after costs.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")

    @classmethod
    def of(cls, plan: rules.Plan, currency: Any) -> Self:
        """Return the plan as clients see it."""
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

    @strawberry.field(
        description="The realised gain of its sales, after commissions, as the ledger will report it."
    )
    def estimated_realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> Decimal:
        return _gain(self.plan, method)


def _gain(plan: rules.Plan | rules.PlannedTrade, method: CostMethod) -> Decimal:
    return plan.estimated_realized_pnl_fifo if method is CostMethod.FIFO else plan.estimated_realized_pnl


async def dry_run(info: Info, portfolio: Any, strategy: Strategy | None, buy_only: bool) -> RebalancePlan:
    """Return the plan of a portfolio's row. Raise a coded error if there is none."""
    context = info.context
    portfolio_id: UUID = portfolio["id"]
    try:
        plan = await plan_portfolio(
            context.services.sessions,
            context.services.optimiser,
            context.services.trading_config,
            context.viewer_id,
            portfolio_id,
            strategy,
            buy_only=buy_only,
        )
    except DomainError as domain_error:
        raise field_error(domain_error) from None
    return RebalancePlan.of(plan, portfolio["currency"])

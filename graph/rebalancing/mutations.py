"""Rebalancing a portfolio."""

from typing import Annotated

import strawberry

from graph.context import Info
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsPortfolio
from graph.rebalancing.loaders import RebalanceById
from graph.rebalancing.types import Rebalance
from graph.vocabulary import Strategy


@strawberry.input(description="A portfolio to rebalance.")
class RebalancePortfolioInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")
    strategy: Strategy | None = strawberry.field(
        description="How the target weights are found; the portfolio's own way if left out.", default=None
    )
    plan_hash: str | None = strawberry.field(
        description="The `planHash` of the plan that you have seen: if prices or holdings have moved it "
        "since, nothing is done. Without it the plan of this moment is followed.",
        default=None,
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID of your own: a retry with the same one does nothing more."
    )


@strawberry.type(
    description="The rebalance as far as it has come, or why there is none. On paper it has ended."
)
class RebalancePayload(Payload):
    rebalance: Rebalance | None = strawberry.field(description="The rebalance.", default=None)


@strawberry.type
class RebalancingMutation:
    @strawberry.mutation(
        description="Makes the portfolio what its strategy wants: sells first, then buys. On paper all of it "
        "happens or nothing; at a broker order by order, which `rebalanceProgress` follows.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def rebalance_portfolio(
        self, info: Info, input: Annotated[RebalancePortfolioInput, INPUT]
    ) -> RebalancePayload:
        id = await info.context.rebalancer.rebalance(
            actor_of(info.context),
            own_id("Portfolio", input.portfolio_id),
            input.strategy,
            input.plan_hash,
            input.idempotency_key,
        )
        row = await info.context.loader(RebalanceById).load_existing(id)
        return RebalancePayload(rebalance=Rebalance.from_row(row))

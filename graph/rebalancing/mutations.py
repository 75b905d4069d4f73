"""Rebalancing a portfolio."""

from typing import Annotated

import strawberry

from graph.context import Info
from graph.loaders.rebalancing import RebalanceById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsPortfolio
from graph.rebalancing.types import Rebalance
from graph.vocabulary import Strategy


@strawberry.input(description="A portfolio to rebalance.")
class RebalancePortfolioInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")
    strategy: Strategy | None = strawberry.field(
        description="How the target weights are determined; by the portfolio's own strategy if left out.",
        default=None,
    )
    plan_hash: str | None = strawberry.field(
        description="The `planHash` of the plan that you have seen: if prices or holdings have changed the "
        "plan since, nothing is done. Without it, the present plan is carried out.",
        default=None,
    )
    idempotency_key: strawberry.ID = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more."
    )


@strawberry.type(
    description="The rebalance as it is now, or the reasons why there is none. In a paper account it has "
    "ended."
)
class RebalancePayload(Payload):
    rebalance: Rebalance | None = strawberry.field(description="The rebalance.", default=None)


@strawberry.type
class RebalancingMutation:
    @strawberry.mutation(
        description="Trades the portfolio to its target weights: sells first, then buys. In a paper account "
        "all trades are made or none; at a broker they are made order by order, and "
        "`rebalanceProgress` reports the progress.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def rebalance_portfolio(
        self, info: Info, input: Annotated[RebalancePortfolioInput, INPUT]
    ) -> RebalancePayload | None:
        id = await info.context.services.rebalancer.rebalance(
            actor_of(info.context),
            own_id("Portfolio", input.portfolio_id),
            input.strategy,
            input.plan_hash,
            input.idempotency_key,
        )
        row = await info.context.loader(RebalanceById).load_existing(id)
        return RebalancePayload(rebalance=Rebalance.from_row(row))

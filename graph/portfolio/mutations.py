"""Opening, changing and archiving portfolios."""

import dataclasses
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from graph.context import Info
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsAccount, OwnsPortfolio
from graph.portfolio.loaders import PortfolioById
from graph.portfolio.types import Portfolio
from graph.vocabulary import RebalanceFrequency, Strategy
from investing.portfolio import service
from investing.rules.errors import InvalidInput


@strawberry.input(description="A portfolio to open.")
class CreatePortfolioInput:
    account_id: strawberry.ID = strawberry.field(description="The account that it is part of.")
    name: str = strawberry.field(description="1 to 100 characters, unique in the account.")
    strategy: Strategy = strawberry.field(description="How its target weights are found.")
    risk_tolerance: Decimal = strawberry.field(
        description="0 for the least risk, 1 for the strategy's own.", default=Decimal("0.5")
    )
    max_position_size: Decimal = strawberry.field(
        description="The largest weight of a position, above 0 and at most 1.", default=Decimal(1)
    )
    auto_rebalance: bool = strawberry.field(description="Whether it rebalances by itself.", default=False)
    rebalance_frequency: RebalanceFrequency = strawberry.field(
        description="How often it does so.", default=RebalanceFrequency.MONTHLY
    )
    drift_band: Decimal | None = strawberry.field(
        description="How far a weight may drift before it is rebalanced, above 0 and at most 1.", default=None
    )
    initial_cash: Decimal = strawberry.field(
        description="What it is given of the account's unallotted cash.", default=Decimal(0)
    )
    symbols: list[str] | None = strawberry.field(
        description="What it may hold; without it, what it holds already.", default=None
    )
    target_weights: JSON | None = strawberry.field(
        description='The weights of the strategy CUSTOM, such as {"AAPL": "0.6"}; cash is the rest of 1.',
        default=None,
    )
    fractional_shares: bool = strawberry.field(
        description="Whether rebalancing trades parts of shares.", default=True
    )
    minimum_trade: Decimal = strawberry.field(
        description="The smallest amount that rebalancing trades.", default=Decimal(0)
    )
    relative_drift_band: Decimal | None = strawberry.field(
        description="A drift band as a part of each target, above 0 and at most 1; the narrower band counts.",
        default=None,
    )
    cash_reserve: Decimal = strawberry.field(
        description="What of the total value stays cash, from 0 and below 1.", default=Decimal(0)
    )
    max_trade: Decimal | None = strawberry.field(
        description="The largest trade of a rebalance, as a fraction of the total value.", default=None
    )
    max_turnover: Decimal | None = strawberry.field(
        description="The most that a rebalance buys and sells together, as a fraction of the total value, at "
        "most 2.",
        default=None,
    )
    look_back_days: int = strawberry.field(
        description="How many daily returns a strategy looks back on, 30 to 7560.", default=756
    )
    tax_aware: bool = strawberry.field(
        description="Whether rebalancing sells losses first where not everything can be sold.", default=False
    )


@strawberry.input(description="A portfolio to change; what is left out stays.")
class UpdatePortfolioInput:
    name: str | None = strawberry.field(description="1 to 100 characters.", default=strawberry.UNSET)
    strategy: Strategy | None = strawberry.field(
        description="How its target weights are found.", default=strawberry.UNSET
    )
    risk_tolerance: Decimal | None = strawberry.field(description="0 to 1.", default=strawberry.UNSET)
    max_position_size: Decimal | None = strawberry.field(
        description="Above 0 and at most 1.", default=strawberry.UNSET
    )
    auto_rebalance: bool | None = strawberry.field(
        description="Whether it rebalances by itself.", default=strawberry.UNSET
    )
    rebalance_frequency: RebalanceFrequency | None = strawberry.field(
        description="How often it does so.", default=strawberry.UNSET
    )
    drift_band: Decimal | None = strawberry.field(
        description="Above 0 and at most 1; null for none.", default=strawberry.UNSET
    )
    symbols: list[str] | None = strawberry.field(
        description="What it may hold; null for what it holds already.", default=strawberry.UNSET
    )
    target_weights: JSON | None = strawberry.field(
        description="The weights of the strategy CUSTOM.", default=strawberry.UNSET
    )
    fractional_shares: bool | None = strawberry.field(
        description="Whether rebalancing trades parts of shares.", default=strawberry.UNSET
    )
    minimum_trade: Decimal | None = strawberry.field(
        description="The smallest amount that rebalancing trades.", default=strawberry.UNSET
    )
    relative_drift_band: Decimal | None = strawberry.field(
        description="Above 0 and at most 1; null for none.", default=strawberry.UNSET
    )
    cash_reserve: Decimal | None = strawberry.field(
        description="From 0 and below 1.", default=strawberry.UNSET
    )
    max_trade: Decimal | None = strawberry.field(
        description="Above 0 and at most 1; null for any.", default=strawberry.UNSET
    )
    max_turnover: Decimal | None = strawberry.field(
        description="Above 0 and at most 2; null for any.", default=strawberry.UNSET
    )
    look_back_days: int | None = strawberry.field(description="30 to 7560.", default=strawberry.UNSET)
    tax_aware: bool | None = strawberry.field(
        description="Whether rebalancing sells losses first.", default=strawberry.UNSET
    )


_NULLABLE = frozenset(
    {"drift_band", "symbols", "target_weights", "relative_drift_band", "max_trade", "max_turnover"}
)


@strawberry.type(description="The portfolio as it is now, or why nothing was done.")
class PortfolioPayload(Payload):
    portfolio: Portfolio | None = strawberry.field(description="The portfolio.", default=None)


_Id = Annotated[strawberry.ID, strawberry.argument(description="The portfolio's id.")]


async def _portfolio(info: Info, id: UUID) -> PortfolioPayload:
    row: Any = await info.context.loader(PortfolioById).load(id)
    return PortfolioPayload(portfolio=Portfolio.from_row(row))


def _changes(input: UpdatePortfolioInput) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(input):
        value = getattr(input, field.name)
        if value is strawberry.UNSET:
            continue
        if value is None and field.name not in _NULLABLE:
            words = field.name.split("_")
            name = words[0] + "".join(word.title() for word in words[1:])
            raise InvalidInput(f"{name} cannot be null: leave it out to keep it.", (name,))
        changes[field.name] = value.value if isinstance(value, Strategy | RebalanceFrequency) else value
    return changes


@strawberry.type
class PortfolioMutation:
    @strawberry.mutation(
        description="Opens a portfolio in an account.",
        extensions=[Guard(IsAuthenticated(), OwnsAccount("input", "account_id"))],
    )
    async def create_portfolio(
        self, info: Info, input: Annotated[CreatePortfolioInput, INPUT]
    ) -> PortfolioPayload:
        given = {field.name: getattr(input, field.name) for field in dataclasses.fields(input)}
        given["account_id"] = own_id("Account", input.account_id)
        id = await service.create_portfolio(actor_of(info.context), service.NewPortfolio(**given))
        return await _portfolio(info, id)

    @strawberry.mutation(
        description="Changes a portfolio's settings.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("id"))],
    )
    async def update_portfolio(
        self, info: Info, id: _Id, input: Annotated[UpdatePortfolioInput, INPUT]
    ) -> PortfolioPayload:
        portfolio_id = own_id("Portfolio", id)
        await service.change_portfolio(actor_of(info.context), portfolio_id, _changes(input))
        return await _portfolio(info, portfolio_id)

    @strawberry.mutation(
        description="Archives a portfolio: it stays, with all that it holds, and takes no more entries.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("id"))],
    )
    async def archive_portfolio(self, info: Info, id: _Id) -> PortfolioPayload:
        portfolio_id = own_id("Portfolio", id)
        await service.set_portfolio_active(actor_of(info.context), portfolio_id, False)
        return await _portfolio(info, portfolio_id)

    @strawberry.mutation(
        description="Takes a portfolio out of the archive.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("id"))],
    )
    async def restore_portfolio(self, info: Info, id: _Id) -> PortfolioPayload:
        portfolio_id = own_id("Portfolio", id)
        await service.set_portfolio_active(actor_of(info.context), portfolio_id, True)
        return await _portfolio(info, portfolio_id)

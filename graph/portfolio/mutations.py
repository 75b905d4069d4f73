"""Opening, changing and archiving portfolios."""

import dataclasses
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graph.context import Info
from graph.loaders.portfolio import PortfolioById
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAuthenticated, OwnsAccount, OwnsPortfolio
from graph.portfolio.types import Portfolio
from graph.rebalancing.weights import WeightInput, weights_to_store
from graph.vocabulary import RebalanceFrequency, Strategy
from investing.portfolio import service
from investing.rules.errors import InvalidInput


@strawberry.input(description="A portfolio to open.")
class CreatePortfolioInput:
    account_id: strawberry.ID = strawberry.field(description="The account that it belongs to.")
    name: str = strawberry.field(description="1 to 100 characters, unique in the account.")
    strategy: Strategy = strawberry.field(
        description="How its target weights are determined; NONE for a portfolio that is only tracked.",
        default=Strategy.NONE,
    )
    risk_tolerance: Decimal = strawberry.field(
        description="0 for the least risk, 1 for the strategy's own.", default=Decimal("0.5")
    )
    max_position_size: Decimal = strawberry.field(
        description="The largest weight of a position, above 0 and at most 1.", default=Decimal(1)
    )
    auto_rebalance: bool = strawberry.field(
        description="Whether it is rebalanced automatically.", default=False
    )
    rebalance_frequency: RebalanceFrequency = strawberry.field(
        description="How often it does so.", default=RebalanceFrequency.MONTHLY
    )
    drift_band: Decimal | None = strawberry.field(
        description="How far a weight may drift before it is rebalanced, above 0 and at most 1.", default=None
    )
    initial_cash: Decimal = strawberry.field(
        description="The part of the account's unallotted cash that it starts with.", default=Decimal(0)
    )
    symbols: list[str] | None = strawberry.field(
        description="The symbols of the instruments that it may hold; if left out, those that it already "
        "holds.",
        default=None,
    )
    target_weights: list[WeightInput] | None = strawberry.field(
        description="The weights of the strategy CUSTOM, at most 500; what is missing to 1 is cash.",
        default=None,
    )
    fractional_shares: bool = strawberry.field(
        description="Whether rebalancing trades fractions of shares.", default=True
    )
    minimum_trade: Decimal = strawberry.field(
        description="The smallest amount that rebalancing trades.", default=Decimal(0)
    )
    relative_drift_band: Decimal | None = strawberry.field(
        description="A drift band as a fraction of each target, above 0 and at most 1; of two bands the "
        "narrower one counts.",
        default=None,
    )
    cash_reserve: Decimal = strawberry.field(
        description="The fraction of the total value that stays in cash, at least 0 and below 1.",
        default=Decimal(0),
    )
    max_trade: Decimal | None = strawberry.field(
        description="The largest trade of a rebalance, as a fraction of the total value.", default=None
    )
    max_turnover: Decimal | None = strawberry.field(
        description="The limit on purchases plus sales of a rebalance, as a fraction of the total value; at "
        "most 2.",
        default=None,
    )
    look_back_days: int = strawberry.field(
        description="The number of daily returns that a strategy looks back on, 30 to 7560.", default=756
    )
    tax_aware: bool = strawberry.field(
        description="Whether rebalancing sells losses first if not everything can be sold.", default=False
    )
    idempotency_key: strawberry.ID | None = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more.", default=None
    )


@strawberry.input(description="Changes to a portfolio; what is left out stays as it is.")
class UpdatePortfolioInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")
    name: str | None = strawberry.field(description="1 to 100 characters.", default=strawberry.UNSET)
    strategy: Strategy | None = strawberry.field(
        description="How its target weights are determined.", default=strawberry.UNSET
    )
    risk_tolerance: Decimal | None = strawberry.field(description="0 to 1.", default=strawberry.UNSET)
    max_position_size: Decimal | None = strawberry.field(
        description="Above 0 and at most 1.", default=strawberry.UNSET
    )
    auto_rebalance: bool | None = strawberry.field(
        description="Whether it is rebalanced automatically.", default=strawberry.UNSET
    )
    rebalance_frequency: RebalanceFrequency | None = strawberry.field(
        description="How often it does so.", default=strawberry.UNSET
    )
    drift_band: Decimal | None = strawberry.field(
        description="Above 0 and at most 1; null for none.", default=strawberry.UNSET
    )
    symbols: list[str] | None = strawberry.field(
        description="The symbols of the instruments that it may hold; null for those that it already holds.",
        default=strawberry.UNSET,
    )
    target_weights: list[WeightInput] | None = strawberry.field(
        description="All weights of the strategy CUSTOM, in place of the present ones.",
        default=strawberry.UNSET,
    )
    fractional_shares: bool | None = strawberry.field(
        description="Whether rebalancing trades fractions of shares.", default=strawberry.UNSET
    )
    minimum_trade: Decimal | None = strawberry.field(
        description="The smallest amount that rebalancing trades.", default=strawberry.UNSET
    )
    relative_drift_band: Decimal | None = strawberry.field(
        description="Above 0 and at most 1; null for none.", default=strawberry.UNSET
    )
    cash_reserve: Decimal | None = strawberry.field(
        description="At least 0 and below 1.", default=strawberry.UNSET
    )
    max_trade: Decimal | None = strawberry.field(
        description="Above 0 and at most 1; null for no limit.", default=strawberry.UNSET
    )
    max_turnover: Decimal | None = strawberry.field(
        description="Above 0 and at most 2; null for no limit.", default=strawberry.UNSET
    )
    look_back_days: int | None = strawberry.field(description="30 to 7560.", default=strawberry.UNSET)
    tax_aware: bool | None = strawberry.field(
        description="Whether rebalancing sells losses first.", default=strawberry.UNSET
    )


@strawberry.input(description="A portfolio to archive.")
class ArchivePortfolioInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")


@strawberry.input(description="A portfolio to restore from the archive.")
class RestorePortfolioInput:
    portfolio_id: strawberry.ID = strawberry.field(description="The portfolio.")


_NULLABLE = frozenset(
    {"drift_band", "symbols", "target_weights", "relative_drift_band", "max_trade", "max_turnover"}
)


@strawberry.type(description="The portfolio as it is now, or the reasons why nothing was done.")
class PortfolioPayload(Payload):
    portfolio: Portfolio | None = strawberry.field(description="The portfolio.", default=None)


async def _portfolio(info: Info, id: UUID) -> PortfolioPayload:
    row: Any = await info.context.loader(PortfolioById).load(id)
    return PortfolioPayload(portfolio=Portfolio.from_row(row))


async def _set_active(info: Info, portfolio_id: strawberry.ID, is_active: bool) -> PortfolioPayload:
    id = own_id("Portfolio", portfolio_id)
    await service.set_portfolio_active(actor_of(info.context), id, is_active)
    return await _portfolio(info, id)


def _changes(input: UpdatePortfolioInput) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(input):
        value = getattr(input, field.name)
        if field.name == "portfolio_id" or value is strawberry.UNSET:
            continue
        if value is None and field.name not in _NULLABLE:
            words = field.name.split("_")
            name = words[0] + "".join(word.title() for word in words[1:])
            raise InvalidInput(f"{name} cannot be null: leave it out to keep it.", (name,))
        changes[field.name] = value.value if isinstance(value, Strategy | RebalanceFrequency) else value
    if changes.get("target_weights") is not None:
        changes["target_weights"] = weights_to_store(changes["target_weights"])
    return changes


@strawberry.type
class PortfolioMutation:
    @strawberry.mutation(
        description="Opens a portfolio in an account.",
        extensions=[Guard(IsAuthenticated(), OwnsAccount("input", "account_id"))],
    )
    async def create_portfolio(
        self, info: Info, input: Annotated[CreatePortfolioInput, INPUT]
    ) -> PortfolioPayload | None:
        given = {field.name: getattr(input, field.name) for field in dataclasses.fields(input)}
        given["account_id"] = own_id("Account", input.account_id)
        if input.target_weights is not None:
            given["target_weights"] = weights_to_store(input.target_weights)
        key = given.pop("idempotency_key")
        new = service.NewPortfolio(**given)
        id = await service.create_portfolio(actor_of(info.context), new, idempotency_key=key)
        return await _portfolio(info, id)

    @strawberry.mutation(
        description="Changes a portfolio's settings.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def update_portfolio(
        self, info: Info, input: Annotated[UpdatePortfolioInput, INPUT]
    ) -> PortfolioPayload | None:
        portfolio_id = own_id("Portfolio", input.portfolio_id)
        await service.change_portfolio(actor_of(info.context), portfolio_id, _changes(input))
        return await _portfolio(info, portfolio_id)

    @strawberry.mutation(
        description="Archives a portfolio: it keeps everything that it holds, but accepts "
        "no more entries. It has no open orders.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def archive_portfolio(
        self, info: Info, input: Annotated[ArchivePortfolioInput, INPUT]
    ) -> PortfolioPayload | None:
        return await _set_active(info, input.portfolio_id, False)

    @strawberry.mutation(
        description="Restores a portfolio from the archive.",
        extensions=[Guard(IsAuthenticated(), OwnsPortfolio("input", "portfolio_id"))],
    )
    async def restore_portfolio(
        self, info: Info, input: Annotated[RestorePortfolioInput, INPUT]
    ) -> PortfolioPayload | None:
        return await _set_active(info, input.portfolio_id, True)

"""What a portfolio, an account or all that a user has is made of, and how far that is from its targets."""

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from graph.context import Info
from graph.ids import global_id
from graph.portfolio.allocation_loaders import WholeByAccount, WholeByPortfolio, WholeByUser
from graph.scalars import CurrencyCode
from graph.vocabulary import (
    AllocationDimension,
    AllocationFigure,
    AssetClass,
    TargetSource,
    UnavailableReason,
)
from investing.portfolio.allocation import AllocationScope
from investing.rules.portfolio import allocation as rules

Dimension = Annotated[AllocationDimension, strawberry.argument(description="By what it is divided.")]


@strawberry.type(
    description="A part of the whole, in one currency. All weights of an allocation add up to 1 exactly, and "
    "so do all target weights where there are any."
)
class AllocationSlice:
    label: str = strawberry.field(
        description="What it is: an asset class, a symbol, a currency, the name of an account or of a "
        "portfolio, or CASH."
    )
    is_cash: bool = strawberry.field(description="Whether it is the slice of cash.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")
    value: Decimal | None = strawberry.field(
        description="What it is worth; what has no price counts as nothing; null if nothing has one."
    )
    cash_value: Decimal = strawberry.field(description="What of its value is cash.")
    unpriced_position_count: int = strawberry.field(description="How many positions in it have no price.")
    weight: Decimal | None = strawberry.field(
        description="Value as a fraction of the total value, cash included; null where `unavailable` says so."
    )
    target_weight: Decimal | None = strawberry.field(
        description="What the weight ought to be; null where `unavailable` says so."
    )
    drift: Decimal | None = strawberry.field(description="Weight less target weight.")
    asset_class: AssetClass | None = strawberry.field(description="The asset class, when divided by that.")
    symbol: str | None = strawberry.field(description="The instrument's symbol, when divided by that.")
    account_id: strawberry.ID | None = strawberry.field(description="The account, when divided by that.")
    portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio, when divided by that; null for cash that none has been given."
    )

    @classmethod
    def of(cls, slice: rules.AllocationSlice) -> Self:
        """As the rule tells it."""
        return cls(
            label=slice.label,
            is_cash=slice.is_cash,
            currency=CurrencyCode(slice.currency),
            value=slice.value,
            cash_value=slice.cash_value,
            unpriced_position_count=slice.unpriced_positions,
            weight=slice.weight,
            target_weight=slice.target_weight,
            drift=slice.drift,
            asset_class=None if slice.asset_class is None else AssetClass(slice.asset_class),
            symbol=slice.symbol,
            account_id=_id("Account", slice.account_id),
            portfolio_id=_id("Portfolio", slice.portfolio_id),
        )


@strawberry.type(description="What cannot be told of an allocation, and why.")
class UnavailableAllocation:
    figure: AllocationFigure = strawberry.field(description="Which figure.")
    reason: UnavailableReason = strawberry.field(description="Why, for programs.")
    message: str = strawberry.field(description="Why, for people.")
    position_id: strawberry.ID | None = strawberry.field(
        description="The position without a value; null for a figure of all slices."
    )

    @classmethod
    def of(cls, missing: rules.Missing) -> Self:
        """As the rule tells it."""
        return cls(
            figure=missing.figure,
            reason=missing.reason,
            message=missing.message,
            position_id=_id("Position", missing.position_id),
        )


@strawberry.type(
    description="What a portfolio, an account or all that a user has is made of now, at the latest prices. "
    "Over several currencies there are values in each of them and no weights."
)
class Allocation:
    by: AllocationDimension = strawberry.field(description="By what it is divided.")
    currency: CurrencyCode | None = strawberry.field(
        description="The currency of all slices; null where there are several, or nothing."
    )
    total_value: Decimal | None = strawberry.field(
        description="What all slices are worth together; null where there are several currencies."
    )
    slices: list[AllocationSlice] = strawberry.field(description="The largest first, cash last.")
    target_source: TargetSource | None = strawberry.field(
        description="Where the target weights come from; null without any."
    )
    unavailable: list[UnavailableAllocation] = strawberry.field(
        description="What is null, each with the reason; every position without a price is here."
    )

    @classmethod
    def of(cls, found: rules.Allocation) -> Self:
        """As the rule tells it."""
        return cls(
            by=found.by,
            currency=None if found.currency is None else CurrencyCode(found.currency),
            total_value=found.total_value,
            slices=[AllocationSlice.of(slice) for slice in found.slices],
            target_source=found.target_source,
            unavailable=[UnavailableAllocation.of(missing) for missing in found.missing],
        )


async def allocation(
    info: Info,
    loader: type[WholeByPortfolio | WholeByAccount | WholeByUser],
    id: Any,
    by: AllocationDimension,
) -> Allocation:
    """The allocation of one portfolio, account or user."""
    whole: AllocationScope = await info.context.loader(loader).load(id)
    return Allocation.of(whole.allocation(by))


def _id(type_name: str, id: UUID | None) -> strawberry.ID | None:
    return None if id is None else global_id(type_name, id)

"""The allocation of a portfolio, an account or a user, and how far it is from its targets."""

from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from graph.context import Info
from graph.ids import global_id
from graph.loaders.allocation import WholeByAccount, WholeByPortfolio, WholeByUser
from graph.market.types import Instrument, instrument_with_symbol
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

Dimension = Annotated[AllocationDimension, strawberry.argument(description="What it is divided by.")]


@strawberry.type(
    description="A part of the whole, in one currency. All weights of an allocation add up to exactly 1, and "
    "so do all target weights if there are any."
)
class AllocationSlice:
    label: str = strawberry.field(
        description="The asset class, symbol, currency, account name or portfolio name, or CASH."
    )
    is_cash: bool = strawberry.field(description="Whether this is the slice of cash.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")
    value: Decimal | None = strawberry.field(
        description="Its value; a position without a price counts as zero. Null if none has a price."
    )
    cash_value: Decimal = strawberry.field(description="The part of its value that is cash.")
    unpriced_position_count: int = strawberry.field(
        description="The number of its positions without a price."
    )
    weight: Decimal | None = strawberry.field(
        description="Its value as a fraction of the total value, cash included; null if `unavailable` says "
        "so."
    )
    target_weight: Decimal | None = strawberry.field(
        description="The target weight; null if `unavailable` says so."
    )
    drift: Decimal | None = strawberry.field(description="The weight minus the target weight.")
    asset_class: AssetClass | None = strawberry.field(
        description="The asset class, if divided by asset class."
    )
    symbol: str | None = strawberry.field(description="The instrument's symbol, if divided by symbol.")
    account_id: strawberry.ID | None = strawberry.field(description="The account, if divided by account.")
    portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio, if divided by portfolio; null for cash that is in none."
    )

    @strawberry.field(description="The instrument, if divided by symbol.")
    async def instrument(self, info: Info) -> Instrument | None:
        return await instrument_with_symbol(info, self.symbol)

    @classmethod
    def of(cls, slice: rules.AllocationSlice) -> Self:
        """Return the slice that the rule gives."""
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


@strawberry.type(description="A figure of an allocation that is not available, and why.")
class UnavailableAllocation:
    figure: AllocationFigure = strawberry.field(description="The figure.")
    reason: UnavailableReason = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people.")
    position_id: strawberry.ID | None = strawberry.field(
        description="The position without a value; null if the figure concerns all slices."
    )

    @classmethod
    def of(cls, missing: rules.Missing) -> Self:
        """Return the missing value that the rule gives."""
        return cls(
            figure=missing.figure,
            reason=missing.reason,
            message=missing.message,
            position_id=_id("Position", missing.position_id),
        )


@strawberry.type(
    description="What a portfolio, an account or everything that a user owns is made of, at the latest "
    "prices. With several currencies there are values in each of them, but no weights."
)
class Allocation:
    by: AllocationDimension = strawberry.field(description="What it is divided by.")
    currency: CurrencyCode | None = strawberry.field(
        description="The currency of all slices; null if there are several, or none."
    )
    total_value: Decimal | None = strawberry.field(
        description="The value of all slices together; null if there are several currencies."
    )
    slices: list[AllocationSlice] = strawberry.field(description="The slices, largest first, cash last.")
    target_source: TargetSource | None = strawberry.field(
        description="Where the target weights come from; null if there are none."
    )
    unavailable: list[UnavailableAllocation] = strawberry.field(
        description="The figures that are null, each with the reason; includes every position without a "
        "price."
    )

    @classmethod
    def of(cls, found: rules.Allocation) -> Self:
        """Return the allocation that the rule gives."""
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
    """Return the allocation of one portfolio, account or user."""
    whole: AllocationScope = await info.context.loader(loader).load(id)
    return Allocation.of(whole.allocation(by))


def _id(type_name: str, id: UUID | None) -> strawberry.ID | None:
    return None if id is None else global_id(type_name, id)

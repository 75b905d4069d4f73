"""What a total leaves out, and why."""

import datetime as dt
from typing import ClassVar
from uuid import UUID

import strawberry

from db.portfolio.performance import ScopeKind
from db.portfolio.rows import LeftOutRow
from db.portfolio.unvalued import fetch_left_out
from graph.context import Info
from graph.loaders import Loader
from graph.loaders.market import InstrumentById
from graph.market.types import Instrument
from graph.scalars import CurrencyCode
from graph.vocabulary import UnavailableReason


@strawberry.type(description="What a total leaves out, and why.")
class UnavailableValue:
    instrument_id: strawberry.Private[UUID | None]
    field: str = strawberry.field(description="The field that leaves it out, such as `marketValue`.")
    reason: UnavailableReason = strawberry.field(description="Why it has no value.")
    currency: CurrencyCode | None = strawberry.field(description="The currency of what is left out.")
    date: dt.date | None = strawberry.field(description="The day on which it has no value; null for now.")

    @strawberry.field(description="The instrument without a price; null if a whole currency is left out.")
    async def instrument(self, info: Info) -> Instrument | None:
        if self.instrument_id is None:
            return None
        return Instrument.from_row(
            await info.context.loader(InstrumentById).load_existing(self.instrument_id)
        )


class _LeftOut(Loader[UUID, list[LeftOutRow]]):
    kind: ClassVar[ScopeKind]

    async def batch_load_fn(self, keys: list[UUID]) -> list[list[LeftOutRow]]:
        async with self.login.reading() as connection:
            rows = await fetch_left_out(connection, self.login.viewer_id, self.kind, keys)
        return [[row for row in rows if row["scope_id"] == key] for key in keys]


class LeftOutByPortfolio(_LeftOut):
    """What each portfolio's totals leave out."""

    kind = ScopeKind.PORTFOLIO


class LeftOutByAccount(_LeftOut):
    """What each account's totals leave out."""

    kind = ScopeKind.ACCOUNT


class LeftOutByUser(_LeftOut):
    """What the viewer's totals leave out; the only key is ever the viewer's id."""

    kind = ScopeKind.USER


async def unavailable_values(info: Info, loader: type[_LeftOut], id: UUID) -> list[UnavailableValue]:
    """Return what the totals of the object with this id leave out."""
    return [_value(row) for row in await info.context.loader(loader).load(id)]


def _value(row: LeftOutRow) -> UnavailableValue:
    is_held = row["instrument_id"] is not None
    return UnavailableValue(
        instrument_id=row["instrument_id"],
        field="marketValue" if is_held else "totalValue",
        reason=UnavailableReason.NO_PRICES if is_held else UnavailableReason.NO_RATE,
        currency=CurrencyCode(row["currency"]),
        date=None,
    )

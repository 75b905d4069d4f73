"""Weights of instruments, as clients see and give them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import strawberry

from db.canonical import decimal
from graph.context import Info
from graph.loaders.market import InstrumentByAnySymbol
from graph.market.types import Instrument
from investing.rules.errors import InvalidInput, shortened


@strawberry.type(description="An instrument's share of a portfolio.")
class Weight:
    symbol: str = strawberry.field(description="The instrument's symbol at the time.")
    weight: Decimal = strawberry.field(description="A fraction of the portfolio's total value.")

    @strawberry.field(description="The instrument; null if there is no longer one with this symbol.")
    async def instrument(self, info: Info) -> Instrument | None:
        row = await info.context.loader(InstrumentByAnySymbol).load(self.symbol)
        return None if row is None else Instrument.from_row(row)


@strawberry.input(description="The weight that an instrument is to have.")
class WeightInput:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    weight: Decimal = strawberry.field(description="A fraction of the total value, from 0 to 1.")


def weights_of(stored: Mapping[str, str]) -> list[Weight]:
    """Return weights as they are stored, by symbol."""
    return [Weight(symbol=symbol, weight=Decimal(weight)) for symbol, weight in sorted(stored.items())]


def weights_to_store(given: Sequence[WeightInput]) -> dict[str, str]:
    """Return weights that a client gives as they are stored.

    Raise InvalidInput for a symbol given twice.
    """
    weights: dict[str, str] = {}
    for each in given:
        if each.symbol in weights:
            raise InvalidInput(f"{shortened(each.symbol)} is there twice.", ("targetWeights",))
        weights[each.symbol] = decimal(each.weight)
    return weights

"""The market, which belongs to nobody: instruments by symbol and by search."""

from typing import Annotated

import strawberry

from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.loaders.market import InstrumentBySymbol, InstrumentCount, Instruments
from graph.market.types import Instrument
from graph.permissions import IsAuthenticated, guarded

_Symbol = Annotated[str, strawberry.argument(description="The ticker symbol, such as AAPL.")]
_Search = Annotated[
    str | None, strawberry.argument(description="Part of a symbol or a name; case does not matter.")
]


@strawberry.type
class MarketQuery:
    @strawberry.field(
        description="The instrument with this symbol; null if there is none.",
        extensions=[guarded(IsAuthenticated())],
    )
    async def instrument(self, info: Info, symbol: _Symbol) -> Instrument | None:
        row = await info.context.loader(InstrumentBySymbol).load(symbol)
        return None if row is None else Instrument.from_row(row)

    @strawberry.field(description="The instruments, by symbol.", extensions=[guarded(IsAuthenticated())])
    async def instruments(
        self,
        info: Info,
        search: _Search = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Instrument] | None:
        page = (first, after, last, before)
        return await connect(
            info, Instruments, InstrumentCount, Instrument.from_row, None, page, search=search
        )

"""Subscribe to prices."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

import strawberry

from db.canonical import DecimalText, decimal
from db.market.queries import fetch_instrument_quotes
from db.market.rows import ListedInstrumentRow, QuotedRow
from graph.context import Context, Info
from graph.errors import BadUserInput
from graph.loaders.market import InstrumentBySymbol
from graph.market.types import Instrument, instrument_with_id
from graph.pacing import Throttle
from graph.permissions import IsAuthenticated, guarded
from investing.notifier import wait

MOST_SYMBOLS = 100
CHECKED_SECONDS = 1.0

_Symbols = Annotated[
    list[str], strawberry.argument(description=f"The ticker symbols, at most {MOST_SYMBOLS}.")
]


@strawberry.type(description="The latest price of an instrument.")
class Quote:
    instrument_id: strawberry.Private[UUID]
    symbol: str = strawberry.field(description="The ticker symbol.")
    price: DecimalText = strawberry.field(description="The latest price, in the instrument's currency.")
    as_of: dt.datetime = strawberry.field(description="The time of the price.")

    @classmethod
    def from_row(cls, row: QuotedRow) -> Self:
        """Return the quote of a row of the instruments' quotes."""
        return cls(
            instrument_id=row["instrument_id"], symbol=row["symbol"], price=row["price"], as_of=row["as_of"]
        )

    @strawberry.field(description="The instrument.")
    async def instrument(self, info: Info) -> Instrument:
        return await instrument_with_id(info, self.instrument_id)


@strawberry.type
class MarketSubscription:
    @strawberry.subscription(
        description="The latest price of each instrument: first the present one, then each change. There are "
        "only a few events a second, however fast the market moves: prices in between may be "
        "skipped, but never the last one.",
        extensions=[guarded(IsAuthenticated())],
    )
    async def quotes(self, info: Info, symbols: _Symbols) -> AsyncGenerator[Quote, None]:
        context = info.context
        ids = [row["id"] for row in await _instruments(context, symbols)]
        pace = Throttle(context.services.events_per_second)
        moved = asyncio.Event()
        with context.services.watches.watching(moved) as watch:
            watch.follow(ids)
            async with context.reading() as connection:
                rows = await fetch_instrument_quotes(connection, ids)
            # The current quotes are sent without delay: they are as many as were requested.
            reported = {row["symbol"]: (Decimal(row["price"]), row["as_of"]) for row in rows}
            for row in rows:
                await context.look_again_after(CHECKED_SECONDS)
                yield Quote.from_row(row)
            while True:
                await wait(moved)
                while True:
                    await pace.wait()
                    # Taken as late as possible, so that it is the latest.
                    if (quote := watch.take()) is None:
                        break
                    if reported.get(quote.symbol) == (quote.price, quote.as_of):
                        # Already sent: it was read here before the ticker found it.
                        continue
                    reported[quote.symbol] = (quote.price, quote.as_of)
                    await context.retry_while_down(context.look_again_after, CHECKED_SECONDS)
                    yield Quote(
                        instrument_id=quote.instrument_id,
                        symbol=quote.symbol,
                        price=decimal(quote.price),
                        as_of=quote.as_of,
                    )


async def _instruments(context: Context, symbols: list[str]) -> list[ListedInstrumentRow]:
    if not 1 <= len(symbols) <= MOST_SYMBOLS:
        raise BadUserInput(f"Follow 1 to {MOST_SYMBOLS} symbols.", field="symbols")
    wanted = sorted(set(symbols))
    rows = await context.loader(InstrumentBySymbol).load_many(wanted)
    missing = [symbol for symbol, row in zip(wanted, rows, strict=True) if row is None]
    if missing:
        raise BadUserInput(f"There is no instrument {missing[0][:60]}.", field="symbols")
    return [row for row in rows if row is not None]

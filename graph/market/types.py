"""Instruments, price bars and watchlists."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from db.canonical import DecimalText
from db.market.rows import ListedInstrumentRow, PriceBarRow, WatchlistRow
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.loaders.market import (
    InstrumentById,
    InstrumentBySymbol,
    PriceBarCountByInstrument,
    PriceBarsByInstrument,
    SplitsByInstrument,
    WatchlistById,
)
from graph.node import Node, refetched_by
from graph.scalars import CurrencyCode
from graph.vocabulary import AssetClass

From = Annotated[dt.date | None, strawberry.argument(name="from", description="Not before this day.")]
To = Annotated[dt.date | None, strawberry.argument(name="to", description="Not after this day.")]


@strawberry.type(description="The prices of an instrument on one day, in its currency.")
class PriceBar:
    date: dt.date = strawberry.field(description="The trading day.")
    open: DecimalText | None = strawberry.field(description="The first price; null if not known.")
    high: DecimalText | None = strawberry.field(description="The highest price; null if not known.")
    low: DecimalText | None = strawberry.field(description="The lowest price; null if not known.")
    close: DecimalText = strawberry.field(
        description="The last price as it was traded, per share of that day. If only adjusted closes are "
        "known, it is adjusted for splits, or for splits and dividends, up to the newest day."
    )
    adjusted_close: DecimalText | None = strawberry.field(
        description="The close adjusted for all later splits and dividends."
    )
    volume: DecimalText | None = strawberry.field(
        description="The number of shares traded; null if not known."
    )

    @classmethod
    def from_row(cls, row: PriceBarRow) -> Self:
        """Return the bar of a row of the list of bars."""
        return cls(
            date=row["date"],
            open=row["open"],
            high=row["high"],
            low=row["low"],
            close=row["close"],
            adjusted_close=row["adjusted_close"],
            volume=row["volume"],
        )


@strawberry.type(
    description="A split: from the ex-date on, `quantity` new shares for every `splitFor` old ones. It is "
    "applied to every holding on its ex-date."
)
class InstrumentSplit:
    ex_date: dt.date = strawberry.field(description="The first day of the new shares.")
    quantity: Decimal = strawberry.field(description="The number of new shares.")
    split_for: Decimal = strawberry.field(description="The number of old shares that they replace.")


@strawberry.type(description="Something that can be held, such as a share or a fund.")
class Instrument(Node):
    row: strawberry.Private[ListedInstrumentRow]
    symbol: str = strawberry.field(
        description="The ticker symbol, unique among shared instruments and among your own. If a shared "
        "instrument was added later with the symbol of one of your own, the symbol stands for "
        "your own."
    )
    name: str = strawberry.field(description="Its name.")
    asset_class: AssetClass = strawberry.field(description="What kind of thing it is.")
    currency: CurrencyCode = strawberry.field(description="The currency of all its prices.")
    exchange: str | None = strawberry.field(description="The exchange where it is listed.")
    last_price: DecimalText | None = strawberry.field(description="The latest price; null if there is none.")
    price_as_of: dt.datetime | None = strawberry.field(description="The time of the latest price.")
    isin: str | None = strawberry.field(
        description="The International Securities Identification Number; null if not known."
    )
    is_own: bool = strawberry.field(
        description="Whether it is one of your own, which nobody else can see; false for a shared one."
    )

    @classmethod
    def from_row(cls, row: ListedInstrumentRow) -> Self:
        """Return the instrument of a row of the list of instruments."""
        return cls(
            row=row,
            id=global_id("Instrument", row["id"]),
            symbol=row["symbol"],
            name=row["name"],
            asset_class=AssetClass(row["asset_class"]),
            currency=CurrencyCode(row["currency"]),
            exchange=row["exchange"],
            last_price=row["last_price"],
            price_as_of=row["price_as_of"],
            isin=row["isin"],
            is_own=row["is_own"],
        )

    @strawberry.field(description="Its splits, oldest first, including announced ones.")
    async def splits(self, info: Info) -> list[InstrumentSplit]:
        rows = await info.context.loader(SplitsByInstrument).load(self.row["id"])
        return [
            InstrumentSplit(
                ex_date=row["ex_date"], quantity=Decimal(row["quantity"]), split_for=Decimal(row["split_for"])
            )
            for row in rows
        ]

    @strawberry.field(
        description="Daily bars as they are stored, oldest first. Raw closes drop at a split; adjustedClose, "
        "where it is known, does not."
    )
    async def price_history(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        from_: From = None,
        to: To = None,
    ) -> Connection[PriceBar]:
        return await connect(
            info,
            PriceBarsByInstrument,
            PriceBarCountByInstrument,
            PriceBar.from_row,
            self.row["id"],
            (first, after, last, before),
            **{"from": from_, "to": to},
        )


async def instrument_with_id(info: Info, id: UUID) -> Instrument:
    """Return the instrument with this row id, which exists."""
    return Instrument.from_row(await info.context.loader(InstrumentById).load_existing(id))


async def instrument_with_symbol(info: Info, symbol: str | None) -> Instrument | None:
    """Return the instrument that a symbol means to the viewer; None where there is none."""
    if symbol is None:
        return None
    row = await info.context.loader(InstrumentBySymbol).load(symbol)
    return None if row is None else Instrument.from_row(row)


@strawberry.type(description="A named list of instruments to watch.")
class Watchlist(Node):
    row: strawberry.Private[WatchlistRow]
    name: str = strawberry.field(description="Its name, unique among the owner's.")
    created_at: dt.datetime = strawberry.field(description="When it was created.")

    @classmethod
    def from_row(cls, row: WatchlistRow) -> Self:
        """Return the watchlist of a row of the list of watchlists."""
        return cls(
            row=row,
            id=global_id("Watchlist", row["id"]),
            name=row["name"],
            created_at=row["created_at"],
        )

    @strawberry.field(description="The instruments' symbols, in the owner's order.")
    async def symbols(self, info: Info) -> list[str]:
        return [row["symbol"] for row in await self._instruments(info)]

    @strawberry.field(description="The instruments, in the owner's order.")
    async def instruments(self, info: Info) -> list[Instrument]:
        return [Instrument.from_row(row) for row in await self._instruments(info)]

    async def _instruments(self, info: Info) -> list[Any]:
        return await info.context.loader(InstrumentById).load_many(self.row["instrument_ids"])


refetched_by("Instrument", InstrumentById, Instrument.from_row)
refetched_by("Watchlist", WatchlistById, Watchlist.from_row)

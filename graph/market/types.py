"""Instruments, price bars and watchlists."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Self

import strawberry

from db.canonical import DecimalText
from db.market.rows import ListedInstrumentRow, PriceBarRow, WatchlistRow
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.market.loaders import (
    InstrumentById,
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


@strawberry.type(description="One instrument on one day. Prices in the instrument's currency.")
class PriceBar:
    date: dt.date = strawberry.field(description="The trading day.")
    open: DecimalText | None = strawberry.field(description="The first price, null where it is not known.")
    high: DecimalText | None = strawberry.field(description="The highest price, null where it is not known.")
    low: DecimalText | None = strawberry.field(description="The lowest price, null where it is not known.")
    close: DecimalText = strawberry.field(
        description="The last price, for one share of that day, as it was traded; where only adjusted closes "
        "are known, adjusted for the splits, or for splits and dividends, up to the newest day."
    )
    adjusted_close: DecimalText | None = strawberry.field(
        description="The close as if all later splits and dividends had happened before."
    )
    volume: DecimalText | None = strawberry.field(description="Shares traded, null where it is not known.")

    @classmethod
    def from_row(cls, row: PriceBarRow) -> Self:
        """The bar of a row of the list of bars."""
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
    "posted to every holding of its ex-date."
)
class InstrumentSplit:
    ex_date: dt.date = strawberry.field(description="The first day of the new shares.")
    quantity: Decimal = strawberry.field(description="New shares.")
    split_for: Decimal = strawberry.field(description="Old shares.")


@strawberry.type(description="Something that can be held.")
class Instrument(Node):
    row: strawberry.Private[ListedInstrumentRow]
    symbol: str = strawberry.field(
        description="The ticker, unique among the shared ones and among your own. Where a shared one came "
        "later with the symbol of one of your own, the symbol means your own to you."
    )
    name: str = strawberry.field(description="What it is called.")
    asset_class: AssetClass = strawberry.field(description="What kind of thing it is.")
    currency: CurrencyCode = strawberry.field(description="The currency of all its prices.")
    exchange: str | None = strawberry.field(description="Where it is listed.")
    last_price: DecimalText | None = strawberry.field(
        description="The latest price, null where there is none."
    )
    price_as_of: dt.datetime | None = strawberry.field(description="When the latest price was.")
    isin: str | None = strawberry.field(
        description="The International Securities Identification Number, null where it is not known."
    )
    is_own: bool = strawberry.field(
        description="Whether it is one of your own, which nobody else sees; false for a shared one."
    )

    @classmethod
    def from_row(cls, row: ListedInstrumentRow) -> Self:
        """The instrument of a row of the list of instruments."""
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

    @strawberry.field(description="Its splits, oldest first, also those that are announced.")
    async def splits(self, info: Info) -> list[InstrumentSplit]:
        rows = await info.context.loader(SplitsByInstrument).load(self.row["id"])
        return [
            InstrumentSplit(
                ex_date=row["ex_date"], quantity=Decimal(row["quantity"]), split_for=Decimal(row["split_for"])
            )
            for row in rows
        ]

    @strawberry.field(
        description="Daily bars as they are stored, oldest first: raw closes fall by a split, and "
        "adjustedClose, where it is known, does not."
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


@strawberry.type(description="A named list of instruments to keep an eye on.")
class Watchlist(Node):
    row: strawberry.Private[WatchlistRow]
    name: str = strawberry.field(description="Its name, unique among the owner's.")
    created_at: dt.datetime = strawberry.field(description="When it was made.")

    @classmethod
    def from_row(cls, row: WatchlistRow) -> Self:
        """The watchlist of a row of the list of watchlists."""
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

"""Importing prices, and creating, changing and deleting watchlists."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.market.ticks import Tick
from graph.context import Info
from graph.errors import Forbidden
from graph.loaders.market import InstrumentById, WatchlistById
from graph.market.types import Instrument, Watchlist
from graph.mutating import INPUT, Guard, Payload, actor_of, own_id
from graph.permissions import IsAdmin, IsAuthenticated, OwnsWatchlist
from graph.scalars import CurrencyCode
from graph.vocabulary import AssetClass
from investing.market import splits, watchlists
from investing.market.creating import InstrumentRequest, create_instrument
from investing.prices import pushing
from investing.rules.market.instruments import MOST_OWN
from investing.rules.trading.splits import SplitRatio


@strawberry.input(description="A watchlist to create.")
class CreateWatchlistInput:
    name: str = strawberry.field(description="1 to 100 characters, unique among yours.")
    symbols: list[str] = strawberry.field(description="The symbols, in the order in which to show them.")


@strawberry.input(description="Changes to a watchlist; what is left out stays as it is.")
class UpdateWatchlistInput:
    watchlist_id: strawberry.ID = strawberry.field(description="The watchlist.")
    name: str | None = strawberry.field(description="1 to 100 characters.", default=None)
    symbols: list[str] | None = strawberry.field(
        description="All its symbols, in place of the present ones.", default=None
    )


@strawberry.input(description="A watchlist to delete.")
class DeleteWatchlistInput:
    watchlist_id: strawberry.ID = strawberry.field(description="The watchlist.")


@strawberry.type(description="The watchlist as it is now, or the reasons why nothing was done.")
class WatchlistPayload(Payload):
    watchlist: Watchlist | None = strawberry.field(description="The watchlist.", default=None)


@strawberry.type(description="The id of the deleted watchlist, or the reasons why nothing was deleted.")
class DeleteWatchlistPayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        description="The id of what was deleted.", default=None
    )


@strawberry.input(description="An instrument to create.")
class CreateInstrumentInput:
    symbol: str = strawberry.field(
        description="Its symbol, which no shared instrument and none of your own may have already."
    )
    name: str = strawberry.field(description="Its name, 1 to 100 characters.")
    currency: CurrencyCode = strawberry.field(
        description="The currency of all its prices; this cannot be changed later."
    )
    asset_class: AssetClass = strawberry.field(
        description="What kind of thing it is.", default=AssetClass.EQUITY
    )
    exchange: str | None = strawberry.field(description="The exchange where it is listed.", default=None)
    isin: str | None = strawberry.field(
        description="Its International Securities Identification Number, with a valid check digit.",
        default=None,
    )
    idempotency_key: strawberry.ID | None = strawberry.field(
        description="A UUID that you choose: a retry with the same one does nothing more.", default=None
    )


@strawberry.type(description="The instrument, or the reasons why nothing was done.")
class InstrumentPayload(Payload):
    instrument: Instrument | None = strawberry.field(description="The instrument.", default=None)


@strawberry.input(description="A price of an instrument.")
class TickInput:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    price: Decimal = strawberry.field(
        description="The price, in the instrument's currency; 0 for a share that is worth nothing."
    )
    as_of: dt.datetime | None = strawberry.field(
        description="The time of the price, not in the future; now if left out.", default=None
    )


@strawberry.input(description="Prices of instruments.")
class PushQuotesInput:
    ticks: list[TickInput] = strawberry.field(description="The prices, in order of time; at most 1,000.")


@strawberry.type(description="How many prices were accepted, or the reasons why none was.")
class PushQuotesPayload(Payload):
    accepted: int = strawberry.field(
        description="The number of prices that were accepted; one that is not newer than the present quote "
        "is ignored.",
        default=0,
    )


@strawberry.input(description="A split of an instrument.")
class RecordSplitInput:
    symbol: str = strawberry.field(description="The symbol of a shared instrument.")
    ex_date: dt.date = strawberry.field(
        description="The ex-date, the first day of the new shares; at most a year ahead."
    )
    quantity: Decimal = strawberry.field(description="New shares, such as 4 for a 4-for-1 split.")
    split_for: Decimal = strawberry.field(
        description="The number of old shares that they replace.", default=Decimal(1)
    )


async def _watchlist(info: Info, id: UUID) -> WatchlistPayload:
    row: Any = await info.context.loader(WatchlistById).load(id)
    return WatchlistPayload(watchlist=Watchlist.from_row(row))


@strawberry.type
class MarketMutation:
    @strawberry.mutation(
        description="Sets the prices of your own instruments and, if you are an administrator, of shared "
        "ones. Quotes are updated, open orders matched and alert rules checked. All prices are accepted, or "
        "none.",
        extensions=[Guard(IsAuthenticated())],
    )
    async def push_quotes(
        self, info: Info, input: Annotated[PushQuotesInput, INPUT]
    ) -> PushQuotesPayload | None:
        now = dt.datetime.now(dt.UTC)
        ticks = [Tick(tick.symbol, tick.price, tick.as_of or now) for tick in input.ticks]
        actor, is_admin = actor_of(info.context), (await info.context.viewer()).is_admin
        try:
            accepted = await pushing.push(actor, info.context.services.ingest, ticks, is_admin=is_admin)
        except pushing.SharedPrice as error:
            raise Forbidden(str(error)) from None
        return PushQuotesPayload(accepted=accepted)

    @strawberry.mutation(
        description="Creates an instrument of your own, which nobody else can see, or, if you are an "
        f"administrator, a shared one. You can have at most {MOST_OWN:,} of your own.",
        extensions=[Guard(IsAuthenticated())],
    )
    async def create_instrument(
        self, info: Info, input: Annotated[CreateInstrumentInput, INPUT]
    ) -> InstrumentPayload | None:
        new = InstrumentRequest(
            symbol=input.symbol,
            name=input.name,
            currency=input.currency,
            asset_class=input.asset_class,
            exchange=input.exchange,
            isin=input.isin,
        )
        id = await create_instrument(
            actor_of(info.context),
            new,
            is_admin=(await info.context.viewer()).is_admin,
            idempotency_key=input.idempotency_key,
        )
        info.context.forget()
        row: Any = await info.context.loader(InstrumentById).load(id)
        return InstrumentPayload(instrument=Instrument.from_row(row))

    @strawberry.mutation(
        description="Administrators only: records a split of an instrument, past or announced. It is applied "
        "to every holding on its ex-date, to open orders and to alert rules: at once if that day "
        "has begun, otherwise when it begins. Recording it again has no effect.",
        extensions=[Guard(IsAdmin())],
    )
    async def record_split(
        self, info: Info, input: Annotated[RecordSplitInput, INPUT]
    ) -> InstrumentPayload | None:
        split = SplitRatio(input.ex_date, input.quantity, input.split_for)
        id = await splits.record_split(actor_of(info.context), input.symbol, split)
        row: Any = await info.context.loader(InstrumentById).load(id)
        return InstrumentPayload(instrument=Instrument.from_row(row))

    @strawberry.mutation(description="Creates a watchlist.", extensions=[Guard(IsAuthenticated())])
    async def create_watchlist(
        self, info: Info, input: Annotated[CreateWatchlistInput, INPUT]
    ) -> WatchlistPayload | None:
        id = await watchlists.create_watchlist(actor_of(info.context), input.name, input.symbols)
        return await _watchlist(info, id)

    @strawberry.mutation(
        description="Renames a watchlist, replaces its symbols, or both.",
        extensions=[Guard(IsAuthenticated(), OwnsWatchlist("input", "watchlist_id"))],
    )
    async def update_watchlist(
        self, info: Info, input: Annotated[UpdateWatchlistInput, INPUT]
    ) -> WatchlistPayload | None:
        watchlist_id = own_id("Watchlist", input.watchlist_id)
        await watchlists.change_watchlist(actor_of(info.context), watchlist_id, input.name, input.symbols)
        return await _watchlist(info, watchlist_id)

    @strawberry.mutation(
        description="Deletes a watchlist.",
        extensions=[Guard(IsAuthenticated(), OwnsWatchlist("input", "watchlist_id"))],
    )
    async def delete_watchlist(
        self, info: Info, input: Annotated[DeleteWatchlistInput, INPUT]
    ) -> DeleteWatchlistPayload | None:
        await watchlists.delete_watchlist(actor_of(info.context), own_id("Watchlist", input.watchlist_id))
        return DeleteWatchlistPayload(deleted_id=input.watchlist_id)

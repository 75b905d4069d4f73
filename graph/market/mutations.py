"""Bringing prices, and making, changing and deleting watchlists."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.market.ticks import Tick
from graph.context import Info
from graph.errors import Forbidden
from graph.market.loaders import InstrumentById, WatchlistById
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


@strawberry.input(description="A watchlist to make.")
class CreateWatchlistInput:
    name: str = strawberry.field(description="1 to 100 characters, unique among yours.")
    symbols: list[str] = strawberry.field(description="The symbols, in the order to show them.")


@strawberry.input(description="A watchlist to change; what is left out stays.")
class UpdateWatchlistInput:
    name: str | None = strawberry.field(description="1 to 100 characters.", default=None)
    symbols: list[str] | None = strawberry.field(description="All its symbols from now on.", default=None)


@strawberry.type(description="The watchlist as it is now, or why nothing was done.")
class WatchlistPayload(Payload):
    watchlist: Watchlist | None = strawberry.field(description="The watchlist.", default=None)


@strawberry.type(description="The watchlist that is gone, or why it is not.")
class DeleteWatchlistPayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(description="The id that it had.", default=None)


@strawberry.input(description="Something to hold that is not among the instruments.")
class CreateInstrumentInput:
    symbol: str = strawberry.field(
        description="Its symbol, which neither a shared instrument nor one of your own may have."
    )
    name: str = strawberry.field(description="What it is called: 1 to 100 characters.")
    currency: CurrencyCode = strawberry.field(description="The currency of all its prices; it never changes.")
    asset_class: AssetClass = strawberry.field(
        description="What kind of thing it is.", default=AssetClass.EQUITY
    )
    exchange: str | None = strawberry.field(description="Where it is listed.", default=None)
    isin: str | None = strawberry.field(
        description="Its International Securities Identification Number, whose check digit must be right.",
        default=None,
    )
    idempotency_key: strawberry.ID | None = strawberry.field(
        description="A UUID of your own: a retry with the same one does nothing more.", default=None
    )


@strawberry.type(description="The instrument, or why nothing was done.")
class InstrumentPayload(Payload):
    instrument: Instrument | None = strawberry.field(description="The instrument.", default=None)


@strawberry.input(description="A price that has come in.")
class TickInput:
    symbol: str = strawberry.field(description="The instrument's symbol.")
    price: Decimal = strawberry.field(
        description="The price, in the instrument's currency; 0 for a share that is worth nothing."
    )
    as_of: dt.datetime | None = strawberry.field(
        description="When it was made, not in the future; now if left out.", default=None
    )


@strawberry.input(description="Prices that have come in.")
class PushQuotesInput:
    ticks: list[TickInput] = strawberry.field(description="The prices in their order, at most 1,000.")


@strawberry.type(description="What came of the prices, or why none was taken.")
class PushQuotesPayload(Payload):
    accepted: int = strawberry.field(
        description="How many are news: one that is not newer than its quote is none.", default=0
    )


@strawberry.input(description="A split of an instrument.")
class RecordSplitInput:
    symbol: str = strawberry.field(description="The symbol of a shared instrument.")
    ex_date: dt.date = strawberry.field(description="The first day of the new shares, at most a year ahead.")
    quantity: Decimal = strawberry.field(description="New shares, such as 4 for a 4-for-1 split.")
    split_for: Decimal = strawberry.field(
        description="The number of old shares they replace.", default=Decimal(1)
    )


_Id = Annotated[strawberry.ID, strawberry.argument(description="The watchlist's id.")]


async def _watchlist(info: Info, id: UUID) -> WatchlistPayload:
    row: Any = await info.context.loader(WatchlistById).load(id)
    return WatchlistPayload(watchlist=Watchlist.from_row(row))


@strawberry.type
class MarketMutation:
    @strawberry.mutation(
        description="Brings prices: of instruments of your own, and if you are an administrator of shared "
        "ones. Quotes move, resting orders are matched with them and alert rules held against them. All are "
        "taken, or none.",
        extensions=[Guard(IsAuthenticated())],
    )
    async def push_quotes(self, info: Info, input: Annotated[PushQuotesInput, INPUT]) -> PushQuotesPayload:
        now = dt.datetime.now(dt.UTC)
        ticks = [Tick(tick.symbol, tick.price, tick.as_of or now) for tick in input.ticks]
        actor, is_admin = actor_of(info.context), (await info.context.viewer()).is_admin
        try:
            accepted = await pushing.push(actor, info.context.ingest, ticks, is_admin=is_admin)
        except pushing.SharedPrice as error:
            raise Forbidden(str(error)) from None
        return PushQuotesPayload(accepted=accepted)

    @strawberry.mutation(
        description="Makes an instrument of your own, which nobody else sees, or if you are an administrator "
        f"a shared one. You can have at most {MOST_OWN:,} of your own.",
        extensions=[Guard(IsAuthenticated())],
    )
    async def create_instrument(
        self, info: Info, input: Annotated[CreateInstrumentInput, INPUT]
    ) -> InstrumentPayload:
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
        description="Administrators only: records that an instrument splits, or did. It reaches every "
        "holding of its ex-date, open orders and alert rules: at once if that has begun, else when it does. "
        "To record it again does nothing more.",
        extensions=[Guard(IsAdmin())],
    )
    async def record_split(self, info: Info, input: Annotated[RecordSplitInput, INPUT]) -> InstrumentPayload:
        split = SplitRatio(input.ex_date, input.quantity, input.split_for)
        id = await splits.record_split(actor_of(info.context), input.symbol, split)
        row: Any = await info.context.loader(InstrumentById).load(id)
        return InstrumentPayload(instrument=Instrument.from_row(row))

    @strawberry.mutation(description="Makes a watchlist.", extensions=[Guard(IsAuthenticated())])
    async def create_watchlist(
        self, info: Info, input: Annotated[CreateWatchlistInput, INPUT]
    ) -> WatchlistPayload:
        id = await watchlists.create_watchlist(actor_of(info.context), input.name, input.symbols)
        return await _watchlist(info, id)

    @strawberry.mutation(
        description="Renames a watchlist, replaces its symbols, or both.",
        extensions=[Guard(IsAuthenticated(), OwnsWatchlist("id"))],
    )
    async def update_watchlist(
        self, info: Info, id: _Id, input: Annotated[UpdateWatchlistInput, INPUT]
    ) -> WatchlistPayload:
        watchlist_id = own_id("Watchlist", id)
        await watchlists.change_watchlist(actor_of(info.context), watchlist_id, input.name, input.symbols)
        return await _watchlist(info, watchlist_id)

    @strawberry.mutation(
        description="Deletes a watchlist.", extensions=[Guard(IsAuthenticated(), OwnsWatchlist("id"))]
    )
    async def delete_watchlist(self, info: Info, id: _Id) -> DeleteWatchlistPayload:
        await watchlists.delete_watchlist(actor_of(info.context), own_id("Watchlist", id))
        return DeleteWatchlistPayload(deleted_id=id)

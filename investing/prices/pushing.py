"""Prices that people bring: administrators those of shared instruments, everybody those of their own."""

from collections.abc import Sequence

from db.market.ticks import Tick
from db.market.writes import find_instrument_owners
from investing.actor import Actor
from investing.audit import note
from investing.market.ticks import check_tick
from investing.prices.ingest import PriceIngest
from investing.rules.errors import InvalidInput, UnknownInstrument

MOST_AT_ONCE = 1_000


class SharedPrice(Exception):
    """A price of a shared instrument, by somebody who is no administrator; the message says so."""


async def push(actor: Actor, ingest: PriceIngest, ticks: Sequence[Tick], *, is_admin: bool) -> int:
    """Brings prices to the floor, all or none. How many are news.

    Whoever is no administrator brings those of instruments of their own alone.

    That they were brought is noted before they are: no price comes without a note, whatever dies on the way.
    Raises InvalidInput, UnknownInstrument and SharedPrice.
    """
    if len(ticks) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE} prices at once.", ("ticks",))
    for place, tick in enumerate(ticks):
        try:
            check_tick(tick)
        except InvalidInput as domain_error:
            raise InvalidInput(domain_error.message, ("ticks", str(place), *domain_error.field)) from None
    if not ticks:
        return 0
    symbols = sorted({tick.symbol for tick in ticks})
    async with actor.sessions.begin(actor.id) as session:
        owners = await find_instrument_owners(session, actor.id, symbols)
        for place, tick in enumerate(ticks):
            where = ("ticks", str(place), "symbol")
            if tick.symbol not in owners:
                raise UnknownInstrument(f"There is no instrument {tick.symbol}.", where, symbol=tick.symbol)
            if owners[tick.symbol] is None and not is_admin:
                raise SharedPrice(f"{tick.symbol} is shared: its prices are brought by administrators.")
        facts = {"prices": len(ticks), "symbols": " ".join(symbols)}
        await note(session, actor.id, actor.client, "quotes.pushed", "User", actor.id, **facts)
    owned = [tick._replace(owner_id=owners[tick.symbol]) for tick in ticks]
    return len((await ingest.apply(owned)).news)

"""Prices that users push: administrators those of shared instruments, everybody those of their own."""

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
    """A price of a shared instrument from somebody who is not an administrator; the message says so."""


async def push(actor: Actor, ingest: PriceIngest, ticks: Sequence[Tick], *, is_admin: bool) -> int:
    """Push prices, all or none; return how many of them are news.

    Only administrators may push prices of shared instruments. The push is noted in the audit log before it is
    carried out, so that no price comes in without a note, whatever fails in between. Raise InvalidInput,
    UnknownInstrument or SharedPrice.
    """
    if len(ticks) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE} prices at once.", ("ticks",))
    for index, tick in enumerate(ticks):
        try:
            check_tick(tick)
        except InvalidInput as domain_error:
            raise InvalidInput(domain_error.message, ("ticks", str(index), *domain_error.field)) from None
    if not ticks:
        return 0
    symbols = sorted({tick.symbol for tick in ticks})
    async with actor.sessions.begin(actor.id) as session:
        owners = await find_instrument_owners(session, actor.id, symbols)
        for index, tick in enumerate(ticks):
            where = ("ticks", str(index), "symbol")
            if tick.symbol not in owners:
                raise UnknownInstrument.named(tick.symbol, where)
            if owners[tick.symbol] is None and not is_admin:
                raise SharedPrice(f"{tick.symbol} is shared: only administrators push its prices.")
        facts = {"prices": len(ticks), "symbols": " ".join(symbols)}
        await note(session, actor.id, actor.client, "quotes.pushed", "User", actor.id, **facts)
    owned = [tick._replace(owner_id=owners[tick.symbol]) for tick in ticks]
    return len((await ingest.apply(owned)).news)

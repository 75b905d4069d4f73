"""Create, change and delete watchlists."""

from collections.abc import Sequence
from uuid import UUID

from db.auth.writes import lock_user
from db.ids import uuid7
from db.market import writes
from db.sessions import Session
from investing.actor import Actor
from investing.audit import note
from investing.rules.errors import NameTaken, NotFound, UnknownInstrument
from investing.rules.names import checked_name
from investing.rules.portfolio.portfolio_settings import check_symbols


async def create_watchlist(actor: Actor, name: str, symbols: Sequence[str]) -> UUID:
    """Create a watchlist; return its id. Raise InvalidInput, NameTaken or UnknownInstrument."""
    name = checked_name(name)
    check_symbols(symbols)
    id = uuid7()
    async with actor.sessions.begin(actor.id) as session:
        await _check_name(session, actor.id, name, None)
        await writes.insert_watchlist(session, actor.id, id, name)
        await writes.replace_items(session, actor.id, id, await _ids(session, actor.id, symbols))
        await note(session, actor.id, actor.client, "watchlist.created", "Watchlist", id, name=name)
    return id


async def change_watchlist(actor: Actor, id: UUID, name: str | None, symbols: Sequence[str] | None) -> None:
    """Rename a watchlist, replace its symbols, or both.

    Raise InvalidInput, NotFound, NameTaken or UnknownInstrument.
    """
    name = None if name is None else checked_name(name)
    check_symbols(symbols)
    async with actor.sessions.begin(actor.id) as session:
        if name is not None:
            await _check_name(session, actor.id, name, id)
        if not await writes.rename_watchlist(session, actor.id, id, name):
            raise NotFound("There is no such watchlist.", ("watchlistId",))
        if symbols is not None:
            await writes.replace_items(session, actor.id, id, await _ids(session, actor.id, symbols))
        await note(session, actor.id, actor.client, "watchlist.changed", "Watchlist", id)


async def delete_watchlist(actor: Actor, id: UUID) -> None:
    """Delete a watchlist, which nothing depends on. Raise NotFound if the owner has no such watchlist."""
    async with actor.sessions.begin(actor.id) as session:
        if not await writes.delete_watchlist(session, actor.id, id):
            raise NotFound("There is no such watchlist.", ("watchlistId",))
        await note(session, actor.id, actor.client, "watchlist.deleted", "Watchlist", id)


async def _check_name(session: Session, owner_id: UUID, name: str, but: UUID | None) -> None:
    await lock_user(session, owner_id)
    if await writes.watchlist_name_is_taken(session, owner_id, name, but=but):
        raise NameTaken(f"You already have a watchlist {name}.", ("name",))


async def _ids(session: Session, owner_id: UUID, symbols: Sequence[str]) -> list[UUID]:
    known = await writes.find_instrument_ids(session, owner_id, symbols) if symbols else {}
    for symbol in symbols:
        if symbol not in known:
            raise UnknownInstrument.named(symbol, ("symbols",))
    return [known[symbol] for symbol in symbols]

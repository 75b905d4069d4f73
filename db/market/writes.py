"""Writing watchlists and quotes, and looking up the instruments that they name."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from db.market.symbols import meant
from db.models import Instrument, Watchlist, WatchlistItem
from db.sessions import Session


async def find_instrument_ids(session: Session, owner_id: UUID, symbols: Sequence[str]) -> dict[str, UUID]:
    """Return the ids of the instruments that these symbols mean to the owner, without unknown ones."""
    statement = meant(owner_id, symbols).with_only_columns(Instrument.symbol, Instrument.id)
    return {row.symbol: row.id for row in await session.execute(statement)}


async def find_instrument_owners(
    session: Session, owner_id: UUID, symbols: Sequence[str]
) -> dict[str, UUID | None]:
    """Return the owners of these instruments, by symbol: the given owner, or None for a shared one."""
    statement = meant(owner_id, symbols).with_only_columns(Instrument.symbol, Instrument.owner_id)
    return {row.symbol: row.owner_id for row in await session.execute(statement)}


async def has_shared(session: Session, symbol: str) -> bool:
    """Return whether a shared instrument has this symbol."""
    statement = select(Instrument.id).where(Instrument.symbol == symbol, Instrument.owner_id.is_(None))
    return (await session.execute(statement)).first() is not None


async def count_own(session: Session, owner_id: UUID) -> int:
    """Return how many instruments of their own the owner has."""
    statement = select(func.count()).select_from(Instrument).where(Instrument.owner_id == owner_id)
    return (await session.execute(statement)).scalar_one()


async def insert_instrument(session: Session, values: Mapping[str, Any]) -> bool:
    """Add an instrument unless its owner (or nobody) has one of the symbol; return whether it is new."""
    statement = upsert(Instrument).values(**values)
    unique = statement.on_conflict_do_nothing(index_elements=["symbol", "owner_id"])
    return (await session.execute(unique.returning(Instrument.id))).first() is not None


async def watchlist_name_is_taken(
    session: Session, owner_id: UUID, name: str, *, but: UUID | None = None
) -> bool:
    """Return whether another watchlist of the owner has this name."""
    statement = select(Watchlist.id).where(Watchlist.owner_id == owner_id, Watchlist.name == name)
    if but is not None:
        statement = statement.where(Watchlist.id != but)
    return (await session.execute(statement)).first() is not None


async def insert_watchlist(session: Session, owner_id: UUID, id: UUID, name: str) -> None:
    """Add an empty watchlist."""
    await session.execute(insert(Watchlist).values(owner_id=owner_id, id=id, name=name))


async def rename_watchlist(session: Session, owner_id: UUID, id: UUID, name: str | None) -> bool:
    """Lock the watchlist, and rename it if a name is given; return whether it exists."""
    statement = update(Watchlist).where(Watchlist.owner_id == owner_id, Watchlist.id == id)
    statement = statement.values(name=Watchlist.name if name is None else name)
    return (await session.execute(statement.returning(Watchlist.id))).first() is not None


async def replace_items(
    session: Session, owner_id: UUID, watchlist_id: UUID, instrument_ids: Sequence[UUID]
) -> None:
    """Replace the watchlist's instruments by these, in this order."""
    await session.execute(
        delete(WatchlistItem).where(
            WatchlistItem.owner_id == owner_id, WatchlistItem.watchlist_id == watchlist_id
        )
    )
    if instrument_ids:
        await session.execute(
            insert(WatchlistItem),
            [
                {"owner_id": owner_id, "watchlist_id": watchlist_id, "place": place, "instrument_id": id}
                for place, id in enumerate(instrument_ids)
            ],
        )


async def delete_watchlist(session: Session, owner_id: UUID, id: UUID) -> bool:
    """Delete a watchlist and its items; return whether it existed."""
    statement = delete(Watchlist).where(Watchlist.owner_id == owner_id, Watchlist.id == id)
    return (await session.execute(statement.returning(Watchlist.id))).first() is not None

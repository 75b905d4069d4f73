"""Loaders of instruments, prices and watchlists."""

from uuid import UUID

from db.market.queries import (
    INSTRUMENTS,
    PRICE_BARS,
    WATCHLISTS,
    fetch_instruments_by_any_symbol,
    fetch_instruments_by_symbol,
)
from db.market.rows import ListedInstrumentRow, PriceBarRow, SplitRow, WatchlistRow
from db.market.splits import fetch_splits
from graph.loaders import ById, CountsOf, Loader, PagesOf


class InstrumentById(ById[ListedInstrumentRow]):
    listing = INSTRUMENTS


class InstrumentBySymbol(Loader[str, "ListedInstrumentRow | None"]):
    """Instruments by their symbols; None for a symbol that nobody has."""

    async def batch_load_fn(self, keys: list[str]) -> list[ListedInstrumentRow | None]:
        async with self.login.reading() as connection:
            rows = await fetch_instruments_by_symbol(connection, self.login.viewer_id, keys)
        return [rows.get(key) for key in keys]


class InstrumentByAnySymbol(Loader[str, "ListedInstrumentRow | None"]):
    """Instruments by the symbol that they have, or had before a renaming; None for an unknown one."""

    async def batch_load_fn(self, keys: list[str]) -> list[ListedInstrumentRow | None]:
        async with self.login.reading() as connection:
            rows = await fetch_instruments_by_any_symbol(connection, self.login.viewer_id, keys)
        return [rows.get(key) for key in keys]


class SplitsByInstrument(Loader[UUID, "list[SplitRow]"]):
    """The splits of each instrument, oldest first."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[list[SplitRow]]:
        found: dict[UUID, list[SplitRow]] = {key: [] for key in keys}
        async with self.login.reading() as connection:
            for row in await fetch_splits(connection, keys):
                found[row["instrument_id"]].append(row)
        return [found[key] for key in keys]


class Instruments(PagesOf[ListedInstrumentRow]):
    listing = INSTRUMENTS


class InstrumentCount(CountsOf):
    listing = INSTRUMENTS


class PriceBarsByInstrument(PagesOf[PriceBarRow]):
    listing = PRICE_BARS


class PriceBarCountByInstrument(CountsOf):
    listing = PRICE_BARS


class WatchlistById(ById[WatchlistRow]):
    listing = WATCHLISTS


class WatchlistsByUser(PagesOf[WatchlistRow]):
    listing = WATCHLISTS


class WatchlistCountByUser(CountsOf):
    listing = WATCHLISTS

"""What can be read of instruments, their prices and splits, and of watchlists."""

from collections.abc import Mapping

from db.entities import Entity, Few, Many, derived
from db.market.queries import INSTRUMENTS, PRICE_BARS, WATCHLISTS
from db.pages import columns

_WATCHED = """(SELECT w.place, w.instrument_id FROM watchlist_items w
    WHERE w.owner_id = $1 AND w.watchlist_id = t.id) w"""

ENTITIES: Mapping[str, Entity] = {
    "instruments": Entity(
        INSTRUMENTS,
        lists={"price_history": Many("price_bars", PRICE_BARS)},
        # As `db.market.symbols.MEANT`: a user's own instrument comes before a shared one of the same symbol.
        lookups={
            "symbol": "t.id = (SELECT w.id FROM instruments w WHERE w.symbol = {} "
            "AND (w.owner_id IS NULL OR w.owner_id = $1) ORDER BY w.owner_id NULLS LAST LIMIT 1)"
        },
        few={"splits": Few("splits", where="{t}.instrument_id = t.id", order="{t}.ex_date")},
    ),
    "price_bars": Entity(PRICE_BARS),
    "splits": Entity(derived(columns("ex_date quantity split_for"), "instrument_splits")),
    "watchlists": Entity(
        WATCHLISTS,
        few={
            "instruments": Few(
                "instruments",
                source=f"{_WATCHED} JOIN instruments {{t}} ON {{t}}.id = w.instrument_id",
                order="w.place",
            )
        },
    ),
}

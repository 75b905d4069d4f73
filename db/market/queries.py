"""Reading instruments, prices and watchlists."""

import datetime as dt
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.market.rows import (
    CalledInstrumentRow,
    CloseRow,
    ListedInstrumentRow,
    PriceBarRow,
    QuotedRow,
    WatchlistRow,
)
from db.market.splits import MARKET_TODAY, comparable
from db.market.symbols import MEANT
from db.pages import Join, Key, Listing, columns, plain_text
from db.sessions import Connection

INSTRUMENTS = Listing(
    row=ListedInstrumentRow,
    name="instruments",
    columns=columns(
        "id symbol name asset_class currency exchange isin",
        last_price="q.price",
        price_as_of="q.as_of",
        is_own="t.owner_id IS NOT NULL",
    ),
    table="instruments",
    joins={"q": Join("quotes", "q.instrument_id = t.id", left=True)},
    # A user's own instrument may have the symbol of a shared one that was added later.
    order=(Key("symbol", "t.symbol", plain_text), Key("id", "t.id", UUID)),
    shared=True,
    # position() and not LIKE: a search for "%" finds the symbols that contain one.
    filters={"search": "position(lower({}::text) IN lower(t.symbol || ' ' || t.name)) > 0"},
)

PRICE_BARS = Listing(
    row=PriceBarRow,
    name="bars",
    columns=columns(
        "date open high low close adjusted_close volume",
    ),
    table="price_bars",
    order=(Key("date", "t.date", dt.date.fromisoformat),),
    parent="t.instrument_id",
    shared=True,
    filters={"from": "t.date >= {}", "to": "t.date <= {}"},
)

WATCHLISTS = Listing(
    row=WatchlistRow,
    name="watchlists",
    columns=columns(
        "id name created_at",
        instrument_ids="ARRAY(SELECT w.instrument_id FROM watchlist_items w WHERE w.owner_id = $1 AND "
        "w.watchlist_id = t.id ORDER BY w.place)",
    ),
    table="watchlists",
    order=(Key("id", "t.id", UUID),),
    parent="t.owner_id",
)


async def fetch_instruments_by_symbol(
    connection: Connection, owner_id: UUID | None, symbols: Sequence[str]
) -> dict[str, ListedInstrumentRow]:
    """Return by symbol the instruments that these symbols mean to the owner; without one, the shared ones."""
    meant = MEANT.format(symbols="$2::text[]", owner="$1")
    source = INSTRUMENTS.source.replace("instruments t", f"{meant} t")
    rows = await connection.fetch(f"SELECT {INSTRUMENTS.selected} FROM {source}", owner_id, symbols)
    return cast("dict[str, ListedInstrumentRow]", {row["symbol"]: row for row in rows})


async def fetch_instruments_by_any_symbol(
    connection: Connection, owner_id: UUID, symbols: Sequence[str]
) -> dict[str, CalledInstrumentRow]:
    """Return the instruments that have these symbols, or had them before a renaming, by that symbol."""
    rows = await connection.fetch(
        f"""
        SELECT w.symbol AS called, {INSTRUMENTS.selected}
        FROM unnest($2::text[]) AS w(symbol)
        CROSS JOIN LATERAL (
            SELECT * FROM instruments
            WHERE (owner_id IS NULL OR owner_id = $1)
                  AND (symbol = w.symbol OR w.symbol = ANY(former_symbols))
            ORDER BY symbol = w.symbol DESC, owner_id LIMIT 1
        ) t
        LEFT JOIN quotes q ON q.instrument_id = t.id
        """,
        owner_id,
        symbols,
    )
    return cast("dict[str, CalledInstrumentRow]", {row["called"]: row for row in rows})


async def fetch_closes(connection: Connection, instrument_id: UUID) -> Sequence[CloseRow]:
    """Return every `close` and `adjusted_close` of an instrument by `date`, and its `price_basis`.

    The column `comparable` is the close for one share of today.
    """
    return cast(
        "Sequence[CloseRow]",
        await connection.fetch(
            f"""
        SELECT b.date, b.close, b.adjusted_close, i.price_basis,
               {comparable("b.close", "i.id", "b.date", MARKET_TODAY)} AS comparable
        FROM instruments i JOIN price_bars b ON b.instrument_id = i.id
        WHERE i.id = $1 ORDER BY b.date
        """,
            instrument_id,
        ),
    )


async def fetch_instrument_quotes(
    connection: Connection, instrument_ids: Sequence[UUID]
) -> Sequence[QuotedRow]:
    """Return the quotes of these instruments, by symbol: `instrument_id`, `symbol`, `price` and `as_of`."""
    return cast(
        "Sequence[QuotedRow]",
        await connection.fetch(
            "SELECT i.symbol, q.instrument_id, q.price, q.as_of FROM quotes q "
            "JOIN instruments i ON i.id = q.instrument_id "
            "WHERE q.instrument_id = ANY($1::uuid[]) ORDER BY i.symbol",
            instrument_ids,
        ),
    )

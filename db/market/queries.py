"""Reading instruments, prices and watchlists."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from db.market.splits import MARKET_TODAY, comparable
from db.pages import Key, Listing, plain_text
from db.sessions import Connection, Row

INSTRUMENTS = Listing(
    name="instruments",
    columns="""t.id, t.symbol, t.name, t.asset_class, t.currency, t.exchange, q.price AS last_price,
        q.as_of AS price_as_of""",
    source="instruments t LEFT JOIN quotes q ON q.instrument_id = t.id",
    order=(Key("symbol", "t.symbol", plain_text),),
    owner=None,
    # position() and not LIKE: a search for "%" finds the symbols that hold one.
    filters={"search": "position(lower({}::text) IN lower(t.symbol || ' ' || t.name)) > 0"},
)

PRICE_BARS = Listing(
    name="bars",
    columns="t.date, t.open, t.high, t.low, t.close, t.adjusted_close, t.volume",
    source="price_bars t",
    order=(Key("date", "t.date", dt.date.fromisoformat),),
    parent="t.instrument_id",
    owner=None,
    filters={"from": "t.date >= {}", "to": "t.date <= {}"},
)

WATCHLISTS = Listing(
    name="watchlists",
    columns="""t.id, t.name, t.created_at,
        ARRAY(SELECT w.instrument_id FROM watchlist_items w
              WHERE w.owner_id = $1 AND w.watchlist_id = t.id ORDER BY w.place) AS instrument_ids""",
    source="watchlists t",
    order=(Key("id", "t.id", UUID),),
    parent="t.owner_id",
)


async def fetch_instruments_by_symbol(connection: Connection, symbols: Sequence[str]) -> dict[str, Row]:
    """The instruments with these symbols."""
    rows = await connection.fetch(
        f"SELECT {INSTRUMENTS.columns} FROM {INSTRUMENTS.source} WHERE t.symbol = ANY($1::text[])", symbols
    )
    return {row["symbol"]: row for row in rows}


async def fetch_closes(connection: Connection, instrument_id: UUID) -> Sequence[Row]:
    """Every `close` and `adjusted_close` of an instrument by `date`, and the `price_basis`.

    Beside it `comparable`, the close for one share of today.
    """
    return await connection.fetch(
        f"""
        SELECT b.date, b.close, b.adjusted_close, i.price_basis,
               {comparable("b.close", "i.id", "b.date", MARKET_TODAY)} AS comparable
        FROM instruments i JOIN price_bars b ON b.instrument_id = i.id
        WHERE i.id = $1 ORDER BY b.date
        """,
        instrument_id,
    )


async def fetch_instrument_quotes(connection: Connection, instrument_ids: Sequence[UUID]) -> Sequence[Row]:
    """The quotes of these instruments, by symbol: `symbol`, `price` and `as_of`."""
    return await connection.fetch(
        "SELECT i.symbol, q.price, q.as_of FROM quotes q JOIN instruments i ON i.id = q.instrument_id "
        "WHERE q.instrument_id = ANY($1::uuid[]) ORDER BY i.symbol",
        instrument_ids,
    )

"""What the queries of `db.market` return: each type has the columns of its statement.

`tests/db/test_rows.py` compares them with the columns that PostgreSQL reports for the statements.
"""

import datetime as dt
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from db.canonical import DecimalText


class CloseRow(TypedDict):
    """A row of `fetch_closes`."""

    date: dt.date
    close: DecimalText
    adjusted_close: DecimalText | None
    price_basis: str
    comparable: DecimalText


class QuotedRow(TypedDict):
    """A row of `fetch_instrument_quotes`."""

    symbol: str
    instrument_id: UUID
    price: DecimalText
    as_of: dt.datetime


class RatioRow(TypedDict):
    """A row of `find_splits`."""

    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal


class SplitRow(TypedDict):
    """A row of `fetch_splits`."""

    instrument_id: UUID
    ex_date: dt.date
    quantity: DecimalText
    split_for: DecimalText


class JumpRow(TypedDict):
    """A row of `fetch_jumps`."""

    symbol: str
    date: dt.date
    before: DecimalText
    close: DecimalText
    factor: DecimalText


class KnownDayRow(TypedDict):
    """A row of `fetch_known_days`."""

    symbol: str
    price_basis: str
    ex_date: dt.date
    quantity: DecimalText
    split_for: DecimalText
    date: dt.date
    close: DecimalText
    before: DecimalText


class ListedInstrumentRow(TypedDict):
    """A row of `INSTRUMENTS`."""

    id: UUID
    symbol: str
    name: str
    asset_class: str
    currency: str
    exchange: str | None
    last_price: DecimalText | None
    price_as_of: dt.datetime | None
    isin: str | None
    is_own: bool


class PriceBarRow(TypedDict):
    """A row of `PRICE_BARS`."""

    date: dt.date
    open: DecimalText | None
    high: DecimalText | None
    low: DecimalText | None
    close: DecimalText
    adjusted_close: DecimalText | None
    volume: DecimalText | None


class WatchlistRow(TypedDict):
    """A row of `WATCHLISTS`."""

    id: UUID
    name: str
    created_at: dt.datetime
    instrument_ids: list[UUID]


class CalledInstrumentRow(ListedInstrumentRow):
    """A row of `fetch_instruments_by_any_symbol`: the instrument, and what it was called."""

    called: str

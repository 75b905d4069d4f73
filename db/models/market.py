"""Tables of the market, shared except for users' own instruments, and the watchlists."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Money, Owned, Quantity, Updated, of_owner, of_user, one_of
from db.ids import uuid7
from db.vocabulary import AssetClass, PriceBasis

# The same as investing.rules.names.is_symbol; beyond ASCII only control and format characters are refused.
_SYMBOL = (
    "char_length(symbol) BETWEEN 1 AND 32 AND symbol !~ '^[ .=_/&+''$#:@*!%-]| $|  |"
    r"""[\u0001-\u001f"(),;<>?\[\\\]`a-z{|}~\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]'"""
)


class Instrument(Updated, Base):
    """An asset that can be held.

    `price_basis` says what its closes are adjusted for: a raw close is for a share of its own day, any other
    for a share of the newest day of its series. `former_symbols` are its earlier symbols, oldest first.

    `owner_id` is null for a shared one; a user's own is visible to no other user. Where both have one symbol,
    it means the owner's own to that owner (`db.market.symbols`).
    """

    __tablename__ = "instruments"
    __table_args__ = (
        one_of("asset_class", AssetClass),
        one_of("price_basis", PriceBasis),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint(_SYMBOL, name="symbol"),
        CheckConstraint("isin ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$'", name="isin"),
        UniqueConstraint("symbol", "owner_id", postgresql_nulls_not_distinct=True),
        Index(None, "owner_id", "symbol", postgresql_where=text("owner_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    symbol: Mapped[str]
    name: Mapped[str]
    asset_class: Mapped[str]
    currency: Mapped[str]
    exchange: Mapped[str | None]
    price_basis: Mapped[str] = mapped_column(server_default=text("'RAW'"))
    former_symbols: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    created_at: Mapped[Created] = mapped_column(sort_order=98)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), sort_order=100)
    isin: Mapped[str | None] = mapped_column(sort_order=101)


class InstrumentSplit(Base):
    """From the ex-date on, `quantity` new shares for every `split_for` old ones; at most one on a day."""

    __tablename__ = "instrument_splits"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND split_for > 0 AND quantity <> split_for", name="ratio"),
    )

    instrument_id: Mapped[UUID] = mapped_column(
        ForeignKey("instruments.id", ondelete="CASCADE"), primary_key=True
    )
    ex_date: Mapped[dt.date] = mapped_column(primary_key=True)
    quantity: Mapped[Quantity]
    split_for: Mapped[Quantity]
    created_at: Mapped[Created] = mapped_column(sort_order=98)


class SplitWork(Base):
    """A split that is still to be posted to its holders, and the time of the next step.

    Owners are visited in the order of their ids: `after_owner` is the last that is done, and `again_at` the
    time to visit them once more, for those whose ex-date begins later.
    """

    __tablename__ = "split_work"
    __table_args__ = (Index(None, "due_at"),)

    instrument_id: Mapped[UUID] = mapped_column(
        ForeignKey("instruments.id", ondelete="CASCADE"), primary_key=True
    )
    ex_date: Mapped[dt.date] = mapped_column(primary_key=True)
    due_at: Mapped[dt.datetime]
    after_owner: Mapped[UUID | None]
    again_at: Mapped[dt.datetime | None]


class PriceBar(Base):
    """One instrument on one day; prices in the instrument's currency, volume in shares.

    `owner_id` is the instrument's, here and in quotes, so that row-level security is one comparison.
    """

    __tablename__ = "price_bars"
    __table_args__ = (
        CheckConstraint("close >= 0 AND adjusted_close >= 0 AND volume >= 0", name="not_negative"),
        CheckConstraint(
            "low >= 0 AND open BETWEEN low AND high AND close BETWEEN low AND high", name="range"
        ),
    )

    instrument_id: Mapped[UUID] = mapped_column(
        ForeignKey("instruments.id", ondelete="CASCADE"), primary_key=True
    )
    date: Mapped[dt.date] = mapped_column(primary_key=True)
    open: Mapped[Money | None]
    high: Mapped[Money | None]
    low: Mapped[Money | None]
    close: Mapped[Money]
    adjusted_close: Mapped[Money | None]
    volume: Mapped[Quantity | None]
    owner_id: Mapped[UUID | None]


class Quote(Base):
    """The latest price of an instrument; a tick updates this one row, whoever holds the instrument.

    `previous_price` is the last price of the trading day before, null where that is not known. Both are for a
    share of the day `units_of`, or of the day of `as_of` where that is null. `changed` is the transaction
    that last wrote the row, kept by a trigger, so that every process can read what it has not seen yet. It
    has no index, which every tick would have to write; the table is short.
    """

    __tablename__ = "quotes"
    __table_args__ = (CheckConstraint("price >= 0", name="not_negative"),)

    instrument_id: Mapped[UUID] = mapped_column(
        ForeignKey("instruments.id", ondelete="CASCADE"), primary_key=True
    )
    price: Mapped[Money]
    as_of: Mapped[dt.datetime]
    previous_price: Mapped[Money | None]
    units_of: Mapped[dt.date | None]
    changed: Mapped[int] = mapped_column(
        BigInteger, server_default=text("pg_current_xact_id()::text::bigint")
    )
    owner_id: Mapped[UUID | None]


class MarketFeed(Base):
    """A price feed that one process runs: its holder, the end of its lease, and the day it has reached."""

    __tablename__ = "market_feeds"

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[dt.date | None]
    holder: Mapped[UUID]
    leased_until: Mapped[dt.datetime]


class Watchlist(Owned, Updated, Base):
    """A named list of instruments to watch."""

    __tablename__ = "watchlists"
    __table_args__ = (
        of_user(),
        UniqueConstraint("owner_id", "name"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
    )

    name: Mapped[str]


class WatchlistItem(Base):
    """One instrument of a watchlist, at its position."""

    __tablename__ = "watchlist_items"
    __table_args__ = (
        of_owner("watchlist_id", "watchlists"),
        UniqueConstraint("owner_id", "watchlist_id", "instrument_id"),
    )

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    watchlist_id: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    instrument_id: Mapped[UUID] = mapped_column(ForeignKey("instruments.id"))

"""A row of an import: one transaction as a file or a client gives it, and the entry that it becomes."""

import datetime as dt
import hashlib
from collections.abc import Hashable
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from db.canonical import decimal, instant
from db.vocabulary import TransactionType
from investing.rules.errors import CurrencyMismatch, DomainError, InvalidInput
from investing.rules.market.market_hours import start_of_day
from investing.rules.money import quotient
from investing.rules.trading.entries import check_places, entry_of
from investing.rules.trading.ledger import ZERO, Entry

LONGEST_NOTES = 2000
_CENT = Decimal("0.01")
_HALF_A_CENT = Decimal("0.005")
_TRADES = (TransactionType.BUY, TransactionType.SELL)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One transaction as it was given. `line` is its line, `source` the type that the file calls it.

    `executed_at` is an instant, or a date alone, which means the start of that day in the account's time
    zone, or a time without a zone, which is in the account's. `currency` is None if it is the portfolio's.
    Rows of the same instant have the order of `rules.ordering`; `place` is a row's number if the file gives
    the order, before all rows that have none. `identifiers` are what the file calls the instrument besides
    its symbol, or instead of it: ISIN, CUSIP. `remark` is what the owner should know about how the row was
    read.
    """

    line: int
    type: TransactionType
    executed_at: dt.date
    symbol: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    commission: Decimal = ZERO
    split_for: Decimal | None = None
    notes: str | None = None
    currency: str | None = None
    source: str = ""
    place: int | None = None
    identifiers: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, or that the ledger cannot represent."""

    line: int
    domain_error: DomainError
    source: str = ""


@dataclass(frozen=True, slots=True)
class IgnoredRow:
    """A row that moves neither cash nor shares, or repeats another row; `reason` says which.

    `group` is the label of rows that are alike, which are reported as one line with their number.
    """

    line: int
    reason: str
    source: str = ""
    group: str = ""


Parsed = ImportRow | BadRow | IgnoredRow


def instant_of(row: ImportRow, time_zone: str) -> dt.datetime:
    """Return the instant of a row; a time without a zone is in this time zone (IANA).

    Raise InvalidInput if the calendar has no such instant.
    """
    when = row.executed_at
    try:
        if not isinstance(when, dt.datetime):
            return start_of_day(when, time_zone)
        return when if when.tzinfo else when.replace(tzinfo=ZoneInfo(time_zone)).astimezone(dt.UTC)
    except OverflowError:
        raise InvalidInput(f"The date {when} is out of range.", ("executedAt",)) from None


def entry_of_row(row: ImportRow, id: UUID, now: dt.datetime, currency: str, time_zone: str) -> Entry:
    """Return the entry of a row in a portfolio of this currency, in an account of this time zone.

    The rules are those of recordTransaction, except that a trade may give its amount as a statement rounds
    it: see `agrees`. Raise InvalidInput, naming the field, or CurrencyMismatch.
    """
    if row.currency not in (None, currency):
        raise CurrencyMismatch(
            f"This is in {row.currency}, the portfolio is in {currency}.",
            ("currency",),
            expected=currency,
            actual=row.currency or "",
        )
    for name in ("quantity", "price", "amount", "commission", "split_for"):
        check_places(name, getattr(row, name))
    check_notes(row.notes)
    price, amount = row.price, row.amount
    trade = row.type in _TRADES
    if trade and price is None and amount is not None and row.quantity:
        price = quotient(amount, row.quantity)
    entry = entry_of(
        id,
        row.type,
        instant_of(row, time_zone),
        now,
        has_symbol=row.symbol is not None,
        quantity=row.quantity,
        price=price,
        amount=None if trade else amount,
        commission=row.commission,
        split_for=row.split_for,
    )
    return _with_amount(entry, amount) if trade and amount is not None else entry


def _with_amount(entry: Entry, amount: Decimal) -> Entry:
    assert entry.quantity is not None, "a trade has a quantity"
    assert entry.price is not None, "a trade has a price"
    if amount < 0:
        raise InvalidInput("An amount must not be negative.", ("amount",))
    if not agrees(entry.quantity, entry.price, entry.amount, amount):
        raise InvalidInput(
            f"The amount is not quantity x price, which is {decimal(entry.amount)}.", ("amount",)
        )
    return replace(entry, amount=amount)


def agrees(quantity: Decimal, price: Decimal, product: Decimal, amount: Decimal) -> bool:
    """Return whether the amount is quantity x price apart from rounding.

    The tolerance is a cent, or what half a unit of the price's last digit amounts to over the quantity:
    statements round both. A price in whole units counts as exact to the cent.
    """
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int), "the price is finite"
    half_a_unit = min(_HALF_A_CENT, Decimal(5).scaleb(exponent - 1))
    return abs(amount - product) <= max(_CENT, quantity * half_a_unit)


def check_notes(notes: str | None) -> None:
    """Raise InvalidInput if notes are too long or have characters that no database can store."""
    if notes is None:
        return
    if len(notes) > LONGEST_NOTES:
        raise InvalidInput(f"Notes have at most {LONGEST_NOTES} characters.", ("notes",))
    if "\0" in notes or any("\ud800" <= character <= "\udfff" for character in notes):
        raise InvalidInput("The notes contain a character that is not text.", ("notes",))


Content = tuple[Hashable, ...]
"""What distinguishes one transaction of a portfolio from another: everything but its notes."""


def content_of(
    type: str,
    instrument_id: UUID | None,
    quantity: Decimal | None,
    price: Decimal | None,
    amount: Decimal,
    commission: Decimal,
    split_for: Decimal | None,
    executed_at: dt.datetime,
) -> Content:
    """Return the content, the same for the same figures however they are written: 1.50 is 1.5."""
    return (type, instrument_id, quantity, price, amount, commission, split_for, executed_at)


def fingerprint(portfolio_id: UUID, content: Content, occurrence: int) -> bytes:
    """Return 32 bytes that identify the `occurrence`th transaction of this content, counted from 1."""
    texts = [str(portfolio_id), *map(_text, content), str(occurrence)]
    return hashlib.sha256("\x1f".join(texts).encode()).digest()


def _text(value: Hashable) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return decimal(value)
        case dt.datetime():
            return instant(value)
        case _:
            return str(value)

"""Parse one line of a price file into a bar, or refuse it with the reason."""

import csv
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from db.market.bars import DailyBar
from db.vocabulary import PriceBasis
from investing.rules.errors import InvalidInput, shortened
from investing.rules.names import folded_symbol, is_symbol
from investing.rules.trading.splits import SplitRatio, check_split

COLUMNS: Final = {
    "symbol": "symbol",
    "date": "date",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "adjustedclose": "adjusted close",
    "adjclose": "adjusted close",
    "volume": "volume",
    "split": "split",
    "splits": "split",
    "stocksplits": "split",
    "splitfactor": "split",
    "splitratio": "split",
}
"""Headers, without case, spaces and underscores, and what they contain."""

REQUIRED: Final = ("symbol", "date", "close")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RATIO = re.compile(r"(?:([0-9.]+)(?:\s*(?::|/|-?for-?)\s*([0-9.]+))?)?", re.IGNORECASE)
_KINDS: Final = {
    PriceBasis.RAW: "raw",
    PriceBasis.SPLIT_ADJUSTED: "adjusted for splits",
    PriceBasis.ADJUSTED: "adjusted for dividends",
}
_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?")


class HeaderError(Exception):
    """The first line does not name the columns; the message is one line."""


class BadPriceLine(Exception):
    """A line that cannot be imported; the message is the reason."""


def read_header(line: str) -> list[str]:
    """Return the columns in the order of the file; raise HeaderError, which names every wrong header."""
    if not line.strip():
        raise HeaderError("the first line is empty and should name the columns")
    try:
        headers = _fields(line)
    except BadPriceLine as error:
        raise HeaderError(f"the first line does not name the columns: {error}") from None
    columns = [COLUMNS.get(re.sub(r"[\s_]", "", header).lower(), "") for header in headers]
    wrong = [f"unknown {_shown(header)}" for header, name in zip(headers, columns, strict=True) if not name]
    wrong += [f"{name} twice" for name in dict.fromkeys(columns) if name and columns.count(name) > 1]
    wrong += [f"no {name}" for name in REQUIRED if name not in columns]
    if wrong:
        raise HeaderError(
            f"the headers do not fit: {', '.join(wrong)}; the columns are symbol, date and close and, if you "
            "like, open, high, low, adjusted close, volume and split, with commas between them"
        )
    return columns


class LineReader:
    """Parse lines that have these columns. `latest` is the last date that a bar may have.

    `bases` says what the stored closes of symbols are adjusted for, `basis` the same of the file; None means
    what is stored, or raw for a new symbol.
    """

    def __init__(
        self,
        columns: Sequence[str],
        latest: dt.date,
        bases: Mapping[str, PriceBasis] = {},
        basis: PriceBasis | None = None,
    ) -> None:
        self._columns = columns
        self._latest = latest
        self._bases = bases
        self._basis = basis

    def read(self, number: int, line: str) -> DailyBar:
        """Return the line's bar. Raise BadPriceLine with the first reason against it.

        Closes of two kinds must not be mixed in one series.
        """
        fields = _fields(line)
        if len(fields) != len(self._columns):
            few = "few" if len(fields) < len(self._columns) else "many"
            raise BadPriceLine(f"too {few} fields: {len(fields)} instead of {len(self._columns)}")
        values = dict(zip(self._columns, fields, strict=True))
        symbol = _symbol(values["symbol"])
        date = self._date(values["date"])
        close = _price(values, "close")
        if close is None:
            raise BadPriceLine("the close is empty")
        opened, high, low = (_price(values, name) for name in ("open", "high", "low"))
        adjusted_close = _price(values, "adjusted close")
        stored = self._bases.get(symbol)
        if stored is not None and self._basis not in (None, stored):
            flag = stored.lower().replace("_", "-")
            raise BadPriceLine(
                f"{symbol}'s stored closes are {_KINDS[stored]}; import these with --basis {flag}"
            )
        if PriceBasis.ADJUSTED in (stored, self._basis):
            if adjusted_close not in (None, close):
                raise BadPriceLine(
                    f"{symbol}'s closes are adjusted for dividends; give the adjusted close as the close"
                )
            adjusted_close = close
        if adjusted_close is not None and bool(adjusted_close) is not bool(close):
            raise BadPriceLine(
                f"the close {close} and the adjusted close {adjusted_close}: either both are 0 or neither is"
            )
        _check_range(opened, high, low, close)
        volume = _number("volume", values.get("volume", ""), 18)
        if volume is not None and volume < 0:
            raise BadPriceLine("the volume is negative")
        split = read_split(values.get("split", ""), date)
        return DailyBar(symbol, date, opened, high, low, close, adjusted_close, volume, number, *split)

    def _date(self, text: str) -> dt.date:
        if not text:
            raise BadPriceLine("the date is empty")
        try:
            if not _DATE.fullmatch(text):
                raise ValueError
            date = dt.date.fromisoformat(text)
        except ValueError:
            raise BadPriceLine(f"{_shown(text)} is not a date like 2024-05-31") from None
        if date > self._latest:
            raise BadPriceLine(f"the date {date} is in the future")
        return date


def _fields(line: str) -> list[str]:
    """Return the fields without surrounding space. None of them may continue past the end of the line."""
    if "\0" in line:
        raise BadPriceLine("there is a NUL character in it")
    try:
        (fields,) = csv.reader((line,), strict=True)
    except csv.Error as error:
        raise BadPriceLine(f"the quotation marks or line ends are wrong ({error})") from None
    return [field.strip() for field in fields]


def _symbol(text: str) -> str:
    if not text:
        raise BadPriceLine("the symbol is empty")
    # The same as the table's check, which would report it only after the whole file.
    symbol = folded_symbol(text)
    if not is_symbol(symbol):
        raise BadPriceLine(
            f"{_shown(text)} is not a symbol: up to 32 letters, digits, spaces and .^=_-/&+'$#:@*!%"
        )
    return symbol


def read_split(text: str, ex_date: dt.date) -> tuple[Decimal | None, Decimal | None]:
    """Return new and old shares of 4:1, 4/1 or 4-for-1, or of the ratio, 4; 1, 0 and nothing are no split.

    Raise BadPriceLine for what is no ratio.
    """
    match = _RATIO.fullmatch(text)
    if not match:
        raise BadPriceLine(f"the split {_shown(text)} is not a ratio like 4:1, 4/1 or 4")
    number = [None if part is None else _number("split", part) for part in match.groups()]
    new, old = number[0], number[1]
    if new is None or (old is None and new in (0, 1)) or new == old:
        return None, None
    if old is None:
        new, old = _fraction(new)
    try:
        check_split(SplitRatio(ex_date, new, old))
    except InvalidInput as domain_error:
        reason = domain_error.message.removesuffix(".")
        raise BadPriceLine(f"the split {_shown(text)} is not valid: {reason}") from None
    return new, old


def _fraction(ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Return a ratio as new and old shares: the simplest fraction that rounds to it."""
    exponent = ratio.as_tuple().exponent
    assert isinstance(exponent, int), "the ratio is finite"
    exact = Fraction(ratio)
    simple = exact.limit_denominator(100)
    if abs(simple - exact) > Fraction(5, 10 ** (1 - exponent)):
        return ratio, Decimal(1)
    return Decimal(simple.numerator), Decimal(simple.denominator)


def _price(values: dict[str, str], name: str) -> Decimal | None:
    # 0 is a valid price: that of a worthless share.
    price = _number(name, values.get(name, ""))
    if price is not None and price < 0:
        raise BadPriceLine(f"the {name} is negative")
    return price


def _number(name: str, text: str, places: int = 10) -> Decimal | None:
    if not text:
        return None
    if not (match := _NUMBER.fullmatch(text)):
        raise BadPriceLine(f"the {name} {_shown(text)} is not a plain decimal number")
    if len(match[1].lstrip("0")) > 18:
        raise BadPriceLine(f"the {name} has more than 18 digits before the point")
    if len(match[2] or "") > places:
        raise BadPriceLine(f"the {name} has more than {places} decimals")
    return Decimal(text)


def _check_range(opened: Decimal | None, high: Decimal | None, low: Decimal | None, close: Decimal) -> None:
    if low is not None and high is not None and low > high:
        raise BadPriceLine(f"the low {low} is above the high {high}")
    for name, price in (("open", opened), ("close", close)):
        if price is not None and low is not None and price < low:
            raise BadPriceLine(f"the {name} {price} is below the low {low}")
        if price is not None and high is not None and price > high:
            raise BadPriceLine(f"the {name} {price} is above the high {high}")


def _shown(text: str) -> str:
    """Quote any text on one line, shortened."""
    return repr(shortened(text))

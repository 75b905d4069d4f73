"""One line of a file of prices, read into a bar or refused with the reason."""

import csv
import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from db.market.bars import DailyBar
from investing.rules.names import folded_symbol, is_symbol

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
}
"""Headers, without case, spaces and underscores, and what they hold."""

REQUIRED: Final = ("symbol", "date", "close")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?")


class HeaderError(Exception):
    """The first line does not name the columns; the message is one line."""


class BadLine(Exception):
    """A line that cannot be imported; the message is the reason."""


def read_header(line: str) -> list[str]:
    """The columns in the order of the file. Raises HeaderError, which names every wrong header at once."""
    if not line.strip():
        raise HeaderError("the first line is empty and should name the columns")
    try:
        headers = _fields(line)
    except BadLine as error:
        raise HeaderError(f"the first line does not name the columns: {error}") from None
    columns = [COLUMNS.get(re.sub(r"[\s_]", "", header).lower(), "") for header in headers]
    wrong = [f"unknown {_shown(header)}" for header, name in zip(headers, columns, strict=True) if not name]
    wrong += [f"{name} twice" for name in dict.fromkeys(columns) if name and columns.count(name) > 1]
    wrong += [f"no {name}" for name in REQUIRED if name not in columns]
    if wrong:
        raise HeaderError(
            f"the headers do not fit: {', '.join(wrong)}; the columns are symbol, date and close and, if you "
            "like, open, high, low, adjusted close and volume, with commas between them"
        )
    return columns


class LineReader:
    """Reads lines that have these columns. `latest` is the last date that a bar may have."""

    def __init__(
        self, columns: Sequence[str], latest: dt.date, adjusted: frozenset[str] = frozenset()
    ) -> None:
        self._columns = columns
        self._latest = latest
        self._adjusted = adjusted

    def read(self, number: int, line: str) -> DailyBar:
        """The line's bar. Raises BadLine with the first reason against it.

        `adjusted` of the constructor are the symbols whose stored closes are adjusted ones: raw closes must
        not be mixed in among them.
        """
        fields = _fields(line)
        if len(fields) != len(self._columns):
            few = "few" if len(fields) < len(self._columns) else "many"
            raise BadLine(f"too {few} fields: {len(fields)} instead of {len(self._columns)}")
        values = dict(zip(self._columns, fields, strict=True))
        symbol = _symbol(values["symbol"])
        date = self._date(values["date"])
        close = _price(values, "close")
        if close is None:
            raise BadLine("the close is empty")
        opened, high, low = (_price(values, name) for name in ("open", "high", "low"))
        adjusted_close = _price(values, "adjusted close")
        if symbol in self._adjusted:
            if adjusted_close not in (None, close):
                raise BadLine(f"the stored closes of {symbol} are adjusted ones, and this one is not")
            adjusted_close = close
        if adjusted_close is not None and bool(adjusted_close) is not bool(close):
            raise BadLine(
                f"the close {close} and the adjusted close {adjusted_close}: either both are 0 or none"
            )
        _check_range(opened, high, low, close)
        volume = _number("volume", values.get("volume", ""), 18)
        if volume is not None and volume < 0:
            raise BadLine("the volume is negative")
        return DailyBar(symbol, date, opened, high, low, close, adjusted_close, volume, number)

    def _date(self, text: str) -> dt.date:
        if not text:
            raise BadLine("the date is empty")
        try:
            if not _DATE.fullmatch(text):
                raise ValueError
            date = dt.date.fromisoformat(text)
        except ValueError:
            raise BadLine(f"{_shown(text)} is no date like 2024-05-31") from None
        if date > self._latest:
            raise BadLine(f"the date {date} is in the future")
        return date


def _fields(line: str) -> list[str]:
    """The fields without the space around them. None of them may reach over the end of the line."""
    if "\0" in line:
        raise BadLine("there is a NUL character in it")
    try:
        (fields,) = csv.reader((line,), strict=True)
    except csv.Error as error:
        raise BadLine(f"the quotation marks or line ends are wrong ({error})") from None
    return [field.strip() for field in fields]


def _symbol(text: str) -> str:
    if not text:
        raise BadLine("the symbol is empty")
    # The same as the table's check, which would only say so after the whole file.
    symbol = folded_symbol(text)
    if not is_symbol(symbol):
        raise BadLine(f"{_shown(text)} is no symbol: up to 32 letters, digits, spaces and .^=_-/&+'$#:@*!%")
    return symbol


def _price(values: dict[str, str], name: str) -> Decimal | None:
    # 0 is a price: that of a share which is worth nothing.
    price = _number(name, values.get(name, ""))
    if price is not None and price < 0:
        raise BadLine(f"the {name} is negative")
    return price


def _number(name: str, text: str, places: int = 10) -> Decimal | None:
    if not text:
        return None
    if not (match := _NUMBER.fullmatch(text)):
        raise BadLine(f"the {name} {_shown(text)} is no plain decimal number")
    if len(match[1].lstrip("0")) > 18:
        raise BadLine(f"the {name} has more than 18 digits before the point")
    if len(match[2] or "") > places:
        raise BadLine(f"the {name} has more than {places} decimals")
    return Decimal(text)


def _check_range(opened: Decimal | None, high: Decimal | None, low: Decimal | None, close: Decimal) -> None:
    if low is not None and high is not None and low > high:
        raise BadLine(f"the low {low} is above the high {high}")
    for name, price in (("open", opened), ("close", close)):
        if price is not None and low is not None and price < low:
            raise BadLine(f"the {name} {price} is below the low {low}")
        if price is not None and high is not None and price > high:
            raise BadLine(f"the {name} {price} is above the high {high}")


def _shown(text: str) -> str:
    """Quoted, on one line, and not long, whatever it is."""
    return repr(text if len(text) <= 40 else text[:40] + "…")

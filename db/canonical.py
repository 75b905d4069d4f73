"""One canonical text for each value: a client reads the same text whichever way the value was computed."""

import datetime as dt
from decimal import Decimal
from typing import Any, NewType

DecimalText = NewType("DecimalText", str)
"""A decimal as canonical text: the form in which read connections return numerics."""

JsonObject = dict[str, Any]
"""The value of a JSON column; the reader knows its shape."""


def decimal_text(value: str) -> DecimalText:
    """Return PostgreSQL's text of a numeric without trailing zeros: '12.3400000000' becomes '12.34'."""
    if "." not in value:
        return DecimalText(value)
    return DecimalText(value.rstrip("0").rstrip("."))


def decimal(value: Decimal) -> DecimalText:
    """Return a Decimal in the same text: no exponent, no trailing zeros, no minus sign before zero."""
    if value == 0:
        return DecimalText("0")
    return decimal_text(format(value, "f"))


def instant(value: dt.datetime) -> str:
    """Return the instant in RFC 3339, UTC, with six digits of the second: '2024-05-01T12:00:00.000000Z'."""
    # Not strftime, which writes the year 999 with three digits.
    return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

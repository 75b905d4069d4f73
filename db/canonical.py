"""One text for each value: what a client reads is the same whichever way it was reached."""

import datetime as dt
from decimal import Decimal
from typing import Any, NewType

DecimalText = NewType("DecimalText", str)
"""A decimal as canonical text, which is how connections for reading give numerics."""

JsonObject = dict[str, Any]
"""What a JSON column holds; who reads it knows what that is."""


def decimal_text(value: str) -> DecimalText:
    """PostgreSQL's text of a numeric, without trailing zeros: '12.3400000000' is '12.34'."""
    if "." not in value:
        return DecimalText(value)
    return DecimalText(value.rstrip("0").rstrip("."))


def decimal(value: Decimal) -> DecimalText:
    """A Decimal in the same text: no exponent, no trailing zeros, no minus before zero."""
    if value == 0:
        return DecimalText("0")
    return decimal_text(format(value, "f"))


def instant(value: dt.datetime) -> str:
    """RFC 3339 in UTC, always with six digits of the second: '2024-05-01T12:00:00.000000Z'."""
    # Not strftime, which writes the year 999 with three digits.
    return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

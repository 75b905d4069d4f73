"""The scalars of the contract, exact both ways."""

import datetime as dt
import decimal
import re
from typing import Any, NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from db.canonical import DecimalText, instant
from db.canonical import decimal as canonical_decimal

CurrencyCode = NewType("CurrencyCode", str)

# More places than are kept are refused where it is known how many that are, as a userError.
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,60})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WEST = dt.timezone(dt.timedelta(hours=-14))
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


def _parse_decimal(value: Any) -> decimal.Decimal:
    if not isinstance(value, str):
        raise ValueError('Decimal is a string, such as "12.34": a JSON number would not be exact.')
    if not _DECIMAL.fullmatch(value):
        raise ValueError("Decimal has at most 18 digits before the point and 60 after it, and no exponent.")
    return decimal.Decimal(value)


def _serialize_decimal(value: decimal.Decimal | str) -> str:
    # Rows carry PostgreSQL's text, already canonical; whatever was computed here is still a Decimal.
    return value if isinstance(value, str) else canonical_decimal(value)


def _parse_date(value: Any) -> dt.date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("Date is a calendar date, YYYY-MM-DD.")
    return dt.date.fromisoformat(value)


def _parse_instant(value: Any) -> dt.datetime:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("DateTime is an RFC 3339 instant with an offset, such as 2024-05-01T12:00:00Z.")
    try:
        parsed = dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
        # The first day there is has none before it, which it still is west of here.
        parsed.astimezone(_WEST)
        return parsed
    except OverflowError:
        raise ValueError("DateTime is out of range.") from None


def _parse_currency(value: Any) -> CurrencyCode:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError("CurrencyCode is an ISO 4217 code, such as USD.")
    return CurrencyCode(value)


_DECIMAL_SCALAR = strawberry.scalar(
    name="Decimal",
    description="Exact decimal. A string on the wire, both ways; finite; at most 18 digits before the "
    "point and 18 after it; amounts of money are kept to 10 places. More places are a userError. JSON "
    "numbers are refused.",
    serialize=_serialize_decimal,
    parse_value=_parse_decimal,
)

SCALARS: dict[object, ScalarDefinition] = {
    decimal.Decimal: _DECIMAL_SCALAR,
    DecimalText: _DECIMAL_SCALAR,
    dt.date: strawberry.scalar(
        name="Date",
        description="Calendar date, YYYY-MM-DD.",
        serialize=dt.date.isoformat,
        parse_value=_parse_date,
    ),
    dt.datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339 instant with an offset. Answers are in UTC, with six digits of the second.",
        serialize=instant,
        parse_value=_parse_instant,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="ISO 4217 code.",
        serialize=str,
        parse_value=_parse_currency,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}


def json_of(value: object | None) -> JSON | None:
    """Return what a JSON column holds as the scalar's value."""
    return None if value is None else JSON(value)

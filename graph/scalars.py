"""The scalars of the contract, exact in both directions."""

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
RFC_3339 = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6"

# Too many decimal places are refused as a userError, where the number of stored places is known.
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,60})?", re.ASCII)
_LOCAL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
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
    # Rows have PostgreSQL's text, already canonical; what was computed here is still a Decimal.
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
        # The first representable day has none before it, which a time zone west of UTC would need.
        parsed.astimezone(_WEST)
        return parsed
    except OverflowError:
        raise ValueError("DateTime is out of range.") from None


def _parse_local_time(value: Any) -> dt.time:
    if not isinstance(value, str) or not _LOCAL_TIME.fullmatch(value):
        raise ValueError("LocalTime is a time of day, HH:MM, from 00:00 to 23:59.")
    return dt.time.fromisoformat(value)


def _serialize_local_time(value: dt.time) -> str:
    return f"{value:%H:%M}"


def _parse_currency(value: Any) -> CurrencyCode:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError("CurrencyCode is an ISO 4217 code, such as USD.")
    return CurrencyCode(value)


_DECIMAL_SCALAR = strawberry.scalar(
    name="Decimal",
    description='An exact, finite decimal, always a string such as "12.34"; JSON numbers are rejected. '
    "At most 18 digits before the point and 18 after it; amounts of money have at most 10 "
    "decimal places. More places are a userError.",
    specified_by_url="https://www.w3.org/TR/xmlschema11-2/#decimal",
    serialize=_serialize_decimal,
    parse_value=_parse_decimal,
)

SCALARS: dict[object, ScalarDefinition] = {
    decimal.Decimal: _DECIMAL_SCALAR,
    DecimalText: _DECIMAL_SCALAR,
    dt.date: strawberry.scalar(
        name="Date",
        description="A calendar date, YYYY-MM-DD.",
        specified_by_url=RFC_3339,
        serialize=dt.date.isoformat,
        parse_value=_parse_date,
    ),
    dt.datetime: strawberry.scalar(
        name="DateTime",
        description="An RFC 3339 instant with an offset, such as 2024-05-01T12:00:00Z. Results are in UTC, "
        "with six digits for fractions of a second.",
        specified_by_url=RFC_3339,
        serialize=instant,
        parse_value=_parse_instant,
    ),
    dt.time: strawberry.scalar(
        name="LocalTime",
        description="A time of day without an offset, HH:MM, from 00:00 to 23:59.",
        specified_by_url="https://www.iso.org/iso-8601-date-and-time-format.html",
        serialize=_serialize_local_time,
        parse_value=_parse_local_time,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="An ISO 4217 currency code, such as USD.",
        specified_by_url="https://www.iso.org/iso-4217-currency-codes.html",
        serialize=str,
        parse_value=_parse_currency,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}


def json_of(value: object | None) -> JSON | None:
    """Return what a JSON column holds as the scalar's value."""
    return None if value is None else JSON(value)

"""Read Graphfolio's own CSV, which `exporting` writes: docs/transactions-csv.md describes it."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.names import folded_symbol
from investing.rules.trading.import_rows import BadRow, ImportRow, Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.csv_records import fields_of, records_of
from investing.trading.formats.files import NO_OPTIONS, Options, TransactionFileError, decode, shown

COLUMNS: Final = (
    "type",
    "symbol",
    "quantity",
    "price",
    "amount",
    "commission",
    "split_for",
    "executed_at",
    "notes",
)
PLACE: Final = "place"
"""A further column, which an export has where rows of one instant have an order of their own."""

REQUIRED: Final = ("type", "executed_at")
_KNOWN: Final = {name.replace("_", ""): name for name in (*COLUMNS, PLACE)}

_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FIELDS: Final = {"split_for": "splitFor", "executed_at": "executedAt"}


def read_csv(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the rows of the file.

    Raise TransactionFileError for a file that is not a CSV of transactions.
    """
    if options.account is not None:
        raise TransactionFileError("Graphfolio's own CSV is of one portfolio: leave --account out.")
    records = records_of(decode(data))
    first = next(records, None)
    columns = _header("" if first is None else first[1])
    empty = True
    for line, record in records:
        if record.strip():
            empty = False
            try:
                yield _row(line, columns, record)
            except InvalidInput as domain_error:
                yield BadRow(line, domain_error)
    if empty:
        raise TransactionFileError("The file has headers, but no transactions.")


def _header(record: str) -> list[str]:
    try:
        headers = fields_of(record)
    except InvalidInput as domain_error:
        raise TransactionFileError(f"The first line does not name the columns: {domain_error}") from None
    columns = [_KNOWN.get(re.sub(r"[\s_]", "", header).lower(), "") for header in headers]
    wrong = [f"unknown {shown(header)}" for header, name in zip(headers, columns, strict=True) if not name]
    wrong += [f"{_words(name)} twice" for name in dict.fromkeys(columns) if name and columns.count(name) > 1]
    wrong += [f"no {_words(name)}" for name in REQUIRED if name not in columns]
    if wrong:
        raise TransactionFileError(
            f"The headers do not fit: {', '.join(wrong)}. The columns are {', '.join(COLUMNS)} and, if you "
            "like, place, with commas between them; type and executed_at must be there. For any other CSV, "
            "name its columns with --columns."
        )
    return columns


def _words(name: str) -> str:
    return name.replace("_", " ")


def _row(line: int, columns: Sequence[str], record: str) -> ImportRow:
    fields = fields_of(record)
    if len(fields) != len(columns):
        few = "few" if len(fields) < len(columns) else "many"
        raise InvalidInput(f"There are too {few} fields: {len(fields)} instead of {len(columns)}.")
    values = dict(zip(columns, fields, strict=True))
    # Notes are kept as they are; everything else is a word or a number.
    notes = values.pop("notes", "") or None
    values = {name: value.strip() for name, value in values.items()}
    return ImportRow(
        line,
        _type(values["type"]),
        _when(values["executed_at"]),
        symbol=_symbol(values.get("symbol", "")),
        quantity=_number("quantity", values),
        price=_number("price", values),
        amount=_number("amount", values),
        commission=_number("commission", values) or ZERO,
        split_for=_number("split_for", values),
        notes=notes,
        place=_place(values.get(PLACE, "")),
    )


def _type(text: str) -> TransactionType:
    try:
        return TransactionType("_".join(text.upper().split()))
    except ValueError:
        raise InvalidInput(f"{shown(text)} is no type of transaction.", ("type",)) from None


def _symbol(text: str) -> str | None:
    return folded_symbol(text) or None


def _place(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise InvalidInput(f"The place {shown(text)} is no number from 0 up.", ("place",))
    return int(text)


def _number(name: str, values: dict[str, str]) -> Decimal | None:
    text = values.get(name, "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        field = (_FIELDS.get(name, name),)
        raise InvalidInput(f"The {_words(name)} {shown(text)} is no plain decimal number.", field)
    return Decimal(text)


def _when(text: str) -> dt.date:
    """Return an instant with an offset, or a date alone."""
    try:
        if _INSTANT.fullmatch(text):
            return dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC)
        if _DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"{shown(text)} is neither a date, such as 2024-05-01, nor an instant with an offset, such as "
        "2024-05-01T12:00:00Z.",
        ("executedAt",),
    )

"""Read brokers' tables in CSV: find the header and the rows, and parse numbers and dates."""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import BadRow, IgnoredRow
from investing.trading.formats.csv_records import fields_of, records_of
from investing.trading.formats.files import TransactionFileError, shown

_NUMBER = re.compile(r"(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?", re.ASCII)
_NOTHING: Final = frozenset({"", "-", "--", "n/a", "N/A"})
_MINUS = "\N{MINUS SIGN}"
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)", re.ASCII)
TEXT: Final = "line of text"
NO_ROW: Final = "not read: it is no transaction"
_FEWEST_OF_A_ROW = 3


@dataclass(frozen=True)
class CsvRecord:
    """A row of a table: its line, and its fields by their headers as `plain` has them."""

    line: int
    values: Mapping[str, str]

    def text(self, *names: str) -> str:
        """Return the first of these fields that is not empty."""
        return next((found for name in names if (found := self.values.get(name, "").strip())), "")

    def number(self, *names: str) -> Decimal | None:
        """Return the number in the first of these fields that is not empty.

        Raise InvalidInput that names the field.
        """
        name = next((name for name in names if self.values.get(name, "").strip()), None)
        return None if name is None else number_of(self.values[name], name)


def plain(header: str) -> str:
    """Return a header without case, needless space and what is in brackets: `Amount ($)` is amount."""
    return " ".join(re.sub(r"\(.*?\)", " ", header).replace("_", " ").split()).casefold()


def find_header(text: str, required: Collection[str], delimiter: str = ",") -> int | None:
    """Return the line of the first record that has all these headers; None if there is none."""
    for line, record in records_of(text):
        try:
            if set(required) <= {plain(field) for field in fields_of(record, delimiter, trim=True)}:
                return line
        except InvalidInput:
            continue
    return None


def read_table(
    text: str, required: Collection[str], date: str | None, delimiter: str = ","
) -> Iterator[CsvRecord | IgnoredRow | BadRow]:
    """Yield the rows below the header, and what else the file has: titles, totals and text below the table.

    A row has digits in its column `date`, if there is such a column. Raise TransactionFileError if there is
    no such header, or nothing but it.
    """
    header = find_header(text, [plain(name) for name in required], delimiter)
    if header is None:
        raise TransactionFileError(f"No line has the headers {', '.join(sorted(required))}.")
    columns: list[str] = []
    empty = True
    for line, record in records_of(text):
        if not record.strip(f' \t{delimiter}"'):
            continue
        if line < header:
            yield IgnoredRow(line, NO_ROW, group=TEXT)
        elif line == header:
            columns = [plain(field) for field in fields_of(record, delimiter, trim=True)]
        else:
            found = _record(line, record, columns, date, delimiter)
            empty = empty and isinstance(found, IgnoredRow)
            yield found
    if empty:
        raise TransactionFileError("The file has headers, but no transactions.")


def _record(
    line: int, record: str, columns: Sequence[str], date: str | None, delimiter: str
) -> CsvRecord | IgnoredRow | BadRow:
    try:
        fields = fields_of(record, delimiter, trim=True)
    except InvalidInput as domain_error:
        return BadRow(line, domain_error)
    while len(fields) > len(columns) and not fields[-1].strip():
        fields.pop()
    values = dict(zip(columns, fields, strict=False))
    reported = [field for field in fields if field.strip()]
    if date is not None and not any(character.isdigit() for character in values.get(date, "")):
        is_total = reported[0].casefold().endswith("total") or reported[0].casefold().startswith("total")
        if is_total or len(reported) < _FEWEST_OF_A_ROW:
            return IgnoredRow(line, NO_ROW, group=TEXT)
        return BadRow(line, InvalidInput("It has no date.", ("executedAt",)))
    if len(fields) != len(columns):
        if date is not None and len(reported) < _FEWEST_OF_A_ROW:
            return IgnoredRow(line, NO_ROW, group=TEXT)
        few = "few" if len(fields) < len(columns) else "many"
        reason = f"There are too {few} fields: {len(fields)} instead of {len(columns)}."
        return BadRow(line, InvalidInput(reason))
    return CsvRecord(line, values)


def number_of(text: str, name: str, *, decimal_comma: bool = False) -> Decimal | None:
    """Return the number that a broker writes: `$1,234.50`, `-$3`, `($3.00)`, `3-`; None for an empty text.

    With a decimal comma, 1.234,50 is the same. Raise InvalidInput for anything else.
    """
    given = text.strip()
    if given in _NOTHING:
        return None
    if decimal_comma:
        given = given.replace(".", " ").replace(",", ".").replace(" ", ",")
    given = re.sub(r"[\s$]", "", given.replace(_MINUS, "-"))
    negative = given.startswith(("-", "(")) or given.endswith("-")
    digits = re.sub(r"^[(+-]|[)-]$", "", given)
    if not digits.strip(",.") or not _NUMBER.fullmatch(digits):
        raise InvalidInput(f"The {name} {shown(text)} is no number.", (name,))
    value = Decimal(digits.replace(",", ""))
    return -value if negative else value


def us_date(text: str) -> dt.date:
    """Return the date that an American broker writes as month/day/year. Raise InvalidInput."""
    found = _US_DATE.fullmatch(text.strip())
    try:
        if found is not None:
            month, day, year = map(int, found.groups())
            return dt.date(year + (2000 if year < 100 else 0), month, day)
    except ValueError:
        pass
    raise InvalidInput(f"{shown(text)} is no date like 05/31/2024.", ("executedAt",))

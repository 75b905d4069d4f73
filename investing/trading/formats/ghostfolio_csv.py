"""Read the CSV that Ghostfolio imports: Date, Code, Currency, Price, Quantity, Action, Fee and Note.

Each line is an activity, as in its JSON. Dates are day-month-year or ISO 8601. Source:
https://github.com/ghostfolio/ghostfolio, README, "Import Activities".
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import BadRow, Parsed
from investing.trading.formats.csv_tables import CsvRecord, find_header, read_table
from investing.trading.formats.files import NO_OPTIONS, Options, decode, shown
from investing.trading.formats.ghostfolio import read_activity
from investing.trading.formats.statements import of_another, one_account

HEADERS: Final = (
    frozenset({"date", "code", "currency", "price", "quantity", "action", "fee"}),
    frozenset({"date", "symbol", "currency", "unitprice", "quantity", "type", "fee"}),
    frozenset({"date", "symbol", "currency", "price", "quantity", "action", "fee"}),
)
_DAY_FIRST = re.compile(r"(\d\d)[-./](\d\d)[-./](\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[-./]?(\d\d)[-./]?(\d\d)", re.ASCII)


def read_ghostfolio_csv(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the activities of the file. Raise TransactionFileError if it has none."""
    text = decode(data)
    headers = next((headers for headers in HEADERS if find_header(text, headers)), HEADERS[0])
    records = list(read_table(text, headers, "date"))
    accounts: dict[str, int] = {}
    for record in records:
        if isinstance(record, CsvRecord) and (account := record.text("account")):
            accounts[account] = accounts.get(account, 0) + 1
    wanted = one_account(accounts, options.account)
    for record in records:
        if not isinstance(record, CsvRecord):
            yield record
        elif record.text("account") not in ("", wanted):
            yield of_another(record.line, record.text("action", "type"), record.text("account"))
        else:
            yield _row(record)


def _row(record: CsvRecord) -> Parsed:
    source = record.text("action", "type")
    try:
        return read_activity(
            record.line,
            source,
            {
                "type": source,
                "date": _date(record.text("date")),
                "symbol": record.text("code", "symbol"),
                "currency": record.text("currency"),
                "quantity": record.number("quantity"),
                "unitPrice": record.number("price", "unitprice"),
                "fee": record.number("fee"),
                "comment": record.text("note", "comment") or None,
            },
        )
    except InvalidInput as domain_error:
        return BadRow(record.line, domain_error, source)


def _date(text: str) -> str:
    """Return the date as ISO 8601; an instant is returned unchanged."""
    try:
        if found := _DAY_FIRST.fullmatch(text):
            day, month, year = map(int, found.groups())
            return dt.date(year, month, day).isoformat()
        if found := _YEAR_FIRST.fullmatch(text):
            return dt.date(*map(int, found.groups())).isoformat()
    except ValueError:
        raise InvalidInput(f"{shown(text)} is no date.", ("date",)) from None
    return text

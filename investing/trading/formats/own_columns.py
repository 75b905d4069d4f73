"""Read any other CSV, whose columns the user names: `date=Trade Date,symbol=Ticker,quantity=Shares`."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import BadRow, Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.csv_tables import CsvRecord, number_of, plain, read_table
from investing.trading.formats.files import NO_OPTIONS, Options, TransactionFileError, decode, shown
from investing.trading.formats.statements import Where, of_another, one_account

FIELDS: Final = (
    *("date", "type", "symbol", "identifier", "quantity", "price", "amount", "net", "commission"),
    *("split_for", "currency", "notes", "account"),
)
"""What a column may hold. `amount` is what it was worth before commission, `net` what moved cash after it."""

_WORDS: Final[dict[str, TransactionType]] = {
    **{type.value.casefold().replace("_", " "): type for type in TransactionType},
    **dict.fromkeys(("b", "bot", "bought", "purchase", "purchased"), TransactionType.BUY),
    **dict.fromkeys(("reinvestment", "reinvest"), TransactionType.BUY),
    **dict.fromkeys(("s", "sld", "sold", "sale"), TransactionType.SELL),
    **dict.fromkeys(("div", "dividends", "cash dividend"), TransactionType.DIVIDEND),
    **dict.fromkeys(("int", "interest earned"), TransactionType.INTEREST),
    **dict.fromkeys(("fees", "charge", "commission"), TransactionType.FEE),
    **dict.fromkeys(("withholding tax", "withholding"), TransactionType.TAX),
    **dict.fromkeys(("contribution", "cash in", "credit"), TransactionType.DEPOSIT),
    **dict.fromkeys(("withdraw", "cash out", "debit"), TransactionType.WITHDRAWAL),
}
_TRADES = (TransactionType.BUY, TransactionType.SELL)
_INCOME = (TransactionType.DIVIDEND, TransactionType.INTEREST)
_MAY_HAVE_SYMBOL = (TransactionType.DIVIDEND, TransactionType.FEE, TransactionType.TAX)
_ISO = "%Y-%m-%d"


def columns_of(text: str) -> dict[str, str]:
    """Return what each column holds, by its header as written, from `date=Trade Date,symbol=Ticker`.

    Raise TransactionFileError that says what is wrong.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, header = (piece.strip() for piece in part.partition("="))
        if name not in FIELDS or not equals or not header:
            raise TransactionFileError(
                f"{shown(part)} is not of the form field=Header, as in date=Trade Date. The fields are "
                f"{', '.join(FIELDS)}."
            )
        if name in found.values() or plain(header) in map(plain, found):
            raise TransactionFileError(f"{shown(part)} is there twice.")
        found[header] = name
    if "date" not in found.values():
        raise TransactionFileError("The columns have no date.")
    return found


def read_own_columns(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the rows of a table with these columns.

    Raise TransactionFileError if the file has none of them.
    """
    if options.columns is None:
        raise TransactionFileError("The columns are not named: name them with --columns.")
    columns = {plain(header): name for header, name in options.columns.items()}
    text = decode(data)
    date = next(header for header, name in columns.items() if name == "date")
    found = list(read_table(text, options.columns.keys(), date, _delimiter(text, columns)))
    records = {r.line: _named(r, columns) for r in found if isinstance(r, CsvRecord)}
    accounts: dict[str, int] = {}
    for record in records.values():
        if account := record.text("account"):
            accounts[account] = accounts.get(account, 0) + 1
    wanted = one_account(accounts, options.account)
    for one in found:
        if not isinstance(one, CsvRecord):
            yield one
        elif (account := records[one.line].text("account")) not in ("", wanted):
            yield of_another(one.line, "", account)
        else:
            yield _row(records[one.line], options)


def _delimiter(text: str, columns: Mapping[str, str]) -> str:
    """Return the delimiter of the fields of the line that has the date's header."""
    header = next((line for line in text.splitlines() if all(h in plain(line) for h in columns)), "")
    return max(",;\t", key=header.count)


def _named(record: CsvRecord, columns: Mapping[str, str]) -> CsvRecord:
    return CsvRecord(record.line, {name: record.values.get(header, "") for header, name in columns.items()})


def _row(record: CsvRecord, options: Options) -> Parsed:
    words = record.text("type")
    try:
        where = Where(
            record.line,
            words,
            _when(record.text("date"), options.date_format),
            record.text("currency") or None,
            record.text("notes") or None,
            (record.text("identifier"),) if record.text("identifier") else (),
        )
        return _Figures(record, options.decimal_comma).row(where, words)
    except InvalidInput as domain_error:
        return BadRow(record.line, domain_error, words)
    except ArithmeticError:
        return BadRow(record.line, InvalidInput("It has a number that is too large."), words)


def _when(text: str, date_format: str | None) -> dt.date:
    """Return a date, an instant if the format has an offset, or a time in the account's time zone."""
    has_time = date_format is not None and re.search("%[HIcXT]", date_format) is not None
    try:
        found = dt.datetime.strptime(text, date_format or _ISO)  # noqa: DTZ007
        if found.tzinfo is not None:
            return found.astimezone(dt.UTC)
        return found if has_time else found.date()
    except (ValueError, OverflowError):
        wanted = date_format or "2024-05-31; give --date-format"
        raise InvalidInput(f"{shown(text)} is not a date like {wanted}.", ("executedAt",)) from None


class _Figures:
    """The numbers of a row, and the row that they make."""

    def __init__(self, record: CsvRecord, decimal_comma: bool) -> None:
        self._symbol = record.text("symbol") or None

        def number(name: str) -> Decimal | None:
            return number_of(record.text(name), name, decimal_comma=decimal_comma)

        self.quantity, self.price = number("quantity"), number("price")
        self.amount, self.net = number("amount"), number("net")
        self.commission, self.split_for = number("commission"), number("split_for")

    def row(self, where: Where, words: str) -> Parsed:
        """Return the row: by its type or, if it has none, by its signs."""
        type = self._type(words)
        if type in _TRADES:
            return self._trade(where, type)
        amount = self.net if self.net is not None else self.amount
        if type in _INCOME and amount is not None and amount < 0:
            type = TransactionType.FEE
        is_of_one = bool(self.quantity) or type in _MAY_HAVE_SYMBOL
        return (where if is_of_one else replace(where, identifiers=())).row(
            type,
            symbol=self._symbol if is_of_one else None,
            quantity=abs(self.quantity) if self.quantity else None,
            price=self.price if self.quantity and type is not TransactionType.SPLIT else None,
            amount=None if amount is None or type is TransactionType.SPLIT else abs(amount),
            commission=abs(self.commission or ZERO) if self.net is None else ZERO,
            split_for=self.split_for,
        )

    def _type(self, words: str) -> TransactionType:
        if words:
            found = _WORDS.get(" ".join(words.replace("_", " ").casefold().split()))
            if found is None:
                known = ", ".join(sorted(_WORDS))
                raise InvalidInput(f"{shown(words)} is no type that is known: {known}.", ("type",))
            return found
        if self.quantity:
            return TransactionType.BUY if self.quantity > 0 else TransactionType.SELL
        amount = self.net if self.net is not None else self.amount or ZERO
        return TransactionType.DEPOSIT if amount > 0 else TransactionType.WITHDRAWAL

    def _trade(self, where: Where, type: TransactionType) -> Parsed:
        quantity = abs(self.quantity or ZERO)
        if not quantity:
            raise InvalidInput("It has no quantity.", ("quantity",))
        buys, costs = type is TransactionType.BUY, abs(self.commission or ZERO)
        if self.net is not None:
            net = -abs(self.net) if buys else abs(self.net)
            return where.trade(self._symbol, quantity, self.price, net, costs, buys=buys, itemised=False)
        return where.row(
            type,
            symbol=self._symbol,
            quantity=quantity,
            price=self.price,
            amount=None if self.amount is None else abs(self.amount),
            commission=costs,
        )

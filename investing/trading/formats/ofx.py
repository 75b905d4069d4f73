"""Read OFX (1.x SGML and 2.x XML): the transactions of investment statements.

TOTAL is what a transaction does to cash, below zero for a purchase: units x price and the costs beside it.
`ofxtools` reads both syntaxes by a grammar of its own that knows no document type and no entities but those
of characters, so that nothing in a file can expand or read another one. Source: OFX 2.2, section 13.9.2.
"""

import datetime as dt
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from xml.etree.ElementTree import Element

from ofxtools.header import OFXHeaderError
from ofxtools.models.base import Aggregate
from ofxtools.Parser import OFXTree, ParseError

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import BadRow, IgnoredRow, Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.files import NO_OPTIONS, Options, TransactionFileError
from investing.trading.formats.statements import Where, of_another, one_account, unsupported
from investing.trading.formats.wording import bank_types

_COSTS: Final = ("commission", "fees", "taxes", "load", "withholding", "statewithholding", "penalty")
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(?:000000(?:\.0*)?|\[.*\])?", re.ASCII)
"""A date: no time, or midnight without a time zone, which is how many banks write it."""

_STANDING = "not read: it says how things stand, not what moved"


def read_ofx(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the rows of an investment statement. Raise TransactionFileError if there is none."""
    root = _parse(data)
    tickers = _tickers(root)
    lines = _Lines(data)
    statements = [(_account(statement), statement) for statement in root.iter("INVSTMTRS")]
    counts: Counter[str] = Counter()
    for account, statement in statements:
        counts[account] += sum(1 for _ in _transactions(statement))
    if not counts.total():
        raise TransactionFileError("The file has no transactions of an investment account.")
    wanted = one_account({name: n for name, n in counts.items() if name and n}, options.account)
    for account, statement in statements:
        if account in ("", wanted):
            yield from _statement(statement, tickers, lines)
        else:
            for element in _transactions(statement):
                yield of_another(lines.of(_fitid(element)), element.tag, account)
    yield from _others(root)


def _account(statement: Element) -> str:
    return (statement.findtext("INVACCTFROM/ACCTID") or "").strip()


def _transactions(statement: Element) -> Iterator[Element]:
    return (e for e in statement.iterfind("INVTRANLIST/*") if e.tag not in ("DTSTART", "DTEND"))


def _fitid(element: Element) -> str:
    return next((found.text or "" for found in element.iter("FITID")), "").strip()


def _statement(statement: Element, tickers: Mapping[str, str], lines: "_Lines") -> Iterator[Parsed]:
    currency = (statement.findtext("CURDEF") or "").strip() or None
    elements = list(_transactions(statement))
    ids = {_fitid(element) for element in elements}
    # REVERSALFITID is of investments, CORRECTFITID of cash (OFX 2.2, sections 13.9.2.1 and 11.4.4.1).
    undone = {of: element for element in elements if (of := _undoes(element))}
    for element in elements:
        fitid, line = _fitid(element), lines.of(_fitid(element))
        source = f"{element.tag} {fitid}".rstrip()
        undoes = _undoes(element)
        replaces = element.findtext(".//CORRECTACTION", "").strip() == "REPLACE"
        if fitid in undone and undone[fitid] is not element:
            yield IgnoredRow(line, f"It is taken back by {_fitid(undone[fitid])}.", source)
        elif undoes and undoes not in ids:
            reason = f"It takes back {undoes}, which is not in this file"
            yield unsupported(line, source, f"{reason}: reverse that one, if it was imported.")
        elif undoes and not replaces:
            yield IgnoredRow(line, f"It takes back {undoes}, which is left out as well.", source)
        else:
            yield from _Reading(element, tickers, currency, line, source).rows()


def _undoes(element: Element) -> str:
    return (element.findtext(".//REVERSALFITID") or element.findtext(".//CORRECTFITID") or "").strip()


def _others(root: Element) -> Iterator[IgnoredRow]:
    """Yield what else the statements list: positions, open orders, and bank accounts' transactions."""
    for path in ("INVPOSLIST", "INVOOLIST"):
        for parent in root.iter(path):
            for element in parent:
                yield IgnoredRow(1, _STANDING, element.tag, element.tag)
    for parent in root.iter("BANKTRANLIST"):
        for element in parent.iterfind("STMTTRN"):
            reason = "not read: it is of a bank's account, not of an investment account"
            yield IgnoredRow(1, reason, f"STMTTRN {_fitid(element)}".rstrip(), "STMTTRN")


def _parse(data: bytes) -> Element:
    tree = OFXTree()
    try:
        root = tree.parse(io.BytesIO(data))
    except (OFXHeaderError, ParseError, ValueError, AssertionError, RecursionError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise TransactionFileError(f"The file is no OFX: {reason}.") from None
    if not isinstance(root, Element) or root.tag != "OFX":
        raise TransactionFileError("The file is no OFX: it has no element OFX.")
    return root


def _tickers(root: Element) -> dict[str, str]:
    """Return the symbol of each security in the list of securities, by its id."""
    found: dict[str, str] = {}
    for info in root.iter("SECINFO"):
        id, ticker = info.findtext("SECID/UNIQUEID"), info.findtext("TICKER")
        if id and ticker and ticker.strip():
            found[id.strip()] = ticker.strip()
    return found


class _Lines:
    """The line of each transaction, found by its id, in the order of the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._line = 1

    def of(self, fitid: str) -> int:
        """Return the line of the next transaction with this id."""
        found = self._data.find(f"<FITID>{fitid}".encode(), self._position)
        if found >= 0:
            self._line += self._data.count(b"\n", self._position, found)
            self._position = found + 1
        return self._line


class _Reading:
    """One transaction of a statement."""

    def __init__(
        self, element: Element, tickers: Mapping[str, str], currency: str | None, line: int, source: str
    ) -> None:
        self._element = element
        self._tickers = tickers
        self._currency = currency
        self._line = line
        self._source = source

    def rows(self) -> Iterator[Parsed]:
        """Yield the rows that it makes: two for a reinvestment, one for everything else."""
        read = _READERS.get(self._element.tag)
        try:
            if read is None:
                raise InvalidInput(f"{self._element.tag} is something that the ledger cannot hold.")
            yield from read(self, self._convert())
        except InvalidInput as domain_error:
            yield BadRow(self._line, domain_error, self._source)
        except ArithmeticError:
            yield unsupported(self._line, self._source, "One of its numbers cannot be read.")

    def _convert(self) -> Any:
        try:
            return Aggregate.from_etree(self._element)
        # Its models raise errors of several kinds, all of them about this one element.
        except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise InvalidInput(f"It cannot be read: {reason}.") from None

    def _where(self, tag: str, when: dt.datetime, values: Any, *words: str | None) -> Where:
        # CURRENCY is the currency of the amounts; ORIGCURRENCY, the one that they were converted from.
        given = getattr(values, "currency", None)
        currency = getattr(given, "cursym", None) or self._currency
        notes = " ".join(word for word in words if word) or None
        security = getattr(values, "secid", None)
        identifiers = () if security is None else (security.uniqueid.strip(),)
        return Where(self._line, self._source, self._when(tag, when), currency, notes, identifiers)

    def _when(self, tag: str, instant: dt.datetime) -> dt.date:
        date = _DATE.fullmatch(self._element.findtext(f".//{tag}", "").strip())
        return instant if date is None else dt.date(*map(int, date.groups()))

    def _of(self, values: Any) -> Where:
        return self._where("DTTRADE", values.invtran.dttrade, values, values.invtran.memo)

    def _symbol(self, values: Any) -> str | None:
        """Return the ticker; None if there is none, and only the identifier names the security."""
        id: str = values.secid.uniqueid.strip()
        return self._tickers.get(id) or (id if values.secid.uniqueidtype == "TICKER" else None)

    def trade(self, outer: Any) -> Iterator[Parsed]:
        """Read BUYSTOCK, BUYMF, BUYOTHER, SELLSTOCK, SELLMF and SELLOTHER."""
        kind = getattr(outer, "buytype", None) or getattr(outer, "selltype", None)
        if kind in ("BUYTOCOVER", "SELLSHORT"):
            raise InvalidInput(f"It is a {kind}: the ledger cannot hold less than nothing.")
        buys = self._element.tag.startswith("BUY")
        values = outer.invbuy if buys else outer.invsell
        yield self._of(values).trade(
            self._symbol(values),
            values.units,
            values.unitprice,
            values.total,
            _costs(values),
            buys=buys,
            itemised=False,
        )

    def reinvest(self, values: Any) -> Iterator[Parsed]:
        """Read REINVEST: income, and a purchase with all of it; cash stays the same."""
        where, symbol, total = self._of(values), self._symbol(values), abs(values.total)
        income = _income_type(values.incometype)
        yield where.cash(total, income, TransactionType.FEE, symbol)
        yield where.trade(
            symbol, values.units, values.unitprice, -total, _costs(values), buys=True, itemised=False
        )

    def income(self, values: Any) -> Iterator[Parsed]:
        """Read INCOME: dividends, gains that a fund pays out, interest."""
        if not values.total:
            yield IgnoredRow(self._line, "It moves nothing.", self._source)
            return
        income, symbol = _income_type(values.incometype), self._symbol(values)
        yield self._of(values).cash(values.total, income, TransactionType.FEE, symbol)

    def expense(self, values: Any) -> Iterator[Parsed]:
        """Read INVEXPENSE: a cost of an instrument."""
        yield self._of(values).cash(
            values.total, TransactionType.DIVIDEND, TransactionType.FEE, self._symbol(values)
        )

    def margin_interest(self, values: Any) -> Iterator[Parsed]:
        """Read MARGININTEREST: interest that is paid."""
        yield self._of(values).cash(values.total, TransactionType.INTEREST, TransactionType.FEE)

    def bank(self, outer: Any) -> Iterator[Parsed]:
        """Read INVBANKTRAN: cash in and out."""
        values = outer.stmttrn
        if not values.trnamt:
            yield IgnoredRow(self._line, "It moves nothing.", self._source)
            return
        kinds, remark = bank_types(values.trntype, values.trnamt, f"{values.name or ''} {values.memo or ''}")
        where = self._where("DTPOSTED", values.dtposted, values, values.name, values.memo)
        yield replace(where, remark=remark).cash(values.trnamt, *kinds)

    def split(self, values: Any) -> Iterator[Parsed]:
        """Read SPLIT: NUMERATOR new shares for DENOMINATOR old ones."""
        if values.fraccash:
            raise InvalidInput("It is a split that moves cash, which the ledger cannot hold.")
        yield self._of(values).row(
            TransactionType.SPLIT,
            symbol=self._symbol(values),
            quantity=values.numerator,
            split_for=values.denominator,
        )

    def transfer(self, values: Any) -> Iterator[Parsed]:
        """Read TRANSFER: shares in or out."""
        if values.postype == "SHORT":
            raise InvalidInput("It is a short position, which the ledger cannot hold.")
        where, symbol, units = self._of(values), self._symbol(values), abs(values.units)
        if values.tferaction == "OUT":
            yield where.row(TransactionType.TRANSFER_OUT, symbol=symbol, quantity=units)
            return
        price = values.avgcostbasis if values.avgcostbasis is not None else values.unitprice
        yield where.row(TransactionType.TRANSFER_IN, symbol=symbol, quantity=units, price=price)


def _costs(values: Any) -> Decimal:
    return sum((getattr(values, name, None) or ZERO for name in _COSTS), ZERO)


def _income_type(incometype: str) -> TransactionType:
    return TransactionType.INTEREST if incometype == "INTEREST" else TransactionType.DIVIDEND


_READERS: Final[dict[str, Callable[[_Reading, Any], Iterator[Parsed]]]] = {
    **dict.fromkeys(("BUYSTOCK", "BUYMF", "BUYOTHER", "SELLSTOCK", "SELLMF", "SELLOTHER"), _Reading.trade),
    "REINVEST": _Reading.reinvest,
    "INCOME": _Reading.income,
    "INVEXPENSE": _Reading.expense,
    "MARGININTEREST": _Reading.margin_interest,
    "INVBANKTRAN": _Reading.bank,
    "SPLIT": _Reading.split,
    "TRANSFER": _Reading.transfer,
}

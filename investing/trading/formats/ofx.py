"""OFX (1.x SGML and 2.x XML): the transactions of investment statements.

TOTAL is what a transaction does to cash, below zero for a purchase: units x price and the costs beside it.
`ofxtools` reads both syntaxes by a grammar of its own that knows no document type and no entities but those
of characters, so that nothing in a file can expand or read another one. Source: OFX 2.2, section 13.9.2.
"""

import datetime as dt
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final
from xml.etree.ElementTree import Element

from ofxtools.header import OFXHeaderError
from ofxtools.models.base import Aggregate
from ofxtools.Parser import OFXTree, ParseError

from db.vocabulary import TransactionType
from investing.rules.import_rows import BadRow, IgnoredRow, Parsed
from investing.rules.ledger import ZERO
from investing.rules.refusals import InvalidInput
from investing.trading.formats.files import TransactionFileError
from investing.trading.formats.statements import Where, unsupported

_COSTS: Final = ("commission", "fees", "taxes", "load", "withholding", "statewithholding", "penalty")
_BANK: Final = {
    "INT": (TransactionType.INTEREST, TransactionType.FEE),
    "DIV": (TransactionType.INTEREST, TransactionType.FEE),
    "FEE": (TransactionType.INTEREST, TransactionType.FEE),
    "SRVCHG": (TransactionType.INTEREST, TransactionType.FEE),
    "XFER": (TransactionType.TRANSFER_IN, TransactionType.TRANSFER_OUT),
}
_DEPOSIT: Final = (TransactionType.DEPOSIT, TransactionType.WITHDRAWAL)


def read_ofx(data: bytes) -> Iterator[Parsed]:
    """The rows of all investment statements. Raises TransactionFileError where there are none."""
    root = _parse(data)
    tickers = _tickers(root)
    lines = _Lines(data)
    found = False
    for statement in root.iter("INVSTMTRS"):
        currency = (statement.findtext("CURDEF") or "").strip() or None
        for element in statement.iterfind("INVTRANLIST/*"):
            if element.tag not in ("DTSTART", "DTEND"):
                found = True
                yield from _Reading(element, tickers, currency, lines).rows()
    if not found:
        raise TransactionFileError("The file has no transactions of an investment account.")


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
    """The symbol of each security in the list of securities, by its id."""
    found: dict[str, str] = {}
    for info in root.iter("SECINFO"):
        id, ticker = info.findtext("SECID/UNIQUEID"), info.findtext("TICKER")
        if id and ticker and ticker.strip():
            found[id.strip()] = ticker.strip().upper()
    return found


class _Lines:
    """On which line each transaction stands, found by its id, in the order of the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._line = 1

    def of(self, fitid: str) -> int:
        """The line of the next transaction with this id."""
        found = self._data.find(f"<FITID>{fitid}".encode(), self._position)
        if found >= 0:
            self._line += self._data.count(b"\n", self._position, found)
            self._position = found + 1
        return self._line


class _Reading:
    """One transaction of a statement."""

    def __init__(
        self, element: Element, tickers: dict[str, str], currency: str | None, lines: _Lines
    ) -> None:
        self._element = element
        self._tickers = tickers
        self._currency = currency
        fitid = next((found.text or "" for found in element.iter("FITID")), "").strip()
        self._line = lines.of(fitid)
        self._source = f"{element.tag} {fitid}".rstrip()

    def rows(self) -> Iterator[Parsed]:
        """What it makes: a reinvestment is two rows, everything else is one."""
        read = _READERS.get(self._element.tag)
        try:
            if read is None:
                raise InvalidInput(f"{self._element.tag} is something that the ledger cannot hold.")
            yield from read(self, self._convert())
        except InvalidInput as refusal:
            yield BadRow(self._line, refusal, self._source)
        except ArithmeticError:
            yield unsupported(self._line, self._source, "It has a number that is none.")

    def _convert(self) -> Any:
        try:
            return Aggregate.from_etree(self._element)
        # Its models raise errors of several kinds, all of them about this one element.
        except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise InvalidInput(f"It cannot be read: {reason}.") from None

    def _where(self, when: dt.datetime, values: Any, *words: str | None) -> Where:
        # CURRENCY says in what the amounts are; ORIGCURRENCY, from what they were converted.
        given = getattr(values, "currency", None)
        currency = getattr(given, "cursym", None) or self._currency
        notes = " ".join(word for word in words if word) or None
        return Where(self._line, self._source, when, currency, notes)

    def _of(self, values: Any) -> Where:
        return self._where(values.invtran.dttrade, values, values.invtran.memo)

    def _symbol(self, values: Any) -> str:
        id: str = values.secid.uniqueid.strip()
        if id in self._tickers:
            return self._tickers[id]
        if values.secid.uniqueidtype == "TICKER":
            return id.upper()
        raise InvalidInput(f"The list of securities has no ticker for {id}.", ("symbol",))

    def trade(self, outer: Any) -> Iterator[Parsed]:
        """BUYSTOCK, BUYMF, BUYOTHER, SELLSTOCK, SELLMF and SELLOTHER."""
        kind = getattr(outer, "buytype", None) or getattr(outer, "selltype", None)
        if kind in ("BUYTOCOVER", "SELLSHORT"):
            raise InvalidInput(f"It is a {kind}: the ledger cannot hold less than nothing.")
        buys = self._element.tag.startswith("BUY")
        values = outer.invbuy if buys else outer.invsell
        yield self._of(values).trade(
            self._symbol(values), values.units, values.unitprice, values.total, _costs(values), buys=buys
        )

    def reinvest(self, values: Any) -> Iterator[Parsed]:
        """REINVEST: income, and a purchase with all of it; cash is as before."""
        where, symbol, total = self._of(values), self._symbol(values), abs(values.total)
        income = _income_type(values.incometype)
        yield where.cash(total, income, TransactionType.FEE, symbol)
        yield where.trade(symbol, values.units, values.unitprice, -total, _costs(values), buys=True)

    def income(self, values: Any) -> Iterator[Parsed]:
        """INCOME: dividends, gains that a fund pays out, interest."""
        if not values.total:
            yield IgnoredRow(self._line, "It moves nothing.", self._source)
            return
        income, symbol = _income_type(values.incometype), self._symbol(values)
        yield self._of(values).cash(values.total, income, TransactionType.FEE, symbol)

    def expense(self, values: Any) -> Iterator[Parsed]:
        """INVEXPENSE: a cost of an instrument."""
        yield self._of(values).cash(
            values.total, TransactionType.DIVIDEND, TransactionType.FEE, self._symbol(values)
        )

    def margin_interest(self, values: Any) -> Iterator[Parsed]:
        """MARGININTEREST: interest that is paid."""
        yield self._of(values).cash(values.total, TransactionType.INTEREST, TransactionType.FEE)

    def bank(self, outer: Any) -> Iterator[Parsed]:
        """INVBANKTRAN: cash in and out."""
        values = outer.stmttrn
        where = self._where(values.dtposted, values, values.name, values.memo)
        if not values.trnamt:
            yield IgnoredRow(self._line, "It moves nothing.", self._source)
            return
        yield where.cash(values.trnamt, *_BANK.get(values.trntype, _DEPOSIT))

    def split(self, values: Any) -> Iterator[Parsed]:
        """SPLIT: NUMERATOR new shares for DENOMINATOR old ones."""
        if values.fraccash:
            raise InvalidInput("It is a split that moves cash, which the ledger cannot hold.")
        yield self._of(values).row(
            TransactionType.SPLIT,
            symbol=self._symbol(values),
            quantity=values.numerator,
            split_for=values.denominator,
        )

    def transfer(self, values: Any) -> Iterator[Parsed]:
        """TRANSFER: shares in or out."""
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

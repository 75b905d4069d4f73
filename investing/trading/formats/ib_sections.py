"""Read the sections of Interactive Brokers' activity statement that say what moved, line by line."""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput, shortened
from investing.rules.market.market_hours import NEW_YORK
from investing.rules.trading.import_rows import IgnoredRow, Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.cancelling import Deal
from investing.trading.formats.csv_tables import CsvRecord
from investing.trading.formats.files import shown
from investing.trading.formats.statements import Where

Read = Callable[[CsvRecord, Mapping[str, str]], Parsed]
"""Reads a line; the map has the ISIN of each symbol that the statement gives."""

_SHARES: Final = frozenset({"stocks", "mutual funds", "cryptocurrencies", "crypto", ""})
_COST: Final = (TransactionType.INTEREST, TransactionType.FEE)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:,?[ ;T]\s*(\d\d:\d\d:\d\d))?", re.ASCII)
_OF = re.compile(r"\s*([^()]+?)\s*\(([A-Z0-9]{6,12})\)")
"""What a dividend's description begins with: the symbol, and the ISIN or CUSIP in brackets."""

_SPLIT = re.compile(r"\bSPLIT\s+(\d+(?:\.\d+)?)\s+FOR\s+(\d+(?:\.\d+)?)", re.IGNORECASE | re.ASCII)


def securities(lines: Iterable[CsvRecord]) -> dict[str, str]:
    """Return the ISIN or CUSIP of each symbol, from the section Financial Instrument Information."""
    return {
        symbol: id
        for line in lines
        if (symbol := line.text("symbol")) and (id := line.text("security id", "isin", "cusip"))
    }


def is_cancellation(trade: CsvRecord) -> bool:
    """Return whether a trade cancels another one: its codes include Ca."""
    return "Ca" in re.split(r"[;\s]+", trade.text("code"))


def deal_of(trade: CsvRecord, sign: int) -> Deal | None:
    """Return what a trade moved, or with the sign -1 what its original did; None if it is malformed."""
    try:
        quantity, price = trade.number("quantity"), trade.number("t. price")
    except InvalidInput:
        return None
    return Deal(trade.line, trade.text("symbol"), (quantity or ZERO) * sign, price)


def _where(line: CsvRecord, date: str, notes: str, identifier: str | None = None) -> Where:
    found = _DATE.fullmatch(date)
    when: dt.date
    try:
        if found is None:
            raise ValueError
        when = dt.date.fromisoformat(found[1])
        if found[2]:
            local = dt.datetime.combine(when, dt.time.fromisoformat(found[2]), NEW_YORK)
            when = local.astimezone(dt.UTC)
    except ValueError:
        raise InvalidInput(f"{shown(date)} is no date like 2024-05-31.", ("executedAt",)) from None
    currency = line.text("currency")
    if not currency:
        raise InvalidInput("It has no currency.", ("currency",))
    section = line.values.get("", "")
    return Where(line.line, section, when, currency, notes or None, (identifier,) if identifier else ())


def _need(line: CsvRecord, name: str) -> Decimal:
    value = line.number(name)
    if value is None:
        raise InvalidInput(f"It has no {name}.", (name,))
    return value


def _trade(line: CsvRecord, names: Mapping[str, str]) -> Parsed:
    category = line.text("asset category")
    if category.casefold() not in _SHARES:
        raise InvalidInput(f"It is of asset category {shortened(category)}, which the ledger cannot hold.")
    symbol, quantity = line.text("symbol"), _need(line, "quantity")
    where = _where(line, line.text("date/time", "date"), "", names.get(symbol))
    commission = line.number("comm/fee", "commission", "comm") or ZERO
    if not quantity:
        raise InvalidInput("It has no quantity.", ("quantity",))
    net = _need(line, "proceeds") + commission
    price = _need(line, "t. price")
    return where.trade(symbol or None, quantity, price, net, -commission, buys=quantity > 0)


def _of_security(incoming: TransactionType, outgoing: TransactionType) -> Read:
    def read(line: CsvRecord, names: Mapping[str, str]) -> Parsed:
        described = line.text("description")
        found = _OF.match(described)
        if found is None:
            raise InvalidInput("Its description does not begin with a symbol and (ISIN).", ("symbol",))
        where = _where(line, line.text("date"), described, found[2])
        amount = _need(line, "amount")
        if not amount:
            return IgnoredRow(line.line, "It moves nothing.", where.source)
        return where.cash(amount, incoming, outgoing, found[1])

    return read


def _of_cash(incoming: TransactionType, outgoing: TransactionType) -> Read:
    def read(line: CsvRecord, names: Mapping[str, str]) -> Parsed:
        notes = line.text("description", "taxable description", "subtitle")
        where = _where(line, line.text("date", "settle date", "date/time"), notes)
        amount = line.number("amount", "sales tax")
        if amount is None:
            raise InvalidInput("It has no amount.", ("amount",))
        if not amount:
            return IgnoredRow(line.line, "It moves nothing.", where.source)
        return where.cash(amount, incoming, outgoing)

    return read


def _action(line: CsvRecord, names: Mapping[str, str]) -> Parsed:
    described = line.text("description")
    ratio, security = _SPLIT.search(described), _OF.match(described)
    if ratio is None or security is None:
        raise InvalidInput("It is a corporate action that the ledger cannot hold.")
    if line.number("proceeds"):
        raise InvalidInput("It is a split that moves cash, which the ledger cannot hold.")
    if security[1].endswith(".OLD"):
        return IgnoredRow(line.line, "It takes out the old shares of a split that is here as well.", "split")
    where = _where(line, line.text("date/time", "report date"), described, security[2])
    new, old = Decimal(ratio[1]), Decimal(ratio[2])
    return where.row(TransactionType.SPLIT, symbol=security[1], quantity=new, split_for=old)


def _transfer(line: CsvRecord, names: Mapping[str, str]) -> Parsed:
    category, symbol = line.text("asset category"), line.text("symbol")
    where = _where(line, line.text("date"), line.text("type", "xfer company"), names.get(symbol))
    if cash := line.number("cash amount"):
        return where.cash(cash, TransactionType.TRANSFER_IN, TransactionType.TRANSFER_OUT)
    if category.casefold() not in _SHARES:
        raise InvalidInput(f"It is of asset category {shortened(category)}, which the ledger cannot hold.")
    quantity = line.number("qty", "quantity")
    if not quantity:
        return IgnoredRow(line.line, "It moves nothing.", where.source)
    if quantity < 0:
        return where.row(TransactionType.TRANSFER_OUT, symbol=symbol, quantity=-quantity)
    # Their value on that day is used as their cost, which the statement does not give.
    worth = abs(_need(line, "market value"))
    remark = "What the shares were worth on that day is taken as their cost."
    return where.row(
        TransactionType.TRANSFER_IN, symbol=symbol, quantity=quantity, amount=worth, remark=remark
    )


READERS: Final[dict[str, Read]] = {
    "Trades": _trade,
    "Dividends": _of_security(TransactionType.DIVIDEND, TransactionType.FEE),
    "Payment In Lieu Of Dividends": _of_security(TransactionType.DIVIDEND, TransactionType.FEE),
    "Withholding Tax": _of_security(TransactionType.DIVIDEND, TransactionType.TAX),
    "Deposits & Withdrawals": _of_cash(TransactionType.DEPOSIT, TransactionType.WITHDRAWAL),
    "Fees": _of_cash(*_COST),
    "Other Fees": _of_cash(*_COST),
    "Transaction Fees": _of_cash(*_COST),
    "Interest": _of_cash(*_COST),
    "Broker Interest Paid": _of_cash(*_COST),
    "Broker Interest Received": _of_cash(*_COST),
    "Sales Tax Details": _of_cash(TransactionType.INTEREST, TransactionType.TAX),
    "Corporate Actions": _action,
    "Transfers": _transfer,
}
"""The sections that say what moved. All others report or sum up what these say."""

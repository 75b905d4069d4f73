"""Read Interactive Brokers' Flex statements (XML): trades, cash, splits and transfers.

Signs are the statement's own: proceeds and netCash are above zero for a sale, ibCommission and taxes below
zero for a cost; netCash = proceeds + ibCommission + taxes. Times have no offset: they are New York's, as in
the reports unless a user chose otherwise; a date alone is that day in the account's time zone. Source:
Interactive Brokers, Reporting Reference Guide, "Activity Flex Query Reference".
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.market.market_hours import NEW_YORK
from investing.rules.trading.import_rows import BadRow, IgnoredRow, Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.files import NO_OPTIONS, Options, TransactionFileError
from investing.trading.formats.flex_effects import source_of, without_effect
from investing.trading.formats.flex_elements import SECTIONS, FlexElement, read_elements
from investing.trading.formats.flex_types import AssetClass, CashAction, InOut, Reorg
from investing.trading.formats.statements import Where, of_another, one_account, unsupported

_SHARES: Final = (AssetClass.STOCK, AssetClass.MUTUALFUND, AssetClass.CRYPTOCURRENCY, None)
_CASH: Final = {
    CashAction.DEPOSITWITHDRAW: (TransactionType.DEPOSIT, TransactionType.WITHDRAWAL),
    CashAction.DIVIDEND: (TransactionType.DIVIDEND, TransactionType.FEE),
    CashAction.PAYMENTINLIEU: (TransactionType.DIVIDEND, TransactionType.FEE),
    CashAction.WHTAX: (TransactionType.DIVIDEND, TransactionType.TAX),
    CashAction.BROKERINTRCVD: (TransactionType.INTEREST, TransactionType.FEE),
    CashAction.BROKERINTPAID: (TransactionType.INTEREST, TransactionType.FEE),
    CashAction.BONDINTRCVD: (TransactionType.INTEREST, TransactionType.FEE),
    CashAction.BONDINTPAID: (TransactionType.INTEREST, TransactionType.FEE),
    CashAction.FEES: (TransactionType.INTEREST, TransactionType.FEE),
    CashAction.ADVISORFEES: (TransactionType.INTEREST, TransactionType.FEE),
    CashAction.COMMADJ: (TransactionType.INTEREST, TransactionType.FEE),
}
"""What each kind is when it brings cash and when it takes it: corrections come with the other sign."""

_DIGITS_OF_A_DATE = 8
_NOT_READ = "not read: it shows balances or totals, not transactions"
_SPLIT = re.compile(r"\bSPLIT\s+(\d+(?:\.\d+)?)\s+FOR\s+(\d+(?:\.\d+)?)", re.IGNORECASE | re.ASCII)


def read_flex(data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]:
    """Yield the rows of the statement.

    Raise TransactionFileError if the file is none, or has no transactions.
    """
    elements = list(read_elements(data))
    sections = [element for element in elements if element.tag in SECTIONS]
    if not sections:
        raise TransactionFileError("The statement has no trades, cash transactions, splits or transfers.")
    accounts = Counter(element.account for element in sections if element.account)
    wanted = one_account(accounts, options.account)
    its_own = [element for element in sections if element.account in ("", wanted)]
    known = without_effect(its_own)
    for element in elements:
        source = source_of(element)
        if element.account not in ("", wanted):
            yield of_another(element.line, source, element.account)
        elif element.tag not in SECTIONS:
            yield IgnoredRow(element.line, _NOT_READ, source, element.tag)
        else:
            yield known.get(element.number) or _row(element, source)


def _row(element: FlexElement, source: str) -> Parsed:
    if element.error is not None:
        return unsupported(element.line, source, f"It cannot be read: {element.error}.")
    try:
        return _READERS[element.tag](element, source)
    except InvalidInput as domain_error:
        return BadRow(element.line, domain_error, source)
    except ArithmeticError:
        return unsupported(element.line, source, "One of its numbers cannot be read.")


def _where(element: FlexElement, source: str) -> Where:
    values = element.values
    names = ("dateTime", "date", "tradeDate", "reportDate", "settleDate")
    name = next((name for name in names if getattr(values, name, None) is not None), None)
    if name is None:
        raise InvalidInput("It has no date.", ("executedAt",))
    identifiers = (getattr(values, name, None) for name in ("isin", "cusip", "securityID"))
    return Where(
        element.line,
        source,
        _when(element, name),
        values.currency,
        getattr(values, "description", None),
        tuple(dict.fromkeys(filter(None, identifiers))),
    )


def _when(element: FlexElement, name: str) -> dt.date:
    """Return an instant in New York, or the date alone if the attribute has no time."""
    given: dt.date = getattr(element.values, name)
    time: dt.time | None = None
    if not isinstance(given, dt.datetime):
        time = getattr(element.values, "tradeTime", None)
    elif sum(map(str.isdigit, element.attributes[name])) > _DIGITS_OF_A_DATE:
        time = given.time()
    date = given.date() if isinstance(given, dt.datetime) else given
    if time is None:
        return date
    return dt.datetime.combine(date, time, NEW_YORK).astimezone(dt.UTC)


def _shares_only(values: Any) -> None:
    if values.assetCategory is AssetClass.CASH:
        raise InvalidInput("It is an exchange of currencies, which the ledger cannot hold.")
    if values.assetCategory not in _SHARES:
        raise InvalidInput(
            f"It is of asset class {values.assetCategory.value}, which the ledger cannot hold."
        )


def _need(values: Any, name: str) -> Decimal:
    value: Decimal | None = getattr(values, name, None)
    if value is None:
        raise InvalidInput(f"It has no {name}: add it to the query.", (name,))
    return value


def _trade(element: FlexElement, source: str) -> Parsed:
    values = element.values
    _shares_only(values)
    if values.multiplier not in (None, 1):
        raise InvalidInput("It has a multiplier, which shares do not have.")
    quantity = _need(values, "quantity")
    commission = values.ibCommission or ZERO
    if commission and values.ibCommissionCurrency not in (None, values.currency):
        raise InvalidInput(f"Its commission is in {values.ibCommissionCurrency}, its price is not.")
    costs = -commission - (values.taxes or ZERO)
    net = values.netCash
    if net is None:
        net = _need(values, "proceeds") - costs
    buys = quantity > 0
    return _where(element, source).trade(
        values.symbol, quantity, _need(values, "tradePrice"), net, costs, buys=buys
    )


def _order(element: FlexElement, source: str) -> Parsed:
    raise InvalidInput("The query has orders without their executions: choose executions.")


def _cash(element: FlexElement, source: str) -> Parsed:
    values = element.values
    amount = _need(values, "amount")
    if not amount:
        return IgnoredRow(element.line, "It moves nothing.", source)
    if values.type not in _CASH:
        raise InvalidInput("It has no type that the ledger knows.", ("type",))
    return _where(element, source).cash(amount, *_CASH[values.type], values.symbol)


def _action(element: FlexElement, source: str) -> Parsed:
    values = element.values
    described = f"{values.actionDescription or ''} {values.description or ''}"
    ratio = _SPLIT.search(described)
    if values.type not in (Reorg.FORWARDSPLIT, Reorg.REVERSESPLIT) or ratio is None:
        what = values.type.name.lower() if values.type else "unknown"
        raise InvalidInput(f"It is a corporate action ({what}) that the ledger cannot hold.")
    if values.proceeds:
        raise InvalidInput("It is a split that moves cash, which the ledger cannot hold.")
    if values.symbol and values.symbol.endswith(".OLD"):
        return IgnoredRow(
            element.line, "It takes out the old shares of a split that is here as well.", source
        )
    new, old = Decimal(ratio[1]), Decimal(ratio[2])
    return _where(element, source).row(
        TransactionType.SPLIT, symbol=values.symbol, quantity=new, split_for=old, notes=described.strip()
    )


def _transfer(element: FlexElement, source: str) -> Parsed:
    values = element.values
    where = _where(element, source)
    if values.cashTransfer:
        return where.cash(values.cashTransfer, TransactionType.TRANSFER_IN, TransactionType.TRANSFER_OUT)
    _shares_only(values)
    quantity = _need(values, "quantity")
    outgoing = values.direction is InOut.OUT or quantity < 0
    if outgoing:
        return where.row(TransactionType.TRANSFER_OUT, symbol=values.symbol, quantity=abs(quantity))
    # Their value on that day is used as their cost, which the statement does not give.
    worth = abs(_need(values, "positionAmount"))
    return where.row(TransactionType.TRANSFER_IN, symbol=values.symbol, quantity=quantity, amount=worth)


def _sales_tax(element: FlexElement, source: str) -> Parsed:
    amount = _need(element.values, "salesTax")
    if not amount:
        return IgnoredRow(element.line, "It moves nothing.", source)
    return _where(element, source).cash(amount, TransactionType.INTEREST, TransactionType.TAX)


_READERS: Final[dict[str, Callable[[FlexElement, str], Parsed]]] = {
    "Trade": _trade,
    "Order": _order,
    "CashTransaction": _cash,
    "CorporateAction": _action,
    "Transfer": _transfer,
    "SalesTax": _sales_tax,
}

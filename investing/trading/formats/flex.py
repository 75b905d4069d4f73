"""Interactive Brokers' Flex statements (XML): trades, cash, splits and transfers.

Signs are the statement's own: proceeds and netCash are above zero for a sale, ibCommission and taxes below
zero for a cost; netCash = proceeds + ibCommission + taxes. Times have no offset: they are New York's, as the
reports are unless a user chose otherwise. Source: Interactive Brokers, Reporting Reference Guide, "Activity
Flex Query Reference".
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from db.vocabulary import TransactionType
from investing.rules.import_rows import BadRow, IgnoredRow, Parsed
from investing.rules.ledger import ZERO
from investing.rules.market_hours import NEW_YORK
from investing.rules.refusals import InvalidInput
from investing.trading.formats.files import TransactionFileError
from investing.trading.formats.flex_elements import FlexElement, read_elements
from investing.trading.formats.flex_types import AssetClass, BuySell, CashAction, InOut, Reorg
from investing.trading.formats.statements import Where, unsupported

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

_SPLIT = re.compile(r"\bSPLIT\s+(\d+(?:\.\d+)?)\s+FOR\s+(\d+(?:\.\d+)?)", re.IGNORECASE | re.ASCII)


def read_flex(data: bytes) -> Iterator[Parsed]:
    """The rows of the statement. Raises TransactionFileError where it is none, or has no transactions."""
    elements = list(read_elements(data))
    if not elements:
        raise TransactionFileError("The statement has no trades, cash transactions, splits or transfers.")
    detailed = {element.tag for element in elements if _level(element) in ("DETAIL", "EXECUTION")}
    traded = any(element.tag == "Trade" for element in elements)
    for element in elements:
        source = f"{element.tag} {_id(element)}".rstrip()
        if element.tag == "Order" and traded:
            yield IgnoredRow(element.line, "An order sums up its trades, which are here as well.", source)
        elif _level(element) == "SUMMARY" and element.tag in detailed:
            yield IgnoredRow(element.line, "It sums up rows that are here as well.", source)
        else:
            yield _row(element, source)


def _level(element: FlexElement) -> str | None:
    return getattr(element.values, "levelOfDetail", None)


def _id(element: FlexElement) -> str:
    names = ("tradeID", "transactionID", "actionID", "ibOrderID")
    return next((found for name in names if (found := getattr(element.values, name, None))), "")


def _row(element: FlexElement, source: str) -> Parsed:
    if element.error is not None:
        return unsupported(element.line, source, f"It cannot be read: {element.error}.")
    try:
        return _READERS[element.tag](element, source)
    except InvalidInput as refusal:
        return BadRow(element.line, refusal, source)
    except ArithmeticError:
        return unsupported(element.line, source, "It has a number that is none.")


def _where(element: FlexElement, source: str) -> Where:
    values = element.values
    when: dt.datetime | None = None
    for name in ("dateTime", "date", "tradeDate", "reportDate", "settleDate"):
        if (given := getattr(values, name, None)) is not None:
            is_instant = isinstance(given, dt.datetime)
            when = (
                given
                if is_instant
                else dt.datetime.combine(given, getattr(values, "tradeTime", None) or dt.time())
            )
            break
    if when is None:
        raise InvalidInput("It has no date.", ("executedAt",))
    notes = getattr(values, "description", None)
    instant = when.replace(tzinfo=NEW_YORK).astimezone(dt.UTC)
    return Where(element.line, source, instant, values.currency, notes)


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
    if values.buySell in (BuySell.CANCELBUY, BuySell.CANCELSELL):
        raise InvalidInput("It cancels a trade: leave both out.")
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
    # What they were worth on that day stands for their cost, which the statement does not tell.
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

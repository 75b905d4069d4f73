"""What American brokers' lists of actions share: each line says in words what happened, and its cash."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, auto

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.trading.import_rows import IgnoredRow, Parsed
from investing.rules.trading.ledger import ZERO
from investing.trading.formats.csv_tables import CsvRecord
from investing.trading.formats.statements import Where


class Action(Enum):
    """What a line of such a list is."""

    BUY = auto()
    SELL = auto()
    CANCEL_BUY = auto()
    CANCEL_SELL = auto()
    DIVIDEND = auto()
    RETURN_OF_CAPITAL = auto()
    INTEREST = auto()
    FEE = auto()
    TAX = auto()
    FLOW = auto()
    TRANSFER = auto()
    IN_LIEU = auto()
    SHARES = auto()
    SPLIT = auto()
    CORE = auto()
    UNSUPPORTED = auto()


CANCELLING: Mapping[Action, Action] = {Action.CANCEL_BUY: Action.BUY, Action.CANCEL_SELL: Action.SELL}
_CASH = {
    Action.DIVIDEND: (TransactionType.DIVIDEND, TransactionType.FEE),
    Action.RETURN_OF_CAPITAL: (TransactionType.DIVIDEND, TransactionType.FEE),
    Action.INTEREST: (TransactionType.INTEREST, TransactionType.FEE),
    Action.FEE: (TransactionType.INTEREST, TransactionType.FEE),
    Action.TAX: (TransactionType.DIVIDEND, TransactionType.TAX),
    Action.FLOW: (TransactionType.DEPOSIT, TransactionType.WITHDRAWAL),
    Action.TRANSFER: (TransactionType.TRANSFER_IN, TransactionType.TRANSFER_OUT),
}


def read_action(
    action: Action, where: Where, record: CsvRecord, symbol: str | None, costs: Decimal
) -> Parsed:
    """Return the row of a line: `quantity`, `price` and `amount` are its columns, the amount is signed.

    Raise InvalidInput for what the ledger cannot hold, and if a figure is missing.
    """
    quantity, amount = record.number("quantity"), record.number("amount")
    match action:
        case Action.BUY | Action.SELL:
            return _trade(action, where, record, symbol, costs)
        case Action.IN_LIEU if not quantity:
            raise InvalidInput("Cash for a fraction without the number of shares: record it as a sale.")
        case Action.IN_LIEU:
            return _trade(Action.SELL, where, record, symbol, costs)
        case Action.CORE:
            return IgnoredRow(where.line, "It moves cash within the account.", where.source)
        case Action.SHARES if quantity and not amount:
            return _shares(where, symbol, quantity)
        case Action.SHARES:
            action = Action.TRANSFER
        case Action.SPLIT:
            raise InvalidInput("It is a split, whose ratio the file does not tell: record it by hand.")
        case Action.UNSUPPORTED:
            raise InvalidInput("It is something that the ledger cannot hold.")
        case _:
            pass
    if amount is None:
        raise InvalidInput("It has no amount.", ("amount",))
    if not amount:
        return IgnoredRow(where.line, "It moves nothing.", where.source)
    return where.cash(amount, *_CASH[action], symbol)


def _trade(action: Action, where: Where, record: CsvRecord, symbol: str | None, costs: Decimal) -> Parsed:
    quantity, amount = record.number("quantity"), record.number("amount")
    if not quantity:
        raise InvalidInput("It has no quantity.", ("quantity",))
    if amount is None:
        raise InvalidInput("It has no amount.", ("amount",))
    buys = action is Action.BUY
    price = record.number("price")
    return where.trade(symbol, quantity, price, amount, costs, buys=buys, itemised=False)


def _shares(where: Where, symbol: str | None, quantity: Decimal) -> Parsed:
    if quantity > ZERO:
        raise InvalidInput("Shares came in, at a cost that the file does not tell: record them by hand.")
    return where.row(TransactionType.TRANSFER_OUT, symbol=symbol, quantity=-quantity)

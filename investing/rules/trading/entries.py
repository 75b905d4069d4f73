"""What a recorded transaction must contain, by its type, before it is posted to the ledger."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from db.vocabulary import TransactionType
from investing.rules.errors import InvalidInput
from investing.rules.money import LIMIT, PLACES, QUANTITY_PLACES, has_places
from investing.rules.trading.ledger import SHARE_TYPES, ZERO, Entry, trade_amount

_TRADES = (TransactionType.BUY, TransactionType.SELL)
_TRANSFERS = (TransactionType.TRANSFER_IN, TransactionType.TRANSFER_OUT)
_NEED_SYMBOL = (*_TRADES, TransactionType.DIVIDEND, TransactionType.SPLIT)
_MAY_HAVE_SYMBOL = (*_NEED_SYMBOL, *_TRANSFERS, TransactionType.FEE, TransactionType.TAX)


_OF_SHARES = ("quantity", "split_for")

LONGEST_NOTES = 2000


def check_notes(notes: str | None) -> None:
    """Check the owner's notes; raise InvalidInput if they are too long."""
    if notes is not None and len(notes) > LONGEST_NOTES:
        raise InvalidInput(f"Notes have at most {LONGEST_NOTES} characters.", ("notes",))


def check_places(name: str, value: Decimal | None) -> None:
    """Raise InvalidInput if a value is not a number that can be stored.

    Quantities (`quantity`, `split_for`) have 18 decimal places, amounts and prices 10; either has at most 18
    digits before the decimal point.
    """
    if value is None:
        return
    words = name.split("_")
    field = (words[0] + "".join(word.title() for word in words[1:]),)
    if not value.is_finite() or abs(value) >= LIMIT:
        raise InvalidInput(f"The {' '.join(words)} has more than 18 digits before the point.", field)
    if not has_places(value, QUANTITY_PLACES if name in _OF_SHARES else PLACES):
        most = 18 if name in _OF_SHARES else 10
        raise InvalidInput(f"The {' '.join(words)} has more than {most} decimals.", field)


def entry_of(
    id: UUID,
    type: TransactionType,
    executed_at: dt.datetime,
    now: dt.datetime,
    *,
    has_symbol: bool,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    amount: Decimal | None = None,
    commission: Decimal = ZERO,
    split_for: Decimal | None = None,
) -> Entry:
    """Return the entry that these facts describe.

    BUY and SELL have a quantity and a price (an amount, if given, is their product); a transfer of shares has
    a quantity and, coming in, its cost as amount or price; SPLIT gives `quantity` new shares for every
    `split_for` old ones; everything else has an amount. Raise InvalidInput, naming the field that is missing
    or wrong.
    """
    given = {"quantity": quantity, "price": price, "amount": amount, "commission": commission}
    for name, value in {**given, "split_for": split_for}.items():
        check_places(name, value)
    if executed_at > now:
        raise InvalidInput("executedAt is in the future.", ("executedAt",))
    if type in _NEED_SYMBOL and not has_symbol:
        raise InvalidInput(f"{type} needs the symbol of an instrument.", ("symbol",))
    if has_symbol and type not in _MAY_HAVE_SYMBOL:
        raise InvalidInput(f"{type} is cash alone: leave the symbol out.", ("symbol",))
    if commission < 0:
        raise InvalidInput("A commission must not be negative.", ("commission",))
    of_shares = has_symbol and type in SHARE_TYPES
    if of_shares:
        _require("quantity", quantity)
    elif quantity is not None or price is not None:
        raise InvalidInput(f"{type} has an amount, and no quantity or price.", ("quantity",))
    if type is TransactionType.SPLIT:
        amount, split_for = _of_split(amount, price, split_for)
    elif split_for is not None:
        raise InvalidInput("Only a split has splitFor.", ("splitFor",))
    elif of_shares:
        amount = _amount_of_shares(type, quantity, price, amount)
    else:
        amount = _require("amount", amount)
    if amount >= LIMIT:
        raise InvalidInput("This is more than the ledger can hold.", ("amount",))
    return Entry(
        id=id,
        type=type,
        executed_at=executed_at,
        amount=amount,
        commission=commission,
        quantity=quantity,
        price=price,
        split_for=split_for,
        of_shares=of_shares,
    )


def changes_shares(type: str, instrument_id: UUID | None) -> bool:
    """Return whether a stored transaction is one that changes a holding."""
    return instrument_id is not None and type in SHARE_TYPES


def _require(name: str, value: Decimal | None) -> Decimal:
    if value is None or value <= 0:
        raise InvalidInput(f"The {name} must be given, and above zero.", (name,))
    return value


def _of_split(
    amount: Decimal | None, price: Decimal | None, split_for: Decimal | None
) -> tuple[Decimal, Decimal]:
    if amount is not None or price is not None:
        raise InvalidInput("A split has a quantity and splitFor, and no amount or price.", ("amount",))
    return ZERO, _require("splitFor", Decimal(1) if split_for is None else split_for)


def _amount_of_shares(
    type: TransactionType, quantity: Decimal | None, price: Decimal | None, amount: Decimal | None
) -> Decimal:
    assert quantity is not None, "checked before"
    if price is not None and price < 0:
        raise InvalidInput("A price must not be negative.", ("price",))
    product = None if price is None else trade_amount(quantity, price)
    if type in _TRADES and product is None:
        raise InvalidInput(f"{type} needs a price.", ("price",))
    if product is not None and amount is not None and amount != product:
        raise InvalidInput(
            f"The amount is not quantity x price, which is {product.normalize():f}.", ("amount",)
        )
    given = amount if product is None else product
    if given is not None and given < 0:
        raise InvalidInput("An amount must not be negative.", ("amount",))
    if type is TransactionType.TRANSFER_IN and given is None:
        raise InvalidInput("Shares that come in need their cost, as amount or price.", ("amount",))
    return ZERO if given is None else given

"""The ledger: what one transaction does to cash, to a holding and to its lots.

The same rule serves a trade of today, an entry of long ago and the replay of a whole history. Cost is kept
both ways side by side: on average (buy fees join the cost, a sale removes quantity x average cost) and by
lot, first in first out. Amounts are in the portfolio's currency, quantities in shares.
"""

import datetime as dt
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from db.vocabulary import TransactionType
from investing.rules.money import fits, product, share
from investing.rules.refusals import InsufficientShares, InvalidInput

ZERO = Decimal(0)

SHARE_TYPES = frozenset(
    {
        TransactionType.BUY,
        TransactionType.SELL,
        TransactionType.TRANSFER_IN,
        TransactionType.TRANSFER_OUT,
        TransactionType.SPLIT,
    }
)
"""What can change a holding: the last three only where they name an instrument."""

_CASH_IN = frozenset(
    {TransactionType.DEPOSIT, TransactionType.TRANSFER_IN, TransactionType.DIVIDEND, TransactionType.INTEREST}
)


@dataclass(frozen=True)
class Entry:
    """One transaction as it was given. `of_shares` tells a transfer of shares from one of cash."""

    id: UUID
    type: TransactionType
    executed_at: dt.datetime
    amount: Decimal = ZERO
    commission: Decimal = ZERO
    quantity: Decimal | None = None
    price: Decimal | None = None
    split_for: Decimal | None = None
    of_shares: bool = False


@dataclass(frozen=True)
class Lot:
    """What is left of one purchase."""

    transaction_id: UUID
    opened_at: dt.datetime
    quantity: Decimal
    cost: Decimal


@dataclass
class Holding:
    """What a portfolio holds of one instrument; empty to begin with. Lots are oldest first."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    lots: list[Lot] = field(default_factory=list)


@dataclass(frozen=True)
class Posting:
    """The two deltas of a transaction, and the gain that a sale realised on average cost."""

    cash_delta: Decimal
    quantity_delta: Decimal = ZERO
    realized_pnl: Decimal | None = None


def post_cash(entry: Entry) -> Posting:
    """Posts an entry that changes no holding: cash in or out, less the commission."""
    amount = entry.amount if entry.type in _CASH_IN else -entry.amount
    return Posting(cash_delta=amount - entry.commission)


def check_fits(*amounts: Decimal) -> None:
    """Raises InvalidInput where what an entry leads to is more than can be stored."""
    if not fits(*amounts):
        raise InvalidInput("This is more than the ledger can hold.", ("amount",))


def post(holding: Holding, entry: Entry) -> Posting:
    """Posts an entry to its holding, which it changes.

    Raises InsufficientShares for more shares out than are held and InvalidInput for a split of nothing; the
    holding is as it was then. Raises InvalidInput for more than can be stored; the holding is spoilt then.
    """
    posting = _post(holding, entry)
    check_fits(holding.quantity, holding.cost, holding.realized_pnl, posting.realized_pnl or ZERO)
    return posting


def _post(holding: Holding, entry: Entry) -> Posting:
    match entry.type:
        case TransactionType.BUY:
            _open_lot(holding, entry, cost=entry.amount + entry.commission)
            return Posting(-entry.amount - entry.commission, _quantity(entry))
        case TransactionType.TRANSFER_IN:
            _open_lot(holding, entry, cost=entry.amount)
            return Posting(-entry.commission, _quantity(entry))
        case TransactionType.SELL:
            proceeds = entry.amount - entry.commission
            gain = proceeds - _remove(holding, entry)
            holding.realized_pnl += gain
            return Posting(proceeds, -_quantity(entry), gain)
        case TransactionType.TRANSFER_OUT:
            _remove(holding, entry)
            return Posting(-entry.commission, -_quantity(entry))
        case TransactionType.SPLIT:
            return Posting(-entry.commission, _split(holding, entry))
        case _:
            return post_cash(entry)


def _quantity(entry: Entry) -> Decimal:
    assert entry.quantity is not None, f"a {entry.type} of shares has a quantity"
    return entry.quantity


def _open_lot(holding: Holding, entry: Entry, cost: Decimal) -> None:
    holding.quantity += _quantity(entry)
    holding.cost += cost
    holding.lots.append(Lot(entry.id, entry.executed_at, _quantity(entry), cost))


def _remove(holding: Holding, entry: Entry) -> Decimal:
    """Takes shares out at average cost and from the oldest lots. The average cost of what was taken."""
    quantity = _quantity(entry)
    if quantity > holding.quantity:
        raise InsufficientShares(
            f"{quantity.normalize():f} shares are needed on {entry.executed_at.date()}, "
            f"{holding.quantity.normalize():f} are held.",
            ("quantity",),
            required=quantity,
            available=holding.quantity,
            on_date=entry.executed_at.date(),
        )
    cost = _cost_of(holding.cost, quantity, holding.quantity)
    holding.quantity -= quantity
    holding.cost -= cost
    while quantity:
        lot = holding.lots.pop(0)
        taken = min(quantity, lot.quantity)
        quantity -= taken
        if taken < lot.quantity:
            left = lot.cost - _cost_of(lot.cost, taken, lot.quantity)
            holding.lots.insert(0, replace(lot, quantity=lot.quantity - taken, cost=left))
    return cost


def _cost_of(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    # All of it for the last share, so that a closed position has cost zero to the last digit.
    return cost if part == whole else share(cost, part, whole)


def _split(holding: Holding, entry: Entry) -> Decimal:
    """Gives `quantity` new shares for every `split_for` old ones, lot by lot; cost does not change."""
    if not holding.quantity:
        raise InvalidInput(f"Nothing was held on {entry.executed_at.date()} that a split could change.")
    assert entry.split_for, "a split has a ratio"
    lots = [
        replace(lot, quantity=share(lot.quantity, _quantity(entry), entry.split_for)) for lot in holding.lots
    ]
    if not all(lot.quantity for lot in lots):
        raise InvalidInput("The split would leave nothing of a lot: give its ratio the other way round?")
    before, holding.lots = holding.quantity, lots
    holding.quantity = sum((lot.quantity for lot in lots), ZERO)
    return holding.quantity - before


def trade_amount(quantity: Decimal, price: Decimal) -> Decimal:
    """What a trade costs or brings before commission."""
    return product(quantity, price)

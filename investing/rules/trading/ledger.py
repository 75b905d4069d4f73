"""The ledger: what one transaction does to cash, to a holding and to its lots.

The same rule serves a trade made now, a back-dated entry and the replay of a whole history. Cost is kept by
both methods side by side: average cost (buy fees are added to the cost, a sale removes quantity x average
cost) and by lot, first in first out. Amounts are in the portfolio's currency, quantities in shares.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientShares, InvalidInput
from investing.rules.market.market_hours import day_of
from investing.rules.money import fits, product
from investing.rules.trading.lots import LotChange, TaxLot, add, part_of, split, take, with_gains, without

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
"""The types that can change a holding: transfers only if they name an instrument."""

_CASH_IN = frozenset(
    {TransactionType.DEPOSIT, TransactionType.TRANSFER_IN, TransactionType.DIVIDEND, TransactionType.INTEREST}
)


_IN = frozenset({TransactionType.BUY, TransactionType.TRANSFER_IN})


def overtaking(type: TransactionType) -> frozenset[TransactionType]:
    """Return the types of a holding's later entries that an entry of this type must not be posted after.

    Shares that only come in do not affect those that come in later, and may be posted as if they were the
    last.
    """
    return SHARE_TYPES - _IN if type in _IN else SHARE_TYPES


@dataclass(frozen=True)
class Entry:
    """One transaction as it was given. `of_shares` distinguishes a transfer of shares from one of cash.

    `is_automatic` is a split that follows from the instrument's own: if nothing is held, it does nothing.
    `time_zone` is the account's, which decides the entry's day.
    """

    id: UUID
    type: TransactionType
    executed_at: dt.datetime
    amount: Decimal = ZERO
    commission: Decimal = ZERO
    quantity: Decimal | None = None
    price: Decimal | None = None
    split_for: Decimal | None = None
    of_shares: bool = False
    is_automatic: bool = False
    time_zone: str = "UTC"

    @property
    def day(self) -> dt.date:
        """The day of the entry in the account's time zone."""
        return day_of(self.executed_at, self.time_zone)

    @property
    def place(self) -> tuple[dt.datetime, UUID]:
        """Its position on the ledger: by time and then by id."""
        return (self.executed_at, self.id)


@dataclass
class Holding:
    """What a portfolio holds of one instrument, initially nothing. Lots are oldest first.

    It may know only its oldest lots, as long as those hold as many shares as will be taken.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    realized_pnl_fifo: Decimal = ZERO
    lots: list[TaxLot] = field(default_factory=list)


@dataclass(frozen=True)
class Posting:
    """The effects of a transaction.

    There are the deltas of cash, of shares and of their average cost; what a sale gained by average cost and
    first in first out; the lots that it used, and those that it opened.
    """

    cash_delta: Decimal
    quantity_delta: Decimal = ZERO
    realized_pnl: Decimal | None = None
    cost_delta: Decimal = ZERO
    realized_pnl_fifo: Decimal | None = None
    uses: tuple[LotChange, ...] = ()
    opened: tuple[TaxLot, ...] = ()


@dataclass(frozen=True)
class Moved:
    """What was transferred from one portfolio to another: its average cost, and the parts of lots.

    `ratio` is how many of the other portfolio's shares one of these is: 1, unless a split has reached the
    shares of one portfolio and not yet those of the other.
    """

    cost: Decimal
    parts: tuple[LotChange, ...]
    ratio: Fraction = Fraction(1)

    @classmethod
    def by(cls, out: Posting) -> "Moved":
        """Return what this transfer out moves."""
        return cls(-out.cost_delta, out.uses)


def check_fits(*amounts: Decimal) -> None:
    """Raise InvalidInput if the result of an entry is more than can be stored."""
    if not fits(*amounts):
        raise InvalidInput("This is more than the ledger can hold.", ("amount",))


def post_cash(entry: Entry) -> Posting:
    """Post an entry that changes no holding: cash in or out, minus the commission."""
    amount = entry.amount if entry.type in _CASH_IN else -entry.amount
    return Posting(cash_delta=amount - entry.commission)


def post(holding: Holding, entry: Entry, moved: Moved | None = None) -> Posting:
    """Post an entry to its holding, which is changed in place.

    `moved` is what a transfer between the owner's portfolios brings in. Raise InsufficientShares if more
    shares would go out than are held, and InvalidInput for a split of nothing; the holding is then unchanged.
    Raise InvalidInput if the result is more than can be stored; the holding is then no longer valid.
    """
    posting = _post(holding, entry, moved)
    check_fits(holding.quantity, holding.cost, holding.realized_pnl, posting.realized_pnl or ZERO)
    return posting


def _post(holding: Holding, entry: Entry, moved: Moved | None) -> Posting:
    match entry.type:
        case TransactionType.BUY:
            return _open(holding, entry, -entry.amount - entry.commission, entry.amount + entry.commission)
        case TransactionType.TRANSFER_IN if moved is not None:
            return _bring_in(holding, entry, moved)
        case TransactionType.TRANSFER_IN:
            return _open(holding, entry, -entry.commission, entry.amount)
        case TransactionType.SELL:
            return _sell(holding, entry)
        case TransactionType.TRANSFER_OUT:
            cost, uses = _remove(holding, entry)
            return Posting(-entry.commission, -_quantity(entry), cost_delta=-cost, uses=tuple(uses))
        case TransactionType.SPLIT:
            return _split(holding, entry)
        case _:
            return post_cash(entry)


def take_back(holding: Holding, posted: Collection[tuple[UUID, Posting]]) -> None:
    """Restore the holding to what it was before its latest entries, given by their ids and postings.

    Its lots must include all that those entries used, closed ones with a quantity of zero.
    """
    for _, posting in posted:
        holding.quantity -= posting.quantity_delta
        holding.cost -= posting.cost_delta
        holding.realized_pnl -= posting.realized_pnl or ZERO
        holding.realized_pnl_fifo -= posting.realized_pnl_fifo or ZERO
    uses = (use for _, posting in posted for use in posting.uses)
    holding.lots = without(holding.lots, uses, {id for id, _ in posted})


def _quantity(entry: Entry) -> Decimal:
    assert entry.quantity is not None, f"a {entry.type} of shares has a quantity"
    return entry.quantity


def _open(holding: Holding, entry: Entry, cash_delta: Decimal, cost: Decimal) -> Posting:
    lot = TaxLot(entry.id, entry.executed_at, _quantity(entry), cost)
    return _add(holding, lot.quantity, cash_delta, cost, (lot,))


def _bring_in(holding: Holding, entry: Entry, moved: Moved) -> Posting:
    lots = [
        TaxLot(entry.id, part.opened_at, -part.quantity_delta, -part.cost_delta, number)
        for number, part in enumerate(moved.parts)
    ]
    quantity = _quantity(entry)
    if moved.ratio != 1:
        quantity += _convert(lots, moved.ratio)
    return _add(holding, quantity, -entry.commission, moved.cost, tuple(lots))


def _convert(lots: list[TaxLot], ratio: Fraction) -> Decimal:
    """Convert incoming lots to the holding's shares, rounded as by a split; return the shares added."""
    uses = split(lots, Decimal(ratio.numerator), Decimal(ratio.denominator))
    if uses is None:
        raise InvalidInput("Too little would come in: a split leaves nothing of it.", ("quantity",))
    return sum((use.quantity_delta for use in uses), ZERO)


def _add(
    holding: Holding, quantity: Decimal, cash_delta: Decimal, cost: Decimal, lots: tuple[TaxLot, ...]
) -> Posting:
    holding.quantity += quantity
    holding.cost += cost
    for lot in lots:
        add(holding.lots, lot)
    return Posting(cash_delta, quantity, cost_delta=cost, opened=lots)


def _sell(holding: Holding, entry: Entry) -> Posting:
    cost, uses = _remove(holding, entry)
    proceeds = entry.amount - entry.commission
    uses = with_gains(uses, proceeds)
    fifo = sum((use.gain for use in uses if use.gain is not None), ZERO)
    holding.realized_pnl += proceeds - cost
    holding.realized_pnl_fifo += fifo
    return Posting(proceeds, -_quantity(entry), proceeds - cost, -cost, fifo, tuple(uses))


def _remove(holding: Holding, entry: Entry) -> tuple[Decimal, list[LotChange]]:
    """Remove shares at average cost and from the oldest lots; return the average cost and the lots used."""
    quantity = _quantity(entry)
    if quantity > holding.quantity:
        raise InsufficientShares(
            f"{quantity.normalize():f} shares are needed on {entry.day}, "
            f"{holding.quantity.normalize():f} are held.",
            ("quantity",),
            required=quantity,
            available=holding.quantity,
            on_date=entry.day,
        )
    cost = part_of(holding.cost, quantity, holding.quantity)
    holding.quantity -= quantity
    holding.cost -= cost
    return cost, take(holding.lots, quantity)


def _split(holding: Holding, entry: Entry) -> Posting:
    """Give `quantity` new shares for every `split_for` old ones; cost does not change.

    An automatic split of nothing, or of too little, leaves the holding as it is: the purchase that made
    somebody a holder may be reversed and recorded again, and the split must apply both times.
    """
    assert entry.split_for, "a split has a ratio"
    uses = split(holding.lots, _quantity(entry), entry.split_for) if holding.quantity else None
    if uses is None and not entry.is_automatic:
        if holding.quantity:
            raise InvalidInput("The split would leave nothing of a lot: is its ratio the wrong way round?")
        raise InvalidInput(f"Nothing was held on {entry.day} that a split could change.")
    more = sum((use.quantity_delta for use in uses or ()), ZERO)
    holding.quantity += more
    return Posting(-entry.commission, more, uses=tuple(uses or ()))


def trade_amount(quantity: Decimal, price: Decimal) -> Decimal:
    """Return what a trade costs or brings in before commission."""
    return product(quantity, price)

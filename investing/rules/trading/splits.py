"""An instrument's splits: how they change a price, an order or a level, and which two are the same split.

A split gives `quantity` new shares for every `split_for` old ones from its ex-date on. A price is per share
of some day; the price per share of another day follows from the splits between them. The SQL functions
`restated` and `close_on` (`db.market.splits`) do the same.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal
from fractions import Fraction
from uuid import UUID

from db.vocabulary import OrderSide, PriceBasis
from investing.rules.errors import InvalidInput
from investing.rules.money import LIMIT, PLACES, QUANTITY_PLACES

ZERO = Decimal(0)
SAME = dt.timedelta(days=7)
"""Two splits of an instrument with the same ratio, no further apart than this, are the same split."""

PRICE_PLACES = Decimal("1E-18")
"""The places of a restated price, enough for a return over several splits to keep its ten places."""

_WIDE = Context(prec=100)
_FIRST_ID = UUID(int=0)

FIRST_PLACE = (dt.datetime.min.replace(tzinfo=dt.UTC), _FIRST_ID)
"""The position on the ledger before all others."""


@dataclass(frozen=True, slots=True)
class SplitRatio:
    """From `ex_date` on, `quantity` new shares for every `split_for` old ones."""

    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal

    @property
    def ratio(self) -> Fraction:
        """How many new shares one old share becomes."""
        return Fraction(self.quantity) / Fraction(self.split_for)

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f}-for-{self.split_for.normalize():f}"

    def is_same(self, date: dt.date, quantity: Decimal, split_for: Decimal) -> bool:
        """Return whether a split of that day and ratio is this one: see `SAME`."""
        is_near = abs(date - self.ex_date) <= SAME
        return is_near and quantity * self.split_for == self.quantity * split_for


SplitPlaces = Mapping[dt.date, tuple[dt.datetime, UUID]]
"""By ex-date, the position on the ledger (time and id) at which a split applies to a portfolio's shares."""


def converted(
    splits: Iterable[SplitRatio],
    left: SplitPlaces,
    reached: SplitPlaces,
    at: tuple[dt.datetime, UUID],
) -> Fraction:
    """Return how many shares of one portfolio a share of another one becomes in a transfer.

    The share leaves the portfolio with the splits at `left`, and comes in where they are at `reached`. A
    split makes a difference if it has applied, by that position on the ledger, in only one of the two: if the
    shares that leave are old ones, the ratio multiplies them, in the other case it divides them.
    """
    ratio = Fraction(1)
    for split in splits:
        was_new, becomes_new = left[split.ex_date] < at, reached[split.ex_date] < at
        if was_new != becomes_new:
            ratio *= split.ratio if becomes_new else 1 / split.ratio
    return ratio


def first_affected(executed_at: dt.datetime) -> tuple[dt.datetime, UUID]:
    """Return the position on the ledger from which on an owner's entry for a split can change a holding.

    The entry stands for the instrument's split, whose ex-date may be some days before, and decides whether
    the shares moved in between are old or new ones.
    """
    try:
        return executed_at - SAME - dt.timedelta(days=1), _FIRST_ID
    except OverflowError:
        return FIRST_PLACE


def check_split(split: SplitRatio) -> None:
    """Raise InvalidInput if the ratio is not a valid one.

    It is above zero, has at most ten places, and is not 1.
    """
    for name, value in (("quantity", split.quantity), ("splitFor", split.split_for)):
        if not value.is_finite() or not 0 < value < LIMIT or value != round(value, 10):
            raise InvalidInput(f"The {name} must be above zero, with at most 10 places.", (name,))
    if split.quantity == split.split_for:
        raise InvalidInput("A split of 1 for 1 changes nothing.", ("quantity",))
    if not Decimal("0.0001") <= split.quantity / split.split_for <= 10_000:
        raise InvalidInput("A split gives at most 10,000 shares for one, or one for 10,000.", ("quantity",))


def restated(price: Decimal, splits: Iterable[SplitRatio], given: dt.date, wanted: dt.date) -> Decimal:
    """Return a price per share of the day `given` as a price per share of the day `wanted`.

    Each split with an ex-date after the earlier day, up to the later one, divides the price by its ratio, or
    multiplies it if `wanted` is the earlier day. The result is rounded once, at 18 places, if there is any
    split. The SQL function of the same name does the same.
    """
    ratio = Fraction(1)
    for split in splits:
        if min(given, wanted) < split.ex_date <= max(given, wanted):
            ratio *= split.ratio
    if ratio == 1:
        return price
    if given > wanted:
        ratio = 1 / ratio
    value = Fraction(price) / ratio
    exact = _WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))
    return exact.quantize(PRICE_PLACES, "ROUND_HALF_UP", _WIDE)


def close_on(
    close: Decimal,
    basis: PriceBasis,
    splits: Iterable[SplitRatio],
    bar: dt.date,
    newest: dt.date,
    wanted: dt.date,
) -> Decimal:
    """Return a bar's close per share of the day `wanted`; `newest` is the newest day of its series.

    A raw close is per share of its own day. An adjusted one is per share of the newest day of the series: a
    file of adjusted prices is adjusted for the splits up to its last day, and for none after it. Dividends
    stay in a fully adjusted close. The SQL function of the same name does the same.
    """
    return restated(close, splits, bar if basis is PriceBasis.RAW else newest, wanted)


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """What a split changes of an open order; prices are per share, None if the order has none."""

    side: OrderSide
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    worst_price: Decimal | None


def order_after(order: RestingOrder, split: SplitRatio, *, whole_shares: bool) -> RestingOrder | None:
    """Return the order after the split, or None if nothing is left that it could trade.

    What it has traded stays as it was; the rest is multiplied by the ratio and its prices are divided by it.
    Both are rounded so that the order never needs more than it had reserved: quantities down, a buyer's
    prices down, a seller's up. The result is None if the quantity or a price becomes zero or more than can be
    stored, and, with `whole_shares`, if an order of whole shares would become one of fractions.
    """
    before = order.quantity - order.filled
    remaining = _scaled(before, split.ratio, ROUND_DOWN, QUANTITY_PLACES)
    prices = [
        None
        if price is None
        else _scaled(price, 1 / split.ratio, ROUND_DOWN if order.side is OrderSide.BUY else ROUND_UP)
        for price in (order.limit_price, order.worst_price)
    ]
    quantity = order.filled + remaining
    allowed = 0 < remaining and quantity < LIMIT
    allowed = allowed and all(price is None or 0 < price < LIMIT for price in prices)
    if not allowed or (whole_shares and _is_whole(before) and not _is_whole(remaining)):
        return None
    return RestingOrder(order.side, quantity, order.filled, *prices)


def automatic_id(portfolio_id: UUID, instrument_id: UUID, ex_date: dt.date, number: int = 0) -> UUID:
    """Return the id of a portfolio's automatic entry for a split.

    It is always the same, so that the split is posted only once. It is a UUIDv7 whose time is zero, which
    sorts before whatever else has its instant. `number` is how often such an entry was reversed because the
    account's time zone or the split itself had changed.
    """
    name = f"{portfolio_id}/{instrument_id}/{ex_date.isoformat()}" + (f"/{number}" if number else "")
    random = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) & ((1 << 62) - 1)
    return UUID(int=0x7 << 76 | 0b10 << 62 | random)


def _scaled(value: Decimal, ratio: Fraction, rounding: str, places: Decimal = PLACES) -> Decimal:
    exact = Fraction(value) * ratio
    context = Context(prec=120, rounding=rounding)
    return context.divide(Decimal(exact.numerator), Decimal(exact.denominator)).quantize(
        places, rounding, context
    )


def _is_whole(quantity: Decimal) -> bool:
    return quantity == quantity.to_integral_value()

"""An instrument's splits: what a price, an order or a level becomes by them, and which two are the same.

A split gives `quantity` new shares for every `split_for` old ones from its ex-date on. A price is for one
share of some day; what it is for a share of another day follows from the splits between them. The same in SQL
are the functions `restated` and `close_on` (`db.market.splits`).
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
"""Two splits of an instrument with one ratio and no further apart than this are the same split."""

PRICE_PLACES = Decimal("1E-18")
"""What a restated price is rounded to, so that a return over several splits keeps its ten places."""

_WIDE = Context(prec=100)
_FIRST_ID = UUID(int=0)

FIRST_PLACE = (dt.datetime.min.replace(tzinfo=dt.UTC), _FIRST_ID)
"""The place of the ledger before all others."""


@dataclass(frozen=True, slots=True)
class SplitRatio:
    """From `ex_date` on, `quantity` new shares for every `split_for` old ones."""

    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal

    @property
    def ratio(self) -> Fraction:
        """Return how many new shares one old share becomes."""
        return Fraction(self.quantity) / Fraction(self.split_for)

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f}-for-{self.split_for.normalize():f}"

    def is_same(self, date: dt.date, quantity: Decimal, split_for: Decimal) -> bool:
        """Return whether a split of that day and ratio is this one: see `SAME`."""
        is_near = abs(date - self.ex_date) <= SAME
        return is_near and quantity * self.split_for == self.quantity * split_for


SplitPlaces = Mapping[dt.date, tuple[dt.datetime, UUID]]
"""By ex-date the place of the ledger at which a split reaches a portfolio's shares: by time and by id."""


def converted(
    splits: Iterable[SplitRatio],
    left: SplitPlaces,
    reached: SplitPlaces,
    at: tuple[dt.datetime, UUID],
) -> Fraction:
    """Return how many shares of the portfolio that shares `reached` one share is of that which they `left`.

    Each split that has begun, at that place of the ledger, in one of the two alone makes a difference: where
    the shares that leave are old ones there are as many more as the ratio says, and the other way round.
    """
    ratio = Fraction(1)
    for split in splits:
        was_new, becomes_new = left[split.ex_date] < at, reached[split.ex_date] < at
        if was_new != becomes_new:
            ratio *= split.ratio if becomes_new else 1 / split.ratio
    return ratio


def first_affected(executed_at: dt.datetime) -> tuple[dt.datetime, UUID]:
    """Return the place of the ledger from which on an owner's entry for a split can change a holding.

    It stands for the instrument's, whose ex-date may be some days before, and decides what shares those are
    that were moved in between.
    """
    try:
        return executed_at - SAME - dt.timedelta(days=1), _FIRST_ID
    except OverflowError:
        return FIRST_PLACE


def check_split(split: SplitRatio) -> None:
    """Raise InvalidInput for a ratio that is none: not above zero, 1, or with more places than are kept."""
    for name, value in (("quantity", split.quantity), ("splitFor", split.split_for)):
        if not value.is_finite() or not 0 < value < LIMIT or value != round(value, 10):
            raise InvalidInput(f"The {name} is above zero, with at most 10 places.", (name,))
    if split.quantity == split.split_for:
        raise InvalidInput("A split of 1 for 1 changes nothing.", ("quantity",))
    if not Decimal("0.0001") <= split.quantity / split.split_for <= 10_000:
        raise InvalidInput("A split gives at most 10,000 shares for one, or one for 10,000.", ("quantity",))


def restated(price: Decimal, splits: Iterable[SplitRatio], given: dt.date, wanted: dt.date) -> Decimal:
    """Return a price for one share of the day `given` as one for a share of the day `wanted`.

    Each split with an ex-date after the earlier day, up to the later one, divides it by its ratio; on the way
    back it multiplies. Rounded once, at 18 places, where there is any. The SQL function of that name does
    the same.
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
    """Return a bar's close for one share of the day `wanted`; `newest` is the newest day of its series.

    A raw close is for a share of its own day. An adjusted one is for a share of the newest day of the series:
    a file of adjusted prices is adjusted for the splits up to its last day, and for none after it. What is
    paid out stays in a fully adjusted close. The SQL function of that name does the same.
    """
    return restated(close, splits, bar if basis is PriceBasis.RAW else newest, wanted)


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """What a split changes of an open order; prices are for one share, None where it has none."""

    side: OrderSide
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    worst_price: Decimal | None


def order_after(order: RestingOrder, split: SplitRatio, *, whole_shares: bool) -> RestingOrder | None:
    """Return the order after the split, or None where nothing is left that it could trade.

    What it has traded stays as it was; the rest is multiplied by the ratio and its prices divided by it. Both
    are rounded so that it never needs more than it had reserved: quantities down, a buyer's prices down, a
    seller's up. None where the quantity or a price comes to nothing or to more than can be kept, and, with
    `whole_shares`, where an order of whole shares would be one of parts.
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
    """Return the id of a portfolio's automatic entry for a split: always the same, so that it is posted once.

    A UUIDv7 whose time is zero: it sorts before whatever else has its instant. `number` tells how often such
    an entry was taken back because the account's time zone or the split itself had changed.
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

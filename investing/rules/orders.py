"""Orders: what may be placed, what it reserves, and where an order may go from where it stands.

Amounts are in the portfolio's currency, quantities in shares, prices for one share.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal

from db.vocabulary import BrokerOrderStatus, OrderSide, OrderStatus, OrderType, TimeInForce
from investing.rules.market_hours import NEW_YORK, closing_time
from investing.rules.money import LIMIT, PLACES, product, quotient, share
from investing.rules.refusals import InvalidInput, PositionTooLarge, StalePrice

ZERO = Decimal(0)
_DOWN = Context(prec=80, rounding=ROUND_DOWN)

OPEN = frozenset(
    {OrderStatus.PENDING, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.UNKNOWN}
)
"""Where an order may still trade, and so still holds back what it may need."""

_ENDS = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED})
_NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: _ENDS
    | {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.UNKNOWN, OrderStatus.REJECTED},
    OrderStatus.UNKNOWN: _ENDS | {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.REJECTED},
    OrderStatus.ACCEPTED: _ENDS | {OrderStatus.PARTIALLY_FILLED, OrderStatus.REJECTED},
    OrderStatus.PARTIALLY_FILLED: _ENDS | {OrderStatus.PARTIALLY_FILLED},
}


@dataclass(frozen=True)
class Terms:
    """What a broker takes: for each order, for each share, and of the price (`slippage`, a fraction).

    `shares_per_tick` is the most that one tick fills of an order, None for no limit.
    """

    commission_per_order: Decimal = ZERO
    commission_per_share: Decimal = ZERO
    slippage: Decimal = ZERO
    shares_per_tick: Decimal | None = None

    def commission(self, quantity: Decimal) -> Decimal:
        """What a whole order of so many shares costs."""
        return self.commission_per_order + product(self.commission_per_share, quantity)

    def slipped(self, side: OrderSide, price: Decimal) -> Decimal:
        """The price that a market order gets when this is the quote: worse, never better."""
        away = product(price, self.slippage)
        return price + away if side is OrderSide.BUY else price - away


@dataclass(frozen=True)
class Wish:
    """A trade as its owner wants it: so many shares, or shares for so much cash (`notional`)."""

    side: OrderSide
    type: OrderType
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    time_in_force: TimeInForce


@dataclass(frozen=True)
class Ticket:
    """A wish made definite.

    `worst_price` is the protection of a MARKET order: it is never filled beyond, so that what is reserved is
    enough, however the quote moves. None where no price can hurt.
    """

    quantity: Decimal
    worst_price: Decimal | None
    reserved_cash: Decimal
    reserved_quantity: Decimal


def check_wish(wish: Wish) -> None:
    """Raises InvalidInput for a wish that makes no sense at any price."""
    if (wish.quantity is None) == (wish.notional is None):
        raise InvalidInput("Give the quantity or the notional: one of them, not both.", ("quantity",))
    for name, value in (("quantity", wish.quantity), ("notional", wish.notional)):
        if value is not None and value <= 0:
            raise InvalidInput(f"The {name} is above zero.", (name,))
    if wish.type is OrderType.LIMIT and wish.limit_price is None:
        raise InvalidInput("A LIMIT order needs its limitPrice.", ("limitPrice",))
    if wish.type is OrderType.MARKET and wish.limit_price is not None:
        raise InvalidInput("A MARKET order has no limitPrice: make it a LIMIT order.", ("limitPrice",))
    if wish.limit_price is not None and wish.limit_price <= 0:
        raise InvalidInput("The limitPrice is above zero.", ("limitPrice",))


def ticket_of(wish: Wish, price: Decimal, terms: Terms) -> Ticket:
    """The wish at its price: the limit, or the quote of a MARKET order.

    A BUY reserves quantity x price x (1 + slippage) and the commission; of a `notional` all of that is paid.
    A SELL reserves its shares, and the commission in cash where the shares might not bring it in. Raises
    InvalidInput for nothing at all and for more than the ledger can hold.
    """
    dearest = price if wish.type is OrderType.LIMIT else terms.slipped(wish.side, price)
    quantity = wish.quantity if wish.quantity is not None else _affordable(wish, dearest, terms)
    if quantity <= 0:
        raise InvalidInput("This notional does not pay for the smallest part of a share.", ("notional",))
    if quantity >= LIMIT or quantity * dearest + terms.commission(quantity) >= LIMIT:
        raise InvalidInput("This is more than the ledger can hold.", ("quantity",))
    is_market = wish.type is OrderType.MARKET
    if wish.side is OrderSide.BUY:
        cash = product(quantity, dearest) + terms.commission(quantity) + _rounding(quantity, terms)
        return Ticket(quantity, dearest if is_market else None, cash, ZERO)
    commission = terms.commission(quantity)
    if not commission:
        return Ticket(quantity, None, ZERO, quantity)
    if product(quantity, dearest) < 2 * commission:
        return Ticket(quantity, None, commission, quantity)
    return Ticket(quantity, quotient(commission, quantity) + PLACES if is_market else None, ZERO, quantity)


def _affordable(wish: Wish, price: Decimal, terms: Terms) -> Decimal:
    assert wish.notional is not None, "checked before"
    if wish.side is OrderSide.SELL:
        return _divided_down(wish.notional, price)
    spendable = wish.notional - terms.commission_per_order
    each = price + terms.commission_per_share
    most = _divided_down(spendable, each)
    # So that not even roundings make it cost more than the notional, which may be all the cash there is.
    spare = _rounding(most, terms) + (PLACES if terms.commission_per_share else ZERO)
    return _divided_down(spendable - spare, each) if spare else most


def _divided_down(amount: Decimal, price: Decimal) -> Decimal:
    return _DOWN.quantize(_DOWN.divide(amount, price), PLACES)


def _rounding(quantity: Decimal, terms: Terms) -> Decimal:
    """What the roundings of several fills may add up to; nothing where there is one."""
    if terms.shares_per_tick is None or quantity <= terms.shares_per_tick:
        return ZERO
    return 3 * PLACES * (quantity / terms.shares_per_tick).to_integral_value("ROUND_CEILING")


def more_reserved(before: Decimal, after: Decimal, terms: Terms) -> Decimal:
    """Return what an order of `after` shares reserves for commission and rounding beyond one of `before`."""
    more = terms.commission(after) - terms.commission(before)
    return max(more + _rounding(after, terms) - _rounding(before, terms), ZERO)


def still_reserved(reserved: Decimal, remaining: Decimal, filled: Decimal) -> Decimal:
    """What an order reserves after `filled` of its `remaining` shares: its part, none after the last."""
    if filled >= remaining:
        return ZERO
    return share(reserved, remaining - filled, remaining)


def check_size(
    symbol: str, value_after: Decimal, total_value: Decimal, largest: Decimal, *, field: str = "quantity"
) -> None:
    """A buy may not make a position larger than this fraction of the portfolio; 1 is no limit.

    `value_after` is what the position and its open buys are worth with this order. Raises PositionTooLarge.
    """
    if largest >= 1 or value_after <= largest * total_value:
        return
    weight = quotient(value_after, total_value) if total_value > 0 else None
    raise PositionTooLarge(
        f"{symbol} would be more than {largest.normalize():f} of the portfolio.",
        (field,),
        symbol=symbol,
        weight=weight,
        max_position_size=largest,
        largest_value=product(largest, max(total_value, ZERO)),
    )


def check_fresh(symbol: str, as_of: dt.datetime, now: dt.datetime, max_age: dt.timedelta | None) -> None:
    """Raises StalePrice for a quote that is older than a MARKET order may trust."""
    if max_age is not None and now - as_of > max_age:
        raise StalePrice(
            f"The price of {symbol} is of {as_of:%Y-%m-%d %H:%M} UTC, which is too old for a MARKET order: "
            "give a limit price.",
            ("symbol",),
            symbol=symbol,
            price_as_of=as_of,
            oldest=now - max_age,
        )


def expires_at(time_in_force: TimeInForce, now: dt.datetime) -> dt.datetime | None:
    """When a DAY order ends: at the next New York close of a weekday. Holidays are not told apart."""
    if time_in_force is TimeInForce.GTC:
        return None
    date = now.astimezone(NEW_YORK).date()
    while date.weekday() >= 5 or closing_time(date) <= now:
        date += dt.timedelta(days=1)
    return closing_time(date)


def status_of(
    broker_status: BrokerOrderStatus, filled: Decimal, quantity: Decimal, *, is_due: bool
) -> OrderStatus:
    """Where an order stands, given what its broker says and what is filled of it on the ledger."""
    if filled >= quantity:
        return OrderStatus.FILLED
    match broker_status:
        case BrokerOrderStatus.REJECTED:
            return OrderStatus.REJECTED
        case BrokerOrderStatus.CANCELLED:
            return OrderStatus.EXPIRED if is_due else OrderStatus.CANCELLED
        case _:
            return OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.ACCEPTED


def may_become(now: OrderStatus, then: OrderStatus) -> bool:
    """Whether an order that stands here may go there. From an end there is no way on."""
    return then in _NEXT.get(now, frozenset())

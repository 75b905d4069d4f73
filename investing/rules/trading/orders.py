"""Orders: what may be placed, what it reserves, and where an order may go from where it stands.

Amounts are in the portfolio's currency, quantities in shares, prices for one share.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from db.vocabulary import AssetClass, BrokerOrderStatus, OrderSide, OrderStatus, OrderType, TimeInForce
from investing.rules.errors import InvalidInput, PositionTooLarge, StalePrice
from investing.rules.market.market_days import next_close
from investing.rules.market.market_hours import day_of, end_of_day, trades_in_new_york
from investing.rules.money import LIMIT, PLACES, has_places, product, quantity_for, quotient

ZERO = Decimal(0)

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
class BrokerFees:
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
class OrderRequest:
    """A trade as its owner wants it: so many shares, or shares for so much cash (`notional`)."""

    side: OrderSide
    type: OrderType
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    time_in_force: TimeInForce


@dataclass(frozen=True)
class SizedOrder:
    """A wish made definite.

    `worst_price` is the protection of a MARKET order: it is never filled beyond, so that what is reserved is
    enough, however the quote moves. None where no price can hurt.
    """

    quantity: Decimal
    worst_price: Decimal | None
    reserved_cash: Decimal
    reserved_quantity: Decimal


def check_order_request(request: OrderRequest) -> None:
    """Raises InvalidInput for a wish that makes no sense at any price."""
    if (request.quantity is None) == (request.notional is None):
        raise InvalidInput("Give the quantity or the notional: one of them, not both.", ("quantity",))
    for name, value in (("quantity", request.quantity), ("notional", request.notional)):
        if value is not None and value <= 0:
            raise InvalidInput(f"The {name} is above zero.", (name,))
    for name, value in (("notional", request.notional), ("limitPrice", request.limit_price)):
        if value is not None and not has_places(value):
            raise InvalidInput(f"The {name} has more than 10 decimals.", (name,))
    if request.type is OrderType.LIMIT and request.limit_price is None:
        raise InvalidInput("A LIMIT order needs its limitPrice.", ("limitPrice",))
    if request.type is OrderType.MARKET and request.limit_price is not None:
        raise InvalidInput("A MARKET order has no limitPrice: make it a LIMIT order.", ("limitPrice",))
    if request.limit_price is not None and request.limit_price <= 0:
        raise InvalidInput("The limitPrice is above zero.", ("limitPrice",))


def size_order(request: OrderRequest, price: Decimal, fees: BrokerFees, free: Decimal = ZERO) -> SizedOrder:
    """The wish at its price: the limit, or the quote of a MARKET order.

    A BUY reserves quantity x price x (1 + slippage) and the commission; of a `notional` all of that is paid.
    A SELL reserves its shares, and the commission in cash where the shares might not bring it in. One whose
    `notional` is what the `free` shares are worth sells all of them, so that none of their value's rounding
    stays behind. Raises InvalidInput for nothing at all, for more than the ledger can hold, and for a BUY at
    a price of nothing.
    """
    dearest = price if request.type is OrderType.LIMIT else fees.slipped(request.side, price)
    quantity = _wanted(request, price, dearest, fees, free)
    if quantity <= 0:
        raise InvalidInput("This notional does not pay for the smallest part of a share.", ("notional",))
    if quantity >= LIMIT or quantity * dearest + fees.commission(quantity) >= LIMIT:
        raise InvalidInput("This is more than the ledger can hold.", ("quantity",))
    is_market = request.type is OrderType.MARKET
    if request.side is OrderSide.BUY:
        amount = product(quantity, dearest)
        if not amount:
            raise InvalidInput("So few shares cost less than 0.0000000001: buy more of them.", ("quantity",))
        cash = amount + fees.commission(quantity)
        return SizedOrder(quantity, dearest if is_market else None, cash, ZERO)
    commission = fees.commission(quantity)
    if not commission:
        return SizedOrder(quantity, None, ZERO, quantity)
    if product(quantity, dearest) < 2 * commission:
        return SizedOrder(quantity, None, commission, quantity)
    return SizedOrder(
        quantity, quotient(commission, quantity) + PLACES if is_market else None, ZERO, quantity
    )


def _wanted(
    request: OrderRequest, price: Decimal, dearest: Decimal, fees: BrokerFees, free: Decimal
) -> Decimal:
    """The shares that are wished for, or that the notional comes to; `price` is before the slippage."""
    if not price and request.side is OrderSide.BUY:
        raise InvalidInput("The price is 0, at which nothing is bought: give a limit price.", ("symbol",))
    if request.quantity is not None:
        return request.quantity
    assert request.notional is not None, "checked before"
    if request.side is OrderSide.BUY:
        return _affordable(request.notional, dearest, fees)
    if free and request.notional in (product(free, price), product(free, dearest)):
        return free
    if not dearest:
        raise InvalidInput("At a price of 0 no shares bring in cash: give the quantity.", ("notional",))
    return quantity_for(request.notional, dearest)


def _affordable(notional: Decimal, price: Decimal, fees: BrokerFees) -> Decimal:
    """The most shares that cost no more than the notional, which may be all the cash there is."""
    spendable = notional - fees.commission_per_order
    each = price + fees.commission_per_share
    quantity = quantity_for(spendable, each)
    if product(quantity, price) + product(fees.commission_per_share, quantity) > spendable:
        # Each of the two may be rounded up by half a unit.
        quantity = quantity_for(spendable - PLACES, each)
    return quantity


def more_reserved(before: Decimal, after: Decimal, fees: BrokerFees) -> Decimal:
    """Return what an order of `after` shares reserves for commission beyond one of `before`."""
    return max(fees.commission(after) - fees.commission(before), ZERO)


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


def expires_at(
    time_in_force: TimeInForce, now: dt.datetime, *, asset_class: str, exchange: str | None, time_zone: str
) -> dt.datetime | None:
    """Return when an order that is placed now ends by itself; None for a GTC order.

    A DAY order ends at the next close of the instrument's market, on half days early. Where that trades
    around the clock, or its hours are not known, it ends with the day in the account's `time_zone`.
    """
    if time_in_force is TimeInForce.GTC:
        return None
    if asset_class != AssetClass.CRYPTO and trades_in_new_york(exchange):
        return next_close(now)
    return end_of_day(day_of(now, time_zone), time_zone)


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

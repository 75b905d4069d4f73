"""Orders: what may be placed, what it reserves, and which statuses may follow which.

Amounts are in the portfolio's currency, quantities in shares, prices per share.
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
"""The statuses in which an order may still trade, and so still reserves what it may need."""

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
    """What a broker charges: per order, per share, and on the price (`slippage`, a fraction).

    `shares_per_tick` is the most that one tick fills of an order, None for no limit.
    """

    commission_per_order: Decimal = ZERO
    commission_per_share: Decimal = ZERO
    slippage: Decimal = ZERO
    shares_per_tick: Decimal | None = None

    def commission(self, quantity: Decimal) -> Decimal:
        """Return the commission of a whole order of this quantity."""
        return self.commission_per_order + product(self.commission_per_share, quantity)

    def slipped(self, side: OrderSide, price: Decimal) -> Decimal:
        """Return the price that a market order gets at this quote: worse by the slippage, never better."""
        away = product(price, self.slippage)
        return price + away if side is OrderSide.BUY else price - away


@dataclass(frozen=True)
class OrderRequest:
    """A trade as its owner requests it: a number of shares, or shares for an amount of cash (`notional`)."""

    side: OrderSide
    type: OrderType
    quantity: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    time_in_force: TimeInForce


@dataclass(frozen=True)
class SizedOrder:
    """An order request with its quantity and its reservations.

    `worst_price` is the protection of a MARKET order: it is never filled beyond it, so that what is reserved
    is enough however the quote moves. It is None if no price can do harm.
    """

    quantity: Decimal
    worst_price: Decimal | None
    reserved_cash: Decimal
    reserved_quantity: Decimal


def check_order_request(request: OrderRequest) -> None:
    """Raise InvalidInput if a request is not valid at any price."""
    if (request.quantity is None) == (request.notional is None):
        raise InvalidInput("Give the quantity or the notional: one of them, not both.", ("quantity",))
    for name, value in (("quantity", request.quantity), ("notional", request.notional)):
        if value is not None and value <= 0:
            raise InvalidInput(f"The {name} must be above zero.", (name,))
    for name, value in (("notional", request.notional), ("limitPrice", request.limit_price)):
        if value is not None and not has_places(value):
            raise InvalidInput(f"The {name} has more than 10 decimals.", (name,))
    if request.type is OrderType.LIMIT and request.limit_price is None:
        raise InvalidInput("A LIMIT order needs its limitPrice.", ("limitPrice",))
    if request.type is OrderType.MARKET and request.limit_price is not None:
        raise InvalidInput("A MARKET order has no limitPrice: make it a LIMIT order.", ("limitPrice",))
    if request.limit_price is not None and request.limit_price <= 0:
        raise InvalidInput("The limitPrice must be above zero.", ("limitPrice",))


def size_order(request: OrderRequest, price: Decimal, fees: BrokerFees, free: Decimal = ZERO) -> SizedOrder:
    """Return the order at its price: the limit, or the quote for a MARKET order.

    A BUY reserves quantity x price x (1 + slippage) and the commission; a `notional` pays for all of that. A
    SELL reserves its shares, and the commission in cash if the shares might not bring it in. A SELL whose
    `notional` is what the `free` shares are worth sells all of them, so that no rounding difference remains.
    Raise InvalidInput if the quantity is zero, if it is more than the ledger can hold, and for a BUY at a
    price of 0.
    """
    execution_price = price if request.type is OrderType.LIMIT else fees.slipped(request.side, price)
    quantity = _wanted(request, price, execution_price, fees, free)
    if quantity <= 0:
        raise InvalidInput("This notional does not pay for the smallest part of a share.", ("notional",))
    if quantity >= LIMIT or quantity * execution_price + fees.commission(quantity) >= LIMIT:
        raise InvalidInput("This is more than the ledger can hold.", ("quantity",))
    is_market = request.type is OrderType.MARKET
    if request.side is OrderSide.BUY:
        amount = product(quantity, execution_price)
        if not amount:
            raise InvalidInput("So few shares cost less than 0.0000000001: buy more of them.", ("quantity",))
        cash = amount + fees.commission(quantity)
        return SizedOrder(quantity, execution_price if is_market else None, cash, ZERO)
    commission = fees.commission(quantity)
    if not commission:
        return SizedOrder(quantity, None, ZERO, quantity)
    if product(quantity, execution_price) < 2 * commission:
        return SizedOrder(quantity, None, commission, quantity)
    return SizedOrder(
        quantity, quotient(commission, quantity) + PLACES if is_market else None, ZERO, quantity
    )


def _wanted(
    request: OrderRequest, price: Decimal, execution_price: Decimal, fees: BrokerFees, free: Decimal
) -> Decimal:
    """Return the quantity requested, or the one that the notional pays for; `price` excludes slippage."""
    if not price and request.side is OrderSide.BUY:
        raise InvalidInput("Nothing can be bought at a price of 0: give a limit price.", ("symbol",))
    if request.quantity is not None:
        return request.quantity
    assert request.notional is not None, "checked before"
    if request.side is OrderSide.BUY:
        return _affordable(request.notional, execution_price, fees)
    if free and request.notional in (product(free, price), product(free, execution_price)):
        return free
    if not execution_price:
        raise InvalidInput("At a price of 0 no shares bring in cash: give the quantity.", ("notional",))
    return quantity_for(request.notional, execution_price)


def _affordable(notional: Decimal, price: Decimal, fees: BrokerFees) -> Decimal:
    """Return the most shares that cost no more than the notional, which may be all the available cash."""
    spendable = notional - fees.commission_per_order
    each = price + fees.commission_per_share
    quantity = quantity_for(spendable, each)
    if product(quantity, price) + product(fees.commission_per_share, quantity) > spendable:
        # Each of the two may be rounded up by half a unit.
        quantity = quantity_for(spendable - PLACES, each)
    return quantity


def more_reserved(before: Decimal, after: Decimal, fees: BrokerFees) -> Decimal:
    """Return what an order of `after` shares reserves for commission beyond one of `before` shares."""
    return max(fees.commission(after) - fees.commission(before), ZERO)


def check_size(
    symbol: str, value_after: Decimal, total_value: Decimal, largest: Decimal, *, field: str = "quantity"
) -> None:
    """Raise PositionTooLarge if a buy makes a position larger than this fraction of the portfolio.

    `value_after` is what the position and its open buys are worth with this order; a `largest` of 1 is no
    limit.
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
    """Raise StalePrice if the quote is older than a MARKET order accepts."""
    if max_age is not None and now - as_of > max_age:
        raise StalePrice(
            f"The price of {symbol} is from {as_of:%Y-%m-%d %H:%M} UTC, which is too old for a MARKET order: "
            "give a limit price.",
            ("symbol",),
            symbol=symbol,
            price_as_of=as_of,
            oldest=now - max_age,
        )


def expires_at(
    time_in_force: TimeInForce, now: dt.datetime, *, asset_class: str, exchange: str | None, time_zone: str
) -> dt.datetime | None:
    """Return when an order that is placed now expires; None for a GTC order.

    A DAY order ends at the next close of the instrument's market, early on half days. If that market trades
    around the clock, or its hours are not known, the order ends with the day in the account's `time_zone`.
    """
    if time_in_force is TimeInForce.GTC:
        return None
    if asset_class != AssetClass.CRYPTO and trades_in_new_york(exchange):
        return next_close(now)
    return end_of_day(day_of(now, time_zone), time_zone)


def status_of(
    broker_status: BrokerOrderStatus, filled: Decimal, quantity: Decimal, *, is_due: bool
) -> OrderStatus:
    """Return the status of an order from its broker's status and what is filled of it on the ledger."""
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
    """Return whether an order may change from one status to another. No status follows a final one."""
    return then in _NEXT.get(now, frozenset())

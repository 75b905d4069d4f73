"""What a fill does to its order: where it stands then, at what price, and what it still holds back.

An order's fills are parts of one trade, whose value is rounded once: each is charged what it adds to the
rounded total so far. However many they are, together they cost exactly quantity x price, and a purchase never
more than it has reserved.
"""

from dataclasses import dataclass
from decimal import Decimal

from db.vocabulary import BrokerOrderStatus, OrderSide, OrderStatus
from investing.rules.money import average, part_of_total
from investing.rules.trading.orders import ZERO, status_of


@dataclass(frozen=True)
class OrderState:
    """An order before a fill. `value` is quantity x price over all that it traded, not rounded.

    `dearest` is the price that a purchase has reserved for, its limit or its worst price; None for a sale,
    which has reserved no more than its commission.
    """

    side: OrderSide
    quantity: Decimal
    filled: Decimal
    reserved_cash: Decimal
    value: Decimal
    dearest: Decimal | None


@dataclass(frozen=True)
class FilledOrder:
    """An order after a fill, and the fill's `amount` before commission.

    What is released, in cash and in shares, the order holds back no more.
    """

    status: OrderStatus
    filled: Decimal
    amount: Decimal
    average_price: Decimal
    reserved_cash: Decimal
    released_cash: Decimal
    released_quantity: Decimal


def after_fill(order: OrderState, quantity: Decimal, price: Decimal, commission: Decimal) -> FilledOrder:
    """The order once so many more shares of it are traded at this price, for this commission."""
    filled = order.filled + quantity
    reserved = _still_reserved(order, quantity, price, commission)
    return FilledOrder(
        status=status_of(BrokerOrderStatus.OPEN, filled, order.quantity, is_due=False),
        filled=filled,
        amount=part_of_total(order.value, quantity * price),
        average_price=average(order.value, quantity, price, filled) if order.filled else price,
        reserved_cash=reserved,
        released_cash=order.reserved_cash - reserved,
        released_quantity=quantity if order.side is OrderSide.SELL else ZERO,
    )


def _still_reserved(order: OrderState, quantity: Decimal, price: Decimal, commission: Decimal) -> Decimal:
    """What the rest of the order may still cost at its dearest price, and what of the commission is left."""
    remaining = order.quantity - order.filled
    if quantity >= remaining:
        return ZERO
    dearest = order.dearest or ZERO
    before = part_of_total(order.value, remaining * dearest)
    after = part_of_total(order.value + quantity * price, (remaining - quantity) * dearest)
    left = max(order.reserved_cash - before - commission, ZERO)
    # Not more than before: a broker that fills beyond the price it was given is paid from what is free.
    return min(after + left, order.reserved_cash)

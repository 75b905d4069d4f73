"""What a fill does to its order: its new state, its average price, and what it still reserves.

An order's fills are parts of one trade, whose value is rounded once: each fill is charged what it adds to the
rounded total so far. However many there are, together they cost exactly quantity x price, and a purchase
never costs more than it has reserved.
"""

from dataclasses import dataclass
from decimal import Decimal

from db.vocabulary import BrokerOrderStatus, OrderSide, OrderStatus
from investing.rules.money import average, part_of_total
from investing.rules.trading.orders import ZERO, status_of


@dataclass(frozen=True)
class OrderState:
    """An order before a fill. `value` is quantity x price over all its fills, not rounded.

    `highest_price` is the price that a purchase has reserved cash for, its limit or its worst price; None for
    a sale, which has reserved no more than its commission.
    """

    side: OrderSide
    quantity: Decimal
    filled: Decimal
    reserved_cash: Decimal
    value: Decimal
    highest_price: Decimal | None


@dataclass(frozen=True)
class FilledOrder:
    """An order after a fill, and the fill's `amount` before commission.

    The order no longer reserves the released cash and shares.
    """

    status: OrderStatus
    filled: Decimal
    amount: Decimal
    average_price: Decimal
    reserved_cash: Decimal
    released_cash: Decimal
    released_quantity: Decimal


def after_fill(order: OrderState, quantity: Decimal, price: Decimal, commission: Decimal) -> FilledOrder:
    """Return the order after a fill of this quantity at this price, for this commission."""
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
    """Return what the rest of the order may still cost at its highest price, and what commission is left."""
    remaining = order.quantity - order.filled
    if quantity >= remaining:
        return ZERO
    highest_price = order.highest_price or ZERO
    before = part_of_total(order.value, remaining * highest_price)
    after = part_of_total(order.value + quantity * price, (remaining - quantity) * highest_price)
    left = max(order.reserved_cash - before - commission, ZERO)
    # Not more than before: if a broker fills beyond the price it was given, free cash pays the difference.
    return min(after + left, order.reserved_cash)

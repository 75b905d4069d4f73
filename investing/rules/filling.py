"""What a fill does to its order: where it stands then, at what price, and what it still holds back."""

from dataclasses import dataclass
from decimal import Decimal

from db.vocabulary import BrokerOrderStatus, OrderSide, OrderStatus
from investing.rules.money import average
from investing.rules.orders import ZERO, status_of, still_reserved


@dataclass(frozen=True)
class Standing:
    """An order before a fill. `value` is quantity x price over all that it traded, not rounded."""

    side: OrderSide
    quantity: Decimal
    filled: Decimal
    reserved_cash: Decimal
    value: Decimal


@dataclass(frozen=True)
class Filled:
    """An order after a fill. What is released, in cash and in shares, it holds back no more."""

    status: OrderStatus
    filled: Decimal
    average_price: Decimal
    reserved_cash: Decimal
    released_cash: Decimal
    released_quantity: Decimal


def after_fill(order: Standing, quantity: Decimal, price: Decimal) -> Filled:
    """The order once so many more shares of it are traded at this price."""
    filled = order.filled + quantity
    reserved = still_reserved(order.reserved_cash, order.quantity - order.filled, quantity)
    return Filled(
        status=status_of(BrokerOrderStatus.OPEN, filled, order.quantity, is_due=False),
        filled=filled,
        average_price=average(order.value, quantity, price, filled) if order.filled else price,
        reserved_cash=reserved,
        released_cash=order.reserved_cash - reserved,
        released_quantity=quantity if order.side is OrderSide.SELL else ZERO,
    )

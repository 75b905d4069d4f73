"""How the paper broker matches an order with a tick."""

from dataclasses import dataclass
from decimal import Decimal

from db.vocabulary import OrderSide, OrderType
from investing.rules.money import share
from investing.rules.trading.orders import ZERO, BrokerFees


@dataclass(frozen=True)
class OpenOrder:
    """The part of an order that a tick is matched with; `commission` is what it has paid so far."""

    side: OrderSide
    type: OrderType
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    worst_price: Decimal | None
    commission: Decimal


@dataclass(frozen=True)
class MatchedFill:
    """What a tick fills of an order: shares, at a price, for a commission."""

    quantity: Decimal
    price: Decimal
    commission: Decimal


def match_fill(order: OpenOrder, quote: Decimal, fees: BrokerFees) -> MatchedFill | None:
    """Return the fill of an order by a tick at this price, None if the price does not reach its limit.

    At a price of 0 shares are worth nothing: a sell order is filled for nothing, and a buy order is not
    filled.

    The commission of the order is charged in proportion to the shares, so that a small first fill does not
    have to pay all of it.
    """
    price = _price(order, quote, fees)
    if price is None:
        return None
    remaining = order.quantity - order.filled
    quantity = remaining if fees.shares_per_tick is None else min(remaining, fees.shares_per_tick)
    filled = order.filled + quantity
    whole = fees.commission(order.quantity)
    due = whole if filled == order.quantity else share(whole, filled, order.quantity)
    return MatchedFill(quantity, price, max(due - order.commission, ZERO))


def _price(order: OpenOrder, quote: Decimal, fees: BrokerFees) -> Decimal | None:
    slipped = fees.slipped(order.side, quote)
    is_buy = order.side is OrderSide.BUY
    if is_buy and not quote:
        return None
    if order.type is OrderType.LIMIT:
        assert order.limit_price is not None, "a LIMIT order has a limit"
        crosses = quote <= order.limit_price if is_buy else quote >= order.limit_price
        within = min(slipped, order.limit_price) if is_buy else max(slipped, order.limit_price)
        return within if crosses else None
    if order.worst_price is None:
        return slipped
    is_better = slipped <= order.worst_price if is_buy else slipped >= order.worst_price
    return slipped if is_better else None

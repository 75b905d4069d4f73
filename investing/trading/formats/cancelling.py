"""Match the trades that a statement cancels: a trade and its cancellation have no effect together."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

CANCELS_NOTHING: Final = (
    "It cancels a trade that is not in this file: if that one was imported before, reverse it."
)


@dataclass(frozen=True)
class Deal:
    """A trade of a statement, or the cancellation of one; `number` is the reader's own index of it.

    `quantity` is what the trade itself moved, above zero for a purchase: a cancellation has that of the trade
    that it cancels. `original` is that trade's id, if the statement gives it.
    """

    number: int
    symbol: str | None
    quantity: Decimal
    price: Decimal | None
    id: str = ""
    original: str = ""


def cancelled(trades: Sequence[Deal], cancellations: Sequence[Deal]) -> dict[int, int]:
    """Return which trade each cancellation takes back, both by number; each is taken back once.

    Match by the id if there is one, else take the first trade of the same symbol, quantity and price.
    """
    left = list(trades)
    found: dict[int, int] = {}
    for wants_id in (True, False):
        for cancellation in cancellations:
            if cancellation.number in found:
                continue
            matching = (trade for trade in left if _matches(trade, cancellation, wants_id=wants_id))
            if (trade := next(matching, None)) is not None:
                left.remove(trade)
                found[cancellation.number] = trade.number
    return found


def _matches(trade: Deal, cancellation: Deal, *, wants_id: bool) -> bool:
    if wants_id:
        return bool(cancellation.original) and trade.id == cancellation.original
    return (trade.symbol, trade.quantity, trade.price) == (
        cancellation.symbol,
        cancellation.quantity,
        cancellation.price,
    )

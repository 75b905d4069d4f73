"""The order of entries of the same instant, whatever the order of the file that they came from.

SPLIT; DEPOSIT, TRANSFER_IN, DIVIDEND, INTEREST; then of the BUYs and SELLs, repeatedly, the first (by symbol,
BUY before SELL, quantity, price) that cash and shares allow; then FEE, TAX; then WITHDRAWAL, TRANSFER_OUT.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any, Final
from uuid import UUID

from db.vocabulary import TransactionType

_ORDER: Final = (
    (TransactionType.SPLIT,),
    (
        TransactionType.DEPOSIT,
        TransactionType.TRANSFER_IN,
        TransactionType.DIVIDEND,
        TransactionType.INTEREST,
    ),
    (TransactionType.BUY, TransactionType.SELL),
    (TransactionType.FEE, TransactionType.TAX),
    (TransactionType.WITHDRAWAL, TransactionType.TRANSFER_OUT),
)
TRADES: Final = frozenset({TransactionType.BUY, TransactionType.SELL})
_PLACE: Final = {type: (rank, place) for rank, types in enumerate(_ORDER) for place, type in enumerate(types)}
_ZERO = Decimal(0)
_NEVER = Decimal("Infinity")

Key = tuple[Any, ...]


def order_key(type: str, symbol: str | None, notes: str | None, *numbers: Decimal | None) -> Key:
    """Return the sort key of an entry among those of its instant, apart from cash and shares.

    `numbers` are quantity, price, amount, commission and the split's ratio, in this order; None counts as 0.
    Entries with the same key have all figures in common.
    """
    rank, place = _PLACE[TransactionType(type)]
    which = (symbol or "", place) if type in TRADES else (place, symbol or "")
    return (rank, *which, *(number or _ZERO for number in numbers), notes or "")


@dataclass(frozen=True, slots=True)
class Trade:
    """A BUY or SELL of one instant.

    `place` is the caller's own index of it, `cash_delta` is in the portfolio's currency and negative if it
    takes cash.
    """

    place: int
    instrument_id: UUID
    is_buy: bool
    quantity: Decimal
    cash_delta: Decimal


class Waiting:
    """Trades of one instant that wait until cash and shares allow them, in the order of `order_key`.

    Finding the next one takes time logarithmic in their number.
    """

    def __init__(self, trades: Sequence[Trade]) -> None:
        self._trades = trades
        self._costs = _Costs([-t.cash_delta if t.is_buy else _NEVER for t in trades])
        self._sales: dict[UUID, deque[int]] = defaultdict(deque)
        self._costly: list[int] = []
        """Sales whose commission is more than their proceeds: they need cash as well."""
        for number, trade in enumerate(trades):
            if not trade.is_buy and trade.cash_delta < 0:
                self._costly.append(number)
            elif not trade.is_buy:
                self._sales[trade.instrument_id].append(number)
        self._ready: list[int] = []
        """The first sale of each instrument if enough of it is held, as a heap."""
        self._is_ready: set[UUID] = set()
        self._changed = set(self._sales)

    def next(self, cash: Decimal | None, held: Callable[[UUID], Decimal]) -> Trade | None:
        """Remove and return the first trade that is possible, None if none is.

        `cash` is None if any amount may be owed; `held` gives the quantity of an instrument.
        """
        sale = self._first_sale(held)
        buy = self._costs.first(_NEVER if cash is None else max(cash, _ZERO))
        costly = next((n for n in self._costly if self._possible(n, cash, held)), None)
        found = min((n for n in (sale, buy, costly) if n is not None), default=None)
        if found is None:
            return None
        id = self._trades[found].instrument_id
        if found == buy:
            self._costs.remove(found)
        elif found == costly:
            self._costly.remove(found)
        else:
            heappop(self._ready)
            self._is_ready.discard(id)
            self._sales[id].popleft()
        self._changed.add(id)
        return self._trades[found]

    def rest(self) -> list[Trade]:
        """Return the trades that were not removed, in order."""
        sales = [number for queue in self._sales.values() for number in queue]
        return [self._trades[n] for n in sorted([*self._costs.left(), *sales, *self._costly])]

    def _possible(self, number: int, cash: Decimal | None, held: Callable[[UUID], Decimal]) -> bool:
        trade = self._trades[number]
        enough = cash is None or cash + trade.cash_delta >= 0
        return enough and trade.quantity <= held(trade.instrument_id)

    def _first_sale(self, held: Callable[[UUID], Decimal]) -> int | None:
        # Sales of an instrument are in order of quantity: if the first is too large, all are.
        for id in self._changed & self._sales.keys() - self._is_ready:
            queue = self._sales[id]
            if queue and self._trades[queue[0]].quantity <= held(id):
                heappush(self._ready, queue[0])
                self._is_ready.add(id)
        self._changed.clear()
        while self._ready:
            trade = self._trades[self._ready[0]]
            if trade.quantity <= held(trade.instrument_id):
                return self._ready[0]
            heappop(self._ready)
            self._is_ready.discard(trade.instrument_id)
        return None


class _Costs:
    """The costs of purchases, in a tree with the lowest cost below each node, to find the first that fits."""

    def __init__(self, costs: Sequence[Decimal]) -> None:
        self._count = len(costs)
        self._size = 1 << max(self._count - 1, 0).bit_length()
        self._least = [_NEVER] * self._size + list(costs) + [_NEVER] * (self._size - self._count)
        for node in range(self._size - 1, 0, -1):
            self._least[node] = min(self._least[2 * node], self._least[2 * node + 1])

    def first(self, cash: Decimal) -> int | None:
        """Return the first purchase that costs no more than this."""
        if self._least[1] > cash or self._least[1] == _NEVER:
            return None
        node = 1
        while node < self._size:
            node *= 2
            if self._least[node] > cash or self._least[node] == _NEVER:
                node += 1
        return node - self._size

    def remove(self, number: int) -> None:
        """Remove a purchase."""
        node = number + self._size
        self._least[node] = _NEVER
        while node > 1:
            node //= 2
            self._least[node] = min(self._least[2 * node], self._least[2 * node + 1])

    def left(self) -> list[int]:
        """Return the purchases that were not removed."""
        return [n for n in range(self._count) if self._least[n + self._size] != _NEVER]

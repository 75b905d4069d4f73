"""The ledger once more, as plainly as it can be said: a list of lines, and everything computed from scratch.

Shares no code with the server. Cash and costs are exact Decimals; divisions are rounded to ten places,
those of shares to eighteen, halves away from zero.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext

ZERO = Decimal(0)

Moment = tuple[int, int]
"""(0, n) is the n-th day of the past, (1, n) is today, in the order in which things happened."""

Cost = tuple[Decimal, Decimal]
"""On average, and first in first out."""


class Impossible(Exception):
    """The request needs cash or shares that are not there, or makes no sense."""


def rounded(value: Decimal, places: str = "1E-10") -> Decimal:
    return value.quantize(Decimal(places), ROUND_HALF_UP)


@dataclass(frozen=True, eq=False)
class Line:
    """One entry of a place; what a transfer takes from there comes to the place `to`.

    `ratio` is (new, for every old) of a split, `id` the server's for what may be reversed.
    """

    moment: Moment
    where: int
    type: str
    cash: Decimal = ZERO
    symbol: str | None = None
    quantity: Decimal = ZERO
    ratio: tuple[int, int] = (1, 1)
    to: int | None = None
    id: str | None = None

    def cash_of(self, where: int) -> Decimal:
        return self.cash if where == self.where else -self.cash if where == self.to else ZERO


@dataclass
class Lot:
    """`age` is when it was bought, then the line that brought it here, then which of that line's lots."""

    age: tuple[Moment, int, int]
    quantity: Decimal
    cost: Decimal


@dataclass
class Holding:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    lots: list[Lot] = field(default_factory=list)
    gains: list[Cost] = field(default_factory=list)

    @property
    def gained(self) -> Cost:
        return (sum((gain[0] for gain in self.gains), ZERO), sum((gain[1] for gain in self.gains), ZERO))

    def bring(self, cost: Decimal, lots: Iterable[Lot]) -> None:
        self.cost += cost
        self.lots = sorted((*self.lots, *lots), key=lambda lot: lot.age)
        self.quantity = sum((lot.quantity for lot in self.lots), ZERO)

    def take(self, quantity: Decimal) -> tuple[Decimal, list[Lot]]:
        """What these shares cost on average, and the parts of the oldest lots that they are."""
        if quantity > self.quantity:
            raise Impossible
        cost = self.cost if quantity == self.quantity else rounded(self.cost * quantity / self.quantity)
        self.quantity -= quantity
        self.cost -= cost
        parts = []
        while quantity:
            lot = self.lots[0]
            gone = min(quantity, lot.quantity)
            part = lot.cost if gone == lot.quantity else rounded(lot.cost * gone / lot.quantity)
            parts.append(Lot(lot.age, gone, part))
            quantity -= gone
            lot.quantity -= gone
            lot.cost -= part
            if not lot.quantity:
                del self.lots[0]
        return cost, parts

    def split(self, new: int, old: int) -> None:
        if not self.quantity:
            raise Impossible
        self.quantity = rounded(self.quantity * new / old, "1E-18")
        for lot in self.lots:
            lot.quantity = rounded(lot.quantity * new / old, "1E-18")
        # Rounding belongs to the position: what it makes of a difference goes to the largest lot.
        largest = max(self.lots, key=lambda lot: lot.quantity)
        largest.quantity += self.quantity - sum((lot.quantity for lot in self.lots), ZERO)


@dataclass
class Order:
    """An open LIMIT order."""

    id: str
    where: int
    symbol: str
    side: str
    quantity: Decimal
    limit: Decimal

    def crosses(self, price: Decimal) -> bool:
        return price <= self.limit if self.side == "BUY" else price >= self.limit


@dataclass
class Ledger:
    """Places with cash, and the shares of some: all lines in the order in which they were written, and the
    open orders by age.
    """

    places: int
    lines: list[Line] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    def cash(self, where: int) -> Decimal:
        return sum((line.cash_of(where) for line in self.lines), ZERO)

    def reserved_cash(self, where: int) -> Decimal:
        return sum((o.quantity * o.limit for o in self.orders if (o.where, o.side) == (where, "BUY")), ZERO)

    def reserved_shares(self, where: int, symbol: str) -> Decimal:
        wanted = (where, "SELL", symbol)
        return sum((o.quantity for o in self.orders if (o.where, o.side, o.symbol) == wanted), ZERO)

    def holdings(self, symbol: str) -> list[Holding]:
        """Everything of one symbol by place, from the first line to the last. Raises Impossible."""
        found = [Holding() for _ in range(self.places)]
        with localcontext(prec=80):
            for number, line in self._in_order():
                if line.symbol == symbol:
                    _apply(found, number, line)
        return found

    def add(self, line: Line) -> None:
        """Adds a line wherever it belongs. Raises Impossible, and then nothing has changed."""
        self._become([*self.lines, line], line, 1)

    def remove(self, line: Line) -> None:
        """Takes a line back as if it had never been. Raises Impossible, and then nothing has changed."""
        self._become([other for other in self.lines if other is not line], line, -1)

    def _become(self, lines: list[Line], changed: Line, sign: int) -> None:
        before = self.lines
        held = self.holdings(changed.symbol) if changed.symbol else []
        self.lines = lines
        try:
            for where in range(self.places):
                if sign * changed.cash_of(where) < 0:
                    self._check_cash(where, changed.moment)
            if changed.symbol:
                self._check_shares(changed.symbol, held)
        except Impossible:
            self.lines = before
            raise

    def _check_cash(self, where: int, since: Moment) -> None:
        """There is enough today beside what is reserved, and at no moment since then too little."""
        balance = sum((line.cash_of(where) for line in self.lines if line.moment <= since), ZERO)
        lowest = balance
        for _, line in self._in_order():
            if line.moment > since:
                balance += line.cash_of(where)
                lowest = min(lowest, balance)
        if lowest < 0 or balance < self.reserved_cash(where):
            raise Impossible

    def _check_shares(self, symbol: str, before: list[Holding]) -> None:
        """Every line can still be replayed, and what became fewer is not reserved."""
        for where, (old, new) in enumerate(zip(before, self.holdings(symbol), strict=True)):
            if new.quantity < old.quantity and new.quantity < self.reserved_shares(where, symbol):
                raise Impossible

    def _in_order(self) -> Iterator[tuple[int, Line]]:
        return iter(sorted(enumerate(self.lines), key=lambda numbered: (numbered[1].moment, numbered[0])))


def _apply(holdings: list[Holding], number: int, line: Line) -> None:
    """Does to the holdings what the line says; `number` tells which line is the older one."""
    holding = holdings[line.where]
    match line.type:
        case "BUY":
            holding.bring(-line.cash, [Lot((line.moment, number, 0), line.quantity, -line.cash)])
        case "SELL":
            cost, parts = holding.take(line.quantity)
            of_parts = sum((part.cost for part in parts), ZERO)
            holding.gains.append((line.cash - cost, line.cash - of_parts))
        case "MOVE":
            assert line.to is not None
            cost, parts = holding.take(line.quantity)
            lots = (Lot((lot.age[0], number, n), lot.quantity, lot.cost) for n, lot in enumerate(parts))
            holdings[line.to].bring(cost, lots)
        case "SPLIT":
            holding.split(*line.ratio)

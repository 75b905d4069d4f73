"""The ledger once more, as plainly as it can be said: a list of lines, and everything worked out anew.

Shares no code with the server. Cash and costs are exact Decimals; divisions are rounded to ten places, halves
away from zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext

Moment = tuple[int, int]
"""(0, n) is the n-th day of the past, (1, n) is today, in the order in which things happened."""


class Impossible(Exception):
    """What is asked would need cash or shares that are not there, or makes no sense."""


def rounded(value: Decimal) -> Decimal:
    return value.quantize(Decimal("1E-10"), ROUND_HALF_UP)


@dataclass(frozen=True)
class Line:
    """One entry. `ratio` is (new, for every old) of a split."""

    moment: Moment
    type: str
    cash: Decimal
    symbol: str | None = None
    quantity: Decimal = Decimal(0)
    ratio: tuple[int, int] = (1, 1)


@dataclass
class Lot:
    quantity: Decimal
    cost: Decimal


@dataclass
class Holding:
    quantity: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    gained: Decimal = Decimal(0)
    lots: list[Lot] = field(default_factory=list)
    gains: list[Decimal] = field(default_factory=list)

    def apply(self, line: Line) -> None:
        if line.type == "BUY":
            self.quantity += line.quantity
            self.cost -= line.cash
            self.lots.append(Lot(line.quantity, -line.cash))
        elif line.type == "SELL":
            self._sell(line)
        elif line.type == "SPLIT":
            self._split(*line.ratio)

    def _sell(self, line: Line) -> None:
        if line.quantity > self.quantity:
            raise Impossible
        whole = line.quantity == self.quantity
        cost = self.cost if whole else rounded(self.cost * line.quantity / self.quantity)
        self.quantity -= line.quantity
        self.cost -= cost
        self.gained += line.cash - cost
        self.gains.append(line.cash - cost)
        left = line.quantity
        while left:
            first = self.lots[0]
            if first.quantity <= left:
                left -= first.quantity
                del self.lots[0]
            else:
                first.cost -= rounded(first.cost * left / first.quantity)
                first.quantity -= left
                left = Decimal(0)

    def _split(self, new: int, old: int) -> None:
        if not self.quantity:
            raise Impossible
        for lot in self.lots:
            lot.quantity = rounded(lot.quantity * new / old)
        self.quantity = sum((lot.quantity for lot in self.lots), Decimal(0))


@dataclass
class Order:
    """An open LIMIT order."""

    id: str
    symbol: str
    side: str
    quantity: Decimal
    limit: Decimal

    def crosses(self, price: Decimal) -> bool:
        return price <= self.limit if self.side == "BUY" else price >= self.limit


@dataclass
class Book:
    """One portfolio: its lines, and its open orders by age."""

    lines: list[Line] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def cash(self) -> Decimal:
        return sum((line.cash for line in self.lines), Decimal(0))

    @property
    def reserved_cash(self) -> Decimal:
        return sum((o.quantity * o.limit for o in self.orders if o.side == "BUY"), Decimal(0))

    def reserved_shares(self, symbol: str) -> Decimal:
        of_sales = (o.quantity for o in self.orders if o.side == "SELL" and o.symbol == symbol)
        return sum(of_sales, Decimal(0))

    def holding(self, symbol: str) -> Holding:
        """Everything of one symbol, from the first line to the last."""
        found = Holding()
        with localcontext(prec=80):
            for line in self._in_order():
                if line.symbol == symbol:
                    found.apply(line)
        return found

    def add(self, line: Line) -> None:
        """Adds a line wherever it belongs. Raises Impossible, and then nothing has changed."""
        before = list(self.lines)
        self.lines.append(line)
        try:
            self._check(line)
        except Impossible:
            self.lines = before
            raise

    def _check(self, line: Line) -> None:
        if line.cash < 0 and (self.cash < self.reserved_cash or self._lowest_from(line) < 0):
            raise Impossible
        if line.symbol is None or line.type not in ("BUY", "SELL", "SPLIT"):
            return
        if any(x.type == "SPLIT" and x.symbol == line.symbol and x.moment > line.moment for x in self.lines):
            raise Impossible
        left = self.holding(line.symbol).quantity
        if line.type == "SELL" and left < self.reserved_shares(line.symbol):
            raise Impossible

    def _lowest_from(self, line: Line) -> Decimal:
        balance, lowest = Decimal(0), None
        for each in self._in_order():
            balance += each.cash
            if each.moment >= line.moment:
                lowest = balance if lowest is None else min(lowest, balance)
        assert lowest is not None
        return lowest

    def _in_order(self) -> Iterator[Line]:
        return iter(sorted(self.lines, key=lambda line: line.moment))

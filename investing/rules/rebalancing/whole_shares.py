"""Sizes in whole shares: the plan nearest to its targets among those that the cash pays for.

Nearest means the smallest sum of |value - target| over the holdings that are traded, and among equals the
larger investment. A holding to be bought is never sold, nor the reverse, but a sale may go past its target if
what it pays for then comes nearer to its own.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import ceil
from typing import NamedTuple

from db.vocabulary import OrderSide, SkipReason
from investing.rules.money import PLACES, product, share
from investing.rules.rebalancing.nearest import Option, nearest
from investing.rules.rebalancing.plans import ONE, ZERO
from investing.rules.rebalancing.sizing import Quantities, Sizing

CLOSE = 150
"""How many quantities around the goals are tried one by one, over all holdings, and at least LEAST of each.

Further away they are tried in steps that double, and then once more around what was found there.
"""

LEAST = 4
ROUNDS = 12

_HALF = Decimal("0.5")


class _Request(NamedTuple):
    """What is to be traded of a holding.

    `gap` is the amount that it is off its target, `goal` the number of its shares that the available cash
    pays for, at most `most`. A purchase may fall short of the goal, or a sale go past it, by `window` shares.
    """

    symbol: str
    side: OrderSide
    gap: Decimal
    goal: Decimal
    most: int
    window: int

    @property
    def bounds(self) -> tuple[int, int]:
        """The fewest and the most shares, apart from none at all."""
        low, high = min(int(self.goal), self.most), min(ceil(self.goal), self.most)
        if self.side is OrderSide.BUY:
            return max(1, low - self.window), high
        return max(1, low), min(high + self.window, self.most)


class WholeShares(Sizing):
    """The sizes of a plan's trades if all of them must be whole shares."""

    def _sized(
        self, gaps: Mapping[str, Decimal], spendable: Decimal, skipped: dict[str, SkipReason]
    ) -> tuple[Quantities, Quantities]:
        sold = (symbol for symbol, gap in gaps.items() if gap < 0)
        wanted = {symbol: abs(gap) / self.held[symbol].price for symbol, gap in gaps.items()}
        reach = self._reach(wanted)
        most = self._limits(gaps, wanted, reach)
        near = {symbol: min(_down(wanted[symbol] + _HALF), most[symbol]) for symbol in gaps}
        cash = spendable + sum((self._proceeds(symbol, near[symbol]) for symbol in sold), ZERO)
        # Without costs the targets add up to the available cash. There is less of it if open orders have
        # reserved some, or if only new cash is invested: each purchase gets its share, rounded up or down.
        short = self._shares_of(gaps, wanted, spendable, cash)
        requests = [
            _Request(
                symbol,
                OrderSide.SELL if gaps[symbol] < 0 else OrderSide.BUY,
                abs(gaps[symbol]),
                short.get(symbol, wanted[symbol]),
                int(most[symbol]),
                0 if short else ceil(reach / self.held[symbol].price),
            )
            for symbol in sorted(gaps)
        ]
        # Sales alone may not be enough to fill the cash reserve: then nothing is bought.
        found = self._chosen(requests, _units(max(spendable, spendable - cash)))
        skipped |= {
            request.symbol: self._why(request, near[request.symbol])
            for request in requests
            if not found[request.symbol]
        }
        sells, buys = (
            {
                request.symbol: found[request.symbol]
                for request in requests
                if request.side is side and found[request.symbol]
            }
            for side in (OrderSide.SELL, OrderSide.BUY)
        )
        return sells, buys

    def _chosen(self, requests: Sequence[_Request], cash: int) -> Quantities:
        """Return the nearest plan; if not every quantity can be tried, search again around what was found."""
        about = [min(int(request.goal), request.most) for request in requests]
        close = max(LEAST, CLOSE // max(1, len(requests)))
        for _ in range(ROUNDS):
            choices = [
                [
                    self._option(request, Decimal(quantity))
                    for quantity in self._quantities(request, middle, close)
                ]
                for request, middle in zip(requests, about, strict=True)
            ]
            found = [int(one.quantity) for one in nearest(choices, cash)]
            if found == about or all(request.window <= close for request in requests):
                break
            about = found
        return {request.symbol: Decimal(quantity) for request, quantity in zip(requests, found, strict=True)}

    def _limits(self, gaps: Mapping[str, Decimal], wanted: Quantities, reach: Decimal) -> Quantities:
        """Return the most that may be traded of each.

        The limits are what is free, the largest trade and the largest position.
        """
        largest = self._largest_trade()
        found = {}
        for symbol, gap in gaps.items():
            one = self.held[symbol]
            most, price = _up(wanted[symbol]), self.rules.fees.slipped(OrderSide.BUY, one.price)
            if gap < 0:
                most, price = min(one.quantity - one.reserved, most + _up(reach / one.price)), one.price
            if largest is not None:
                most = min(most, largest / price)
            found[symbol] = max(ZERO, _down(most))
        if self.rules.max_position_size < ONE:
            buys = {symbol: quantity for symbol, quantity in found.items() if gaps[symbol] > 0}
            sells = {symbol: quantity for symbol, quantity in found.items() if gaps[symbol] < 0}
            headroom = self._headroom(sells, buys)
            found |= {symbol: max(ZERO, min(most, _down(headroom[symbol]))) for symbol, most in buys.items()}
        return found

    def _shares_of(
        self, gaps: Mapping[str, Decimal], wanted: Quantities, spendable: Decimal, cash: Decimal
    ) -> Quantities:
        """Return each purchase's share of too little cash, in shares; nothing if there is enough."""
        if sum(gaps.values(), ZERO) <= spendable + PLACES * len(gaps):
            return {}
        needs = {symbol: self._need(symbol, wanted[symbol]) for symbol, gap in gaps.items() if gap > 0}
        total, available = sum(needs.values(), ZERO), max(cash, ZERO)
        if total <= available:
            return {}
        fees = self.rules.fees
        found = {}
        for symbol, need in needs.items():
            each = fees.slipped(OrderSide.BUY, self.held[symbol].price) + fees.commission_per_share
            found[symbol] = max(ZERO, share(available, need, total) - fees.commission_per_order) / each
        return found

    def _reach(self, wanted: Quantities) -> Decimal:
        """Return by what amount a holding may have to deviate: one share of another, and the costs of all."""
        most_expensive = max((self.held[symbol].price for symbol in wanted), default=ZERO)
        fees = self.rules.fees
        each = (
            fees.commission(quantity) + product(quantity * self.held[symbol].price, fees.slippage)
            for symbol, quantity in wanted.items()
        )
        return most_expensive + sum(each, ZERO)

    def _quantities(self, request: _Request, middle: int, close: int) -> list[int]:
        """Return 0 and the quantities that may be traded, less and less closely spaced from the middle on."""
        low, high = request.bounds
        goal = int(request.goal)
        steps = {1 << power for power in range(close.bit_length() - 1, request.window.bit_length() + 1)}
        found = {goal, goal + 1, request.most, *range(middle - close, middle + close + 1)}
        found |= {middle + step for step in steps} | {middle - step for step in steps}
        within = sorted(quantity for quantity in found if low <= quantity <= high)
        return [
            0,
            *(
                each
                for each in within
                if self._objection(request.symbol, request.side, Decimal(each)) is None
            ),
        ]

    def _option(self, request: _Request, quantity: Decimal) -> Option:
        price = self.held[request.symbol].price
        worth = quantity * price
        is_sale = request.side is OrderSide.SELL
        cash = -self._proceeds(request.symbol, quantity) if is_sale else self._need(request.symbol, quantity)
        return Option(
            quantity,
            _units(cash),
            _units(abs(request.gap - worth)),
            _units(-worth if is_sale else worth),
            int(abs(request.goal - quantity) * price * 10**10),
        )

    def _proceeds(self, symbol: str, quantity: Decimal) -> Decimal:
        """Return what a sale of this many shares brings in; 0 for one that is not worthwhile."""
        if not quantity or self._objection(symbol, OrderSide.SELL, quantity) is not None:
            return ZERO
        fees = self.rules.fees
        price = fees.slipped(OrderSide.SELL, self.held[symbol].price)
        return product(quantity, price) - fees.commission(quantity)

    def _why(self, request: _Request, near: Decimal) -> SkipReason:
        if not near:
            return SkipReason.LESS_THAN_A_SHARE
        return self._objection(request.symbol, request.side, near) or SkipReason.NO_CASH


def _up(quantity: Decimal) -> Decimal:
    return quantity.to_integral_value(ROUND_CEILING)


def _down(quantity: Decimal) -> Decimal:
    return quantity.to_integral_value(ROUND_FLOOR)


def _units(amount: Decimal) -> int:
    """Return the amount in units of 1E-10, of which it is a whole number."""
    return int(amount.scaleb(10))

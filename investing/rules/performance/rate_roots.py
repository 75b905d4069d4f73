"""All yearly rates at which a stream of payments is worth nothing: how many there are, and where.

A rate r above -1 is looked for as s = ln(1 + r), which may be any number. With t the years from the first
payment on, what the payments are worth is F(s) = sum of a_i e^(-s t_i). What is said of F here is proved, not
sampled: signs are those of Decimals with `DIGITS` digits, and floating point only rules rates out, by bounds
that are wider than its own error.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from operator import mul

DIGITS = 70
"""Twenty more than a sign is told by, so that the error of 40,000 products does not reach it."""

EXACT = Context(prec=DIGITS, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)
_NOISE = Decimal(10) ** -60
"""Less than this part of all payments together, without their signs, counts as nothing."""

_YEAR = Decimal(365)
_ZERO = Decimal(0)

_WORK = 400_000
"""How many payments are looked at, in all stretches together, before the search gives up: some 0.3 s."""

_STRETCHES = 100
"""How many stretches are looked at however many payments there are."""

_EXACT_WINDOWS = 100
"""How many stretches are looked at with all digits, which takes longer."""

_SAMPLES = (
    -3.0,
    -1.5,
    -0.7,
    -0.35,
    -0.15,
    -0.06,
    -0.02,
    0.003,
    0.03,
    0.07,
    0.12,
    0.2,
    0.3,
    0.5,
    0.9,
    1.6,
    3.0,
)
"""Values of s at which a second root often shows at once."""


class Stream:
    """Payments in order of their days, which are counted from the first one; none is zero."""

    def __init__(self, days: Sequence[int], amounts: Sequence[Decimal]) -> None:
        self.days, self.amounts = days, amounts
        self._gaps = [after - before for before, after in itertools.pairwise(days)]

    def worth(self, growth: Decimal) -> list[Decimal]:
        """What each payment is worth on the first day, where money grows by the factor `growth` a year."""
        discount = EXACT.power(growth, EXACT.divide(Decimal(-1), _YEAR))
        powers = {gap: EXACT.power(discount, gap) for gap in set(self._gaps)}
        multiply = EXACT.multiply
        factors = itertools.accumulate([powers[gap] for gap in self._gaps], multiply, initial=Decimal(1))
        return list(map(multiply, self.amounts, factors))

    def sign(self, growth: Decimal) -> int:
        """Whether all of it is worth more than nothing (1), less (-1) or, to 60 digits, nothing (0)."""
        worth = self.worth(growth)
        return _sign(_sum(worth), worth)

    def sign_and_step(self, growth: Decimal) -> tuple[int, Decimal | None]:
        """The sign, and Newton's step of s = ln(growth) towards F(s) = 0; None where F is level."""
        worth = self.worth(growth)
        total = _sum(worth)
        slope = _sum(map(EXACT.multiply, worth, map(Decimal, self.days)))
        step = EXACT.divide(EXACT.multiply(total, _YEAR), slope) if slope else None
        return _sign(total, worth), step

    def is_only_root_between(self, low: Decimal, high: Decimal) -> bool:
        """Whether F changes its sign between these two factors of growth, or is zero at one of them, and that
        is proved to be its only root.

        There is no root above `high` where what has been paid until each day, compounded at that rate, never
        changes its sign; and none below `low` where what is still to be paid never does. Source: E. Laguerre,
        Sur la théorie des équations numériques, Journal de mathématiques pures et appliquées, 1883. At a root
        the two are one, and Soper's condition. False proves nothing.
        """
        at_low, at_high = self.worth(low), self.worth(high)
        signs = {_sign(_sum(at_low), at_low), _sign(_sum(at_high), at_high)}
        return len(signs) == 2 and _keeps_its_sign(at_high) and _keeps_its_sign(at_low[::-1])


def _sum(values: Iterable[Decimal]) -> Decimal:
    return functools.reduce(EXACT.add, values, _ZERO)


def _sign(total: Decimal, summed: Iterable[Decimal]) -> int:
    """The sign of a total, 0 where it may be what rounding left of what was summed."""
    if abs(total) <= EXACT.multiply(_sum(map(abs, summed)), _NOISE):
        return 0
    return 1 if total > 0 else -1


def _keeps_its_sign(worth: Sequence[Decimal]) -> bool:
    right = 1 if worth[0] > 0 else -1
    for place, total in enumerate(itertools.accumulate(worth, EXACT.add)):
        if (total > 0) != (right > 0) and _sign(total, worth[: place + 1]) == -right:
            return False
    return True


class SeveralRoots(Exception):
    """There is more than one root, or none can be told to be the only one."""


def only_root(stream: Stream) -> tuple[Decimal, Decimal] | None:
    """Return two values of s around the only root, however far out it is; None where there is no root.

    Raise SeveralRoots where there are more, where they are too close to be told apart, such as one where F is
    zero and keeps its sign, and for payments so many and so mixed that looking at all rates takes too long.
    """
    search = _Search(stream)
    low, high = -0.9, 0.7
    while not search.has_none_beyond(low):
        low *= 2
    while not search.has_none_beyond(high):
        high *= 2
    samples = [low, *(s for s in _SAMPLES if low < s < high), high]
    waiting = list(itertools.pairwise(samples))
    if sum(search.float_sign(a) * search.float_sign(b) < 0 for a, b in waiting) > 1:
        raise SeveralRoots
    found: tuple[float, float] | None = None
    while waiting:
        a, b = waiting.pop()
        roots = search.look(a, b)
        if roots == 1 and search.sign(a) != search.sign(b):
            if found:
                raise SeveralRoots
            found = a, b
        elif roots == 2:
            if b - a < _closest(a, b):
                raise SeveralRoots
            middle = a + (b - a) * 0.4987654321
            waiting += [(middle, b), (a, middle)]
    return search.narrowed(*found) if found else None


def _exp(s: float) -> Decimal:
    return EXACT.exp(Decimal(s))


def _closest(a: float, b: float) -> float:
    """How far apart in s roots are that are told apart: 1e-11 in the rate, as far as a float can say so."""
    return max(1e-11 * math.exp(min(-b, 11.0)), 1e-14 * max(-a, b))


class _Search:
    """Proofs about stretches of rates, in floating point as far as that goes."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._times = [day / 365 for day in stream.days]
        self._logs = [math.log(abs(amount)) for amount in stream.amounts]
        self._signs = [1.0 if amount > 0 else -1.0 for amount in stream.amounts]
        self._known: dict[float, int] = {}
        self._work = self._exact_looks = 0

    def sign(self, s: float) -> int:
        """The sign of F; +1 where it is zero, so that a root on a border is in one of its two stretches."""
        if s not in self._known:
            self._known[s] = self.float_sign(s) or self._stream.sign(_exp(s)) or 1
        return self._known[s]

    def narrowed(self, a: float, b: float) -> tuple[Decimal, Decimal]:
        """The bracket, small enough for Newton's method to take few steps."""
        at_a = self.sign(a)
        while b - a > 1e-4 * max(1.0, -a, b):
            middle = (a + b) / 2
            a, b = (middle, b) if self.sign(middle) == at_a else (a, middle)
        return Decimal(a), Decimal(b)

    def float_sign(self, s: float) -> int:
        """The sign of F where floating point tells it for certain, else 0."""
        _, sizes = self._sizes(s)
        total = math.fsum(map(mul, sizes, self._signs))
        if abs(total) <= self._error(s) * math.fsum(sizes):
            return 0
        return 1 if total > 0 else -1

    def has_none_beyond(self, s: float) -> bool:
        """Whether no root is higher, or for a negative s lower, as in `Stream.is_only_root_between`."""
        _, sizes = self._sizes(s)
        fees = list(map(mul, sizes, self._signs))
        if s < 0:
            sizes, fees = sizes[::-1], fees[::-1]
        right, error = (1 if fees[0] > 0 else -1), self._error(s) + len(fees) * 2e-16
        totals, sums = itertools.accumulate(fees), itertools.accumulate(sizes)
        return all(right * total >= error * size for total, size in zip(totals, sums, strict=True))

    def _sizes(self, s: float) -> tuple[list[float], list[float]]:
        """What each payment is worth without its sign, in units of the largest, and the logarithm of that in
        no unit.
        """
        self._work += len(self._times)
        if self._work > max(_WORK, _STRETCHES * len(self._times)):
            raise SeveralRoots
        raised = [log - s * t for log, t in zip(self._logs, self._times, strict=True)]
        top = max(raised)
        return raised, [math.exp(value - top) for value in raised]

    def _error(self, s: float) -> float:
        """The error of a payment's worth, as a fraction of it: that of an exponent of this size."""
        return 1e-15 * (64 + abs(s) * self._times[-1])

    def look(self, a: float, b: float) -> int:
        """How many roots there may be from a to b: none, at most one, or 2 where nothing is proved.

        Around the middle m of the stretch, F(s) e^(s c) = S0 - (s - m) S1 + rest for any c, where S0 sums the
        payments' worth at m, and S1 the same times t - c. By Taylor the rest, and that of the derivative, are
        at most R0 and R1.
        """
        m, h = (a + b) / 2, (b - a) / 2 * 1.0000001
        raised, sizes = self._sizes(m)
        top, size = max(raised), math.fsum(sizes)
        c = math.fsum(map(mul, sizes, self._times)) / size
        apart = [t - c for t in self._times]
        fees = list(map(mul, sizes, self._signs))
        s0, s1 = math.fsum(fees), math.fsum(map(mul, fees, apart))
        bent = [
            distance * math.exp(min(value - top + h * distance, 600.0))
            for value, distance in zip(raised, map(abs, apart), strict=True)
        ]
        r1 = h * math.fsum(map(mul, bent, map(abs, apart)))
        r0, error = h * r1 / 2, self._error(m) * size
        reach = self._times[-1]
        found = _possible(h, s0, s1, r0 + error * (1 + h * reach), r1 + error * reach)
        if found == 2 and max(r0, h * abs(s1)) < 100 * error:
            s0, s1 = self._exactly(m, c, size)
            return _possible(h, s0, s1, r0 + 1e-12 * abs(s0), r1 + 1e-12 * (abs(s1) + abs(s0)))
        return found

    def _exactly(self, m: float, c: float, size: float) -> tuple[float, float]:
        """S0 and S1 at m from all digits, in the unit in which `size` is all payments without their signs."""
        self._exact_looks += 1
        if self._exact_looks > _EXACT_WINDOWS:
            raise SeveralRoots
        worth = self._stream.worth(_exp(m))
        times = [EXACT.subtract(EXACT.divide(Decimal(day), _YEAR), Decimal(c)) for day in self._stream.days]
        unit = EXACT.divide(_sum(map(abs, worth)), Decimal(size))
        slope = _sum(map(EXACT.multiply, worth, times))
        return float(EXACT.divide(_sum(worth), unit)), float(EXACT.divide(slope, unit))


def _possible(h: float, s0: float, s1: float, r0: float, r1: float) -> int:
    """How many zeros S0 - x S1 + rest may have for |x| <= h, the rest being at most r0, its slope r1."""
    if abs(s0) > h * abs(s1) + r0:
        return 0
    return 1 if abs(s1) > r1 else 2

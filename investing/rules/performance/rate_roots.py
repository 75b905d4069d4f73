"""All yearly rates at which a stream of payments is worth nothing: how many there are, and where.

A rate r above -1 is searched for as s = ln(1 + r), which may be any number. With t the years since the first
payment, the payments are worth F(s) = sum of a_i e^(-s t_i). What is stated about F here is proved, not
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
"""Ten more than a sign is decided by, so that the error of 40,000 products does not affect it."""

EXACT = Context(prec=DIGITS, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)
_NOISE = Decimal(10) ** -60
"""A sum that is less than this fraction of the payments' absolute values counts as 0."""

_YEAR = Decimal(365)
_ZERO = Decimal(0)

_WORK = 400_000
"""How many payments are evaluated, in all intervals together, before the search gives up: some 0.3 s."""

_INTERVALS = 100
"""How many intervals are tried at least, however many payments there are."""

_EXACT_INTERVALS = 100
"""How many intervals are tried with all digits, which takes longer."""

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
"""Values of s between which a second root is often found at once."""


class Stream:
    """Payments in order of their days, which are counted from the first one; no amount is zero."""

    def __init__(self, days: Sequence[int], amounts: Sequence[Decimal]) -> None:
        self.days, self.amounts = days, amounts
        self._gaps = [after - before for before, after in itertools.pairwise(days)]

    def worth(self, growth: Decimal) -> list[Decimal]:
        """Return each payment's worth on the first day if money grows by the factor `growth` a year."""
        discount = EXACT.power(growth, EXACT.divide(Decimal(-1), _YEAR))
        powers = {gap: EXACT.power(discount, gap) for gap in set(self._gaps)}
        multiply = EXACT.multiply
        factors = itertools.accumulate([powers[gap] for gap in self._gaps], multiply, initial=Decimal(1))
        return list(map(multiply, self.amounts, factors))

    def sign(self, growth: Decimal) -> int:
        """Return the sign of the total worth: 1, -1 or, to 60 digits, 0."""
        worth = self.worth(growth)
        return _sign(_sum(worth), worth)

    def sign_and_step(self, growth: Decimal) -> tuple[int, Decimal | None]:
        """Return the sign, and Newton's step of s = ln(growth) towards F(s) = 0; None if F is level."""
        worth = self.worth(growth)
        total = _sum(worth)
        slope = _sum(map(EXACT.multiply, worth, map(Decimal, self.days)))
        step = EXACT.divide(EXACT.multiply(total, _YEAR), slope) if slope else None
        return _sign(total, worth), step

    def is_only_root_between(self, low: Decimal, high: Decimal) -> bool:
        """Return whether F is proved to have its only root between these two factors of growth.

        F must change sign between them or be zero at one of them. There is no root above `high` if what has
        been paid until each day, compounded at that rate, never changes sign; and none below `low` if what is
        still to be paid never does. Source: E. Laguerre, Sur la théorie des équations numériques, Journal de
        mathématiques pures et appliquées, 1883. At a root the two are the same, and are Soper's condition.
        False proves nothing.
        """
        at_low, at_high = self.worth(low), self.worth(high)
        signs = {_sign(_sum(at_low), at_low), _sign(_sum(at_high), at_high)}
        return len(signs) == 2 and _keeps_its_sign(at_high) and _keeps_its_sign(at_low[::-1])


def _sum(values: Iterable[Decimal]) -> Decimal:
    return functools.reduce(EXACT.add, values, _ZERO)


def _sign(total: Decimal, summed: Iterable[Decimal]) -> int:
    """Return the sign of a total, 0 if it may be no more than the rounding error of its summands."""
    if abs(total) <= EXACT.multiply(_sum(map(abs, summed)), _NOISE):
        return 0
    return 1 if total > 0 else -1


def _keeps_its_sign(worth: Sequence[Decimal]) -> bool:
    expected = 1 if worth[0] > 0 else -1
    for index, total in enumerate(itertools.accumulate(worth, EXACT.add)):
        if (total > 0) != (expected > 0) and _sign(total, worth[: index + 1]) == -expected:
            return False
    return True


class SeveralRoots(Exception):
    """There is more than one root, or it cannot be proved that there is only one."""


def only_root(stream: Stream) -> tuple[Decimal, Decimal] | None:
    """Return two values of s around the only root, however far out it is; None if there is no root.

    Raise SeveralRoots if there are more, if they are too close to be told apart (such as a root at which F is
    zero without changing sign), and for payments so many and so mixed that trying all rates takes too long.
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
        roots = search.roots_between(a, b)
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
    """Return the smallest distance in s at which two roots are told apart.

    It is 1e-11 in the rate, as far as a float can express that.
    """
    return max(1e-11 * math.exp(min(-b, 11.0)), 1e-14 * max(-a, b))


class _Search:
    """Proofs about intervals of rates, in floating point as far as that is precise enough."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._times = [day / 365 for day in stream.days]
        self._logs = [math.log(abs(amount)) for amount in stream.amounts]
        self._signs = [1.0 if amount > 0 else -1.0 for amount in stream.amounts]
        self._known: dict[float, int] = {}
        self._work = self._exact_intervals = 0

    def sign(self, s: float) -> int:
        """Return the sign of F; +1 if it is zero.

        A root on a border is then in exactly one of its two intervals.
        """
        if s not in self._known:
            self._known[s] = self.float_sign(s) or self._stream.sign(_exp(s)) or 1
        return self._known[s]

    def narrowed(self, a: float, b: float) -> tuple[Decimal, Decimal]:
        """Return the bracket, small enough for Newton's method to take few steps."""
        at_a = self.sign(a)
        while b - a > 1e-4 * max(1.0, -a, b):
            middle = (a + b) / 2
            a, b = (middle, b) if self.sign(middle) == at_a else (a, middle)
        return Decimal(a), Decimal(b)

    def float_sign(self, s: float) -> int:
        """Return the sign of F if floating point is certain of it, otherwise 0."""
        _, sizes = self._sizes(s)
        total = math.fsum(map(mul, sizes, self._signs))
        if abs(total) <= self._error(s) * math.fsum(sizes):
            return 0
        return 1 if total > 0 else -1

    def has_none_beyond(self, s: float) -> bool:
        """Return whether no root is higher or, for a negative s, lower.

        The proof is that of `Stream.is_only_root_between`.
        """
        _, sizes = self._sizes(s)
        signed = list(map(mul, sizes, self._signs))
        if s < 0:
            sizes, signed = sizes[::-1], signed[::-1]
        expected, error = (1 if signed[0] > 0 else -1), self._error(s) + len(signed) * 2e-16
        totals, sums = itertools.accumulate(signed), itertools.accumulate(sizes)
        return all(expected * total >= error * size for total, size in zip(totals, sums, strict=True))

    def _sizes(self, s: float) -> tuple[list[float], list[float]]:
        """Return each payment's worth as a logarithm, and without its sign in units of the largest."""
        self._work += len(self._times)
        if self._work > max(_WORK, _INTERVALS * len(self._times)):
            raise SeveralRoots
        raised = [log - s * t for log, t in zip(self._logs, self._times, strict=True)]
        top = max(raised)
        return raised, [math.exp(value - top) for value in raised]

    def _error(self, s: float) -> float:
        """Return the relative error of a payment's worth: that of an exponent of this size."""
        return 1e-15 * (64 + abs(s) * self._times[-1])

    def roots_between(self, a: float, b: float) -> int:
        """Return how many roots there may be from a to b: 0, at most 1, or 2 if nothing is proved.

        Around the middle m of the interval, F(s) e^(s c) = S0 - (s - m) S1 + rest for any c, where S0 sums
        the payments' worth at m, and S1 the same times t - c. By Taylor's theorem the rest and that of the
        derivative are at most R0 and R1.
        """
        m, h = (a + b) / 2, (b - a) / 2 * 1.0000001
        raised, sizes = self._sizes(m)
        top, size = max(raised), math.fsum(sizes)
        c = math.fsum(map(mul, sizes, self._times)) / size
        apart = [t - c for t in self._times]
        signed = list(map(mul, sizes, self._signs))
        s0, s1 = math.fsum(signed), math.fsum(map(mul, signed, apart))
        curved = [
            distance * math.exp(min(value - top + h * distance, 600.0))
            for value, distance in zip(raised, map(abs, apart), strict=True)
        ]
        r1 = h * math.fsum(map(mul, curved, map(abs, apart)))
        r0, error = h * r1 / 2, self._error(m) * size
        reach = self._times[-1]
        found = _possible(h, s0, s1, r0 + error * (1 + h * reach), r1 + error * reach)
        if found == 2 and max(r0, h * abs(s1)) < 100 * error:
            s0, s1 = self._exactly(m, c, size)
            return _possible(h, s0, s1, r0 + 1e-12 * abs(s0), r1 + 1e-12 * (abs(s1) + abs(s0)))
        return found

    def _exactly(self, m: float, c: float, size: float) -> tuple[float, float]:
        """Return S0 and S1 at m from all digits.

        They are in the unit in which `size` is the payments' absolute total.
        """
        self._exact_intervals += 1
        if self._exact_intervals > _EXACT_INTERVALS:
            raise SeveralRoots
        worth = self._stream.worth(_exp(m))
        times = [EXACT.subtract(EXACT.divide(Decimal(day), _YEAR), Decimal(c)) for day in self._stream.days]
        unit = EXACT.divide(_sum(map(abs, worth)), Decimal(size))
        slope = _sum(map(EXACT.multiply, worth, times))
        return float(EXACT.divide(_sum(worth), unit)), float(EXACT.divide(slope, unit))


def _possible(h: float, s0: float, s1: float, r0: float, r1: float) -> int:
    """Return how many zeros S0 - x S1 + rest may have for |x| <= h.

    The rest is at most r0, its slope r1.
    """
    if abs(s0) > h * abs(s1) + r0:
        return 0
    return 1 if abs(s1) > r1 else 2

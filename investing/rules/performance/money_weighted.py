"""The money-weighted return: the one yearly rate at which every payment grew to the final value.

It is called XIRR after the spreadsheet function, with days / 365 as the exponent. It is a root with no closed
formula, so it is searched for, and reported only if the payments' total worth changes sign between half of
the tenth place below it and half of the tenth place above it.
"""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal

import pyxirr

from db.vocabulary import UnavailableReason as Reason
from investing.rules.money import LIMIT, PLACES
from investing.rules.performance.rate_roots import EXACT, SeveralRoots, Stream, only_root

Payments = Sequence[tuple[dt.date, Decimal]]

HALF = PLACES / 2
"""The largest error of the reported rate: the root is between rate - HALF and rate + HALF."""

_LOWEST = PLACES - 1
"""The lowest rate with ten places that is above -100 %."""

# After a Newton step as small as the first, the error is of the order of its square: the root is known to the
# places of the second.
_CLOSE, _CERTAIN = Decimal("1E-13"), Decimal("1E-22")

_ONE = Decimal(1)


def money_weighted(payments: Payments) -> Decimal | Reason:
    """Return the money-weighted rate of payments by day, or the reason why there is none.

    What is paid in is negative, what comes out positive. The rate is a fraction with ten places. Payments of
    one day may be given separately. The reason is NO_CASH_FLOWS if on no day something is paid in, or on none
    something comes out; NO_ROOT if no rate above -1 makes all of them worth nothing; SEVERAL_ROOTS if more
    than one does, or if two cannot be told apart; OUT_OF_RANGE if the only one has more than 18 digits or is
    closer to -1 than the tenth place.

    Source: Microsoft Excel's XIRR. The first guess is pyxirr's. It is proved to be the only root if what is
    invested, compounded at that rate, is never negative before the end (C. S. Soper, The Marginal Efficiency
    of Capital: A Further Note, Economic Journal, 1959); otherwise all rates are searched.
    """
    daily = _by_day(payments)
    if len({amount > 0 for _, amount in daily}) < 2:
        return Reason.NO_CASH_FLOWS
    first = daily[0][0]
    stream = Stream([(date - first).days for date, _ in daily], [amount for _, amount in daily])
    rate = _guessed(stream, pyxirr.xirr([date for date, _ in daily], [float(amount) for _, amount in daily]))
    return _searched(stream) if rate is None else rate


def _by_day(payments: Payments) -> list[tuple[dt.date, Decimal]]:
    """Return the sum of each day's payments if it is not 0, by date."""
    days: dict[dt.date, Decimal] = {}
    for date, amount in payments:
        days[date] = EXACT.add(days.get(date, Decimal(0)), amount)
    return [(date, amount) for date, amount in sorted(days.items()) if amount]


def _guessed(stream: Stream, guess: float | None) -> Decimal | None:
    """Return the rate near a guess if it is a root and Soper's condition holds, None otherwise."""
    if guess is None or not math.isfinite(guess) or not _LOWEST < guess < LIMIT:
        return None
    growth = EXACT.add(_ONE, Decimal(guess))
    for _ in range(4):
        _, step = stream.sign_and_step(growth)
        if step is None or abs(step) > 1:
            return None
        growth = EXACT.multiply(growth, EXACT.exp(step))
        if EXACT.multiply(abs(step), growth) < _CLOSE:
            break
    rate = _rounded(EXACT.subtract(growth, _ONE))
    return rate if _LOWEST <= rate < LIMIT and stream.is_only_root_between(*_ends(rate)) else None


def _ends(rate: Decimal) -> tuple[Decimal, Decimal]:
    """Return 1 + the rate a HALF lower and a HALF higher."""
    return EXACT.add(_ONE, EXACT.subtract(rate, HALF)), EXACT.add(_ONE, EXACT.add(rate, HALF))


def _searched(stream: Stream) -> Decimal | Reason:
    try:
        bracket = only_root(stream)
    except SeveralRoots:
        return Reason.SEVERAL_ROOTS
    if bracket is None:
        return Reason.NO_ROOT
    near = _rounded(EXACT.subtract(_refined(stream, *bracket), _ONE))
    if not _LOWEST <= near < LIMIT:
        return Reason.OUT_OF_RANGE
    # The root may be so close to the middle between two rates that only the signs say on which side it is.
    for rate in (near, EXACT.subtract(near, PLACES), EXACT.add(near, PLACES)):
        low, high = _ends(rate)
        if rate >= _LOWEST and stream.sign(low) != stream.sign(high):
            return rate
    return Reason.SEVERAL_ROOTS


def _refined(stream: Stream, low: Decimal, high: Decimal) -> Decimal:
    """Return 1 + the rate at the root between two values of s = ln(1 + rate).

    It takes Newton's steps, and halves the bracket if they leave it or do not close in on the root.
    """
    at_low = stream.sign(EXACT.exp(low))
    s = EXACT.divide(EXACT.add(low, high), Decimal(2))
    width = EXACT.subtract(high, low)
    while True:
        growth = EXACT.exp(s)
        sign, step = stream.sign_and_step(growth)
        if sign == 0 or EXACT.multiply(width, max(growth, _ONE)) < _CLOSE:
            return growth
        low, high = (s, high) if sign == at_low else (low, s)
        after = s if step is None else EXACT.add(s, step)
        if not low < after < high or abs(EXACT.subtract(after, s)) > width / 2:
            after = EXACT.divide(EXACT.add(low, high), Decimal(2))
        width, s = abs(EXACT.subtract(after, s)), after


def _rounded(rate: Decimal) -> Decimal:
    """Round to ten places, halves away from zero.

    What misses a half only by the error of the search counts as a half.
    """
    return rate if abs(rate) >= LIMIT else EXACT.quantize(EXACT.quantize(rate, _CERTAIN), PLACES)

"""The days of a portfolio, of an account or of all that a user has: what every figure is worked out from."""

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from investing.rules.returns import ONE, WIDE, ZERO, growth, stored


@dataclass(frozen=True, slots=True)
class Point:
    """Worth at a day's end, and what came in from outside on that day less what left.

    `unpriced_positions` had no price on that day and count as nothing.
    """

    date: dt.date
    total_value: Decimal
    net_flow: Decimal
    unpriced_positions: int = 0


@dataclass(frozen=True, slots=True)
class DayReturn:
    """One day's return, rounded to ten places, and the index after it, which began with 1 and is not."""

    date: dt.date
    daily: Decimal
    index: Decimal


def daily_returns(points: Sequence[Point]) -> Iterator[DayReturn]:
    """The days after the first that have a return. The first point is where the index is 1.

    A day on which nothing was there to grow has none and changes nothing; a loss of more than everything
    leaves the index at zero.
    """
    index = ONE
    for before, point in itertools.pairwise(points):
        grown = growth(before.total_value, point.total_value, point.net_flow)
        daily = None if grown is None else stored(WIDE.subtract(grown, ONE))
        if grown is not None and daily is not None:
            index = WIDE.multiply(index, max(grown, ZERO))
            yield DayReturn(point.date, daily, index)

"""The days of a portfolio, of an account or of all that a user has: what every figure is worked out from."""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from investing.rules.performance.returns import ONE, WIDE, ZERO, growth, stored


class Flow(NamedTuple):
    """A moment at which something crossed the border: what there was just before it, what came in (or left,
    negative), and when. A sub-period ends with it, and the next one begins with `before + amount`.
    """

    before: Decimal
    amount: Decimal
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """Worth at a day's end, and what came in from outside on that day less what left, flow by flow.

    `unpriced_positions` had no price on that day, or at one of its flows, and count as nothing. Of
    `num_positions` `stale_positions` have no close of their own on that day: an older one, or a trade. Of
    these `unquoted_positions` never had one until then, or have none for so long that no more is waited for.
    """

    date: dt.date
    total_value: Decimal
    net_flow: Decimal
    unpriced_positions: int = 0
    flows: tuple[Flow, ...] = ()
    num_positions: int = 0
    stale_positions: int = 0
    unquoted_positions: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for a net flow that is not the sum of the flows."""
        if self.net_flow != sum((flow.amount for flow in self.flows), ZERO):
            raise ValueError("the net flow of a day is the sum of its flows")


def with_opening(points: Sequence[Point]) -> Sequence[Point]:
    """Return the same days with nothing before the first one, so that the whole of it counts."""
    return [Point(points[0].date, ZERO, ZERO), *points] if points else points


def begins_with_a_flow(points: Sequence[Point]) -> bool:
    """Return whether the first point is an opening, so that the first day begins with its first flow."""
    return len(points) > 1 and points[0].date == points[1].date


@dataclass(frozen=True, slots=True)
class DayGrowth:
    """What a day made of 1, over its sub-periods; None where none of them began with anything.

    Less than zero where more than everything was lost in a sub-period: nothing links through that.
    `without_capital` is what was earned in sub-periods that began with nothing. `is_negative` says that one
    began below zero, so that there is no return.
    """

    growth: Decimal | None
    without_capital: Decimal = ZERO
    is_negative: bool = False


def sub_periods(start: Decimal, flows: Sequence[Flow], end: Decimal) -> list[tuple[Decimal, Decimal]]:
    """Return the values at the beginning and the end of each sub-period of a day; each flow ends one."""
    if not flows:
        return [(start, end)]
    starts = [start, *(flow.before + flow.amount for flow in flows)]
    return list(zip(starts, [*(flow.before for flow in flows), end], strict=True))


def day_growth(start: Decimal, flows: Sequence[Flow], end: Decimal) -> DayGrowth:
    """Return the chain of a day's sub-periods: the product of end / start of those that begin above zero."""
    if not flows and start > 0:
        # Almost every day of years.
        return DayGrowth(growth(start, end))
    product: Decimal | None = None
    without, is_negative = ZERO, False
    for begun, ended in sub_periods(start, flows, end):
        grown = growth(begun, ended)
        if begun < 0:
            is_negative = True
        elif grown is None:
            without += ended
        elif product is None:
            product = grown
        elif product >= 0:
            product = WIDE.multiply(product, grown)
    return DayGrowth(product, without, is_negative)


def growths(points: Sequence[Point]) -> Iterator[tuple[Point, DayGrowth]]:
    """Give each day after the first point, with its growth."""
    for before, point in itertools.pairwise(points):
        yield point, day_growth(before.total_value, point.flows, point.total_value)


@dataclass(frozen=True, slots=True)
class DayReturn:
    """One day's return, rounded to ten places, and the index after it, which began with 1 and is not."""

    date: dt.date
    daily: Decimal
    index: Decimal


def daily_returns(points: Sequence[Point]) -> Iterator[DayReturn]:
    """Give the days after the first point that have a return. At that point the index is 1.

    A day on which nothing was there to grow has none and changes nothing, and nor does one on which a
    sub-period began below zero, which is no index any more; a loss of more than everything leaves the index
    at zero.
    """
    return linked(growths(points))


def linked(days: Iterable[tuple[Point, DayGrowth]]) -> Iterator[DayReturn]:
    """Give the same of days whose growth is known already."""
    index = ONE
    for point, day in days:
        if day.growth is None or day.is_negative:
            continue
        daily = stored(WIDE.subtract(day.growth, ONE))
        if daily is not None:
            index = WIDE.multiply(index, max(day.growth, ZERO))
            yield DayReturn(point.date, daily, index)

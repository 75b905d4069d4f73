"""The days of a portfolio, an account or a user, from which every figure is computed."""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from investing.rules.performance.returns import ONE, WIDE, ZERO, growth, stored


class Flow(NamedTuple):
    """An external flow: the value just before it, what came in (negative: went out), and when.

    A sub-period ends with it, and the next one begins with `before + amount`.
    """

    before: Decimal
    amount: Decimal
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """The value at a day's end, and what came in from outside on that day minus what went out, flow by flow.

    `unpriced_positions` had no price on that day, or at one of its flows, and count as 0. Of the
    `num_positions`, `stale_positions` have no close of that day but an older one, or a trade. Of these,
    `unquoted_positions` had never had a close by then, or have had none for so long that no more is expected.
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
        """Raise ValueError if the net flow is not the sum of the flows."""
        if self.net_flow != sum((flow.amount for flow in self.flows), ZERO):
            raise ValueError("the net flow of a day is the sum of its flows")


def with_opening(points: Sequence[Point]) -> Sequence[Point]:
    """Return the same days with a point of no value before the first one, so that the whole day counts."""
    return [Point(points[0].date, ZERO, ZERO), *points] if points else points


def begins_with_a_flow(points: Sequence[Point]) -> bool:
    """Return whether the first point is an opening, so that the first day begins with its first flow."""
    return len(points) > 1 and points[0].date == points[1].date


@dataclass(frozen=True, slots=True)
class DayGrowth:
    """What 1 grew to on a day, over its sub-periods; None if none of them began with any capital.

    It is below zero if more than everything was lost in a sub-period: nothing can be linked across that.
    `without_capital` is what was earned in sub-periods that began with nothing. `is_negative` means that one
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
    """Return the growth of a day: the product of end / start of its sub-periods that begin above zero."""
    if not flows and start > 0:
        # This is almost every day.
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
    """Yield each day after the first point, with its growth."""
    for before, point in itertools.pairwise(points):
        yield point, day_growth(before.total_value, point.flows, point.total_value)


@dataclass(frozen=True, slots=True)
class DayReturn:
    """One day's return, rounded to ten places, and the unrounded index after it, which began with 1."""

    date: dt.date
    daily: Decimal
    index: Decimal


def daily_returns(points: Sequence[Point]) -> Iterator[DayReturn]:
    """Yield the days after the first point that have a return. At that point the index is 1.

    A day without any capital has no return and changes nothing, and nor does one on which a sub-period began
    below zero, after which there is no index any more; a loss of more than everything leaves the index at
    zero.
    """
    return linked(growths(points))


def linked(days: Iterable[tuple[Point, DayGrowth]]) -> Iterator[DayReturn]:
    """Yield what `daily_returns` does, for days whose growth is already known."""
    index = ONE
    for point, day in days:
        if day.growth is None or day.is_negative:
            continue
        daily = stored(WIDE.subtract(day.growth, ONE))
        if daily is not None:
            index = WIDE.multiply(index, max(day.growth, ZERO))
            yield DayReturn(point.date, daily, index)

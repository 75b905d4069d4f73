"""Short histories as pairs of a day's value and its net flow.

What comes in does so before anything has moved on the day, and what leaves does so at its end.
"""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from investing.rules.performance.series import Flow, Point


def flows_of(before: Decimal, value: Decimal, flow: Decimal) -> tuple[Flow, ...]:
    """The day's one flow, if any; `before` is the value of the day before."""
    if not flow:
        return ()
    return (Flow(before if flow > 0 else value - flow, flow),)


def days_of(
    first: dt.date, *pairs: tuple[object, object], apart: int = 1
) -> Iterator[tuple[dt.date, Decimal, Decimal, tuple[Flow, ...]]]:
    """Date, value, net flow and flows of each pair, so many days apart."""
    before = Decimal(0)
    for n, pair in enumerate(pairs):
        value, flow = (Decimal(str(number)) for number in pair)
        yield first + dt.timedelta(days=n * apart), value, flow, flows_of(before, value, flow)
        before = value


def points_of(first: dt.date, *pairs: tuple[object, object], apart: int = 1) -> list[Point]:
    """The same as points, each of them with a close of all that is held."""
    return [
        Point(date, value, flow, 0, flows, num_positions=1)
        for date, value, flow, flows in days_of(first, *pairs, apart=apart)
    ]

"""Drawdowns: the deepest fall of a time-weighted index from a peak, and how long it lasted.

They are measured on the index, never on the account's value: a withdrawal is not a loss, and a deposit does
not make up for one.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from investing.rules.performance.returns import WIDE, ZERO


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall. `depth` is a positive fraction of the peak, not rounded, and 0 if the index never fell.

    `peak` is the last day at the level from which it fell, `trough` the first day at its lowest level,
    `recovery` the first day afterwards at or above the level of the peak; None if there is none (yet).
    """

    depth: Decimal
    peak: dt.date | None = None
    trough: dt.date | None = None
    recovery: dt.date | None = None


def deepest(index: Iterable[tuple[dt.date, Decimal]]) -> Drawdown:
    """Return the deepest drawdown of an index given by day and not below zero; of equal ones the first.

    Maximum drawdown is the largest (peak - trough) / peak with the peak before the trough. Source: M.
    Magdon-Ismail and A. Atiya, Maximum Drawdown, Risk Magazine, 2004.
    """
    worst = Drawdown(ZERO)
    peak_value: Decimal | None = None
    peak_date: dt.date | None = None
    fallen_from = ZERO
    for date, value in index:
        if peak_value is None or value >= peak_value:
            peak_value, peak_date = value, date
        elif peak_value > 0:
            depth = WIDE.divide(WIDE.subtract(peak_value, value), peak_value)
            if depth > worst.depth:
                worst, fallen_from = Drawdown(depth, peak_date, date), peak_value
        if worst.trough is not None and worst.recovery is None and value >= fallen_from:
            worst = Drawdown(worst.depth, worst.peak, worst.trough, date)
    return worst

"""Drawdowns: the deepest fall of a time-weighted index from a peak, and how long it took.

On the index, never on what an account is worth: a withdrawal is no loss, and a deposit heals none.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from investing.rules.performance.returns import WIDE, ZERO


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall. `depth` is a positive fraction of the peak, not rounded, and 0 where nothing ever fell.

    `peak` is the last day at the height that it fell from, `trough` the first one at its lowest, `recovery`
    the first one afterwards at that height or above it; None where there was none (yet).
    """

    depth: Decimal
    peak: dt.date | None = None
    trough: dt.date | None = None
    recovery: dt.date | None = None


def deepest(index: Iterable[tuple[dt.date, Decimal]]) -> Drawdown:
    """The deepest drawdown of an index that is given by day and not below zero; of several the first.

    Maximum drawdown is the largest (peak - trough) / peak with the peak before the trough. Source:
    M. Magdon-Ismail and A. Atiya, Maximum Drawdown, Risk Magazine, 2004.
    """
    worst = Drawdown(ZERO)
    height: Decimal | None = None
    top: dt.date | None = None
    fallen_from = ZERO
    for date, value in index:
        if height is None or value >= height:
            height, top = value, date
        elif height > 0:
            depth = WIDE.divide(WIDE.subtract(height, value), height)
            if depth > worst.depth:
                worst, fallen_from = Drawdown(depth, top, date), height
        if worst.trough is not None and worst.recovery is None and value >= fallen_from:
            worst = Drawdown(worst.depth, worst.peak, worst.trough, date)
    return worst

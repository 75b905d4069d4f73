"""How a portfolio performed, day by day: its daily returns and the figures since its first day.

The first day begins with nothing, and counts from its first flow on. A day on which there was no capital has
no return. If a position had no price at a day's beginning, at one of its flows or at its end, or if a
sub-period began below zero, the day's return is not known, and neither is any figure that has to include it:
from then on they are None.

Every figure looks back to the first day, in one pass. The statistics are those of the returns of periods, at
ten places: their sums are exact. A period is a day with a close of everything held, with the days before it
that wait for one (`investing.rules.performance.frequency`). The return since the beginning links returns that
are not rounded. `investing.rules.performance.returns` has the formulas.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from db.vocabulary import TransactionType
from investing.rules.performance.frequency import PeriodStatistics, PricedDay
from investing.rules.performance.returns import ONE, WIDE, ZERO, Statistics, stored
from investing.rules.performance.series import Flow, day_growth

__all__ = ["EXTERNAL", "Day", "Snapshot", "snapshots"]

EXTERNAL = frozenset(
    {
        TransactionType.DEPOSIT,
        TransactionType.WITHDRAWAL,
        TransactionType.TRANSFER_IN,
        TransactionType.TRANSFER_OUT,
    }
)
"""The external flows of a portfolio.

Dividends, interest, fees and taxes are part of its performance, with one exception: a dividend of an
instrument whose prices already contain it comes from outside.
"""


@dataclass(frozen=True, slots=True)
class Day:
    """A portfolio at a day's end, in its currency.

    `net_flow` is what came in from outside minus what went out, the sum of its `flows`. `unpriced_positions`
    had no price yet on that day and count as 0 in the values. `stale_positions` have no close of that day but
    an older one, or a trade. Of these, `unquoted_positions` never had a close, or have had none for so long
    that no more is expected.
    """

    date: dt.date
    cash_value: Decimal
    positions_value: Decimal
    net_flow: Decimal
    num_positions: int
    unpriced_positions: int = 0
    stale_positions: int = 0
    unquoted_positions: int = 0
    flows: tuple[Flow, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A day and the figures since the first one. Returns and drawdown are fractions: 0.05 is 5 %.

    `volatility`, `sharpe_ratio` and `sortino_ratio` are per year, by the days' own frequency
    (`investing.rules.performance.frequency`), None if they have none; `max_drawdown` is positive.
    """

    date: dt.date
    total_value: Decimal
    cash_value: Decimal
    positions_value: Decimal
    net_flow: Decimal
    daily_return: Decimal | None
    cumulative_return: Decimal | None
    sharpe_ratio: Decimal | None
    sortino_ratio: Decimal | None
    volatility: Decimal | None
    max_drawdown: Decimal | None
    num_positions: int
    unpriced_positions: int = 0
    stale_positions: int = 0
    unquoted_positions: int = 0
    flows: tuple[Flow, ...] = field(default=())


def snapshots(
    days: Iterable[Day], risk_free: Decimal = ZERO, *, past: Iterable[Day] = ()
) -> Iterator[Snapshot]:
    """Yield the snapshot of each day in turn. Raise ValueError if dates do not ascend.

    `risk_free` is a rate per year. `past` are the days before the first one, whose snapshots are not wanted:
    their values and flows are stored exactly, so what follows is the same as if all had been requested.
    """
    history = _History(risk_free)
    for day in past:
        history.add(day)
    for day in days:
        yield history.snapshot(day, history.add(day))


class _History:
    """All days so far."""

    def __init__(self, risk_free: Decimal) -> None:
        self._index, self._series = _Index(), PeriodStatistics(risk_free)
        self._before: Day | None = None
        # Whether every return so far is known.
        self._is_known = True

    def add(self, day: Day) -> Decimal | None:
        """Add a day and return its return."""
        before, self._before = self._before, day
        if before is not None and day.date <= before.date:
            raise ValueError(f"days must ascend: {day.date} comes after {before.date}")
        if day.unpriced_positions or (before is not None and before.unpriced_positions):
            self._is_known = False
            return None
        of_day = day_growth(ZERO if before is None else _total(before), day.flows, _total(day))
        if of_day.is_negative:
            self._is_known = False
            return None
        grown = of_day.growth
        daily = None if grown is None else stored(WIDE.subtract(grown, ONE))
        if grown is not None and daily is not None:
            self._index.link(grown)
        counts = (day.num_positions, day.stale_positions, day.unquoted_positions)
        self._series.add(PricedDay(day.date, grown, *counts))
        return daily

    def snapshot(self, day: Day, daily: Decimal | None) -> Snapshot:
        """Return the snapshot of the day that was added last."""
        known = self._is_known
        found = self._series.statistics() if known else None
        statistics = found if isinstance(found, Statistics) else None
        return Snapshot(
            date=day.date,
            total_value=_total(day),
            cash_value=day.cash_value,
            positions_value=day.positions_value,
            net_flow=day.net_flow,
            daily_return=daily,
            cumulative_return=self._index.cumulative_return() if known else None,
            sharpe_ratio=statistics.sharpe_ratio() if statistics else None,
            sortino_ratio=statistics.sortino_ratio() if statistics else None,
            volatility=statistics.volatility() if statistics else None,
            max_drawdown=self._index.max_drawdown() if known else None,
            num_positions=day.num_positions,
            unpriced_positions=day.unpriced_positions,
            stale_positions=day.stale_positions,
            unquoted_positions=day.unquoted_positions,
            flows=day.flows,
        )


def _total(day: Day) -> Decimal:
    return day.cash_value + day.positions_value


class _Index:
    """What 1 has grown to, and the largest fall from its highest point so far."""

    def __init__(self) -> None:
        self._value = self._peak = ONE
        self._worst = ZERO
        self._linked = False

    def link(self, grown: Decimal) -> None:
        # More than everything can be lost on margin, but nothing can be linked across a value below zero.
        self._value = WIDE.multiply(self._value, max(grown, ZERO))
        self._peak = max(self._peak, self._value)
        self._worst = max(self._worst, ONE - WIDE.divide(self._value, self._peak))
        self._linked = True

    def cumulative_return(self) -> Decimal | None:
        return stored(WIDE.subtract(self._value, ONE)) if self._linked else None

    def max_drawdown(self) -> Decimal | None:
        """Return the largest fall of the index from a peak, as a fraction of the peak."""
        return stored(self._worst) if self._linked else None

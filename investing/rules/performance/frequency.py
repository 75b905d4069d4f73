"""How often a series of returns is observed: which days end a period, and how many periods make a year.

A portfolio's days come as its prices and its entries fall, and no two of them need be the same time apart. A
deviation is made yearly by the root of the periods in a year, which holds for periods of one length only. So
days without all their prices join the next one that has them, and the spacing of what is left decides: 365,
252, 52, 12 or 4 periods a year, or none, and then there is no such figure.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from db.vocabulary import UnavailableReason as Reason
from investing.rules.market.market_days import is_market_day
from investing.rules.performance.returns import ONE, WIDE, ZERO, Statistics, periodic_rate, stored

LEAST = 12
"""The fewest returns that a yearly figure is made of."""

_EVERY_DAY, _BUSINESS_DAYS = 365, 252
_SPACED = {52: (6, 8), 12: (27, 33), 4: (85, 95)}
"""By periods per year, how many calendar days are between two of them, the least and the most."""

_ONE_DAY = dt.timedelta(days=1)
_LONGEST_CLOSURE = 10
"""Markets are closed for fewer days than this on end."""


class Spacing:
    """The days that end periods, as they come."""

    def __init__(self) -> None:
        self._last: dt.date | None = None
        self._gaps: Counter[int] = Counter()
        self._inside: Counter[int] = Counter()

    def add(self, day: dt.date) -> None:
        """One more day. Raises ValueError for one that does not come after the last."""
        before, self._last = self._last, day
        if before is None:
            return
        if day <= before:
            raise ValueError(f"days must ascend: {day} comes after {before}")
        gap = (day - before).days
        self._gaps[gap] += 1
        for periods in _classes(gap, before, day):
            self._inside[periods] += 1

    def periods_per_year(self) -> int | Reason:
        """Return the class of the median gap in calendar days: IRREGULAR_SPACING where it has none, or where
        more than a tenth of all gaps are not the class's; TOO_SHORT without a gap.

        A median of 1 is every day of the week or business days, whichever fewer gaps contradict. A median of
        6 to 8 days is weekly, one of 27 to 33 monthly, one of 85 to 95 quarterly. These gaps are a class's:
        1 day where every day counts; from one weekday to another with no market day in between for business
        days, so that weekends and holidays are no gaps; and the days of the median for the others, where they
        would be in that range if a market holiday had not moved one of the two days.
        """
        count = self._gaps.total()
        if not count:
            return Reason.TOO_SHORT
        median = self._twice_the_median() / 2
        found = [periods for periods, (least, most) in _SPACED.items() if least <= median <= most]
        if median == 1:
            found = [max(_EVERY_DAY, _BUSINESS_DAYS, key=self._inside.__getitem__)]
        if not found or (count - self._inside[found[0]]) * 10 > count:
            return Reason.IRREGULAR_SPACING
        return found[0]

    def _twice_the_median(self) -> int:
        """The sum of the two gaps in the middle, which is one of them twice where their number is odd."""
        count, passed, total = self._gaps.total(), 0, 0
        for gap in sorted(self._gaps):
            first, passed = passed, passed + self._gaps[gap]
            total += gap * sum(first <= place < passed for place in ((count - 1) // 2, count // 2))
        return total


def periods_per_year(days: Iterable[dt.date]) -> int | Reason:
    """Return how many periods a year such days make, as `Spacing` tells it."""
    spacing = Spacing()
    for day in days:
        spacing.add(day)
    return spacing.periods_per_year()


def _classes(gap: int, before: dt.date, day: dt.date) -> Iterator[int]:
    """How many periods a year the series have to which such a gap belongs."""
    if gap == 1:
        yield _EVERY_DAY
    if gap <= _LONGEST_CLOSURE and before.weekday() < 5 and day.weekday() < 5:
        if not any(is_market_day(before + n * _ONE_DAY) for n in range(1, gap)):
            yield _BUSINESS_DAYS
    for periods, (least, most) in _SPACED.items() if gap > 3 else ():
        if least <= gap <= most or _may_be_moved(gap, before, day, least, most):
            yield periods


def _may_be_moved(gap: int, before: dt.date, day: dt.date, least: int, most: int) -> bool:
    """Whether the gap would be in the range if a market holiday had not moved one of the two days."""
    if least > gap >= least - 2 * _LONGEST_CLOSURE:
        return gap + _moved(before, -1) + _moved(day, 1) >= least
    if most < gap <= most + 2 * _LONGEST_CLOSURE:
        return gap - _moved(before, 1) - _moved(day, -1) <= most
    return False


def _moved(day: dt.date, direction: int) -> int:
    """By how many days a market holiday next to this day may have moved it, weekends beside it included."""
    moved, has_holiday = 0, False
    other = day + direction * _ONE_DAY
    while not is_market_day(other) and moved < _LONGEST_CLOSURE:
        has_holiday = has_holiday or other.weekday() < 5
        moved, other = moved + 1, other + direction * _ONE_DAY
    return moved if has_holiday else 0


class PricedDay(NamedTuple):
    """A day's end. `growth` is 1 + r of that day, None where nothing was there to grow.

    Of the `positions` held at its end `stale_positions` have no close of that day, and of these
    `unquoted_positions` have no market either: none ever had prices of their own, or they have stopped.
    """

    date: dt.date
    growth: Decimal | None
    positions: int
    stale_positions: int
    unquoted_positions: int = 0

    @property
    def quoted(self) -> int:
        """Return how many of the positions have a market: prices of their own, now and then."""
        return self.positions - self.unquoted_positions

    @property
    def is_priced(self) -> bool:
        """Return whether all that has a market has a close of that day."""
        return self.quoted > 0 and self.stale_positions == self.unquoted_positions


class ReturnPeriod(NamedTuple):
    """From one day's end to another's: their places in the order in which the days were given, and the date
    of the last. `value` is the return at ten places, None where none of the days had one.
    """

    start: int
    end: int
    date: dt.date
    value: Decimal | None


class Periods:
    """Joins days to periods, as they come.

    A day ends a period where everything held that has a market has a close, or where the last such position
    was sold on it. Any other joins the next that does: one with an entry alone, one on which not all markets
    were open, one without positions. Days at the end that still wait for such a one are in no period, and a
    portfolio that never holds anything has none. The first day's own growth is in no period, because it is
    not that of a whole day; nor is that of a second day with the date of the first.

    A period of one day has that day's return to the last digit.
    """

    def __init__(self) -> None:
        self.spacing = Spacing()
        self._place = -1
        self._start = 0
        self._first: dt.date | None = None
        self._before: PricedDay | None = None
        self._growth: Decimal | None = None

    def add(self, day: PricedDay) -> ReturnPeriod | None:
        """One more day; the period that ends with it. Raises ValueError where dates do not ascend."""
        self._place += 1
        before, self._before = self._before, day
        # What has stopped having prices was not sold.
        sold = before is not None and before.quoted > day.quoted == 0 and before.positions > day.positions
        ends = sold or day.is_priced
        if ends:
            self.spacing.add(day.date)
        if self._first is None or day.date == self._first:
            self._first, self._start = day.date, self._place
            return None
        self._growth = _linked(self._growth, day.growth)
        if not ends:
            return None
        value = None if self._growth is None else stored(WIDE.subtract(self._growth, ONE))
        period = ReturnPeriod(self._start, self._place, day.date, value)
        self._start, self._growth = self._place, None
        return period


def _linked(before: Decimal | None, growth: Decimal | None) -> Decimal | None:
    """The growth of both; nothing links through a loss of more than everything, which leaves nothing."""
    if before is None or growth is None:
        return growth if before is None else before
    return WIDE.multiply(max(before, ZERO), max(growth, ZERO))


class PeriodStatistics:
    """The statistics of days by their own frequency, whenever asked. `risk_free` is a rate per year."""

    def __init__(self, risk_free: Decimal = ZERO) -> None:
        self.periods: list[ReturnPeriod] = []
        """Those that have a return."""
        self._risk_free = risk_free
        self._joining = Periods()
        self._statistics = Statistics()
        self._counted = 0
        self._by = 0

    def add(self, day: PricedDay) -> None:
        """One more day. Raises ValueError where dates do not ascend."""
        period = self._joining.add(day)
        if period is not None and period.value is not None:
            self.periods.append(period)

    def periods_per_year(self) -> int | Reason:
        """Return how many periods make a year; TOO_SHORT below 12 returns, or IRREGULAR_SPACING."""
        if len(self.periods) < LEAST:
            return Reason.TOO_SHORT
        return self._joining.spacing.periods_per_year()

    def statistics(self) -> Statistics | Reason:
        """Return the statistics of all periods so far, or why there are none."""
        by = self.periods_per_year()
        if isinstance(by, Reason):
            return by
        if by != self._by:
            self._by, self._counted = by, 0
            self._statistics = Statistics(periodic_rate(self._risk_free, by), by)
        for period in self.periods[self._counted :]:
            assert period.value is not None, "only such are kept"
            self._statistics.add(period.value)
        self._counted = len(self.periods)
        return self._statistics

"""How often a series of returns is observed: which days end a period, and how many periods make a year.

A portfolio's days depend on its prices and its entries, and need not be evenly spaced. A deviation is
annualised by the root of the periods in a year, which is valid only for periods of equal length. So days
without all their prices join the next one that has them, and the spacing of what is left decides: 365, 252,
52, 12 or 4 periods a year or, if none of these fits, no such figure.
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
"""The fewest returns that a yearly figure is computed from."""

_EVERY_DAY, _BUSINESS_DAYS = 365, 252
_SPACED = {52: (6, 8), 12: (27, 33), 4: (85, 95)}
"""By periods per year, the fewest and the most calendar days from one to the next."""

_ONE_DAY = dt.timedelta(days=1)
_LONGEST_CLOSURE = 10
"""Markets are closed for fewer consecutive days than this."""


class Spacing:
    """The spacing of the days that end periods, added one by one."""

    def __init__(self) -> None:
        self._last: dt.date | None = None
        self._gaps: Counter[int] = Counter()
        self._inside: Counter[int] = Counter()

    def add(self, day: dt.date) -> None:
        """Add a day. Raise ValueError if it does not come after the last one."""
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
        """Return the class of the median gap in calendar days, or the reason why there is none.

        IRREGULAR_SPACING if the median has no class, or if more than a tenth of all gaps are not of the
        class; TOO_SHORT without a gap.

        A median of 1 is every day of the week or business days, whichever fewer gaps contradict. A median of
        6 to 8 days is weekly, one of 27 to 33 monthly, one of 85 to 95 quarterly. The gaps of a class are: 1
        day if every day counts; for business days, from one weekday to another with no market day in between,
        so that weekends and holidays are no gaps; for the others the days of the median, and gaps that would
        be in that range if a market holiday had not moved one of the two days.
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
        """Return the sum of the two gaps in the middle, which is twice one gap if their number is odd."""
        count, passed, total = self._gaps.total(), 0, 0
        for gap in sorted(self._gaps):
            first, passed = passed, passed + self._gaps[gap]
            total += gap * sum(first <= place < passed for place in ((count - 1) // 2, count // 2))
        return total


def periods_per_year(days: Iterable[dt.date]) -> int | Reason:
    """Return how many periods a year has with such days, as `Spacing.periods_per_year` does."""
    spacing = Spacing()
    for day in days:
        spacing.add(day)
    return spacing.periods_per_year()


def _classes(gap: int, before: dt.date, day: dt.date) -> Iterator[int]:
    """Yield the classes that such a gap belongs to, as periods per year."""
    if gap == 1:
        yield _EVERY_DAY
    if gap <= _LONGEST_CLOSURE and before.weekday() < 5 and day.weekday() < 5:
        if not any(is_market_day(before + n * _ONE_DAY) for n in range(1, gap)):
            yield _BUSINESS_DAYS
    for periods, (least, most) in _SPACED.items() if gap > 3 else ():
        if least <= gap <= most or _may_be_moved(gap, before, day, least, most):
            yield periods


def _may_be_moved(gap: int, before: dt.date, day: dt.date, least: int, most: int) -> bool:
    """Return whether the gap would be in the range if a market holiday had not moved one of the two days."""
    if least > gap >= least - 2 * _LONGEST_CLOSURE:
        return gap + _moved(before, -1) + _moved(day, 1) >= least
    if most < gap <= most + 2 * _LONGEST_CLOSURE:
        return gap - _moved(before, 1) - _moved(day, -1) <= most
    return False


def _moved(day: dt.date, direction: int) -> int:
    """Return how many days a market holiday next to this day may have moved it.

    Weekends next to the holiday are included.
    """
    moved, has_holiday = 0, False
    other = day + direction * _ONE_DAY
    while not is_market_day(other) and moved < _LONGEST_CLOSURE:
        has_holiday = has_holiday or other.weekday() < 5
        moved, other = moved + 1, other + direction * _ONE_DAY
    return moved if has_holiday else 0


class PricedDay(NamedTuple):
    """A day's end. `growth` is 1 + r of that day, None if there was no capital.

    Of the `positions` held at its end, `stale_positions` have no close of that day; of these,
    `unquoted_positions` have no market either: they never had prices of their own, or the prices have
    stopped.
    """

    date: dt.date
    growth: Decimal | None
    positions: int
    stale_positions: int
    unquoted_positions: int = 0

    @property
    def quoted(self) -> int:
        """How many of the positions have a market, that is prices of their own at least now and then."""
        return self.positions - self.unquoted_positions

    @property
    def is_priced(self) -> bool:
        """Whether every position that has a market has a close of that day."""
        return self.quoted > 0 and self.stale_positions == self.unquoted_positions


class ReturnPeriod(NamedTuple):
    """The time from one day's end to another's, given by their indices, with the date of the last.

    `value` is the return at ten places, None if none of the days had one.
    """

    start: int
    end: int
    date: dt.date
    value: Decimal | None


class Periods:
    """Join days to periods, one day at a time.

    A day ends a period if every position that has a market has a close, or if the last such position was sold
    on it. Any other day joins the next one that does: a day with nothing but an entry, one on which not all
    markets were open, one without positions. Days at the end that still wait for such a day are in no period,
    and a portfolio that never holds anything has none. The first day's own growth is in no period, because it
    is not that of a whole day; nor is that of a second day with the date of the first.

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
        """Add a day and return the period that ends with it, if any.

        Raise ValueError if dates do not ascend.
        """
        self._place += 1
        before, self._before = self._before, day
        # A position whose prices have stopped was not sold.
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
    """Return the growth over both.

    Nothing can be linked across a loss of more than everything, which leaves nothing.
    """
    if before is None or growth is None:
        return growth if before is None else before
    return WIDE.multiply(max(before, ZERO), max(growth, ZERO))


class PeriodStatistics:
    """The statistics of days by their own frequency, at any time. `risk_free` is a rate per year."""

    def __init__(self, risk_free: Decimal = ZERO) -> None:
        self.periods: list[ReturnPeriod] = []
        """The periods that have a return."""
        self._risk_free = risk_free
        self._joining = Periods()
        self._statistics = Statistics()
        self._counted = 0
        self._by = 0

    def add(self, day: PricedDay) -> None:
        """Add a day. Raise ValueError if dates do not ascend."""
        period = self._joining.add(day)
        if period is not None and period.value is not None:
            self.periods.append(period)

    def periods_per_year(self) -> int | Reason:
        """Return how many periods make a year, or TOO_SHORT (fewer than 12 returns) or IRREGULAR_SPACING."""
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
            assert period.value is not None, "only periods with a return are kept"
            self._statistics.add(period.value)
        self._counted = len(self.periods)
        return self._statistics

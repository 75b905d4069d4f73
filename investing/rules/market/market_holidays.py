"""The weekdays on which the exchanges of New York are closed or close early, since 1990.

Source: New York Stock Exchange, rule 7.2 (holidays), its yearly notices of holidays and early closings, and
its list of special closings. Earlier years follow the rules of 1990. Unplanned interruptions, such as that of
27 October 1997 or a morning of snow, change neither a day nor its close.
"""

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache

CLOSE = dt.time(16)
"""When a full trading day ends in New York."""

_ONE_DAY = dt.timedelta(days=1)
_EARLY = dt.time(13)
_EARLY_BEFORE_1993 = dt.time(14)

_OCCASIONS = frozenset(
    dt.date.fromisoformat(day)
    for day in (
        "1994-04-27",  # mourning for President Nixon
        "2001-09-11",  # the attack on the World Trade Center, to the 14th
        "2001-09-12",
        "2001-09-13",
        "2001-09-14",
        "2004-06-11",  # mourning for President Reagan
        "2007-01-02",  # mourning for President Ford
        "2012-10-29",  # hurricane Sandy
        "2012-10-30",
        "2018-12-05",  # mourning for President George H. W. Bush
        "2025-01-09",  # mourning for President Carter
    )
)

# Early closes that follow no rule: two Fridays after Christmas, and the eve of the year 2000.
_EARLY_OCCASIONS = tuple(dt.date.fromisoformat(day) for day in ("1997-12-26", "1999-12-31", "2003-12-26"))


@lru_cache(maxsize=256)
def holidays(year: int) -> frozenset[dt.date]:
    """Return the weekdays of a year on which the exchanges are closed, special occasions included."""
    days = {_observed(dt.date(year, 7, 4)), _observed(dt.date(year, 12, 25)), _good_friday(year)}
    # A New Year's Day on a Saturday is not observed on the Friday before, which is the last day of a year.
    new_year = dt.date(year, 1, 1)
    days.add(new_year + _ONE_DAY if new_year.weekday() == 6 else new_year)
    # Washington's Birthday, Memorial Day, Labor Day and Thanksgiving.
    days |= {_nth(year, 2, 0, 3), _last_monday_of_may(year), _nth(year, 9, 0, 1), _nth(year, 11, 3, 4)}
    if year >= 1998:
        days.add(_nth(year, 1, 0, 3))  # Martin Luther King, Jr. Day
    if year >= 2022:
        days.add(_observed(dt.date(year, 6, 19)))  # Juneteenth
    days |= {day for day in _OCCASIONS if day.year == year}
    return frozenset(day for day in days if day.weekday() < 5)


@lru_cache(maxsize=256)
def early_closes(year: int) -> Mapping[dt.date, dt.time]:
    """Return the days of a year on which trading ends early, with the time in New York.

    The time is 13:00, until 1992 14:00. The days are Christmas Eve; since 1992 the day after Thanksgiving;
    since 1995 the 3rd of July, except that until 2012, where the 4th was a Thursday, it was Friday the 5th.
    """
    days = {dt.date(year, 12, 24), *(day for day in _EARLY_OCCASIONS if day.year == year)}
    if year >= 1992:
        days.add(_nth(year, 11, 3, 4) + _ONE_DAY)
    if year >= 1995:
        is_thursday = dt.date(year, 7, 4).weekday() == 3
        days.add(dt.date(year, 7, 5) if is_thursday and year < 2013 else dt.date(year, 7, 3))
    closed = holidays(year)
    time = _EARLY if year >= 1993 else _EARLY_BEFORE_1993
    return {day: time for day in sorted(days) if day.weekday() < 5 and day not in closed}


def _observed(day: dt.date) -> dt.date:
    """Return the Friday before a Saturday, the Monday after a Sunday, or else the day itself."""
    return day + {5: -_ONE_DAY, 6: _ONE_DAY}.get(day.weekday(), dt.timedelta(0))


def _nth(year: int, month: int, weekday: int, n: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday_of_may(year: int) -> dt.date:
    last = dt.date(year, 5, 31)
    return last - last.weekday() * _ONE_DAY


def _good_friday(year: int) -> dt.date:
    """Return the day two days before Easter.

    Source: the anonymous Gregorian algorithm (Nature, 20 April 1876).
    """
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1) - 2 * _ONE_DAY

"""On which days the New York Stock Exchange trades, and when a period's rebalance is due."""

import datetime as dt
from functools import lru_cache

from db.vocabulary import RebalanceFrequency
from investing.rules.market_hours import NEW_YORK

DUE = dt.time(10)
"""When a scheduled rebalance is due, in New York: half an hour after the open, when prices have settled."""

_ONE_DAY = dt.timedelta(days=1)


def is_market_day(date: dt.date) -> bool:
    """Whether the exchange trades on that day.

    Source: New York Stock Exchange, rule 7.2 (holidays), as of 2022; days closed for an occasion, such as a
    day of mourning, are not known. Earlier years are judged by the same rule.
    """
    return date.weekday() < 5 and date not in holidays(date.year)


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[dt.date]:
    """The weekdays of a year on which the exchange is closed."""
    fixed = [dt.date(year, 6, 19), dt.date(year, 7, 4), dt.date(year, 12, 25)]
    days = {_observed(day) for day in fixed}
    # A New Year's Day on a Saturday is not made up for on the Friday, which ends a year.
    new_year = dt.date(year, 1, 1)
    days.add(new_year + _ONE_DAY if new_year.weekday() == 6 else new_year)
    days |= {_nth(year, 1, 0, 3), _nth(year, 2, 0, 3), _nth(year, 9, 0, 1), _nth(year, 11, 3, 4)}
    last_of_may = dt.date(year, 5, 31)
    days.add(last_of_may - last_of_may.weekday() * _ONE_DAY)
    days.add(_easter(year) - 2 * _ONE_DAY)
    return frozenset(day for day in days if day.weekday() < 5)


def _observed(day: dt.date) -> dt.date:
    """The Friday before a Saturday, the Monday after a Sunday."""
    return day + {5: -_ONE_DAY, 6: _ONE_DAY}.get(day.weekday(), dt.timedelta(0))


def _nth(year: int, month: int, weekday: int, n: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _easter(year: int) -> dt.date:
    """Easter Sunday. Source: the anonymous Gregorian algorithm (Nature, 20 April 1876)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1)


def next_due(frequency: RebalanceFrequency, after: dt.datetime) -> dt.datetime:
    """The first instant after `after` at which a rebalance of this frequency is due.

    That is 10:00 in New York on the first market day of each day, week (from Monday), month, quarter or year.
    """
    start = _start_of(frequency, after.astimezone(NEW_YORK).date())
    while True:
        due = _due_on(_first_market_day(start))
        if due > after and _start_of(frequency, due.astimezone(NEW_YORK).date()) == start:
            return due
        start = _next_start(frequency, start)


def next_market_morning(after: dt.datetime) -> dt.datetime:
    """10:00 in New York on the next market day, not today."""
    date = after.astimezone(NEW_YORK).date() + _ONE_DAY
    return _due_on(_first_market_day(date))


def _due_on(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, DUE, NEW_YORK).astimezone(dt.UTC)


def _first_market_day(date: dt.date) -> dt.date:
    while not is_market_day(date):
        date += _ONE_DAY
    return date


def _start_of(frequency: RebalanceFrequency, date: dt.date) -> dt.date:
    match frequency:
        case RebalanceFrequency.DAILY:
            return date
        case RebalanceFrequency.WEEKLY:
            return date - date.weekday() * _ONE_DAY
        case RebalanceFrequency.MONTHLY:
            return date.replace(day=1)
        case RebalanceFrequency.QUARTERLY:
            return date.replace(month=(date.month - 1) // 3 * 3 + 1, day=1)
        case RebalanceFrequency.YEARLY:
            return date.replace(month=1, day=1)


def _next_start(frequency: RebalanceFrequency, start: dt.date) -> dt.date:
    # Far enough to be in the next period, and not so far as to be in the one after.
    days = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "QUARTERLY": 92, "YEARLY": 366}[frequency.value]
    return _start_of(frequency, start + days * _ONE_DAY)

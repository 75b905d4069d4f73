"""The days on which the exchanges of New York trade, and when a scheduled rebalance is due."""

import datetime as dt

from db.vocabulary import RebalanceFrequency
from investing.rules.market.market_holidays import holidays
from investing.rules.market.market_hours import NEW_YORK, closing_time

DUE = dt.time(10)
"""When a scheduled rebalance is due, in New York: half an hour after the open, once prices have settled."""

_ONE_DAY = dt.timedelta(days=1)


def is_market_day(date: dt.date) -> bool:
    """Return whether the exchanges of New York trade on that day, half days included.

    It is accurate since 1990.
    """
    return date.weekday() < 5 and date not in holidays(date.year)


def next_close(after: dt.datetime) -> dt.datetime:
    """Return the first close in New York that is later than an instant."""
    date = after.astimezone(NEW_YORK).date()
    while not is_market_day(date) or closing_time(date) <= after:
        date += _ONE_DAY
    return closing_time(date)


def next_due(frequency: RebalanceFrequency, after: dt.datetime) -> dt.datetime:
    """Return the first instant after `after` at which a rebalance of this frequency is due.

    That is 10:00 in New York on the first market day of each day, week (from Monday), month, quarter or year.
    """
    start = _start_of(frequency, after.astimezone(NEW_YORK).date())
    while True:
        due = _due_on(_first_market_day(start))
        if due > after and _start_of(frequency, due.astimezone(NEW_YORK).date()) == start:
            return due
        start = _next_start(frequency, start)


def next_market_morning(after: dt.datetime) -> dt.datetime:
    """Return 10:00 in New York on the next market day after today."""
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

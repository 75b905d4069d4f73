"""The dates on which an exchange's closes count on a day other than their own in some time zone."""

import datetime as dt
from functools import lru_cache
from typing import NamedTuple

from investing.rules.market.market_hours import NEW_YORK, closing_instant, day_of

FIRST_YEAR = 1962
"""Earlier than the oldest daily prices on the market."""

_ONE_DAY = dt.timedelta(days=1)


class ClosesLater(NamedTuple):
    """From `first` to `last` a close counts this many days after its date."""

    first: dt.date
    last: dt.date
    days: int


@lru_cache(maxsize=256)
def closes_later(exchange: str | None, time_zone: str, until: int) -> tuple[ClosesLater, ...]:
    """Return when closes of the exchange count on another day, from FIRST_YEAR to the end of a year.

    It is empty for an exchange whose hours are not known, and in New York's own time zone.
    """
    if time_zone == NEW_YORK.key or closing_instant(exchange, dt.date(until, 1, 1)) is None:
        return ()
    found: list[ClosesLater] = []
    date = dt.date(FIRST_YEAR, 1, 1)
    while date.year <= until:
        closed_at = closing_instant(exchange, date)
        days = 0 if closed_at is None else (day_of(closed_at, time_zone) - date).days
        if days and found and found[-1].days == days and found[-1].last == date - _ONE_DAY:
            found[-1] = found[-1]._replace(last=date)
        elif days:
            found.append(ClosesLater(date, date, days))
        date += _ONE_DAY
    return tuple(found)

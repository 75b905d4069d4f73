"""The market days of New York against those of the package exchange-calendars, since 1990.

Its import takes two seconds, so that no other module asks it.
"""

import datetime as dt

import pytest

from investing.rules.market.market_days import is_market_day
from investing.rules.market.market_hours import closing_time

FIRST = dt.date(1990, 1, 1)


# The package takes the values of a column of instants as the next major pandas will not give them.
@pytest.mark.filterwarnings(
    "ignore:Series.values returning an ndarray that drops timezone:DeprecationWarning"
)
def test_sessions_and_closes_are_those_of_exchange_calendars() -> None:
    from exchange_calendars import get_calendar

    calendar = get_calendar("XNYS", start=FIRST.isoformat())
    theirs = {day.date(): close.to_pydatetime() for day, close in calendar.closes.items()}
    last = max(theirs)
    days = [FIRST + dt.timedelta(days=n) for n in range((last - FIRST).days + 1)]
    ours = {day: closing_time(day) for day in days if is_market_day(day)}
    assert ours == theirs
    # It knows a year ahead of today.
    assert last.year >= 2026
    assert len(ours) > 9200

"""The New York close in UTC, on both sides of the clock's changes."""

import datetime as dt

import pytest

from investing.rules.market_hours import closing_time, market_day


@pytest.mark.parametrize(
    ("date", "hour"),
    [
        (dt.date(2013, 3, 1), 21),
        (dt.date(2013, 3, 8), 21),
        (dt.date(2013, 3, 11), 20),
        (dt.date(2013, 11, 1), 20),
        (dt.date(2013, 11, 4), 21),
        (dt.date(2006, 4, 3), 20),
        (dt.date(2006, 3, 31), 21),
    ],
)
def test_closing_time(date: dt.date, hour: int) -> None:
    closing = closing_time(date)
    assert closing == dt.datetime(date.year, date.month, date.day, hour, tzinfo=dt.UTC)
    assert closing.tzinfo is dt.UTC


def test_a_day_is_new_yorks() -> None:
    assert market_day(dt.datetime(2024, 1, 2, 4, 59, tzinfo=dt.UTC)) == dt.date(2024, 1, 1)
    assert market_day(dt.datetime(2024, 1, 2, 5, 0, tzinfo=dt.UTC)) == dt.date(2024, 1, 2)
    assert market_day(dt.datetime(2024, 7, 2, 3, 59, tzinfo=dt.UTC)) == dt.date(2024, 7, 1)
    assert market_day(dt.datetime.min.replace(tzinfo=dt.UTC)) == dt.date.min

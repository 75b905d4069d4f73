"""When a day starts where an account lives."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from investing.rules.market.market_hours import day_of, start_of_day


@pytest.mark.parametrize(
    ("date", "time_zone", "instant"),
    [
        ("2024-01-10", "America/New_York", "2024-01-10T05:00"),
        ("2024-07-10", "America/New_York", "2024-07-10T04:00"),
        ("2024-01-10", "Europe/Berlin", "2024-01-09T23:00"),
        ("2024-01-10", "Pacific/Auckland", "2024-01-09T11:00"),
        # Midnight is skipped: the clocks of São Paulo go from 24:00 to 1:00, at 3:00 in UTC.
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00"),
        # Midnight comes twice: those of Havana go back from 1:00 to 0:00, at 5:00 in UTC.
        ("2023-11-05", "America/Havana", "2023-11-05T04:00"),
    ],
)
def test_the_first_instant_of_a_day(date: str, time_zone: str, instant: str) -> None:
    expected = dt.datetime.fromisoformat(instant).replace(tzinfo=dt.UTC)
    assert start_of_day(dt.date.fromisoformat(date), time_zone) == expected
    assert expected.astimezone(ZoneInfo(time_zone)).date() == dt.date.fromisoformat(date)


@pytest.mark.parametrize(
    "time_zone",
    [
        "America/Havana",
        "America/Sao_Paulo",
        "Africa/Cairo",
        "Asia/Beirut",
        "America/Toronto",
        "Asia/Kathmandu",
    ],
)
def test_the_way_back(time_zone: str) -> None:
    for days in range(0, 366 * 12):
        date = dt.date(2011, 1, 1) + dt.timedelta(days=days)
        assert day_of(start_of_day(date, time_zone), time_zone) == date

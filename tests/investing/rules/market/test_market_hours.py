"""The close of New York in UTC, on both sides of the clock's changes and on half days; days of any place."""

import datetime as dt

import pytest

from investing.rules.market.market_hours import (
    closing_instant,
    closing_time,
    day_of,
    end_of_day,
    market_day,
    trades_in_new_york,
)


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
        # Half days: 13:00 there, until 1992 14:00.
        (dt.date(2024, 7, 3), 17),
        (dt.date(2024, 11, 29), 18),
        (dt.date(2024, 12, 24), 18),
        (dt.date(1992, 11, 27), 19),
        (dt.date(1991, 11, 29), 21),
        (dt.date(1999, 12, 31), 18),
        # The 4th a Thursday: the Friday after it until 2012, the Wednesday before it since.
        (dt.date(2002, 7, 3), 20),
        (dt.date(2002, 7, 5), 17),
        (dt.date(2019, 7, 3), 17),
        (dt.date(2019, 7, 5), 20),
    ],
)
def test_closing_time(date: dt.date, hour: int) -> None:
    closing = closing_time(date)
    assert closing == dt.datetime(date.year, date.month, date.day, hour, tzinfo=dt.UTC)
    assert closing.tzinfo is dt.UTC
    assert closing_instant("Nasdaq", date) == closing


@pytest.mark.parametrize(
    "exchange",
    [
        *("NYSE", "nyse", "XNYS", "NASDAQ", "xnas", "NYSE Arca", "NYSEARCA", "ARCX", "NYSE American"),
        *("XASE", "BATS", "Cboe BZX", " cboe  bzx ", "NYSE-Arca"),
    ],
)
def test_exchanges_of_new_yorks_hours(exchange: str) -> None:
    assert trades_in_new_york(exchange)


@pytest.mark.parametrize("exchange", [None, "", "XETRA", "LSE", "Coinbase", "NYSE Euronext Paris", "TSX"])
def test_hours_that_are_not_known(exchange: str | None) -> None:
    assert closing_instant(exchange, dt.date(2024, 1, 2)) is None


def test_a_day_is_new_yorks() -> None:
    assert market_day(dt.datetime(2024, 1, 2, 4, 59, tzinfo=dt.UTC)) == dt.date(2024, 1, 1)
    assert market_day(dt.datetime(2024, 1, 2, 5, 0, tzinfo=dt.UTC)) == dt.date(2024, 1, 2)
    assert market_day(dt.datetime(2024, 7, 2, 3, 59, tzinfo=dt.UTC)) == dt.date(2024, 7, 1)
    assert market_day(dt.datetime.min.replace(tzinfo=dt.UTC)) == dt.date.min


@pytest.mark.parametrize(
    ("instant", "time_zone", "day"),
    [
        ("2024-01-09T23:30+00:00", "Europe/Berlin", "2024-01-10"),
        ("2024-01-09T22:59+00:00", "Europe/Berlin", "2024-01-09"),
        ("2024-07-09T22:00+00:00", "Europe/Berlin", "2024-07-10"),
        ("2024-01-10T04:59+00:00", "America/New_York", "2024-01-09"),
        ("2024-01-09T15:00+00:00", "Asia/Tokyo", "2024-01-10"),
        ("2024-01-09T10:00+00:00", "Pacific/Kiritimati", "2024-01-10"),
        ("0001-01-01T00:00+00:00", "America/New_York", "0001-01-01"),
        ("9999-12-31T23:59+00:00", "Asia/Tokyo", "9999-12-31"),
    ],
)
def test_a_day_of_a_place(instant: str, time_zone: str, day: str) -> None:
    assert day_of(dt.datetime.fromisoformat(instant), time_zone) == dt.date.fromisoformat(day)


@pytest.mark.parametrize(
    ("day", "time_zone", "end"),
    [
        ("2024-01-09", "Asia/Tokyo", "2024-01-09T15:00+00:00"),
        ("2024-01-09", "America/New_York", "2024-01-10T05:00+00:00"),
        ("2024-03-31", "Europe/Berlin", "2024-03-31T22:00+00:00"),
        # No midnight on 4 November 2018 in São Paulo, and no 30 December 2011 at all in Apia.
        ("2018-11-03", "America/Sao_Paulo", "2018-11-04T03:00+00:00"),
        ("2011-12-29", "Pacific/Apia", "2011-12-30T10:00+00:00"),
    ],
)
def test_the_end_of_a_day(day: str, time_zone: str, end: str) -> None:
    found = end_of_day(dt.date.fromisoformat(day), time_zone)
    assert found == dt.datetime.fromisoformat(end)
    assert day_of(found - dt.timedelta(seconds=1), time_zone) == dt.date.fromisoformat(day)
    assert day_of(found, time_zone) > dt.date.fromisoformat(day)

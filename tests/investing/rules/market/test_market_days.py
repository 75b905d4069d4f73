"""Market days against the exchange's own calendars, and when a rebalance is due."""

import datetime as dt

import pytest

from db.vocabulary import RebalanceFrequency
from investing.rules.market.market_days import is_market_day, next_close, next_due, next_market_morning
from investing.rules.market.market_holidays import holidays

# As the New York Stock Exchange published them.
PUBLISHED = {
    1997: ["01-01", "02-17", "03-28", "05-26", "07-04", "09-01", "11-27", "12-25"],
    2001: [
        *("01-01", "01-15", "02-19", "04-13", "05-28", "07-04", "09-03"),
        *("09-11", "09-12", "09-13", "09-14", "11-22", "12-25"),
    ],
    2012: ["01-02", "01-16", "02-20", "04-06", "05-28", "07-04", "09-03", "10-29", "10-30", "11-22", "12-25"],
    2022: ["01-17", "02-21", "04-15", "05-30", "06-20", "07-04", "09-05", "11-24", "12-26"],
    2023: ["01-02", "01-16", "02-20", "04-07", "05-29", "06-19", "07-04", "09-04", "11-23", "12-25"],
    2024: ["01-01", "01-15", "02-19", "03-29", "05-27", "06-19", "07-04", "09-02", "11-28", "12-25"],
    2025: ["01-01", "01-09", "01-20", "02-17", "04-18", "05-26", "06-19", "07-04", "09-01", "11-27", "12-25"],
    2026: ["01-01", "01-19", "02-16", "04-03", "05-25", "06-19", "07-03", "09-07", "11-26", "12-25"],
    2027: ["01-01", "01-18", "02-15", "03-26", "05-31", "06-18", "07-05", "09-06", "11-25", "12-24"],
}


@pytest.mark.parametrize("year", PUBLISHED)
def test_the_holidays_are_those_that_were_published(year: int) -> None:
    assert sorted(holidays(year)) == [dt.date.fromisoformat(f"{year}-{day}") for day in PUBLISHED[year]]


def test_weekends_are_no_market_days() -> None:
    week = [dt.date(2026, 11, 16) + dt.timedelta(days=n) for n in range(7)]
    assert [is_market_day(day) for day in week] == [True] * 5 + [False] * 2


def test_days_of_an_occasion() -> None:
    closed = ["1994-04-27", "2001-09-11", "2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09"]
    traded = ["1997-01-20", "2001-09-10", "2001-09-17", "2021-06-18", "2018-12-06", "2025-01-08"]
    assert [is_market_day(dt.date.fromisoformat(day)) for day in closed + traded] == [False] * 6 + [True] * 6


@pytest.mark.parametrize(
    ("after", "close"),
    [
        # A half day, then a weekend: 13:00 on the Friday after Thanksgiving is 18:00 UTC.
        ("2024-11-29T17:59", "2024-11-29T18:00"),
        ("2024-11-29T18:00", "2024-12-02T21:00"),
        ("2001-09-10T20:00", "2001-09-17T20:00"),
    ],
)
def test_the_next_close(after: str, close: str) -> None:
    assert next_close(at(after)) == at(close)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("frequency", "after", "due"),
    [
        # 10:00 in New York is 15:00 UTC in winter and 14:00 UTC in summer.
        ("DAILY", "2026-11-20T14:59", "2026-11-20T15:00"),
        ("DAILY", "2026-11-20T15:00", "2026-11-23T15:00"),
        ("DAILY", "2026-07-01T14:00", "2026-07-02T14:00"),
        ("DAILY", "2026-07-02T14:00", "2026-07-06T14:00"),
        # A half day is due at 10:00 as well; of what was no holiday then, the day itself.
        ("DAILY", "2024-11-28T15:00", "2024-11-29T15:00"),
        ("DAILY", "2001-09-10T14:00", "2001-09-17T14:00"),
        ("MONTHLY", "2006-12-20T15:00", "2007-01-03T15:00"),
        ("WEEKLY", "1997-01-14T15:00", "1997-01-20T15:00"),
        ("WEEKLY", "2026-11-23T15:00", "2026-11-30T15:00"),
        # Labor Day: the first market day of that week is a Tuesday.
        ("WEEKLY", "2026-09-01T00:00", "2026-09-08T14:00"),
        ("MONTHLY", "2026-11-22T12:00", "2026-12-01T15:00"),
        ("MONTHLY", "2026-12-01T15:00", "2027-01-04T15:00"),
        ("MONTHLY", "2026-10-31T12:00", "2026-11-02T15:00"),
        ("QUARTERLY", "2026-11-22T12:00", "2027-01-04T15:00"),
        ("QUARTERLY", "2027-01-04T15:00", "2027-04-01T14:00"),
        ("YEARLY", "2026-11-22T12:00", "2027-01-04T15:00"),
        ("YEARLY", "2026-01-02T15:00", "2027-01-04T15:00"),
    ],
)
def test_due_on_the_first_market_day_of_the_period(frequency: str, after: str, due: str) -> None:
    assert next_due(RebalanceFrequency(frequency), at(after)) == at(due)


def test_each_period_has_one_due_instant() -> None:
    for frequency, count in (("WEEKLY", 52), ("MONTHLY", 12), ("QUARTERLY", 4), ("YEARLY", 1)):
        found, moment = set(), at("2026-01-01T00:00")
        while (moment := next_due(RebalanceFrequency(frequency), moment)).year == 2026:
            found.add(moment)
        assert len(found) == count, frequency


def test_the_next_morning_is_never_today() -> None:
    assert next_market_morning(at("2026-11-20T09:00")) == at("2026-11-23T15:00")
    assert next_market_morning(at("2026-11-24T23:00")) == at("2026-11-25T15:00")
    assert next_market_morning(at("2026-11-25T09:00")) == at("2026-11-27T15:00")

"""Which rows of an import are on the ledger already."""

import datetime as dt
from decimal import Decimal

from investing.rules.market.market_hours import start_of_day
from investing.rules.trading.duplicates import KnownEntries
from investing.rules.trading.import_rows import Content, content_of

TENTH = dt.date(2024, 1, 10)


def at(instant: dt.datetime, amount: str = "10") -> Content:
    """A deposit."""
    return content_of("DEPOSIT", None, None, None, Decimal(amount), Decimal(0), None, instant)


def utc(day: int, hour: int = 0) -> dt.datetime:
    """An hour of January 2024."""
    return dt.datetime(2024, 1, day, hour, tzinfo=dt.UTC)


def found(recorded: list[Content], *rows: dt.date, time_zone: str = "America/Los_Angeles") -> list[bool]:
    """Whether deposits on these days, or at these instants, are there already."""
    asked = [
        (at(row), None) if isinstance(row, dt.datetime) else (at(start_of_day(row, time_zone)), row)
        for row in rows
    ]
    return KnownEntries(recorded, time_zone).find(asked)


def test_a_date_finds_its_day_however_it_was_recorded() -> None:
    own, utc_midnight, new_york = utc(10, 8), utc(10), utc(10, 5)
    noon, next_day = utc(10, 20), utc(11, 8)
    assert [found([at(one)], TENTH) for one in (own, utc_midnight, new_york, noon)] == [[True]] * 4
    assert found([at(next_day)], TENTH) == [False]
    assert found([at(own, "11")], TENTH) == [False]


def test_an_instant_finds_its_own_alone() -> None:
    assert found([at(utc(10, 8)), at(utc(10))], utc(10, 8), utc(10, 9)) == [True, False]


def test_each_is_found_once_and_its_own_first() -> None:
    """Two days' deposits taken as midnight in UTC, as it was once: 10 January is the evening of the 9th."""
    recorded = [at(utc(9)), at(utc(10))]
    ninth = dt.date(2024, 1, 9)
    assert found(recorded, ninth, TENTH) == [True, True]
    assert found(recorded, TENTH, TENTH) == [True, False]
    assert found([at(utc(10))], ninth) == [False]


def test_what_was_taken_back_is_counted_but_not_found() -> None:
    there, gone = at(utc(10, 8)), at(utc(10, 8))
    recorded = KnownEntries([there], "America/Los_Angeles", [gone, at(utc(10))])
    asked = [(at(start_of_day(TENTH, "America/Los_Angeles")), TENTH)] * 2
    assert (recorded.find(asked), recorded.count(there)) == ([True, False], 2)


def test_the_first_and_the_last_day_there_are() -> None:
    for date, time_zone in ((dt.date.min, "America/New_York"), (dt.date.max, "Asia/Tokyo")):
        assert found([], date, time_zone=time_zone) == [False]

"""Days on which a close counts, in zones near and far."""

import datetime as dt

import pytest

from investing.rules.performance.close_shifts import FIRST_YEAR, ClosesLater, closes_later


@pytest.mark.parametrize(
    ("exchange", "zone"),
    [
        ("NYSE", "America/New_York"),
        ("NYSE", "Europe/Berlin"),
        ("NYSE", "UTC"),
        (None, "Asia/Tokyo"),
        ("?", "UTC"),
    ],
)
def test_nothing_moves(exchange: str | None, zone: str) -> None:
    assert closes_later(exchange, zone, 2024) == ()


def test_in_tokyo_new_york_always_closes_on_the_next_day() -> None:
    whole = ClosesLater(dt.date(FIRST_YEAR, 1, 1), dt.date(2024, 12, 31), 1)
    assert closes_later("NASDAQ", "Asia/Tokyo", 2024) == (whole,)


def test_in_moscow_it_does_so_in_winter() -> None:
    """16:00 in New York is 21:00 UTC in winter, which is midnight there, and 23:00 there in summer."""
    (winter,) = [
        one
        for one in closes_later("NYSE", "Europe/Moscow", 2024)
        if one.first <= dt.date(2024, 1, 8) <= one.last
    ]
    assert (winter.last, winter.days) == (dt.date(2024, 3, 9), 1)
    summer = dt.date(2024, 7, 8)
    assert not [one for one in closes_later("NYSE", "Europe/Moscow", 2024) if one.first <= summer <= one.last]

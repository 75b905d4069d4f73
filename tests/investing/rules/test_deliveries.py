"""When a delivery is tried again."""

import datetime as dt

import pytest

from investing.rules.deliveries import Pace, next_wait


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 30), (2, 120), (3, 480), (4, 1920), (5, 7680), (6, 28800), (7, 28800)],
)
def test_four_times_longer_each_time(attempts: int, seconds: float) -> None:
    assert next_wait(Pace(), attempts, 1) == dt.timedelta(seconds=seconds)
    assert next_wait(Pace(), attempts, 0) == dt.timedelta(seconds=seconds / 2)


def test_the_last_one() -> None:
    assert next_wait(Pace(), 8, 0.5) is None
    assert next_wait(Pace(), 9, 0.5) is None
    assert next_wait(Pace(most_attempts=10**6), 10**5, 1) == dt.timedelta(hours=8)

"""When a delivery is tried again."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investing.rules.notifications.deliveries import DeliveryPolicy, next_wait, retry_after_seconds


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 30), (2, 120), (3, 480), (4, 1920), (5, 7680), (6, 28800), (7, 28800)],
)
def test_four_times_longer_each_time(attempts: int, seconds: float) -> None:
    assert next_wait(DeliveryPolicy(), attempts, 1) == dt.timedelta(seconds=seconds)
    assert next_wait(DeliveryPolicy(), attempts, 0) == dt.timedelta(seconds=seconds / 2)


def test_the_last_one() -> None:
    assert next_wait(DeliveryPolicy(), 8, 0.5) is None
    assert next_wait(DeliveryPolicy(), 9, 0.5) is None
    assert next_wait(DeliveryPolicy(most_attempts=10**6), 10**5, 1) == dt.timedelta(hours=8)


@pytest.mark.parametrize(
    ("attempts", "chance", "asked", "seconds"),
    [
        # Never earlier than our own wait,
        (1, 0, 14, 15),
        (1, 0, 16, 16),
        (3, 1, 60, 480),
        # exactly when it was asked for,
        (1, 1, 3600, 3600),
        (2, 0.5, 0, 90),
        # and no later than the longest wait.
        (1, 1, 28_801, 28_800),
        (6, 0, 10**12, 28_800),
    ],
)
def test_a_receiver_asks_for_time(attempts: int, chance: float, asked: float, seconds: float) -> None:
    assert next_wait(DeliveryPolicy(), attempts, chance, asked) == dt.timedelta(seconds=seconds)


def test_asking_brings_no_further_attempt() -> None:
    assert next_wait(DeliveryPolicy(), 8, 0, 60) is None


NOW = dt.datetime(1994, 11, 6, 8, 49, 7, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("0000000000000000000120", 120),
        # The three dates of RFC 9110, section 5.6.7: the same instant.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
        ("Sun Nov  6 08:49:37 1994", 30),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_what_retry_after_asks(header: str, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, [0-9]+ Nov [0-9]+ [0-9]+:[0-9]+:[0-9]+ [+-]?\w*")))
def test_whatever_comes_is_read_or_not(header: str) -> None:
    asked = retry_after_seconds(header, NOW)
    assert asked is None or asked >= 0

"""When a rule fires, when it may, and what it may be."""

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from db.vocabulary import AlertKind
from investing.rules.alerts.alert_settings import (
    check_cooldown,
    check_target,
    check_threshold,
    checked_channels,
    hours_of,
)
from investing.rules.alerts.conditions import (
    Cooldown,
    Hours,
    RuleDecision,
    RuleState,
    Threshold,
    daily_move,
    drawdown,
    step,
)
from investing.rules.errors import InvalidInput
from investing.rules.rebalancing.weights import drifts_of, weights_of

NOW = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
ABOVE = Threshold(AlertKind.PRICE_ABOVE, Decimal(10), Decimal(2))
BELOW = Threshold(AlertKind.CASH_BELOW, Decimal(10), Decimal(2))


NINE, TEN = dt.time(9), dt.time(10)


@pytest.mark.parametrize(
    ("threshold", "is_armed", "value", "expected", "fires"),
    [
        (ABOVE, True, "10", True, False),
        (ABOVE, True, "10.0000000001", False, True),
        (ABOVE, False, "11", False, False),
        (ABOVE, False, "8.0000000001", False, False),
        (ABOVE, False, "8", True, False),
        (BELOW, True, "10", True, False),
        (BELOW, True, "9.9999999999", False, True),
        (BELOW, False, "9", False, False),
        (BELOW, False, "11.9999999999", False, False),
        (BELOW, False, "12", True, False),
    ],
)
def test_a_step(threshold: Threshold, is_armed: bool, value: str, expected: bool, fires: bool) -> None:
    before = RuleState(is_armed)
    came = step(threshold, Cooldown(HOUR), before, Decimal(value), NOW)
    until = NOW + HOUR if fires else None
    assert came == RuleDecision(RuleState(expected, until), fires)
    assert not step(threshold, Cooldown(HOUR), came.state, Decimal(value), NOW).fires


def test_a_cooldown() -> None:
    """An armed rule waits for its end; one that is beyond still then fires."""
    waiting = RuleState(True, NOW + HOUR)
    cooldown = Cooldown(HOUR)
    assert step(
        ABOVE, cooldown, waiting, Decimal(11), NOW + HOUR - dt.timedelta(microseconds=1)
    ) == RuleDecision(waiting)
    assert step(ABOVE, cooldown, waiting, Decimal(11), NOW + HOUR) == RuleDecision(
        RuleState(False, NOW + 2 * HOUR), True
    )
    assert step(ABOVE, cooldown, waiting, Decimal(9), NOW + HOUR) == RuleDecision(waiting)


def test_out_of_its_hours() -> None:
    hours = Hours(dt.time(14), dt.time(15), frozenset(range(1, 8)), ZoneInfo("UTC"))
    held = step(ABOVE, Cooldown(HOUR, hours), RuleState(), Decimal(11), NOW)
    assert held == RuleDecision(RuleState(True, NOW + 2 * HOUR))
    assert step(ABOVE, Cooldown(HOUR, hours), held.state, Decimal(11), NOW + 2 * HOUR).fires


@pytest.mark.parametrize(
    ("start", "end", "days", "now", "expected"),
    [
        ("09:30", "16:00", "12345", "2024-05-01T13:30Z", "2024-05-01T13:30Z"),
        ("09:30", "16:00", "12345", "2024-05-01T13:29Z", "2024-05-01T13:30Z"),
        ("09:30", "16:00", "12345", "2024-05-01T19:59Z", "2024-05-01T19:59Z"),
        ("09:30", "16:00", "12345", "2024-05-01T20:00Z", "2024-05-02T13:30Z"),
        # From Friday's close until Monday; and in winter an hour later by UTC.
        ("09:30", "16:00", "12345", "2024-05-03T20:00Z", "2024-05-06T13:30Z"),
        ("09:30", "16:00", "12345", "2024-11-01T20:00Z", "2024-11-04T14:30Z"),
        # Past midnight, by the weekday on which they begin: Friday's end on Saturday.
        ("22:00", "02:00", "5", "2024-05-04T05:59Z", "2024-05-04T05:59Z"),
        ("22:00", "02:00", "5", "2024-05-04T06:00Z", "2024-05-11T02:00Z"),
        ("22:00", "02:00", "5", "2024-05-03T05:00Z", "2024-05-04T02:00Z"),
        ("00:00", "00:01", "3", "2024-05-01T04:01Z", "2024-05-08T04:00Z"),
    ],
)
def test_hours(start: str, end: str, days: str, now: str, expected: str) -> None:
    hours = hours_of(
        dt.time.fromisoformat(start),
        dt.time.fromisoformat(end),
        {int(day) for day in days},
        "America/New_York",
    )
    assert hours.next_open(dt.datetime.fromisoformat(now)) == dt.datetime.fromisoformat(expected)


def test_figures() -> None:
    assert daily_move(Decimal(95), Decimal(100)) == daily_move(Decimal(105), Decimal(100)) == Decimal("0.05")
    assert daily_move(Decimal(95), None) is None
    # All is lost in a day; from nothing no move is known.
    assert daily_move(Decimal(0), Decimal(95)) == 1
    assert daily_move(Decimal(95), Decimal(0)) is None
    assert drawdown(Decimal("0.9"), Decimal("1.2")) == Decimal("0.25")
    assert drawdown(Decimal("1.2"), Decimal("1.2")) == 0
    held = weights_of({"A": Decimal(1), "B": Decimal(2)}, Decimal(3))
    assert held == {"A": Decimal("0.3333333333"), "B": Decimal("0.6666666667")}
    assert weights_of({"A": Decimal(1)}, Decimal(0)) == {}
    drifts = drifts_of({"A": Decimal("0.5"), "B": Decimal("0.1")}, {"A": Decimal("0.6"), "C": Decimal("0.2")})
    assert drifts == {"A": Decimal("0.1"), "B": Decimal("0.1"), "C": Decimal("0.2")}


def threshold(kind: str, threshold: str, hysteresis: str = "0") -> Threshold:
    return Threshold(AlertKind(kind), Decimal(threshold), Decimal(hysteresis))


@pytest.mark.parametrize(
    "good",
    [
        threshold("PRICE_ABOVE", "0.0000000001"),
        threshold("PRICE_ABOVE", "10", "9.9999999999"),
        threshold("PRICE_BELOW", "10", "100"),
        threshold("DAILY_MOVE", "1"),
        threshold("DRIFT", "0.05", "0.01"),
        threshold("CASH_BELOW", "-100", "7"),
        threshold("CASH_BELOW", "0"),
        threshold("ORDER_REJECTED", "0"),
    ],
)
def test_bounds_that_make_sense(good: Threshold) -> None:
    check_threshold(good)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (threshold("PRICE_ABOVE", "0"), "threshold"),
        (threshold("PRICE_BELOW", "-1"), "threshold"),
        (threshold("PRICE_ABOVE", "1e18"), "threshold"),
        (threshold("PRICE_ABOVE", "10", "10"), "hysteresis"),
        (threshold("PRICE_ABOVE", "10", "-1"), "hysteresis"),
        (threshold("PRICE_BELOW", "10", "1e18"), "hysteresis"),
        (threshold("DAILY_MOVE", "5"), "threshold"),
        (threshold("POSITION_WEIGHT", "0"), "threshold"),
        (threshold("DRAWDOWN", "0.1", "0.1"), "hysteresis"),
        (threshold("PORTFOLIO_VALUE_BELOW", "0"), "threshold"),
        (threshold("REBALANCE_FAILED", "1"), "threshold"),
        (threshold("ORDER_REJECTED", "0", "1"), "hysteresis"),
    ],
)
def test_bounds_that_make_none(bad: Threshold, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_threshold(bad)
    assert refused.value.field == (field,)


@pytest.mark.parametrize(
    ("check", "field"),
    [
        (lambda: check_target(AlertKind.PRICE_ABOVE, None, False), "symbol"),
        (lambda: check_target(AlertKind.DAILY_MOVE, "A", True), "portfolioId"),
        (lambda: check_target(AlertKind.CASH_BELOW, "A", True), "symbol"),
        (lambda: check_cooldown(-1), "cooldownSeconds"),
        (lambda: check_cooldown(365 * 24 * 3600 + 1), "cooldownSeconds"),
        (lambda: checked_channels(["a", " a "]), "channels"),
        (lambda: checked_channels([" "]), "channels"),
        (lambda: checked_channels(["a\x00"]), "channels"),
        (lambda: checked_channels([str(n) for n in range(21)]), "channels"),
        (lambda: hours_of(NINE, NINE, {1}, "UTC"), "activeHours.end"),
        (lambda: hours_of(NINE, TEN, set(), "UTC"), "activeHours.weekdays"),
        (lambda: hours_of(NINE, TEN, {1}, "Mars/Olympus"), "activeHours.timeZone"),
        (lambda: hours_of(NINE, TEN, {1}, "../../etc/passwd"), "activeHours.timeZone"),
        (lambda: hours_of(NINE, TEN, {1}, "America"), "activeHours.timeZone"),
        (lambda: hours_of(NINE, TEN, {1}, "localtime"), "activeHours.timeZone"),
    ],
)
def test_what_a_rule_may_not_be(check: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check()
    assert ".".join(refused.value.field) == field


def test_what_a_rule_may_be() -> None:
    check_target(AlertKind.PRICE_ABOVE, "A", False)
    check_target(AlertKind.DRIFT, "A", True)
    check_target(AlertKind.ORDER_REJECTED, "A", False)
    check_target(AlertKind.CASH_BELOW, None, False)
    check_cooldown(365 * 24 * 3600)
    assert checked_channels([" phone ", "mail"], {"mail", "phone"}) == ["phone", "mail"]

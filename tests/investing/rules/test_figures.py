"""All figures together: each that cannot be had says why, and flows change none that they must not."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import PerformanceFigure as Figure
from db.vocabulary import UnavailableReason as Reason
from investing.rules.figures import RETURNS, Figures, measure, nothing
from investing.rules.series import Point
from tests.investing.rules.pairs import points_of

D = Decimal
FIRST = dt.date(2020, 1, 1)


def days(*values: tuple[object, object], apart: int = 1) -> list[Point]:
    """Pairs of value and net flow, so many days apart."""
    return points_of(FIRST, *values, apart=apart)


def reasons(figures: Figures) -> dict[Figure, Reason]:
    return {one.figure: one.reason for one in figures.unavailable}


def test_two_years_by_hand() -> None:
    # 100, a year with 10 %, 110 more, another year with 20 %; the days are 365 days apart.
    found = measure(days((100, 100), (110, 0), (264, 110), apart=365))
    assert (found.start, found.end) == (FIRST, FIRST + dt.timedelta(days=730))
    assert (found.start_value, found.end_value, found.net_flow) == (D(100), D(264), D(110))
    assert found.time_weighted_return == D("0.32")
    assert found.annualized_return == D("0.1489125293")  # sqrt(1.32) - 1
    # The 110 came at the end of the second year by its date, and so had no time to grow: 100 to 154.
    assert found.money_weighted_return == D("0.2409673646")  # sqrt(1.54) - 1
    assert found.best_day is not None
    assert found.worst_day is not None
    assert (found.best_day.daily, found.worst_day.daily) == (D("0.2"), D("0.1"))
    assert reasons(found) == {Figure.SORTINO_RATIO: Reason.NO_VARIANCE}


NO_YEAR = {
    Figure.ANNUALIZED_RETURN: Reason.UNDER_ONE_YEAR,
    Figure.MONEY_WEIGHTED_RETURN: Reason.UNDER_ONE_YEAR,
}
ALONE = dict.fromkeys((Figure.VOLATILITY, Figure.SHARPE_RATIO, Figure.SORTINO_RATIO), Reason.TOO_SHORT)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (days((100, 100)), dict.fromkeys(RETURNS, Reason.TOO_SHORT)),
        (days((0, 0), (0, 0)), dict.fromkeys(RETURNS, Reason.TOO_SHORT)),
        (days((100, 100), (110, 0)), {**NO_YEAR, **ALONE}),
        (
            days((100, 100), (110, 0), (121, 0)),
            {
                **NO_YEAR,
                Figure.SHARPE_RATIO: Reason.NO_VARIANCE,
                Figure.SORTINO_RATIO: Reason.NO_VARIANCE,
            },
        ),
        (days((100, 100), (-20, 0)), {**NO_YEAR, **ALONE, Figure.CONTRIBUTIONS: Reason.TOTAL_LOSS}),
        (
            days((100, 100), (0, 0), apart=400),
            {**ALONE, Figure.MONEY_WEIGHTED_RETURN: Reason.NO_CASH_FLOWS},
        ),
    ],
)
def test_why_not(points: Sequence[Point], expected: dict[Figure, Reason]) -> None:
    found = measure(points)
    assert reasons(found) == expected
    for figure in expected:
        name = figure.value.lower()
        assert getattr(found, name, None) is None


def test_no_days_at_all() -> None:
    assert reasons(measure([])) == dict.fromkeys((Figure.VALUES, *RETURNS), Reason.NO_HISTORY)
    assert set(reasons(nothing(Reason.STALE)).values()) == {Reason.STALE}


def test_a_day_without_a_price_leaves_no_figure() -> None:
    points = days((100, 100), (0, 0), (110, 0))
    points[1] = Point(points[1].date, D(0), D(0), 1)
    found = measure(points)
    assert reasons(found) == dict.fromkeys((Figure.VALUES, *RETURNS), Reason.NO_PRICES)
    assert (found.start_value, found.end_value, found.net_flow) == (D(100), D(110), None)
    assert measure([points[1], points[2]]).start_value is None


def test_a_total_loss_is_told() -> None:
    found = measure(days((100, 100), (0, 0), apart=400))
    assert (found.time_weighted_return, found.annualized_return) == (D(-1), D(-1))
    assert found.max_drawdown is not None
    assert found.max_drawdown.depth == 1


def test_the_reasons_are_told_to_people() -> None:
    assert all(one.message.endswith(".") for reason in Reason for one in nothing(reason).unavailable)


growths = st.lists(
    st.tuples(st.decimals("-0.3", "0.4", places=3), st.decimals("0", "900", places=2)), max_size=20
)


@given(growths)
def test_flows_at_a_days_border_change_no_return(moves: list[tuple[Decimal, Decimal]]) -> None:
    """The same growth without flows, and with money that comes in or goes out."""
    plain = flowing = D(1000)
    without, with_flows = [(plain, D(0))], [(flowing, D(0))]
    for n, (growth, amount) in enumerate(moves):
        plain *= 1 + growth
        if n % 2:
            flowing = (flowing + amount) * (1 + growth)
            with_flows.append((flowing, amount))
        else:
            grown = flowing * (1 + growth)
            out = min(amount, grown / 2)
            flowing = grown - out
            with_flows.append((flowing, -out))
        without.append((plain, D(0)))
    one, other = measure(days(*without)), measure(days(*with_flows))
    for name in ("time_weighted_return", "volatility"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        assert a is None or abs(a - b) <= D("1e-8") * max(1, abs(a))
    assert (one.max_drawdown is None) == (other.max_drawdown is None)


@given(growths, st.integers(0, 20))
def test_spans_link(moves: list[tuple[Decimal, Decimal]], at: int) -> None:
    """What is earned until a day and from that day on is what is earned in all."""
    value = D(1000)
    values = [(value, D(0))]
    for growth, amount in moves:
        value = (value + amount) * (1 + growth)
        values.append((value, amount))
    every = days(*values)
    at = min(at, len(every) - 1)
    returns = [measure(part).time_weighted_return or D(0) for part in (every, every[: at + 1], every[at:])]
    assert abs((1 + returns[1]) * (1 + returns[2]) - 1 - returns[0]) <= D("1e-6")

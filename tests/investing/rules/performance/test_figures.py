"""All figures together: each that cannot be had says why, and flows change none that they must not."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import PerformanceFigure as Figure
from db.vocabulary import UnavailableReason as Reason
from investing.rules.performance.figures import OF_PERIODS, RETURNS, Figures, measure, nothing
from investing.rules.performance.series import Flow, Point
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
    assert reasons(found) == ALONE


NO_YEAR = {
    Figure.ANNUALIZED_RETURN: Reason.UNDER_ONE_YEAR,
    Figure.MONEY_WEIGHTED_RETURN: Reason.UNDER_ONE_YEAR,
}
ALONE = dict.fromkeys(OF_PERIODS, Reason.TOO_SHORT)
STEADY = [(100 * 2**n, 0) for n in range(13)]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (days((100, 100)), dict.fromkeys(RETURNS, Reason.TOO_SHORT)),
        (days((0, 0), (0, 0)), dict.fromkeys(RETURNS, Reason.TOO_SHORT)),
        (days((100, 100), (110, 0)), {**NO_YEAR, **ALONE}),
        (days(*STEADY[:-1]), {**NO_YEAR, **ALONE}),
        (
            days(*STEADY),
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


def test_what_came_and_left_on_one_day_is_no_beginning_of_a_year() -> None:
    """1,000 in and out on the first day, 1,000 again fourteen months later, and 100 earned in 92 days."""
    moments = [
        (dt.date(2022, 1, 3), 0, [Flow(D(0), D(1000)), Flow(D(1000), D(-1000))]),
        (dt.date(2023, 3, 1), 1000, [Flow(D(0), D(1000))]),
        (dt.date(2023, 6, 1), 1100, []),
    ]
    points = [
        Point(date, D(value), sum((flow.amount for flow in flows), D(0)), flows=tuple(flows))
        for date, value, flows in moments
    ]
    found = measure([Point(moments[0][0], D(0), D(0)), *points])
    assert found.time_weighted_return == D("0.1")
    assert found.money_weighted_return is None
    assert reasons(found)[Figure.MONEY_WEIGHTED_RETURN] is Reason.UNDER_ONE_YEAR


def test_the_reasons_are_told_to_people() -> None:
    assert all(one.message.endswith(".") for reason in Reason for one in nothing(reason).unavailable)


def of_closes(first: dt.date, *steps: tuple[int, str, bool]) -> list[Point]:
    """One position from 100 on: so many days later, by so much more, with a close or without."""
    found = [Point(first, D(100), D(0), num_positions=1)]
    for apart, more, has_close in steps:
        date, value = found[-1].date + dt.timedelta(days=apart), found[-1].total_value * (1 + D(more))
        found.append(Point(date, value, D(0), num_positions=1, stale_positions=int(not has_close)))
    return found


MONDAY = dt.date(2024, 6, 3)
WEEKS = [(3 if n % 5 == 0 and n else 1, "-0.01" if n % 2 else "0.02", True) for n in range(20)]


def test_business_days_have_the_figures_that_they_always_had() -> None:
    """+2 %, -1 % in turn: mean 0.005, variance 20 x 0.015^2 / 19 = 0.0045 / 19; x 252.

    The last day of the four weeks is a Monday, three days after a Friday.
    """
    found = measure(of_closes(MONDAY - dt.timedelta(days=3), (3, "0.02", True), *WEEKS[1:]))
    assert (found.periods_per_year, len(found.periods)) == (252, 20)
    assert found.volatility == D("0.2443035213")  # sqrt(0.0045 / 19 x 252) = sqrt(0.0596842...)
    assert found.sharpe_ratio == D("5.1575187833")  # 0.005 x sqrt(252 x 19 / 0.0045)


def test_interest_on_a_sunday_changes_no_deviation() -> None:
    """0.5 % on a Sunday and 1.49253731343283582 % on Monday make the 2 % of that Monday."""
    plain = measure(of_closes(MONDAY, *WEEKS[1:]))
    steps = [*WEEKS[1:]]
    place = next(n for n, step in enumerate(steps) if step[0] == 3)
    apart, more, _ = steps[place]
    rest = (1 + D(more)) / D("1.005") - 1
    steps[place : place + 1] = [(apart - 1, "0.005", False), (1, str(rest), True)]
    found = measure(of_closes(MONDAY, *steps))
    for name in ("periods_per_year", "volatility", "sharpe_ratio", "sortino_ratio", "time_weighted_return"):
        assert getattr(found, name) == getattr(plain, name) is not None
    assert len(found.periods) == len(plain.periods) == 19


def test_days_that_are_not_evenly_spaced_have_no_deviation() -> None:
    steps = [(apart, "0.01", True) for apart in (1, 20, 3, 50) * 4]
    found = reasons(measure(of_closes(MONDAY, *steps)))
    irregular = {figure for figure, reason in found.items() if reason is Reason.IRREGULAR_SPACING}
    assert irregular == set(OF_PERIODS)


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

"""Contributions: by hand, and that they always add up to the return, to the last digit."""

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import Period
from investing.rules.performance.contribution import by_period, rounded_to_total, weights
from investing.rules.performance.figures import measure
from investing.rules.performance.series import Point
from tests.investing.rules.pairs import flows_of, points_of

D = Decimal
FIRST = dt.date(2020, 12, 30)


def points(*values: tuple[object, object]) -> list[Point]:
    """One day per pair of value and net flow."""
    return points_of(FIRST, *values)


def test_by_hand() -> None:
    """A and B hold 50 each. A gains 10; then 110 come in and go into B, which gains 22.

    The first day's return is 10/100, the second's 22/220, linked 21 %. A added 10/100 x 1, B 22/220 x 1.1.
    """
    days = points((100, 0), (110, 0), (242, 110))
    found = [(date.day, [round(weight, 12) for weight in of_day]) for date, of_day in weights(days)]
    # The second day's flow comes at its beginning, when 110 are there.
    assert found == [(31, [D("0.01")]), (1, [D("0.01"), D("0.005")])]
    (_, (first,)), (_, (_, second)) = weights(days)
    assert rounded_to_total(D("0.21"), [10 * first, 22 * second]) == [D("0.1"), D("0.11")]


def test_a_day_with_nothing_to_grow_weighs_nothing() -> None:
    days = points((100, 0), (0, -110), (0, 0), (51, 50))
    assert [(date.day, [bool(weight) for weight in of_day]) for date, of_day in weights(days)] == [
        (31, [True, False]),
        (1, [False]),
        (2, [False, True]),
    ]


def test_months_and_years() -> None:
    days = points((100, 100), (110, 0), (121, 0), (71, -50), (142, 71))
    first, second = by_period(days, Period.YEAR)
    assert (first.first, second.first) == (dt.date(2020, 1, 1), dt.date(2021, 1, 1))
    assert (first.start_value, first.end_value, first.net_flow) == (D(100), D(110), D(0))
    assert (second.start_value, second.end_value, second.net_flow) == (D(110), D(142), D(21))
    assert (first.time_weighted_return, second.time_weighted_return) == (D("0.1"), D("0.1"))
    assert (first.contribution, second.contribution) == (D("0.1"), D("0.11"))
    assert [period.first for period in by_period(days, Period.MONTH)] == [
        dt.date(2020, 12, 1),
        dt.date(2021, 1, 1),
    ]


def test_a_month_with_nothing_to_grow_has_no_return_and_adds_nothing() -> None:
    days = points((100, 100), (0, -100), (0, 0))
    _, second = by_period(days, Period.MONTH)
    assert (second.time_weighted_return, second.contribution) == (None, D(0))


def test_what_rounding_leaves_goes_to_the_largest() -> None:
    third = D(1) / 3
    assert rounded_to_total(D(1), [third, third, third]) == [
        D("0.3333333334"),
        D("0.3333333333"),
        D("0.3333333333"),
    ]
    assert rounded_to_total(D("-1"), [-third, -third, -third])[0] == D("-0.3333333334")  # type: ignore[index]


def test_parts_of_something_else_are_none() -> None:
    assert rounded_to_total(D(1), [D("0.5"), D("0.4")]) is None
    assert rounded_to_total(D(0), []) == []
    assert rounded_to_total(D(1), []) is None


amounts = st.decimals("0", "1000", places=2)


@given(
    st.lists(
        st.tuples(amounts, amounts, st.decimals("-300", "300", places=2), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_positions_add_up_to_the_return(days: list[tuple[Decimal, Decimal, Decimal, bool]]) -> None:
    """Two positions of any worth, and money that comes and goes into one or the other."""
    a = b = D(100)
    held = [Point(FIRST, a + b, D(0))]
    gains: list[tuple[Decimal, Decimal]] = []
    for n, (new_a, new_b, flow, into_a) in enumerate(days, 1):
        gains.append((new_a - a - (flow if into_a else 0), new_b - b - (0 if into_a else flow)))
        a, b = new_a, new_b
        flows = flows_of(held[-1].total_value, a + b, flow)
        held.append(Point(FIRST + dt.timedelta(days=n), a + b, flow, 0, flows))
    figures = measure(held)
    refused = {one.figure.value for one in figures.unavailable}
    if "CONTRIBUTIONS" in refused:
        return
    # Gains come after what came in, and before what leaves.
    by_day = {
        point.date: of_day[point.net_flow > 0]
        for point, (_, of_day) in zip(held[1:], weights(held), strict=True)
    }
    days_and_gains = list(zip(held[1:], gains, strict=True))
    parts = [
        sum((by_day.get(point.date, D(0)) * gain[n] for point, gain in days_and_gains), D(0))
        for n in range(2)
    ]
    assert figures.time_weighted_return is not None
    shared = rounded_to_total(figures.time_weighted_return, parts)
    assert shared is not None
    assert sum(shared) == figures.time_weighted_return
    for period in Period:
        assert sum(p.contribution for p in by_period(held, period)) == figures.time_weighted_return

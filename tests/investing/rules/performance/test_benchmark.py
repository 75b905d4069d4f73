"""A performance beside a benchmark, by hand and against an independent library."""

import datetime as dt
from decimal import Decimal

import empyrical
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import UnavailableReason as Reason
from investing.rules.performance.benchmark import BenchmarkPrice, Comparison, compare
from investing.rules.performance.figures import measure
from investing.rules.performance.series import Flow, Point, with_opening

D = Decimal
FIRST = dt.date(2020, 1, 1)


def day(n: int) -> dt.date:
    return FIRST + dt.timedelta(days=n)


def beside(values: list[str], closes: dict[int, str], adjusted: dict[int, str] | None = None) -> Comparison:
    points = [Point(day(n), D(value), D(0), num_positions=1) for n, value in enumerate(values)]
    known = adjusted or {}
    prices = [BenchmarkPrice(day(n), D(c), D(known[n]) if n in known else None) for n, c in closes.items()]
    return compare(points, measure(points), prices)


def reasons(comparison: Comparison) -> dict[str, Reason]:
    return {one.figure.value: one.reason for one in comparison.unavailable}


def test_by_hand() -> None:
    # +10 % and -10 % beside +5 % and -5 %, six times: twice as strong, and perfectly together. 0.99 ^ 6 and
    # 0.9975 ^ 6. The differences are 5 and -5 %: sample variance 12 x 0.0025 / 11, x 365 = 0.995454...
    ours, theirs = [D(100)], [D(100)]
    for n in range(12):
        ours.append(ours[-1] * (1 + D("0.1") * (-1) ** n))
        theirs.append(theirs[-1] * (1 + D("0.05") * (-1) ** n))
    found = beside([str(value) for value in ours], {n: str(close) for n, close in enumerate(theirs)})
    assert found.benchmark_return == D("-0.0149065619")
    assert found.excess_return == D("-0.0436132887")
    assert (found.beta, found.correlation) == (D(2), D(1))
    assert found.tracking_error == D("0.9977246842")
    assert reasons(found) == {}


def test_a_day_without_a_price_takes_the_last_one() -> None:
    found = beside(["100", "110", "121"], {-3: "100", 2: "110"})
    assert found.benchmark_return == D("0.1")


@pytest.mark.parametrize(
    ("hour", "before", "expected"),
    # Before the first day's close the one before it, afterwards that one; without one before, that one.
    [(15, {-1: "80"}, "0.25"), (22, {-1: "80"}, "0"), (15, {}, "0")],
)
def test_it_begins_with_what_was_known_at_the_first_flow(
    hour: int, before: dict[int, str], expected: str
) -> None:
    at = dt.datetime.combine(FIRST, dt.time(hour), dt.UTC)
    closed_at = dt.datetime.combine(FIRST, dt.time(21), dt.UTC)
    points = with_opening(
        [
            Point(FIRST, D(100), D(100), 0, (Flow(D(0), D(100), at),)),
            *(Point(day(n), D(100), D(0)) for n in (1, 2)),
        ]
    )
    closes = {**before, 0: "100", 1: "100", 2: "100"}
    prices = [BenchmarkPrice(day(n), D(c), None, closed_at if n == 0 else None) for n, c in closes.items()]
    found = compare(points, measure(points), prices)
    assert (found.benchmark_return, found.excess_return) == (D(expected), -D(expected))


def test_adjusted_closes_where_all_are_known() -> None:
    closes = {0: "100", 1: "50"}
    assert beside(["100", "110"], closes, {0: "50", 1: "50"}).benchmark_return == 0
    assert beside(["100", "110"], closes, {1: "50"}).benchmark_return == D("-0.5")


def test_a_benchmark_that_loses_everything_and_one_that_begins_with_nothing() -> None:
    assert beside(["100", "110"], {0: "100", 1: "0"}).benchmark_return == -1
    found = beside(["100", "110", "121"], {0: "100", 1: "0", 2: "5"})
    assert found.benchmark_return is None
    assert set(reasons(found).values()) == {Reason.NO_BENCHMARK_PRICES}


def test_nothing_before_its_first_price() -> None:
    for closes in ({}, {1: "100"}):
        found = beside(["100", "110"], closes)
        assert found.benchmark_return is None
        assert set(reasons(found).values()) == {Reason.NO_BENCHMARK_PRICES}
        assert len(reasons(found)) == 5


def test_without_variation_there_is_no_beta() -> None:
    found = beside(["100", "110", "99"], {0: "100", 1: "101", 2: "102.01"})
    assert (found.beta, found.correlation) == (None, None)
    # Two days are enough to be held against each other, but not for a yearly figure.
    assert reasons(found) == {
        "BETA": Reason.NO_VARIANCE,
        "CORRELATION": Reason.NO_VARIANCE,
        "TRACKING_ERROR": Reason.TOO_SHORT,
    }


def test_one_day_is_too_short() -> None:
    found = beside(["100", "110"], {0: "100", 1: "101"})
    assert found.excess_return == D("0.09")
    late = dict.fromkeys(("BETA", "CORRELATION", "TRACKING_ERROR"), Reason.TOO_SHORT)
    assert reasons(found) == late


def test_an_unknown_return_has_no_excess() -> None:
    points = [Point(day(0), D(100), D(0), 1), Point(day(1), D(110), D(0))]
    found = compare(
        points, measure(points), [BenchmarkPrice(day(0), D(1), None), BenchmarkPrice(day(1), D(2), None)]
    )
    assert found.benchmark_return == 1
    assert reasons(found)["EXCESS_RETURN"] is Reason.NO_PRICES


returns = st.lists(
    st.tuples(st.decimals("-0.2", "0.2", places=3), st.decimals("-0.2", "0.2", places=3)),
    min_size=3,
    max_size=40,
).filter(lambda pairs: len({b for _, b in pairs}) > 2 and len({a for a, _ in pairs}) > 2)


@given(returns)
def test_an_independent_library_finds_the_same(pairs: list[tuple[Decimal, Decimal]]) -> None:
    """empyrical-reloaded's beta; correlation and tracking error by pandas."""
    ours, theirs = [D(100)], [D(100)]
    for a, b in pairs:
        ours.append(ours[-1] * (1 + a))
        theirs.append(theirs[-1] * (1 + b))
    points = [Point(day(n), value, D(0), num_positions=1) for n, value in enumerate(ours)]
    prices = [BenchmarkPrice(day(n), value, None) for n, value in enumerate(theirs)]
    found = compare(points, measure(points), prices)
    a, b = (pandas.Series([float(pair[n]) for pair in pairs]) for n in range(2))
    expected = (empyrical.beta(a, b), a.corr(b), (a - b).std() * 365**0.5)
    for value, other in zip((found.beta, found.correlation, found.tracking_error), expected, strict=True):
        if value is None:
            assert len(pairs) < 12
            assert reasons(found) == {"TRACKING_ERROR": Reason.TOO_SHORT}
            continue
        assert float(value) == pytest.approx(other, rel=1e-6, abs=1e-7)

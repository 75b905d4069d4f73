"""The money-weighted return against published examples and two libraries, and the reasons for none."""

import datetime as dt
import itertools
from decimal import Decimal, localcontext
from math import comb

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from db.vocabulary import UnavailableReason as Reason
from investing.rules.performance.money_weighted import money_weighted

D = Decimal
START = dt.date(2020, 1, 1)


def paid(*payments: tuple[str, object]) -> list[tuple[dt.date, Decimal]]:
    return [(dt.date.fromisoformat(date), D(str(amount))) for date, amount in payments]


Payments = list[tuple[dt.date, Decimal]]
HALF = D("5E-11")


def worth(payments: Payments, rate: Decimal) -> Decimal:
    """What they are worth on the first day, with 60 digits and by the definition alone."""
    first = min(date for date, _ in payments)
    with localcontext(prec=60):
        return sum((a * (1 + rate) ** (D((first - date).days) / 365) for date, a in payments), D(0))


def is_bracketed(payments: Payments, rate: Decimal) -> bool:
    """Whether the sign changes between half a tenth place below and above; 0 to 50 digits is of any sign."""
    with localcontext(prec=60):
        ends = [worth(payments, rate - HALF), worth(payments, rate + HALF)]
    size = sum(abs(amount) for _, amount in payments)
    return ends[0] * ends[1] < 0 or min(map(abs, ends)) < size * D("1E-50")


def rate(*payments: tuple[str, object]) -> Decimal:
    found = money_weighted(paid(*payments))
    assert isinstance(found, Decimal)
    assert is_bracketed(paid(*payments), found)
    return found


def yearly(*amounts: object) -> Payments:
    """One payment every 365 days."""
    return [(START + dt.timedelta(365 * n), D(str(amount))) for n, amount in enumerate(amounts)]


def monthly(amount: object) -> Payments:
    """On the 2nd of each month from January 2008, 120 times."""
    return [(dt.date(2008 + n // 12, n % 12 + 1, 2), D(str(amount))) for n in range(120)]


def test_the_example_of_excels_manual() -> None:
    """Microsoft, XIRR function: 0.373362535."""
    found = rate(
        ("2008-01-01", -10000),
        ("2008-03-01", 2750),
        ("2008-10-30", 4250),
        ("2009-02-15", 3250),
        ("2009-04-01", 2750),
    )
    assert round(found, 8) == D("0.37336253")


@pytest.mark.parametrize(
    ("first", "then", "expected"), [(-100, 20, "5.0962354717"), (-80, 19, "8.7808019771")]
)
def test_the_examples_of_pyxirrs_documentation(first: int, then: int, expected: str) -> None:
    """pyxirr, README: a payment on the first day of each month of 2021."""
    months = [(f"2021-{month:02}-01", then) for month in range(2, 13)]
    assert rate(("2021-01-01", first), *months) == D(expected)


@pytest.mark.parametrize(("end", "expected"), [(110, "0.1"), (100, "0"), (50, "-0.5"), (400, "3")])
def test_one_year_is_just_the_return(end: int, expected: str) -> None:
    assert rate(("2021-01-01", -100), ("2022-01-01", end)) == D(expected)


def test_two_years_with_a_deposit_between() -> None:
    # 100 grows to 110, 100 more come, and all of it grows by 10 % again: whenever it came, 10 % a year.
    assert rate(("2021-01-01", -100), ("2022-01-01", -100), ("2023-01-01", 231)) == D("0.1")


@pytest.mark.parametrize(
    ("payments", "reason"),
    [
        ([("2021-01-01", 0), ("2022-01-01", 0)], Reason.NO_CASH_FLOWS),
        ([("2021-01-01", -100), ("2022-01-01", 0)], Reason.NO_CASH_FLOWS),
        ([("2021-01-01", 100), ("2022-01-01", 10)], Reason.NO_CASH_FLOWS),
        # The classic of two rates, 10 % and 20 %: -100 (1 + r)^2 + 230 (1 + r) - 132.
        ([("2021-01-01", -100), ("2022-01-01", 230), ("2023-01-01", -132)], Reason.SEVERAL_ROOTS),
        # 100 (1 + r)^2 - 100 (1 + r) + 100 is above zero wherever it is looked at.
        ([("2021-01-01", 100), ("2022-01-01", -100), ("2023-01-01", 100)], Reason.NO_ROOT),
    ],
)
def test_no_rate(payments: list[tuple[str, object]], reason: Reason) -> None:
    assert money_weighted(paid(*payments)) is reason


def test_payments_of_one_day_are_one() -> None:
    split = (("2021-01-01", -60), ("2021-01-01", -40), ("2022-01-01", 110))
    assert rate(*split) == D("0.1")


def test_money_that_was_taken_out_and_brought_back_has_one_rate_still() -> None:
    """More came out than was in, at the rate: only looking at all rates tells that it is the only one."""
    rate(("2021-01-01", -100), ("2022-01-01", 150), ("2023-01-01", -10), ("2024-01-01", 30))


def test_a_rate_that_the_library_does_not_find() -> None:
    """It is no point of a grid of rates: the payments are worth nothing at -89.49976 %, not at -90 %."""
    payments = [*monthly(-500), (dt.date(2018, 1, 2), D("2409.0418838996"))]
    assert money_weighted(payments) == D("-0.8949976053")
    assert is_bracketed(payments, D("-0.8949976053"))
    assert not is_bracketed(payments, D("-0.9"))


@pytest.mark.parametrize("end", [300, 2409, 20000, 60000, 150000, "9000000000"])
def test_ten_years_of_monthly_payments(end: object) -> None:
    payments = [*monthly(-500), (dt.date(2018, 1, 2), D(str(end)))]
    found = money_weighted(payments)
    assert isinstance(found, Decimal)
    assert is_bracketed(payments, found)


def test_what_is_all_but_lost_within_a_month_has_no_yearly_rate() -> None:
    """1 of the last 500 is left after 31 days: (1 / 500) ^ (365 / 31) is 2E-32 of it a year."""
    payments = [*monthly(-500), (dt.date(2018, 1, 2), D(1))]
    assert money_weighted(payments) is Reason.OUT_OF_RANGE


def test_daily_payments_through_a_loss() -> None:
    """A thousand payments, of which the last ones make most of what is left."""
    payments = [(START + dt.timedelta(n), D(-10)) for n in range(1000)]
    payments.append((START + dt.timedelta(1000), D(2000)))
    found = money_weighted(payments)
    assert isinstance(found, Decimal)
    assert is_bracketed(payments, found)


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        # -100 (1 + r) + 110.000000005: just between two rates with ten places, and away from zero.
        ((-100, "110.000000005"), "0.1000000001"),
        ((-100, "89.999999995"), "-0.1000000001"),
        # All but a ten-billionth is lost; and all but three hundred-billionths, which no ten places tell.
        ((-100000, "0.00001"), "-0.9999999999"),
        ((-100000, "0.000003"), Reason.OUT_OF_RANGE),
        # 18 digits before the point are told, 19 are not.
        (("-0.0000000001", 99999999), "999999989999999999"),
        (("-0.0000000001", 100000001), Reason.OUT_OF_RANGE),
        # (10 (1 + r) - 11)^2: zero at 10 % and of one sign around it; two rates a hair apart; none.
        ((-100, 220, -121), Reason.SEVERAL_ROOTS),
        ((-100, 220, "-120.9999999999"), Reason.SEVERAL_ROOTS),
        ((-100, 220, "-121.0000000001"), Reason.NO_ROOT),
        # (10 (1 + r) - 11)^3 changes its sign at 10 %, where three roots are one another.
        ((-1000, 3300, -3630, 1331), Reason.SEVERAL_ROOTS),
        # 10, 20 and 30 %; 0 % and 100 %, where a search begins and ends; 0 % twice.
        ((-1000, 3600, -4310, 1716), Reason.SEVERAL_ROOTS),
        ((-100, 300, -200), Reason.SEVERAL_ROOTS),
        ((-100, 200, -100), Reason.SEVERAL_ROOTS),
        # -(1 + r)^3 + 3 (1 + r)^2 - 4 (1 + r) + 2 = -r (r^2 + 1): three changes of sign and one rate.
        ((-1, 3, -4, 2), "0"),
        # (1 + r)^2 (r - 0.1) and the like cannot be: the last payment is not zero. 100 out of -100 is 0.
        ((-100, 100), "0"),
        ((100, -90), "-0.1"),
    ],
)
def test_at_the_edges(amounts: tuple[object, ...], expected: str | Reason) -> None:
    found = money_weighted(yearly(*amounts))
    assert found == (expected if isinstance(expected, Reason) else D(expected))


def test_roots_beyond_all_bounds_count() -> None:
    """What doubles within a day does 2^365-fold a year; beside it a loss of 40 % makes two rates."""
    alone = paid(("2021-01-01", -100), ("2021-01-02", 200))
    assert money_weighted(alone) is Reason.OUT_OF_RANGE
    beside = paid(("2021-01-01", -100), ("2021-01-02", 200), ("2031-01-01", -100), ("2032-01-01", 60))
    assert money_weighted(beside) is Reason.SEVERAL_ROOTS


@pytest.mark.parametrize("power", [9, 20])
def test_roots_too_close_to_tell_end_the_search(power: int) -> None:
    amounts = [(-1) ** (n + 1) * comb(power, n) for n in range(power + 1)]
    assert money_weighted(yearly(*amounts)) is Reason.SEVERAL_ROOTS


def test_payments_of_every_day_in_turn_end_the_search() -> None:
    payments = [(START + dt.timedelta(n), D(500 * (-1) ** (n + 1))) for n in range(3651)]
    assert money_weighted(payments) is Reason.SEVERAL_ROOTS


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5), st.integers(-95, 400))
def test_whole_percents_are_found_exactly(deposits: list[int], percent: int) -> None:
    growth = 1 + D(percent) / 100
    end = sum((amount * growth ** (len(deposits) - n) for n, amount in enumerate(deposits)), D(0))
    assert money_weighted(yearly(*(-amount for amount in deposits), end)) == growth - 1


@settings(max_examples=50, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.integers(1, 1500), st.integers(-(10**6), 10**6)), min_size=1, max_size=12),
    st.integers(-(10**6), 10**6),
)
def test_every_answer_is_bracketed_and_no_other_root_is_seen(flows: list[tuple[int, int]], end: int) -> None:
    payments = [(START, D(-1000)), *((START + dt.timedelta(n), D(amount)) for n, amount in flows)]
    payments.append((START + dt.timedelta(1600), D(end)))
    found = money_weighted(payments)
    seen = _changes(payments)
    if isinstance(found, Decimal):
        assert is_bracketed(payments, found)
        assert len(seen) <= 1
        if seen:
            by_scipy = brentq(lambda rate: float(worth(payments, D(rate))), *seen[0], xtol=1e-12)
            assert float(found) == pytest.approx(by_scipy, abs=1e-9)
    elif found is Reason.NO_ROOT:
        assert not seen


def _changes(payments: Payments) -> list[tuple[float, float]]:
    """Rates between which the payments' worth changes its sign."""
    rates = [-0.95, -0.8, -0.6, -0.4, -0.2, -0.05, 0.013, 0.1, 0.3, 0.6, 1.1, 2.3, 5.0, 20.0]
    fees = [((date - START).days / 365, float(amount)) for date, amount in payments]
    signs = [sum(a * (1 + rate) ** -years for years, a in fees) > 0 for rate in rates]
    return [
        pair
        for pair, (a, b) in zip(itertools.pairwise(rates), itertools.pairwise(signs), strict=True)
        if a != b
    ]


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=8).filter(lambda amounts: all(amounts)))
def test_as_many_roots_as_numpy_finds(amounts: list[int]) -> None:
    """Payments a year apart are a polynomial in 1 + r, all of whose roots numpy has."""
    assume(any(amount > 0 for amount in amounts) and any(amount < 0 for amount in amounts))
    all_roots = numpy.roots(amounts)
    near = [root for root in all_roots if abs(root.imag) < 1e-4 * max(1, abs(root.real)) and root.real > 0]
    real = [root.real for root in near if root.imag == 0]
    # What is close to real, or to another one, may be either: there is no oracle for that in floating point.
    assume(len(near) == len(real))
    assume(all(abs(a - b) > 1e-3 for a, b in itertools.combinations(real, 2)))
    found = money_weighted(yearly(*amounts))
    if len(real) == 1:
        assert isinstance(found, Decimal)
        assert float(found) == pytest.approx(real[0] - 1, rel=1e-7, abs=1e-7)
    else:
        assert found is (Reason.SEVERAL_ROOTS if real else Reason.NO_ROOT)


@given(
    st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 10**6)), max_size=8),
    st.floats(-0.5, 1.5),
)
def test_what_grew_at_a_rate_has_that_rate(deposits: list[tuple[int, int]], yearly: float) -> None:
    payments = [(START, D(-1000)), *((START + dt.timedelta(days=n), D(-amount)) for n, amount in deposits)]
    end = START + dt.timedelta(days=2100)
    worth = sum(float(-amount) * (1 + yearly) ** ((end - date).days / 365) for date, amount in payments)
    found = money_weighted([*payments, (end, D(repr(worth)))])
    assert isinstance(found, Decimal)
    assert float(found) == pytest.approx(yearly, abs=1e-6)

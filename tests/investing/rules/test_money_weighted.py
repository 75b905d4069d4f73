"""The money-weighted return against published examples, with the reasons where there is none."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import UnavailableReason as Reason
from investing.rules.money_weighted import money_weighted

D = Decimal
START = dt.date(2020, 1, 1)


def paid(*payments: tuple[str, object]) -> list[tuple[dt.date, Decimal]]:
    return [(dt.date.fromisoformat(date), D(str(amount))) for date, amount in payments]


def rate(*payments: tuple[str, object]) -> Decimal:
    found = money_weighted(paid(*payments))
    assert isinstance(found, Decimal)
    return found


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
    """More came out than was in, at the rate: only looking at many rates tells that it is the only one."""
    found = rate(("2021-01-01", -100), ("2022-01-01", 150), ("2023-01-01", -10), ("2024-01-01", 30))
    payments = paid(("2021-01-01", -100), ("2022-01-01", 150), ("2023-01-01", -10), ("2024-01-01", 30))
    worth = sum(float(a) / (1 + float(found)) ** ((d - payments[0][0]).days / 365) for d, a in payments)
    assert worth == pytest.approx(0, abs=1e-6)


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

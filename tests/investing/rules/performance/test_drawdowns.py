"""Drawdowns: depth and dates, by hand and against an independent library."""

import datetime as dt
from decimal import Decimal

import empyrical
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from investing.rules.performance.drawdowns import Drawdown, deepest

D = Decimal
FIRST = dt.date(2020, 1, 1)


def day(n: int) -> dt.date:
    return FIRST + dt.timedelta(days=n)


def of(*values: str) -> Drawdown:
    return deepest((day(n), D(value)) for n, value in enumerate(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), Drawdown(D(0))),
        (("1",), Drawdown(D(0))),
        (("1", "1.1", "1.2"), Drawdown(D(0))),
        # From the last day at the height to the first at the lowest, and the first day back there.
        (("1", "2", "2", "1", "1", "2", "3"), Drawdown(D("0.5"), day(2), day(3), day(5))),
        # Not recovered, and a smaller fall before it.
        (("1", "0.9", "2", "1.5", "1"), Drawdown(D("0.5"), day(2), day(4))),
        # A second fall just as deep is not deeper; what recovered stays recovered.
        (("1", "0.5", "1", "0.5"), Drawdown(D("0.5"), day(0), day(1), day(2))),
        # The deeper one later takes over with dates of its own.
        (("1", "0.9", "1", "0.8", "0.9"), Drawdown(D("0.2"), day(2), day(3))),
        # Everything lost is 1, and nothing comes back.
        (("1", "0", "0"), Drawdown(D(1), day(0), day(1))),
    ],
)
def test_by_hand(values: tuple[str, ...], expected: Drawdown) -> None:
    assert of(*values) == expected


@given(st.lists(st.decimals("0.5", "2", places=2), min_size=1, max_size=40))
def test_an_independent_library_finds_the_same(factors: list[Decimal]) -> None:
    index, values = D(1), [(day(0), D(1))]
    for n, factor in enumerate(factors, 1):
        index *= factor
        values.append((day(n), index))
    found = deepest(values)
    series = pandas.Series([float(factor) - 1 for factor in factors])
    assert -float(found.depth) == pytest.approx(empyrical.max_drawdown(series), abs=1e-9)
    by_day = dict(values)
    if found.peak is not None and found.trough is not None:
        assert found.depth == pytest.approx(1 - by_day[found.trough] / by_day[found.peak])
        assert found.recovery is None or by_day[found.recovery] >= by_day[found.peak]
        between = [v for date, v in values if found.trough <= date < (found.recovery or dt.date.max)]
        assert all(value < by_day[found.peak] for value in between)

"""Returns against published examples, and against an independent library."""

import datetime as dt
from decimal import Decimal

import empyrical
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from investing.rules.performance.returns import Statistics, annualized, growth, periodic_rate

D = Decimal
START = dt.date(2020, 1, 1)


def test_a_published_time_weighted_return() -> None:
    """Z. Bodie, A. Kane and A. Marcus, Investments, chapter on portfolio performance evaluation.

    A share is bought for 50 and pays 2; a second one is bought for 53 and both are sold for 54 with 2 each:
    10 % and 5.66 % (CFA curricula use the same flows), a geometric mean of 7.81 %.
    """
    first = growth(D(50), D(53) + 2)
    second = growth(D(53) + 53, D(108) + 4)
    assert first == D("1.1")
    assert growth(D(0), D(5)) is growth(D(-1), D(5)) is None
    assert second is not None
    assert round(second, 4) == D("1.0566")
    total = first * second - 1
    yearly = annualized(total, dt.date(2020, 1, 1), dt.date(2021, 12, 31))
    assert yearly is not None
    assert round(yearly, 4) == D("0.0781")


def test_a_year_is_365_days() -> None:
    assert annualized(D("0.21"), START, START + dt.timedelta(days=364)) is None
    assert annualized(D("0.21"), START, START + dt.timedelta(days=365)) == D("0.21")
    assert annualized(D("0.21"), START, START + dt.timedelta(days=730)) == D("0.1")
    assert annualized(D(-1), START, START + dt.timedelta(days=730)) == -1


def test_a_yearly_rate_by_days() -> None:
    assert round((1 + periodic_rate(D("0.05"), 252)) ** 252, 20) == D("1.05")
    assert periodic_rate(D(0), 252) == 0


returns = st.lists(st.decimals("-0.2", "0.2", places=4), min_size=2, max_size=60).filter(
    lambda values: len(set(values)) > 2 and min(values) < 0
)


@given(returns, st.sampled_from(["0", "0.0001", "-0.0002"]))
def test_an_independent_library_finds_the_same(values: list[Decimal], risk_free: str) -> None:
    """empyrical-reloaded's definitions of volatility, Sharpe and Sortino."""
    statistics = Statistics(D(risk_free))
    for value in values:
        statistics.add(value)
    series = pandas.Series([float(value) for value in values])
    expected = (
        empyrical.annual_volatility(series),
        empyrical.sharpe_ratio(series, risk_free=float(risk_free)),
        empyrical.sortino_ratio(series, required_return=float(risk_free)),
    )
    found = (statistics.volatility(), statistics.sharpe_ratio(), statistics.sortino_ratio())
    for ours, theirs in zip(found, expected, strict=True):
        assert ours is not None
        assert float(ours) == pytest.approx(theirs, rel=1e-6, abs=1e-9)

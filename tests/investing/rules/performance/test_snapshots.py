"""Performance: figures worked out by hand, a published example, and what must hold for any history."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investing.rules.performance.series import Flow
from investing.rules.performance.snapshots import Day, Snapshot, snapshots
from tests.investing.rules.pairs import days_of

D = Decimal
FIRST = dt.date(2020, 1, 1)


def history(*values: tuple[object, object]) -> list[Day]:
    """One day per pair of total value and net flow, each with a close of all that is held."""
    return [
        Day(date, value, D(0), flow, 1, flows=flows) for date, value, flow, flows in days_of(FIRST, *values)
    ]


def of(days: Sequence[Day], risk_free: str = "0") -> list[Snapshot]:
    return list(snapshots(days, D(risk_free)))


BUMPY: list[tuple[object, object]] = [(100, 100)] + [
    (D(100) * D("1.1") ** n * step, 0) for n in range(4) for step in (D("1.1"), D("0.88"), D("1.1"))
]
"""100, and then +10 %, -20 % and +25 % in turn."""


def test_the_first_day_counts_from_its_first_flow_on() -> None:
    day = Day(FIRST, D("40.5"), D("54.5"), D(100), 3, flows=(Flow(D(0), D(100)),))
    # 100 become 95; what a part of a day returned is no part of the statistics.
    assert of([day]) == [
        Snapshot(
            FIRST, D(95), D("40.5"), D("54.5"), D(100), D("-0.05"), D("-0.05"), None, None, None, D("0.05"),
            3,
            flows=day.flows,
        )
    ]  # fmt: skip


def test_hand_computed() -> None:
    # +10 %, -20 %, +25 %.
    _, second, third, fourth = of(history((100, 100), (110, 0), (88, 0), (110, 0)))
    assert (second.daily_return, second.cumulative_return, second.max_drawdown) == (D("0.1"), D("0.1"), D(0))
    assert (third.daily_return, third.cumulative_return, third.max_drawdown) == (
        D("-0.2"),
        D("-0.12"),
        D("0.2"),
    )
    assert (fourth.daily_return, fourth.cumulative_return, fourth.max_drawdown) == (
        D("0.25"),
        D("0.1"),
        D("0.2"),
    )


def test_deviations_by_hand() -> None:
    """+10 %, -20 % and +25 % four times: mean 0.05, squares 4 x 0.1125 = 0.45, variance (0.45 - 0.03) / 11,
    downside variance 4 x 0.04 / 12. The days are every day of the week.
    """
    *_, eleventh, last = of(history(*BUMPY))
    assert (eleventh.volatility, eleventh.sharpe_ratio, eleventh.sortino_ratio) == (None, None, None)
    assert last.volatility == D("3.7331439346")  # sqrt(0.42 / 11 x 365) = sqrt(13.93636...)
    assert last.sharpe_ratio == D("4.8886408667")  # 0.05 x sqrt(365 x 11 / 0.42)
    assert last.sortino_ratio == D("8.2726960539")  # 0.05 x sqrt(365 x 3 / 0.04) = sqrt(68.4375)


def test_the_risk_free_rate_is_a_yearly_one() -> None:
    """1.05 ^ 365 - 1 a year is 5 % a day, which is the mean."""
    yearly = D("1.05") ** 365 - 1
    last = of(history(*BUMPY), str(yearly))[-1]
    assert last.volatility == D("3.7331439346")
    assert (last.sharpe_ratio, last.sortino_ratio) == (D(0), D(0))


def test_sortinos_published_example() -> None:
    """T. N. Rollinger and S. T. Hoffman, Sortino: A "Sharper" Ratio: annual returns, target 0, ratio 4.417.

    Twice in a row, so that there are 12 of them; that leaves mean and downside deviation as they are.
    """
    value = D(1)
    days = [(value, 1)]
    for percent in (17, 15, 23, -5, 12, 9, 13, -4) * 2:
        value *= 1 + D(percent) / 100
        days.append((value, 0))
    ratio = of(history(*days))[-1].sortino_ratio
    assert ratio is not None
    assert round(ratio / D(365).sqrt(), 3) == D("4.417")


def test_flows_are_weighed_out() -> None:
    # Half of it leaves at the end of a day that gained 10 %; 55 comes in before a day that gains 20 %.
    _, second, third = of(history((100, 100), (55, -55), (132, 55)))
    assert (second.daily_return, third.daily_return) == (D("0.1"), D("0.2"))
    assert third.cumulative_return == D("0.32")


def test_a_day_with_nothing_to_grow_has_no_return_and_breaks_nothing() -> None:
    days = of(history((100, 100), (0, -110), (0, 0), (51, 50), (50, 1), (0, -51)))
    assert [day.daily_return for day in days] == [
        0,
        D("0.1"),
        None,
        D("0.02"),
        D("-0.0384615385"),
        D("0.02"),
    ]
    assert days[2].cumulative_return == D("0.1")
    # 1.1 x 1.02 x 50/52 x 1.02, from returns that are not rounded.
    assert days[-1].cumulative_return == D("0.1004230769")


def test_steady_returns_have_no_ratios() -> None:
    last = of(history((100, 100), *((100 * 2**n, 0) for n in range(1, 13))))[-1]
    assert (last.volatility, last.sharpe_ratio, last.sortino_ratio) == (D(0), None, None)
    assert (last.cumulative_return, last.max_drawdown) == (D(4095), D(0))


def test_more_than_everything_lost_is_a_total_loss_and_then_nothing_is_known() -> None:
    days = of(history((100, 100), (-20, 0), (-10, 0), (90, 100)))
    assert [day.daily_return for day in days] == [0, D("-1.2"), None, None]
    # The third day begins with less than nothing.
    assert [(day.cumulative_return, day.max_drawdown) for day in days[1:]] == [
        (D(-1), D(1)),
        *[(None, None)] * 2,
    ]


def test_days_ascend() -> None:
    day = history((1, 1))[0]
    with pytest.raises(ValueError, match="days must ascend"):
        of([day, day])


amounts = st.decimals("0.01", "1000000", places=2)


@given(st.lists(amounts, min_size=2, max_size=20))
def test_without_flows_the_return_is_end_over_start(values: list[Decimal]) -> None:
    last = of(history(*((value, 0) for value in values)))[-1]
    assert last.cumulative_return is not None
    assert abs(last.cumulative_return - (values[-1] / values[0] - 1)) <= D("1e-10")


returns = st.decimals("-0.5", "0.5", places=2)


@given(st.lists(st.tuples(returns, amounts), min_size=1, max_size=16))
def test_deposits_and_withdrawals_change_no_return(days: list[tuple[Decimal, Decimal]]) -> None:
    """The same growth with money coming in, with half of it leaving each day, and with neither."""
    plain = into = out = D(1000)
    histories: list[list[tuple[object, object]]] = [[(1000, 0)], [(1000, 0)], [(1000, 0)]]
    for growth, amount in days:
        plain *= 1 + growth
        into = (into + amount) * (1 + growth)
        out = out * (1 + growth) / 2
        for history_of, pair in zip(histories, ((plain, 0), (into, amount), (out, -out)), strict=True):
            history_of.append(pair)
    without, with_in, with_out = (of(history(*pairs))[-1] for pairs in histories)
    for figure in ("daily_return", "cumulative_return", "max_drawdown", "volatility"):
        expected = getattr(without, figure)
        for other in (getattr(with_in, figure), getattr(with_out, figure)):
            assert (other is None) == (expected is None)
            assert other == expected or abs(other - expected) <= D("1e-9")


@given(st.lists(amounts, min_size=2, max_size=20))
def test_in_one_pass_as_if_from_the_beginning(values: list[Decimal]) -> None:
    """Each expanding window is what its own days alone give, and the figures fit the stored returns."""
    days = history(*((value, 0) for value in values))
    every = of(days)
    assert all(of(days[: n + 1])[-1] == snapshot for n, snapshot in enumerate(every))
    drawdowns = [day.max_drawdown for day in every if day.max_drawdown is not None]
    assert drawdowns == sorted(drawdowns)
    assert all(0 <= drawdown <= 1 for drawdown in drawdowns)
    daily = [day.daily_return for day in every if day.daily_return is not None]
    assert (every[-1].volatility is None) == (len(daily) < 12)
    if every[-1].volatility is not None:
        mean = sum(daily, D(0)) / len(daily)
        variance = sum(((one - mean) ** 2 for one in daily), D(0)) / (len(daily) - 1)
        assert abs(every[-1].volatility - (variance * 365).sqrt()) <= D("1e-6")

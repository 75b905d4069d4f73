"""Performance: figures worked out by hand, a published example, and what must hold for any history."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investing.rules.performance import DAYS_PER_YEAR, Day, Snapshot, snapshots
from investing.rules.series import Flow
from tests.investing.rules.pairs import days_of

D = Decimal
FIRST = dt.date(2020, 1, 1)


def history(*values: tuple[object, object]) -> list[Day]:
    """One day per pair of total value and net flow, all of it in cash."""
    return [
        Day(date, value, D(0), flow, 0, flows=flows) for date, value, flow, flows in days_of(FIRST, *values)
    ]


def of(days: Sequence[Day], risk_free: str = "0") -> list[Snapshot]:
    return list(snapshots(days, D(risk_free)))


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
    # +10 %, -20 %, +25 %: mean 0.05, squares 0.01 + 0.04 + 0.0625 = 0.1125, variance (0.1125 - 0.0075) / 2
    # = 0.0525, downside variance 0.04 / 3.
    _, second, third, fourth = of(history((100, 100), (110, 0), (88, 0), (110, 0)))
    assert (second.daily_return, second.cumulative_return, second.max_drawdown) == (D("0.1"), D("0.1"), D(0))
    assert (second.volatility, second.sharpe_ratio, second.sortino_ratio) == (None, None, None)
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
    assert fourth.volatility == D("3.6373066959")  # sqrt(0.0525 x 252) = sqrt(13.23)
    assert fourth.sharpe_ratio == D("3.4641016151")  # 0.05 x sqrt(252 / 0.0525) = 0.05 x sqrt(4800)
    assert fourth.sortino_ratio == D("6.8738635424")  # 0.05 x sqrt(252 x 3 / 0.04) = 0.05 x sqrt(18900)


def test_the_risk_free_rate_is_taken_off_every_day() -> None:
    last = of(history((100, 100), (110, 0), (88, 0), (110, 0)), "0.05")[-1]
    assert last.volatility == D("3.6373066959")
    assert (last.sharpe_ratio, last.sortino_ratio) == (D(0), D(0))


def test_sortinos_published_example() -> None:
    # T. N. Rollinger and S. T. Hoffman, Sortino: A "Sharper" Ratio: annual returns, target 0, ratio 4.417.
    value = D(1)
    days = [(value, 1)]
    for percent in (17, 15, 23, -5, 12, 9, 13, -4):
        value *= 1 + D(percent) / 100
        days.append((value, 0))
    ratio = of(history(*days))[-1].sortino_ratio
    assert ratio is not None
    assert round(ratio / D(DAYS_PER_YEAR).sqrt(), 3) == D("4.417")


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
    last = of(history((100, 100), (110, 0), (121, 0)))[-1]
    assert (last.volatility, last.sharpe_ratio, last.sortino_ratio) == (D(0), None, None)
    assert (last.cumulative_return, last.max_drawdown) == (D("0.21"), D(0))


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


@given(st.lists(st.tuples(returns, amounts), min_size=1, max_size=12))
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
    if len(daily) > 1:
        mean = sum(daily, D(0)) / len(daily)
        variance = sum(((one - mean) ** 2 for one in daily), D(0)) / (len(daily) - 1)
        assert every[-1].volatility is not None
        assert abs(every[-1].volatility - (variance * DAYS_PER_YEAR).sqrt()) <= D("1e-6")

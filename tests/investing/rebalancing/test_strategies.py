"""The strategies against independent computations: closed forms, cvxpy's own problems, scipy's clusters."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
import scipy.cluster.hierarchy as clusters
from scipy.spatial.distance import squareform

from db.vocabulary import Strategy
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rules.errors import NoExcessReturn, SingularCovariance
from tests.investing.rebalancing.conftest import Array, ask, returns_of

FIVE = ["AMD", "JNJ", "JPM", "WMT", "XOM"]
FOUND = [
    Strategy.MAX_SHARPE,
    Strategy.MIN_VARIANCE,
    Strategy.RISK_PARITY,
    Strategy.HIERARCHICAL_RISK_PARITY,
    Strategy.MIN_CVAR,
]

Returns = Mapping[str, Sequence[float]]


def table(returns: Returns) -> Array:
    """A row for each day."""
    return np.array(list(returns.values())).T


def covariance(returns: Returns) -> Array:
    """The sample covariance."""
    return np.asarray(np.cov(table(returns), rowvar=False))


def solve(objective: Any, constraints: Sequence[Any]) -> None:
    """Solves to the last digits."""
    problem = cp.Problem(objective, list(constraints))
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    assert problem.status == "optimal"


def least_variance(returns: Returns, cap: float) -> Array:
    """Minimum variance, long only: a quadratic programme."""
    weights = cp.Variable(len(returns))
    spread = cp.quad_form(weights, cp.psd_wrap(covariance(returns) * 1e4))
    solve(cp.Minimize(spread), [cp.sum(weights) == 1, weights >= 0, weights <= cap])
    return np.asarray(weights.value)


def largest_sharpe(returns: Returns, cap: float) -> Array:
    """Maximum Sharpe ratio by Charnes and Cooper's change of variables, y = k w with a mean of 1."""
    means = table(returns).mean(axis=0) * 1e4
    scaled, factor = cp.Variable(len(returns)), cp.Variable()
    spread = cp.quad_form(scaled, cp.psd_wrap(covariance(returns) * 1e4))
    solve(
        cp.Minimize(spread),
        [means @ scaled == 1, cp.sum(scaled) == factor, scaled >= 0, scaled <= cap * factor],
    )
    return np.asarray(scaled.value / scaled.value.sum())


def shortfall(weights: Any, returns: Returns) -> float:
    """The mean of the worst 5 % of days, a part of the last of them."""
    losses = np.sort(-table(returns) @ weights)[::-1]
    tail = 0.05 * len(losses)
    whole = int(tail)
    return float((losses[:whole].sum() + (tail - whole) * losses[whole]) / tail)


def least_shortfall(returns: Returns, cap: float) -> Array:
    """Minimum CVaR at 95 %, Rockafellar and Uryasev's linear programme."""
    days = table(returns)
    weights, level = cp.Variable(len(returns)), cp.Variable()
    beyond = cp.sum(cp.pos(-days @ weights - level)) / (0.05 * len(days))
    solve(cp.Minimize(level + beyond), [cp.sum(weights) == 1, weights >= 0, weights <= cap])
    return np.asarray(weights.value)


def risk(weights: Array, returns: Returns) -> float:
    """The volatility of a day."""
    return float(np.sqrt(weights @ covariance(returns) @ weights))


def sharpe(weights: Array, returns: Returns) -> float:
    """Mean over deviation of a day."""
    return float(table(returns).mean(axis=0) @ weights) / risk(weights, returns)


@pytest.mark.parametrize("cap", ["1", "0.3"])
@pytest.mark.parametrize("days", [252, 2520])
async def test_least_variance(
    optimiser: Optimiser, closes: dict[str, list[float]], days: int, cap: str
) -> None:
    returns = returns_of(closes, sorted(closes), days)
    found = await ask(optimiser, Strategy.MIN_VARIANCE, returns, cap=cap)
    wanted = least_variance(returns, float(cap))
    assert found == pytest.approx(wanted, abs=2e-5)
    assert risk(found / found.sum(), returns) == pytest.approx(risk(wanted, returns), rel=1e-6)


@pytest.mark.parametrize("cap", ["1", "0.3"])
@pytest.mark.parametrize("days", [252, 2520])
async def test_largest_sharpe_ratio(
    optimiser: Optimiser, closes: dict[str, list[float]], days: int, cap: str
) -> None:
    returns = returns_of(closes, sorted(closes), days)
    found = await ask(optimiser, Strategy.MAX_SHARPE, returns, cap=cap)
    wanted = largest_sharpe(returns, float(cap))
    assert found == pytest.approx(wanted, abs=2e-5)
    assert sharpe(found / found.sum(), returns) == pytest.approx(sharpe(wanted, returns), rel=1e-6)


@pytest.mark.parametrize("cap", ["1", "0.3"])
async def test_least_shortfall(optimiser: Optimiser, closes: dict[str, list[float]], cap: str) -> None:
    returns = returns_of(closes, sorted(closes), 756)
    found = await ask(optimiser, Strategy.MIN_CVAR, returns, cap=cap)
    wanted = least_shortfall(returns, float(cap))
    assert found == pytest.approx(wanted, abs=2e-5)
    assert shortfall(found / found.sum(), returns) == pytest.approx(shortfall(wanted, returns), rel=1e-6)


async def test_two_assets_in_closed_form(optimiser: Optimiser, closes: dict[str, list[float]]) -> None:
    returns = returns_of(closes, ["JNJ", "XOM"], 1260)
    (one, both), (_, other) = covariance(returns)
    found = await ask(optimiser, Strategy.MIN_VARIANCE, returns)
    assert found[0] == pytest.approx((other - both) / (one + other - 2 * both), abs=2e-6)
    # The tangency portfolio: the inverse covariance x the means, which are both above zero.
    tangency = np.linalg.solve(covariance(returns), table(returns).mean(axis=0))
    assert (tangency > 0).all()
    found = await ask(optimiser, Strategy.MAX_SHARPE, returns)
    assert found == pytest.approx(tangency / tangency.sum(), abs=1e-5)


async def test_risk_parity_of_what_is_not_correlated(optimiser: Optimiser) -> None:
    # Rows of a Hadamard matrix: their sample correlations are exactly zero.
    pattern = np.array([[1]])
    for _ in range(5):
        pattern = np.block([[pattern, pattern], [pattern, -pattern]])
    deviations = [0.01, 0.02, 0.005, 0.04]
    returns = {
        f"S{number}": (0.0003 + deviation * pattern[number + 1]).tolist()
        for number, deviation in enumerate(deviations)
    }
    found = await ask(optimiser, Strategy.RISK_PARITY, returns)
    inverse = 1 / np.array(deviations)
    assert found == pytest.approx(inverse / inverse.sum(), abs=1e-5)


async def test_risk_parity_shares_the_risk(optimiser: Optimiser, closes: dict[str, list[float]]) -> None:
    returns = returns_of(closes, sorted(closes), 756)
    found = await ask(optimiser, Strategy.RISK_PARITY, returns)
    parts = found * (covariance(returns) @ found)
    assert parts / parts.sum() == pytest.approx(np.full(len(found), 1 / len(found)), abs=1e-5)


def bisected(returns: Returns) -> Array:
    """Lopez de Prado's algorithm: cluster, order, and split the weight by inverse variance downwards."""
    spread = covariance(returns)
    correlation = np.corrcoef(table(returns), rowvar=False)
    distance = np.sqrt(np.maximum(0, (1 - correlation) / 2))
    np.fill_diagonal(distance, 0)
    links = clusters.linkage(squareform(distance, checks=False), "ward", optimal_ordering=True)
    weights = np.ones(len(returns))

    def variance(group: list[int]) -> float:
        block = spread[np.ix_(group, group)]
        inverse = 1 / np.diag(block)
        inverse /= inverse.sum()
        return float(inverse @ block @ inverse)

    waiting = [list(clusters.leaves_list(links))]
    while waiting:
        group = waiting.pop()
        if len(group) > 1:
            left, right = group[: len(group) // 2], group[len(group) // 2 :]
            part = variance(right) / (variance(left) + variance(right))
            weights[left] *= part
            weights[right] *= 1 - part
            waiting += [left, right]
    return weights


@pytest.mark.parametrize("count", [3, 7, 20])
async def test_hierarchical_risk_parity(
    optimiser: Optimiser, closes: dict[str, list[float]], count: int
) -> None:
    returns = returns_of(closes, sorted(closes)[:count], 756)
    found = await ask(optimiser, Strategy.HIERARCHICAL_RISK_PARITY, returns)
    assert found == pytest.approx(bisected(returns), abs=2e-6)


@pytest.mark.parametrize("cap", ["1", "0.25"])
@pytest.mark.parametrize("strategy", FOUND)
async def test_risk_tolerance_leads_from_the_least_variance_up(
    optimiser: Optimiser, closes: dict[str, list[float]], strategy: Strategy, cap: str
) -> None:
    returns = returns_of(closes, sorted(closes)[:8], 504)
    steps = [
        await ask(optimiser, strategy, returns, cap=cap, risk_tolerance=tolerance)
        for tolerance in ("0", "0.1", "0.25", "0.5", "0.75", "0.9", "1")
    ]
    assert steps[0] == pytest.approx(least_variance(returns, float(cap)), abs=2e-5)
    risks = [risk(step, returns) for step in steps]
    # To the digits that weights of six places, and solvers, have.
    assert all(later >= earlier * (1 - 1e-5) for earlier, later in pairwise(risks))
    assert (risks[-1] > risks[0] * 1.001) == (strategy is not Strategy.MIN_VARIANCE)


async def test_between_is_on_the_efficient_frontier(
    optimiser: Optimiser, closes: dict[str, list[float]]
) -> None:
    returns = returns_of(closes, sorted(closes)[:8], 504)
    means = table(returns).mean(axis=0)
    found = await ask(optimiser, Strategy.MAX_SHARPE, returns, cap="0.4", risk_tolerance="0.5")
    wanted = means @ (least_variance(returns, 0.4) + largest_sharpe(returns, 0.4)) / 2
    weights = cp.Variable(len(returns))
    spread = cp.quad_form(weights, cp.psd_wrap(covariance(returns) * 1e4))
    reached = means @ weights * 1e4 >= wanted * 1e4
    solve(cp.Minimize(spread), [cp.sum(weights) == 1, weights >= 0, weights <= 0.4, reached])
    assert found == pytest.approx(np.asarray(weights.value), abs=2e-5)


@pytest.mark.parametrize("strategy", FOUND)
async def test_what_says_the_same_or_nothing_is_refused(
    optimiser: Optimiser, closes: dict[str, list[float]], strategy: Strategy
) -> None:
    returns = returns_of(closes, FIVE, 252)
    with pytest.raises(SingularCovariance) as caught:
        await ask(optimiser, strategy, returns | {"TWIN": [2 * each for each in returns["JNJ"]]})
    assert caught.value.symbols == ("JNJ", "TWIN")
    with pytest.raises(SingularCovariance) as caught:
        await ask(optimiser, strategy, returns | {"FLAT": [0.0] * 252})
    assert caught.value.symbols == ("FLAT",)
    # Fewer days than instruments.
    with pytest.raises(SingularCovariance):
        await ask(optimiser, strategy, returns_of(closes, sorted(closes), 15))


async def test_no_largest_sharpe_ratio_without_a_gain(
    optimiser: Optimiser, closes: dict[str, list[float]]
) -> None:
    returns = returns_of(closes, FIVE, 252)
    lost = {symbol: [each - 0.01 for each in series] for symbol, series in returns.items()}
    with pytest.raises(NoExcessReturn):
        await ask(optimiser, Strategy.MAX_SHARPE, lost)
    # One that gains cannot make good what the cap makes one hold of the rest.
    some = lost | {"XOM": [each + 0.001 for each in returns["XOM"]]}
    with pytest.raises(NoExcessReturn):
        await ask(optimiser, Strategy.MAX_SHARPE, some, cap="0.2")
    await ask(optimiser, Strategy.MAX_SHARPE, some)
    await ask(optimiser, Strategy.MIN_VARIANCE, lost)


async def test_one_alone_is_everything(optimiser: Optimiser, closes: dict[str, list[float]]) -> None:
    for strategy in FOUND:
        assert list(await ask(optimiser, strategy, returns_of(closes, ["JNJ"], 252))) == [1]

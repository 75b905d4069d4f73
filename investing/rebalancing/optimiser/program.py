"""The optimiser's process: read questions, answer with weights. Run as `python -P program.py`.

It imports nothing of Graphfolio, and Graphfolio imports nothing of it. All strategies are long only, with a
cap on each weight and a sum of 1, on the sample mean and the sample covariance of simple daily returns:

- MIN_VARIANCE, the least variance (Markowitz 1952).
- MAX_SHARPE, the largest mean over deviation, at a risk-free rate of 0 (Sharpe 1994).
- RISK_PARITY, every position contributes as much to the variance as any other (Maillard, Roncalli and
  Teiletche 2010), as far as the cap allows.
- HIERARCHICAL_RISK_PARITY, recursive bisection along a clustering of correlations (Lopez de Prado 2016), with
  variance and Ward linkage.
- MIN_CVAR, the least mean of the worst 5 % of daily returns (Rockafellar and Uryasev 2000).

Risk tolerance t leads from the minimum-variance portfolio (0) to the strategy's own (1), under the same cap:

- MAX_SHARPE moves along the efficient frontier: the least variance whose mean return is at least (1 - t) x
  that of the minimum-variance portfolio + t x that of the portfolio of the largest Sharpe ratio. Along the
  frontier a higher mean never has a lower variance, since the constraint only grows tighter.
- The others are not on the mean-variance frontier. Their mix is (1 - t) x minimum-variance weights + t x the
  strategy's weights: long only, within the cap and of sum 1, as both ends are. Its variance is a convex
  quadratic function of t, at its least at t = 0 because no permitted portfolio has less, and a convex
  function never falls after its minimum: volatility rises with t there too.

Weights have six places and add up to 1.
"""

import json
import os
import queue
import sys
import threading
import warnings
from typing import Any, BinaryIO

import numpy as np
from skfolio import RiskMeasure
from skfolio.exceptions import SkfolioError
from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting

Array = np.ndarray[Any, np.dtype[np.float64]]

SINGULAR = 1e-9
"""Correlations are singular if their smallest eigenvalue is at most this fraction of the largest."""

MILLION = 1_000_000
TOLERANCES = (1e-12, 1e-10, 1e-8)
"""Tried one after the other. Near its minimum a portfolio's risk is flat: the last one, the solver's default,
gives only four correct places of the weights; the first is more than some problems can be solved to."""


class NoWeights(Exception):
    """Why there are no weights: a code, and data for the error."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.reply = {"refused": code, **facts}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to a question: the weights by symbol as decimal strings."""
    returns = np.asarray(question["returns"], dtype=float).T
    symbols = question["symbols"]
    check_covariance(returns, symbols)
    weights = mixed(question["strategy"], returns, question["cap"], question["risk_tolerance"])
    return {"weights": dict(zip(symbols, rounded(weights, question["cap"]), strict=True))}


def check_covariance(returns: Array, symbols: list[str]) -> None:
    """Raise NoWeights if some returns are constant or combinations of others.

    Correlations are checked and not covariances, which depend on scale.
    """
    deviations = returns.std(axis=0, ddof=1)
    # Not compared with 0, because floating-point error makes even a constant return vary.
    constant = [
        symbol for symbol, deviation in zip(symbols, deviations, strict=True) if not deviation > 1e-12
    ]
    if constant:
        raise NoWeights("SINGULAR_COVARIANCE", symbols=constant)
    if len(symbols) == 1:
        return
    values, vectors = np.linalg.eigh(np.corrcoef(returns, rowvar=False))
    if values[0] <= SINGULAR * values[-1]:
        # The symbols that make up the combination without variance.
        dependent = [
            symbol for symbol, part in zip(symbols, np.abs(vectors[:, 0]), strict=True) if part > 1e-3
        ]
        raise NoWeights("SINGULAR_COVARIANCE", symbols=dependent)


def mixed(strategy: str, returns: Array, cap: float, tolerance: float) -> Array:
    """Return the portfolio between the minimum variance and the strategy's own."""
    if returns.shape[1] == 1:
        return np.ones(1)
    if strategy == "MIN_VARIANCE":
        return least_variance(returns, cap)
    if strategy == "MAX_SHARPE":
        return sharpest(returns, cap, tolerance)
    if tolerance == 0:
        return least_variance(returns, cap)
    target = fitted(OWN[strategy](cap), returns)
    return target if tolerance == 1 else (1 - tolerance) * least_variance(returns, cap) + tolerance * target


def sharpest(returns: Array, cap: float, tolerance: float) -> Array:
    """Return the portfolio on the efficient frontier between minimum variance and maximum Sharpe ratio."""
    means = returns.mean(axis=0)
    best = np.sort(means)[::-1]
    shares = np.minimum(cap, np.maximum(0, 1 - cap * np.arange(len(means))))
    if best @ shares <= 0:
        raise NoWeights("NO_EXCESS_RETURN")
    if tolerance == 0:
        return least_variance(returns, cap)
    target = fitted(
        MeanRisk(
            objective_function=ObjectiveFunction.MAXIMIZE_RATIO,
            risk_measure=RiskMeasure.VARIANCE,
            max_weights=cap,
        ),
        returns,
    )
    if tolerance == 1:
        return target
    least = least_variance(returns, cap)
    wanted = (1 - tolerance) * float(means @ least) + tolerance * float(means @ target)
    frontier = MeanRisk(risk_measure=RiskMeasure.VARIANCE, max_weights=cap, min_return=wanted)
    return fitted(frontier, returns)


def least_variance(returns: Array, cap: float) -> Array:
    """Return the portfolio of minimum variance."""
    model = MeanRisk(risk_measure=RiskMeasure.VARIANCE, max_weights=cap)
    return fitted(model, returns)


OWN = {
    "RISK_PARITY": lambda cap: RiskBudgeting(risk_measure=RiskMeasure.VARIANCE, max_weights=cap),
    "HIERARCHICAL_RISK_PARITY": lambda cap: HierarchicalRiskParity(
        risk_measure=RiskMeasure.VARIANCE, max_weights=cap
    ),
    "MIN_CVAR": lambda cap: MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95, max_weights=cap),
}


def fitted(model: Any, returns: Array) -> Array:
    """Return the model's weights. Raise NoWeights if it finds no portfolio or only an inaccurate one."""
    is_solved = "solver_params" in model.get_params()
    for tolerance in TOLERANCES if is_solved else (None,):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message=".*inaccurate.*")
                if is_solved:
                    names = ("tol_gap_abs", "tol_gap_rel", "tol_feas")
                    model.set_params(solver_params=dict.fromkeys(names, tolerance))
                weights = np.asarray(model.fit(returns).weights_, dtype=float)
        except (UserWarning, SkfolioError):
            continue
        if np.isfinite(weights).all() and abs(weights.sum() - 1) < 1e-6 and weights.min() > -1e-6:
            weights = np.clip(weights, 0, None)
            return np.asarray(weights / weights.sum(), dtype=float)
    raise NoWeights("FAILED", why=f"{type(model).__name__} found no portfolio")


def rounded(weights: Array, cap: float) -> list[str]:
    """Round to six places that add up to 1: down, then up for those with the largest remainders.

    No weight is raised above the cap for that: if every weight is at the cap, a millionth or two stay cash.
    """
    millionths = np.floor(weights * MILLION).astype(int)
    missing = MILLION - int(millionths.sum())
    for index in np.argsort(millionths - weights * MILLION, kind="stable"):
        if missing > 0 and (millionths[index] + 1) / MILLION <= cap:
            millionths[index] += 1
            missing -= 1
    return [f"{part // MILLION}.{part % MILLION:06d}" for part in map(int, millionths)]


def listen(source: BinaryIO, questions: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Read questions until the server is gone; then end this process, whatever it is doing."""
    while True:
        head = source.read(4)
        body = source.read(int.from_bytes(head, "big"))
        if len(head) < 4 or not body:
            os._exit(0)
        questions.put(json.loads(body))


def main() -> None:
    """Answer questions one by one, after one empty message that says that it is ready."""
    questions: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(sys.stdin.buffer, questions), daemon=True).start()
    # Standard output is redirected, so that nothing that a library prints gets between the answers.
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)
        reply: dict[str, Any] = {}
        while True:
            body = json.dumps(reply).encode()
            output.write(len(body).to_bytes(4, "big") + body)
            output.flush()
            question = questions.get()
            try:
                reply = answer(question)
            except NoWeights as refused:
                reply = refused.reply
            except Exception as error:
                reply = {"refused": "FAILED", "why": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()

"""The real optimiser, once for a module, and the prices that come with it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest

from db.vocabulary import Strategy
from investing.market.bundled import data_file, read_adjusted
from investing.rebalancing.optimiser.pool import Optimiser, Problem

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
SOMEBODY = UUID(int=1)


@asynccontextmanager
async def answering(optimiser: Optimiser) -> AsyncIterator[Optimiser]:
    """Have the optimiser answer inside the block."""
    running = asyncio.create_task(optimiser.run())
    try:
        yield optimiser
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(scope="module")
async def optimiser() -> AsyncIterator[Optimiser]:
    async with answering(Optimiser()) as optimiser:
        yield optimiser


@pytest.fixture(scope="session")
def closes() -> dict[str, list[float]]:
    """Twenty shares over thirty-three years."""
    series = read_adjusted(data_file("skfolio", "datasets/data/sp500_dataset.csv.gz"))
    return {one.instrument.symbol: [float(bar.close) for bar in one.bars] for one in series}


def returns_of(
    closes: Mapping[str, Sequence[float]], symbols: Sequence[str], days: int
) -> dict[str, list[float]]:
    """The last daily returns of these."""
    return {
        symbol: [now / before - 1 for before, now in pairwise(prices)]
        for symbol in symbols
        if (prices := closes[symbol][-days - 1 :])
    }


async def ask(
    optimiser: Optimiser,
    strategy: Strategy,
    returns: Mapping[str, Sequence[float]],
    *,
    cap: str = "1",
    risk_tolerance: str = "1",
) -> Array:
    """The weights that it finds, in the order of the symbols, checked for what all of them keep to."""
    problem = Problem(strategy, returns, Decimal(cap), Decimal(risk_tolerance))
    found = await optimiser.weights(SOMEBODY, problem)
    assert list(found) == list(returns)
    assert sum(found.values()) == 1
    assert all(0 <= weight <= Decimal(cap) for weight in found.values())
    assert all(weight == round(weight, 6) for weight in found.values())
    return np.array([float(weight) for weight in found.values()])

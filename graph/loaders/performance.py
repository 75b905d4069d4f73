"""Loaders of performance: the number of statements depends on the questions, not on the portfolios."""

import datetime as dt
from typing import ClassVar
from uuid import UUID

from graph.loaders import Loader
from investing.portfolio.benchmarks import Benchmark, read_benchmarks
from investing.portfolio.gains import Gain, read_gains
from investing.portfolio.performance import Performance, PerformanceRequest, ScopeKind, read_performances

PerformanceKey = tuple[UUID, PerformanceRequest]


class _Performances(Loader[PerformanceKey, Performance]):
    kind: ClassVar[ScopeKind]

    async def batch_load_fn(self, keys: list[PerformanceKey]) -> list[Performance]:
        async with self.login.reading() as connection:
            return await read_performances(connection, self.login.viewer_id, self.kind, keys)


class PerformanceByPortfolio(_Performances):
    kind = ScopeKind.PORTFOLIO


class PerformanceByAccount(_Performances):
    kind = ScopeKind.ACCOUNT


class PerformanceByUser(_Performances):
    kind = ScopeKind.USER


class GainsByPerformance(Loader[Performance, "list[Gain] | None"]):
    """What each position of a performance gained."""

    async def batch_load_fn(self, keys: list[Performance]) -> list[list[Gain] | None]:
        async with self.login.reading() as connection:
            return await read_gains(connection, self.login.viewer_id, keys)


class BenchmarkBySymbol(Loader[tuple[str, dt.date, dt.date], "Benchmark | None"]):
    """An instrument's prices between two days; None for a symbol without any."""

    async def batch_load_fn(self, keys: list[tuple[str, dt.date, dt.date]]) -> list[Benchmark | None]:
        async with self.login.reading() as connection:
            found = await read_benchmarks(connection, self.login.viewer_id, keys)
        return [found.get(symbol) for symbol, _, _ in keys]

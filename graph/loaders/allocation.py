"""Loaders of allocations: one statement for each kind of whole, and one for the portfolios' targets."""

from typing import ClassVar
from uuid import UUID

from graph.loaders import Loader
from investing.portfolio.allocation import AllocationScope, read_allocations
from investing.portfolio.performance import ScopeKind


class _Wholes(Loader[UUID, AllocationScope]):
    kind: ClassVar[ScopeKind]

    async def batch_load_fn(self, keys: list[UUID]) -> list[AllocationScope]:
        async with self.login.reading() as connection:
            found = await read_allocations(connection, self.login.viewer_id, self.kind, keys)
        return [found[key] for key in keys]


class WholeByPortfolio(_Wholes):
    kind = ScopeKind.PORTFOLIO


class WholeByAccount(_Wholes):
    kind = ScopeKind.ACCOUNT


class WholeByUser(_Wholes):
    kind = ScopeKind.USER

"""Loaders of portfolios, positions and performance."""

from collections.abc import Mapping
from uuid import UUID

from db.portfolio.queries import (
    LOTS,
    PORTFOLIOS,
    POSITIONS,
    SNAPSHOTS,
    fetch_cash_weights,
    fetch_fifo_gains,
    fetch_portfolio_summaries,
    fetch_weights,
)
from db.portfolio.rows import (
    ListedLotRow,
    ListedPortfolioRow,
    ListedPositionRow,
    PortfolioSummaryRow,
    SnapshotRow,
)
from graph.loaders import ById, CountsOf, Loader, PagesOf


class PortfolioById(ById[ListedPortfolioRow]):
    listing = PORTFOLIOS


class PortfoliosByAccount(PagesOf[ListedPortfolioRow]):
    listing = PORTFOLIOS


class PortfolioCountByAccount(CountsOf):
    listing = PORTFOLIOS


class SummaryByPortfolio(Loader[UUID, PortfolioSummaryRow]):
    """What each portfolio is worth and has gained."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[PortfolioSummaryRow]:
        async with self.login.reading() as connection:
            rows = await fetch_portfolio_summaries(connection, self.login.viewer_id, keys)
        return [rows[key] for key in keys]


class FifoGainByPortfolio(Loader[UUID, str]):
    """What each portfolio's sales gained, first in first out."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[str]:
        async with self.login.reading() as connection:
            gains = await fetch_fifo_gains(connection, self.login.viewer_id, keys)
        return [gains.get(key, "0") for key in keys]


class WeightsByPortfolio(Loader[UUID, Mapping[UUID, str]]):
    """The weights of each portfolio's priced positions, by position."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[Mapping[UUID, str]]:
        async with self.login.reading() as connection:
            weights = await fetch_weights(connection, self.login.viewer_id, keys)
        return [weights.get(key, {}) for key in keys]


class CashWeightByPortfolio(Loader[UUID, "str | None"]):
    """The weight of cash in each portfolio; None if it has no weights."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[str | None]:
        async with self.login.reading() as connection:
            weights = await fetch_cash_weights(connection, self.login.viewer_id, keys)
        return [weights.get(key) for key in keys]


class PositionById(ById[ListedPositionRow]):
    listing = POSITIONS


class PositionsByPortfolio(PagesOf[ListedPositionRow]):
    listing = POSITIONS


class PositionCountByPortfolio(CountsOf):
    listing = POSITIONS


class LotById(ById[ListedLotRow]):
    listing = LOTS


class LotsByPosition(PagesOf[ListedLotRow]):
    listing = LOTS


class LotCountByPosition(CountsOf):
    listing = LOTS


class SnapshotById(ById[SnapshotRow]):
    listing = SNAPSHOTS


class SnapshotsByPortfolio(PagesOf[SnapshotRow]):
    listing = SNAPSHOTS


class SnapshotCountByPortfolio(CountsOf):
    listing = SNAPSHOTS

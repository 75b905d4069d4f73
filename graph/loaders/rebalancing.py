"""Loaders of the history of rebalances."""

from db.rebalancing.queries import LEGS, REBALANCES
from db.rebalancing.rows import RebalanceLegRow, RebalanceRow
from graph.loaders import ById, CountsOf, PagesOf


class RebalanceById(ById[RebalanceRow]):
    listing = REBALANCES


class RebalancesByPortfolio(PagesOf[RebalanceRow]):
    listing = REBALANCES


class RebalanceCountByPortfolio(CountsOf):
    listing = REBALANCES


class LegsByRebalance(PagesOf[RebalanceLegRow]):
    listing = LEGS


class LegCountByRebalance(CountsOf):
    listing = LEGS

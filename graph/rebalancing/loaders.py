"""Loaders of the history of rebalances."""

from db.rebalancing.queries import LEGS, REBALANCES
from graph.loaders import ById, CountsOf, PagesOf


class RebalanceById(ById):
    listing = REBALANCES


class RebalancesByPortfolio(PagesOf):
    listing = REBALANCES


class RebalanceCountByPortfolio(CountsOf):
    listing = REBALANCES


class LegsByRebalance(PagesOf):
    listing = LEGS


class LegCountByRebalance(CountsOf):
    listing = LEGS

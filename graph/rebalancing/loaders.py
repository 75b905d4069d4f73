"""Loaders of the history of rebalances."""

from db.rebalancing.queries import REBALANCES
from graph.loaders import ById, CountsOf, PagesOf


class RebalanceById(ById):
    listing = REBALANCES


class RebalancesByPortfolio(PagesOf):
    listing = REBALANCES


class RebalanceCountByPortfolio(CountsOf):
    listing = REBALANCES

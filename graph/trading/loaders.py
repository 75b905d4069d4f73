"""Loaders of orders and transactions."""

from db.trading.queries import (
    ORDERS_OF_PORTFOLIO,
    ORDERS_OF_REBALANCE,
    TRANSACTIONS_OF_ACCOUNT,
    TRANSACTIONS_OF_ORDER,
    TRANSACTIONS_OF_PORTFOLIO,
)
from graph.loaders import ById, CountsOf, PagesOf


class TransactionById(ById):
    listing = TRANSACTIONS_OF_ACCOUNT


class TransactionsByAccount(PagesOf):
    listing = TRANSACTIONS_OF_ACCOUNT


class TransactionCountByAccount(CountsOf):
    listing = TRANSACTIONS_OF_ACCOUNT


class TransactionsByPortfolio(PagesOf):
    listing = TRANSACTIONS_OF_PORTFOLIO


class TransactionCountByPortfolio(CountsOf):
    listing = TRANSACTIONS_OF_PORTFOLIO


class TransactionsByOrder(PagesOf):
    listing = TRANSACTIONS_OF_ORDER


class TransactionCountByOrder(CountsOf):
    listing = TRANSACTIONS_OF_ORDER


class OrderById(ById):
    listing = ORDERS_OF_PORTFOLIO


class OrdersByPortfolio(PagesOf):
    listing = ORDERS_OF_PORTFOLIO


class OrderCountByPortfolio(CountsOf):
    listing = ORDERS_OF_PORTFOLIO


class OrdersByRebalance(PagesOf):
    listing = ORDERS_OF_REBALANCE


class OrderCountByRebalance(CountsOf):
    listing = ORDERS_OF_REBALANCE

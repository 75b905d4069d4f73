"""Loaders of orders and transactions."""

from uuid import UUID

from db.sessions import Row
from db.trading.queries import (
    IMPORTS,
    LOT_USES,
    ORDERS_OF_PORTFOLIO,
    ORDERS_OF_REBALANCE,
    TRANSACTIONS_OF_ACCOUNT,
    TRANSACTIONS_OF_ORDER,
    TRANSACTIONS_OF_PORTFOLIO,
    fetch_reversals,
)
from graph.loaders import ById, CountsOf, Loader, PagesOf


class TransactionById(ById):
    listing = TRANSACTIONS_OF_ACCOUNT


class ReversalByTransaction(Loader[UUID, "Row | None"]):
    """What reverses each transaction, if anything does."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[Row | None]:
        async with self.context.reading() as connection:
            rows = await fetch_reversals(connection, self.context.viewer_id, keys)
        return [rows.get(key) for key in keys]


class LotUsesByTransaction(PagesOf):
    listing = LOT_USES


class LotUseCountByTransaction(CountsOf):
    listing = LOT_USES


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


class ImportById(ById):
    listing = IMPORTS


class ImportsByUser(PagesOf):
    listing = IMPORTS


class ImportCountByUser(CountsOf):
    listing = IMPORTS


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

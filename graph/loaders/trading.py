"""Loaders of orders and transactions."""

from uuid import UUID

from db.trading.listing_rows import ListedImportRow, ListedOrderRow, ListedTransactionRow, LotUseRow
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


class TransactionById(ById[ListedTransactionRow]):
    listing = TRANSACTIONS_OF_ACCOUNT


class ReversalByTransaction(Loader[UUID, "ListedTransactionRow | None"]):
    """What reverses each transaction, if anything does."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[ListedTransactionRow | None]:
        async with self.login.reading() as connection:
            rows = await fetch_reversals(connection, self.login.viewer_id, keys)
        return [rows.get(key) for key in keys]


class LotUsesByTransaction(PagesOf[LotUseRow]):
    listing = LOT_USES


class LotUseCountByTransaction(CountsOf):
    listing = LOT_USES


class TransactionsByAccount(PagesOf[ListedTransactionRow]):
    listing = TRANSACTIONS_OF_ACCOUNT


class TransactionCountByAccount(CountsOf):
    listing = TRANSACTIONS_OF_ACCOUNT


class TransactionsByPortfolio(PagesOf[ListedTransactionRow]):
    listing = TRANSACTIONS_OF_PORTFOLIO


class TransactionCountByPortfolio(CountsOf):
    listing = TRANSACTIONS_OF_PORTFOLIO


class TransactionsByOrder(PagesOf[ListedTransactionRow]):
    listing = TRANSACTIONS_OF_ORDER


class TransactionCountByOrder(CountsOf):
    listing = TRANSACTIONS_OF_ORDER


class ImportById(ById[ListedImportRow]):
    listing = IMPORTS


class ImportsByUser(PagesOf[ListedImportRow]):
    listing = IMPORTS


class ImportCountByUser(CountsOf):
    listing = IMPORTS


class OrderById(ById[ListedOrderRow]):
    listing = ORDERS_OF_PORTFOLIO


class OrdersByPortfolio(PagesOf[ListedOrderRow]):
    listing = ORDERS_OF_PORTFOLIO


class OrderCountByPortfolio(CountsOf):
    listing = ORDERS_OF_PORTFOLIO


class OrdersByRebalance(PagesOf[ListedOrderRow]):
    listing = ORDERS_OF_REBALANCE


class OrderCountByRebalance(CountsOf):
    listing = ORDERS_OF_REBALANCE

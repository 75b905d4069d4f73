"""Loaders of what explains a profit."""

import datetime as dt
from collections import defaultdict
from typing import Any
from uuid import UUID

from db.sessions import Row
from db.trading.listing_rows import ListedTransactionRow
from db.trading.queries import SALES, TRANSACTIONS_OF_POSITION, fetch_gains_of_sales, fetch_held_before
from graph.loaders import CountsOf, Loader, PagesOf

SalesKey = tuple[UUID, dt.date | None, dt.date | None]


class TransactionsByPosition(PagesOf[ListedTransactionRow]):
    listing = TRANSACTIONS_OF_POSITION


class TransactionCountByPosition(CountsOf):
    listing = TRANSACTIONS_OF_POSITION


class SalesByPortfolio(PagesOf[ListedTransactionRow]):
    listing = SALES


class SaleCountByPortfolio(CountsOf):
    listing = SALES


class HeldBeforeSale(Loader[UUID, "Row | None"]):
    """The position just before each sale; None for what is no sale, or no longer counts."""

    async def batch_load_fn(self, keys: list[UUID]) -> list[Row | None]:
        async with self.login.reading() as connection:
            rows = await fetch_held_before(connection, self.login.viewer_id, keys)
        return [rows.get(key) for key in keys]


class GainOfSales(Loader[SalesKey, Any]):
    """What each portfolio's sales between two days gained; those of the same days share a statement."""

    async def batch_load_fn(self, keys: list[SalesKey]) -> list[Any]:
        requested: dict[tuple[dt.date | None, dt.date | None], list[UUID]] = defaultdict(list)
        for id, *between in keys:
            requested[between[0], between[1]].append(id)
        found: dict[SalesKey, Row] = {}
        async with self.login.reading() as connection:
            for (start, end), ids in requested.items():
                rows = await fetch_gains_of_sales(connection, self.login.viewer_id, ids, start, end)
                found.update(((id, start, end), row) for id, row in rows.items())
        return [found.get(key) for key in keys]

"""Count how many rows of each kind a user has, for bounding what one of the user's queries can return."""

from typing import NamedTuple
from uuid import UUID

from db.sessions import Connection

MOST_COUNTED = 100_000
"""Rows are counted up to one more than this: beyond it a page bounds a query, and counting takes long."""


class RowCounts(NamedTuple):
    """A user's rows of each kind; of instruments those that the user can see."""

    accounts: int
    portfolios: int
    positions: int
    lots: int
    transactions: int
    lot_uses: int
    imports: int
    orders: int
    snapshots: int
    rebalances: int
    rebalance_legs: int
    watchlists: int
    watchlist_items: int
    alerts: int
    alert_rules: int
    deliveries: int
    notification_destinations: int
    api_keys: int
    audit_entries: int
    instruments: int


_OWNED = (
    "accounts",
    "portfolios",
    "positions",
    "lots",
    "transactions",
    "lot_uses",
    "imports",
    "orders",
    "performance_history",
    "rebalance_history",
    "rebalance_legs",
    "watchlists",
    "watchlist_items",
    "alerts",
    "alert_rules",
    "deliveries",
    "notification_destinations",
    "api_keys",
    "audit_log",
)
_COUNT = "(SELECT count(*) FROM (SELECT FROM {} t WHERE {} LIMIT $2) counted)"
_COUNT_ALL = "SELECT " + ", ".join(
    [
        *(_COUNT.format(table, "t.owner_id = $1") for table in _OWNED),
        _COUNT.format("instruments", "t.owner_id IS NULL OR t.owner_id = $1"),
    ]
)


async def fetch_row_counts(connection: Connection, owner_id: UUID) -> RowCounts:
    """Return how many rows the owner has, none of them above MOST_COUNTED + 1."""
    row = await connection.fetchrow(_COUNT_ALL, owner_id, MOST_COUNTED + 1)
    assert row is not None
    return RowCounts(*row)

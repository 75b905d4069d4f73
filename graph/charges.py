"""What a field is charged: its values, its bytes, how many entries its list has, and its price if heavy.

One value is what takes about a microsecond to read, put into an answer and write. It is named by its type
and field as the schema spells them.
"""

from typing import NamedTuple

from db.row_counts import RowCounts

DEFAULT_PAGE = 50
LARGEST_PAGE = 500
LIST_ITEMS = 10
Field = tuple[str, str]

ROWS: dict[str, int] = {
    type_name: RowCounts._fields.index(name)
    for type_name, name in {
        "Account": "accounts",
        "Portfolio": "portfolios",
        "Position": "positions",
        "Lot": "lots",
        "Transaction": "transactions",
        "LotUse": "lot_uses",
        "Import": "imports",
        "Order": "orders",
        "PerformanceSnapshot": "snapshots",
        "Rebalance": "rebalances",
        "RebalanceLeg": "rebalance_legs",
        "Watchlist": "watchlists",
        "WatchedInstrument": "watchlist_items",
        "Alert": "alerts",
        "AlertRule": "alert_rules",
        "Delivery": "deliveries",
        "NotificationDestination": "notification_destinations",
        "ApiKey": "api_keys",
        "AuditEntry": "audit_entries",
        "Instrument": "instruments",
    }.items()
}
"""The place in RowCounts of what bounds a connection of a type. Others are bounded by their pages alone."""


class Items(NamedTuple):
    """The entries of a list without pages.

    There are at most `most` in each of its parents, or, where the rows of the type `of` are known, as many as
    there are of those and `beside`.
    """

    most: int = LIST_ITEMS
    of: str | None = None
    beside: int = 0


ITEMS: dict[Field, Items] = {
    ("Account", "unavailable"): Items(50, "Position"),
    ("Portfolio", "unavailable"): Items(50, "Position"),
    # Beside positions a user's sums leave out the currencies of accounts.
    ("UserSummary", "unavailable"): Items(50, "Position", 200),
    # Beside positions there is a slice for cash in each currency, account or portfolio, and for each target.
    ("Allocation", "slices"): Items(50, "Position", 600),
    ("Allocation", "unavailable"): Items(10, "Position", 10),
    ("Performance", "contributions"): Items(50, "Position", 10),
    ("Performance", "notes"): Items(20),
    ("Performance", "unavailable"): Items(20),
    ("Performance", "periods"): Items(500),
    ("PerformanceExplanation", "prices"): Items(50, "Position", 10),
    ("Watchlist", "instruments"): Items(50, "WatchedInstrument"),
    ("Portfolio", "targetWeights"): Items(500),
    ("Rebalance", "oldWeights"): Items(50, "Position", 500),
    ("Rebalance", "newWeights"): Items(50, "Position", 500),
    ("Rebalance", "targetWeights"): Items(500),
    ("RebalancePlan", "targets"): Items(50, "Position", 500),
    ("RebalancePlan", "trades"): Items(50, "Position", 500),
    ("RebalancePlan", "skipped"): Items(50, "Position", 500),
    ("Instrument", "splits"): Items(50),
    ("ImportTransactionsPayload", "outcomes"): Items(1_000),
    ("TestAlertRulePayload", "firings"): Items(1_000),
    ("AcknowledgeAlertsPayload", "alerts"): Items(500),
}
"""Lists of objects without pages; others have ten entries."""

TEXTS: dict[Field, int] = {
    ("Transaction", "notes"): 2_000,
    ("Alert", "message"): 500,
    ("Alert", "title"): 200,
    ("AuditEntry", "details"): 500,
    ("AuditEntry", "userAgent"): 500,
    ("Delivery", "lastError"): 500,
    ("Portfolio", "symbols"): 500 * 8,
    ("Watchlist", "symbols"): 50 * 8,
    ("AlertRule", "channels"): 20 * 30,
    ("Order", "rejectionReason"): 200,
    ("Rebalance", "failureReason"): 200,
    ("RebalanceLeg", "message"): 200,
    ("FigureNote", "reason"): 200,
    ("AuthPayload", "accessToken"): 500,
}
"""The bytes of long texts and lists of texts."""

BYTES: dict[str, int] = {
    "ID": 66,
    "Decimal": 16,
    "DateTime": 29,
    "Date": 12,
    "LocalTime": 7,
    "CurrencyCode": 5,
    "Int": 6,
    "Boolean": 5,
    "JSON": 300,
    "String": 24,
}
"""The bytes of a value of a scalar, quotes included; of an enum those of its longest name."""
MESSAGE_BYTES = 200


class Price(NamedTuple):
    """The price of a heavy field: in each object, and for each of its owner's rows of a type.

    `per` rows counts them once for each time that an object is reached; `assumed` are the rows of each object
    where they are not known.
    """

    each: int
    per_row: int = 0
    of: str | None = None
    assumed: int = 0
    bytes_per_row: int = 0


HEAVY: dict[Field, Price] = {}
"""Measured prices. Everything else costs one value."""

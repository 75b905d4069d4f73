"""What a field is charged: its bytes, how many entries its list has, and its price if it is heavy.

The unit is one value that is read by its resolver and written into an answer, which takes about ten
microseconds of processor time. Fields stand here by their type and name, as the schema spells them.
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
    ("Transaction", "notes"): 500,
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


_SNAPSHOT = "PerformanceSnapshot"
_PASSWORD = Price(20_000)
_LONG_WRITE = Price(100_000)
HEAVY: dict[Field, Price] = {
    # Each reads every snapshot between its days: 40 microseconds, and further passes over them where those
    # are asked for.
    ("Portfolio", "performance"): Price(500, 4, _SNAPSHOT, assumed=1_000),
    ("Account", "performance"): Price(500, 4, _SNAPSHOT, assumed=3_000),
    ("User", "performance"): Price(500, 4, _SNAPSHOT, assumed=10_000),
    ("Performance", "contributions"): Price(200, 3, _SNAPSHOT, assumed=1_000),
    ("Performance", "periods"): Price(200, 1, _SNAPSHOT, assumed=1_000),
    ("PerformanceExplanation", "subPeriods"): Price(200, 2, _SNAPSHOT, assumed=1_000),
    # A tenth of a second in the optimiser's process.
    ("Portfolio", "rebalancePlan"): Price(10_000),
    ("Portfolio", "explainRealizedPnl"): Price(50),
    ("Portfolio", "allocation"): Price(50),
    ("Account", "allocation"): Price(50),
    ("User", "allocation"): Price(50),
    ("Transaction", "explainRealizedPnl"): Price(8),
    ("Query", "exportTransactions"): Price(500, 3, "Transaction", assumed=1_000, bytes_per_row=100),
    # A search looks at each instrument.
    ("Query", "instruments"): Price(100),
    # Argon2 takes a fifth of a second for each password.
    ("Mutation", "login"): _PASSWORD,
    ("Mutation", "register"): _PASSWORD,
    # A second each: 36 years of weights in every portfolio, a plan and its orders, a thousand rows.
    ("Mutation", "testAlertRule"): _LONG_WRITE,
    ("Mutation", "rebalancePortfolio"): _LONG_WRITE,
    ("Mutation", "importTransactions"): _LONG_WRITE,
    ("Mutation", "reverseImport"): _LONG_WRITE,
    # A thousand prices, or a change of zone that dates all transactions anew.
    ("Mutation", "pushQuotes"): Price(20_000),
    ("Mutation", "updateAccount"): Price(20_000),
    ("Mutation", "updateMe"): Price(20_000),
    # A transaction in the past replays everything after it.
    ("Mutation", "recordTransaction"): Price(1_000),
    ("Mutation", "reverseTransaction"): Price(1_000),
    ("Mutation", "transferShares"): Price(1_000),
    ("Mutation", "recordSplit"): Price(1_000),
    ("Mutation", "placeOrder"): Price(500),
}
"""Measured prices of heavy fields; everything else costs one value. `docs/decisions/cost.md` says how."""

TOTAL = 20
"""The price of a `totalCount`, which counts the rows of a whole list."""

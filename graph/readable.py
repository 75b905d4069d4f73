"""Which of the schema's types are read from which rows, for the compiler; everything else follows from names.

A field that is `computed` is computed in Python, by the resolvers; every other field of these types has to be
described, or the server does not start.
"""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from graph.alerts.severities import at_least
from graph.compiler.describing import Filters, ReadableType
from graph.ids import id_of
from graph.trading.filters import OrderFilter, TransactionFilter, orders_like, transactions_like
from graph.vocabulary import AlertKind, AlertSeverity

_SYMBOL = frozenset({"symbol"})


def _active(is_active: bool | None = None) -> Mapping[str, object]:
    return {"is_active": is_active}


def _days(from_: dt.date | None = None, to: dt.date | None = None) -> Mapping[str, object]:
    return {"from": from_, "to": to}


def _transactions(filter: TransactionFilter | None = None) -> Mapping[str, object]:
    return transactions_like(filter)


def _orders(filter: OrderFilter | None = None) -> Mapping[str, object]:
    return orders_like(filter)


def _alerts(
    min_severity: AlertSeverity | None = None,
    acknowledged: bool | None = None,
    kind: AlertKind | None = None,
    portfolio_id: str | None = None,
    since: dt.datetime | None = None,
) -> Mapping[str, object]:
    return {
        "severities": at_least(min_severity),
        "acknowledged": acknowledged,
        "kind": kind and kind.value,
        "portfolio_id": portfolio_id and (id_of("Portfolio", portfolio_id) or UUID(int=0)),
        "since": since,
    }


def _search(search: str | None = None) -> Mapping[str, object]:
    return {"search": search}


READABLE: Mapping[str, ReadableType] = {
    "User": ReadableType(
        "users",
        filters={"accounts": _active, "alerts": _alerts},
        computed=frozenset({"performance", "allocation", "alertsCursor"}),
    ),
    "UserSummary": ReadableType("user_summaries"),
    "UnavailableValue": ReadableType("left_out"),
    "Account": ReadableType(
        "accounts",
        filters={"portfolios": _active, "transactions": _transactions},
        computed=frozenset({"performance", "allocation"}),
    ),
    "Portfolio": ReadableType(
        "portfolios",
        names={"performanceStaleFrom": "snapshots_stale_from"},
        filters={"transactions": _transactions, "orders": _orders, "performanceHistory": _days},
        computed=frozenset({"performance", "allocation", "rebalancePlan", "explainRealizedPnl"}),
    ),
    "Weight": ReadableType("weights", words=_SYMBOL, computed=frozenset({"instrument"})),
    "Position": ReadableType("positions", words=_SYMBOL, computed=frozenset({"explainUnrealizedPnl"})),
    "Lot": ReadableType("lots"),
    "PerformanceSnapshot": ReadableType("snapshots"),
    "Transaction": ReadableType(
        "transactions", ids={"importId": "Import"}, words=_SYMBOL, computed=frozenset({"explainRealizedPnl"})
    ),
    "LotUse": ReadableType("lot_uses"),
    "Order": ReadableType("orders", names={"rejectionCode": "known_rejection_code"}, words=_SYMBOL),
    "Import": ReadableType("imports"),
    "Rebalance": ReadableType("rebalances"),
    "RebalanceLeg": ReadableType(
        "legs", names={"reason": "reason_code", "message": "reason_message"}, words=_SYMBOL
    ),
    "Instrument": ReadableType("instruments", filters={"priceHistory": _days}, words=_SYMBOL),
    "PriceBar": ReadableType("price_bars"),
    "InstrumentSplit": ReadableType("splits"),
    "Watchlist": ReadableType(
        "watchlists", names={"symbols": "instruments.symbol"}, words=frozenset({"symbols"})
    ),
    "Alert": ReadableType("alerts", words=_SYMBOL),
    "AlertMetric": ReadableType("alert_metrics"),
    "AlertCounts": ReadableType("alert_counts"),
    "AlertRule": ReadableType("alert_rules", words=_SYMBOL),
    "ActiveHours": ReadableType("active_hours", names={"start": "active_from", "end": "active_until"}),
    "NotificationDestination": ReadableType(
        "notification_destinations", names={"consecutiveFailures": "failures"}
    ),
    "Delivery": ReadableType("deliveries"),
    "ApiKey": ReadableType("api_keys"),
    "AuditEntry": ReadableType(
        "audit_log", names={"entityId": "entity_global_id"}, computed=frozenset({"details"})
    ),
}

ROOT_FILTERS: Mapping[str, Filters] = {"instruments": _search}
"""The filters of the lists that begin at the root."""

LOOKUPS: Mapping[str, tuple[str, str]] = {"instrument": ("Instrument", "symbol")}
"""The root fields that find an object by their only argument: its type, and the entity's lookup."""

"""All tables under one name: `models.Portfolio`."""

from db.base import Base
from db.models.account import Account
from db.models.alerts import (
    Alert,
    AlertCheck,
    AlertRule,
    AlertSequence,
    AlertState,
    AlertWatch,
)
from db.models.auth import (
    ApiKey,
    AuditEntry,
    IdempotencyKey,
    KnownDevice,
    Login,
    LoginAttempt,
    RefreshToken,
    User,
)
from db.models.market import (
    Instrument,
    InstrumentSplit,
    MarketFeed,
    PriceBar,
    Quote,
    SplitWork,
    Watchlist,
    WatchlistItem,
)
from db.models.notifications import Delivery, DeliveryWork, NotificationBudget, NotificationDestination
from db.models.notifier import ChangeCounter
from db.models.paper import PaperExecution, PaperOrder
from db.models.portfolio import Lot, LotUse, PerformanceSnapshot, PerformanceWork, Portfolio, Position
from db.models.rebalancing import Rebalance, RebalanceDue, RebalanceLeg, RebalanceWork
from db.models.trading import Import, Order, OrderWork, Transaction

__all__ = [
    "Account",
    "Alert",
    "AlertCheck",
    "AlertRule",
    "AlertSequence",
    "AlertState",
    "AlertWatch",
    "ApiKey",
    "AuditEntry",
    "Base",
    "ChangeCounter",
    "Delivery",
    "DeliveryWork",
    "IdempotencyKey",
    "Import",
    "Instrument",
    "InstrumentSplit",
    "KnownDevice",
    "Login",
    "LoginAttempt",
    "Lot",
    "LotUse",
    "MarketFeed",
    "NotificationBudget",
    "NotificationDestination",
    "Order",
    "OrderWork",
    "PaperExecution",
    "PaperOrder",
    "PerformanceSnapshot",
    "PerformanceWork",
    "Portfolio",
    "Position",
    "PriceBar",
    "Quote",
    "Rebalance",
    "RebalanceDue",
    "RebalanceLeg",
    "RebalanceWork",
    "RefreshToken",
    "SplitWork",
    "Transaction",
    "User",
    "Watchlist",
    "WatchlistItem",
]

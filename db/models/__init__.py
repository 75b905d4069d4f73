"""All tables in one name: `models.Portfolio`."""

from db.account.models import Account
from db.alerts.models import (
    Alert,
    AlertCheck,
    AlertRule,
    AlertSequence,
    AlertState,
    AlertWatch,
)
from db.auth.models import ApiKey, AuditEntry, IdempotencyKey, Login, LoginAttempt, RefreshToken, User
from db.base import Base
from db.market.models import (
    Instrument,
    InstrumentSplit,
    MarketFeed,
    PriceBar,
    Quote,
    SplitWork,
    Watchlist,
    WatchlistItem,
)
from db.notifications.models import Delivery, DeliveryWork, NotificationBudget, NotificationDestination
from db.notifier.models import ChangeCounter
from db.portfolio.models import Lot, LotUse, PerformanceSnapshot, PerformanceWork, Portfolio, Position
from db.rebalancing.models import Rebalance, RebalanceDue, RebalanceLeg, RebalanceWork
from db.trading.models import Import, Order, OrderWork, Transaction
from db.trading.paper_models import PaperExecution, PaperOrder

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

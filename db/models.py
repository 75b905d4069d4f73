"""All tables in one name: `models.Portfolio`."""

from db.account.models import Account
from db.alerts.models import Alert, AlertRule, Delivery
from db.auth.models import ApiKey, AuditEntry, IdempotencyKey, Login, RefreshToken, User
from db.base import Base
from db.market.models import Instrument, PriceBar, Quote, Watchlist, WatchlistItem
from db.portfolio.models import Lot, LotUse, PerformanceSnapshot, PerformanceWork, Portfolio, Position
from db.rebalancing.models import Rebalance, RebalanceDue, RebalanceLeg, RebalanceWork
from db.trading.models import Import, Order, OrderWork, Transaction
from db.trading.paper_models import PaperExecution, PaperOrder

__all__ = [
    "Account",
    "Alert",
    "AlertRule",
    "ApiKey",
    "AuditEntry",
    "Base",
    "Delivery",
    "IdempotencyKey",
    "Import",
    "Instrument",
    "Login",
    "Lot",
    "LotUse",
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
    "Transaction",
    "User",
    "Watchlist",
    "WatchlistItem",
]

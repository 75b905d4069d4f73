"""What all operations share: made once, when the server starts."""

from dataclasses import dataclass

from db.sessions import Sessions
from graph.row_counts import KnownRowCounts
from investing.auth.api_keys import ApiKeys
from investing.auth.service import AuthService
from investing.market.watches import Watches
from investing.notifications.destinations import Destinations
from investing.notifier import Notifier
from investing.prices.ingest import PriceIngest
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.rebalancer import Rebalancer
from investing.trading.desk import Desk
from investing.trading.placing import TradingConfig


@dataclass(frozen=True)
class Services:
    """One of each for a process; `events_per_second` bounds each stream, `time_zone` is a new account's."""

    sessions: Sessions
    row_counts: KnownRowCounts
    auth_service: AuthService
    desk: Desk
    rebalancer: Rebalancer
    trading_config: TradingConfig
    optimiser: Optimiser
    destinations: Destinations
    api_keys: ApiKeys
    ingest: PriceIngest
    notifier: Notifier
    watches: Watches
    events_per_second: float
    time_zone: str

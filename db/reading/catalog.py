"""All entities, by name, and the lists that begin at the root."""

from collections.abc import Mapping

from db.account.entities import ENTITIES as ACCOUNT
from db.alerts.entities import ENTITIES as ALERTS
from db.auth.entities import ENTITIES as AUTH
from db.entities import Entity, Many
from db.market.entities import ENTITIES as MARKET
from db.market.queries import INSTRUMENTS
from db.notifications.entities import ENTITIES as NOTIFICATIONS
from db.portfolio.entities import ENTITIES as PORTFOLIO
from db.rebalancing.entities import ENTITIES as REBALANCING
from db.trading.entities import ENTITIES as TRADING

ENTITIES: Mapping[str, Entity] = {
    **AUTH,
    **ACCOUNT,
    **PORTFOLIO,
    **TRADING,
    **REBALANCING,
    **MARKET,
    **ALERTS,
    **NOTIFICATIONS,
}

ROOT_LISTS: Mapping[str, Many] = {"instruments": Many("instruments", INSTRUMENTS)}

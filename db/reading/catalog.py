"""All entities, by name, and the lists that begin at the root."""

from collections.abc import Mapping

from db.entities import Entity, Many
from db.entities.account import ENTITIES as ACCOUNT
from db.entities.alerts import ENTITIES as ALERTS
from db.entities.auth import ENTITIES as AUTH
from db.entities.market import ENTITIES as MARKET
from db.entities.notifications import ENTITIES as NOTIFICATIONS
from db.entities.portfolio import ENTITIES as PORTFOLIO
from db.entities.rebalancing import ENTITIES as REBALANCING
from db.entities.trading import ENTITIES as TRADING
from db.market.queries import INSTRUMENTS

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

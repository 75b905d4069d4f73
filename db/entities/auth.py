"""What can be read of a user, their broker keys and their audit log."""

from collections.abc import Mapping

from db.account.queries import ACCOUNTS
from db.alerts.queries import ALERT_RULES, ALERTS
from db.auth.listings import API_KEYS, AUDIT_LOG, USERS
from db.entities import Entity, Figure, Many, One
from db.market.queries import WATCHLISTS
from db.notifications.queries import DESTINATIONS
from db.trading.queries import IMPORTS

ENTITIES: Mapping[str, Entity] = {
    "users": Entity(
        USERS,
        ones={
            "summary": One("user_summaries", on="t.id", key="t.owner_id"),
            "alert_counts": One("alert_counts", on="t.id", key="t.owner_id"),
        },
        lists={
            "accounts": Many("accounts", ACCOUNTS),
            "watchlists": Many("watchlists", WATCHLISTS),
            "alerts": Many("alerts", ALERTS),
            "alert_rules": Many("alert_rules", ALERT_RULES),
            "notification_destinations": Many("notification_destinations", DESTINATIONS),
            "imports": Many("imports", IMPORTS),
            "api_keys": Many("api_keys", API_KEYS),
            "audit_log": Many("audit_log", AUDIT_LOG),
        },
        owner="t.id",
    ),
    "api_keys": Entity(API_KEYS, ones={"account": One("accounts", on="t.account_id", optional=True)}),
    "audit_log": Entity(
        AUDIT_LOG,
        figures={
            # As `investing.global_ids` encodes it; encode() breaks lines.
            "entity_global_id": Figure(
                "replace(encode((t.entity_type || ':' || t.entity_id)::bytea, 'base64'), E'\\n', '')"
            )
        },
    ),
}

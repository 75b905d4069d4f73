"""What can be read of alerts, their counts and their rules."""

from collections.abc import Mapping

from db.alerts.queries import ALERT_RULES, ALERTS
from db.entities import Entity, Few, Figure, Many, One, derived
from db.notifications.queries import DELIVERIES
from db.pages import columns
from db.vocabulary import AlertKind, AlertSeverity, Weekday

_EVENTS = ", ".join(
    f"'{kind.value}'"
    for kind in (AlertKind.REBALANCE_COMPLETED, AlertKind.REBALANCE_FAILED, AlertKind.ORDER_REJECTED)
)
_WEEKDAYS = ", ".join(f"'{day.value}'" for day in Weekday)
_COUNTED = ", ".join(
    f"count(*) FILTER (WHERE w.severity = '{severity.value}') AS {severity.value.lower()}"
    for severity in AlertSeverity
)
_NUMBERS = r"""(SELECT w.key AS name, w.value::numeric AS value FROM jsonb_each_text(t.metrics) w
    WHERE w.value ~ '^-?[0-9]+(\.[0-9]+)?$') {t}"""

ENTITIES: Mapping[str, Entity] = {
    "alerts": Entity(
        ALERTS,
        figures={
            "price_as_of": Figure("(t.metrics->>'priceAsOf')::timestamptz"),
            "date": Figure("(t.metrics->>'date')::date"),
        },
        ones={
            "instrument": One("instruments", on="t.instrument_id", optional=True),
            "portfolio": One("portfolios", on="t.portfolio_id", optional=True),
            "order": One("orders", on="(t.metrics->>'order')::uuid", optional=True),
            "rebalance": One("rebalances", on="(t.metrics->>'rebalance')::uuid", optional=True),
            "rule": One("alert_rules", on="t.rule_id", optional=True),
        },
        lists={"deliveries": Many("deliveries", DELIVERIES)},
        few={"metrics": Few("alert_metrics", source=_NUMBERS, order='{t}.name COLLATE "C"')},
    ),
    "alert_metrics": Entity(derived(columns("name value"))),
    "alert_counts": Entity(
        derived(
            columns("owner_id info warning critical total"),
            f"(SELECT $1 AS owner_id, {_COUNTED}, count(*) AS total FROM alerts w "
            "WHERE w.owner_id = $1 AND w.acknowledged_at IS NULL)",
            owner="t.owner_id",
        )
    ),
    "alert_rules": Entity(
        ALERT_RULES,
        figures={"threshold": Figure(f"CASE WHEN t.kind NOT IN ({_EVENTS}) THEN t.threshold END")},
        ones={
            "instrument": One("instruments", on="t.instrument_id", optional=True),
            "portfolio": One("portfolios", on="t.portfolio_id", optional=True),
            "active_hours": One(
                "active_hours",
                on="t.id",
                optional=True,
                condition="t.active_from IS NOT NULL AND t.active_until IS NOT NULL "
                "AND t.time_zone IS NOT NULL AND t.active_weekdays IS NOT NULL",
            ),
        },
    ),
    "active_hours": Entity(
        ALERT_RULES,
        figures={
            "weekdays": Figure(
                f"ARRAY(SELECT (ARRAY[{_WEEKDAYS}])[w.day] FROM unnest(t.active_weekdays) "
                "WITH ORDINALITY w(day, n) ORDER BY w.n)"
            )
        },
    ),
}

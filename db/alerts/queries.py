"""Reading alerts and their rules."""

from uuid import UUID

from db.pages import Key, Listing, sequence_number

ALERTS = Listing(
    name="alerts",
    columns="""t.id, t.seq, t.kind, t.severity, t.title, t.message, t.metrics, t.rule_id, t.portfolio_id,
        i.symbol, t.created_at, t.acknowledged_at""",
    source="alerts t LEFT JOIN instruments i ON i.id = t.instrument_id",
    order=(Key("seq", "t.seq", sequence_number),),
    descending=True,
    parent="t.owner_id",
    filters={"severity": "t.severity = {}", "acknowledged": "(t.acknowledged_at IS NOT NULL) = {}"},
)

ALERT_RULES = Listing(
    name="alertRules",
    columns="""t.id, t.name, t.kind, t.severity, t.threshold, i.symbol, t.portfolio_id, t.cooldown_seconds,
        t.channels, t.is_active, t.created_at""",
    source="alert_rules t LEFT JOIN instruments i ON i.id = t.instrument_id",
    order=(Key("id", "t.id", UUID),),
    parent="t.owner_id",
)

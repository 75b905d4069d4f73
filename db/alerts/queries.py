"""Reading alerts and their rules."""

from collections.abc import Sequence
from uuid import UUID

from db.pages import Key, Listing, sequence_number
from db.sessions import Connection, Row

ALERTS = Listing(
    name="alerts",
    columns="""t.id, t.seq, t.kind, t.severity, t.title, t.message, t.metrics, t.rule_id, t.portfolio_id,
        i.symbol, t.created_at, t.acknowledged_at""",
    source="alerts t LEFT JOIN instruments i ON i.id = t.instrument_id",
    order=(Key("seq", "t.seq", sequence_number),),
    descending=True,
    parent="t.owner_id",
    filters={
        "severity": "t.severity = {}",
        "acknowledged": "(t.acknowledged_at IS NOT NULL) = {}",
        "kind": "t.kind = {}",
        "portfolio_id": "t.portfolio_id = {}",
        "since": "t.created_at >= {}",
    },
)

ALERT_RULES = Listing(
    name="alertRules",
    columns="""t.id, t.name, t.kind, t.severity, t.threshold, t.hysteresis, i.symbol, t.portfolio_id,
        t.cooldown_seconds, t.channels, t.is_active, t.last_fired_at, t.active_from, t.active_until,
        t.active_weekdays, t.time_zone, t.created_at""",
    source="alert_rules t LEFT JOIN instruments i ON i.id = t.instrument_id",
    order=(Key("id", "t.id", UUID),),
    parent="t.owner_id",
)


async def fetch_alert_sequence(connection: Connection, owner_id: UUID) -> Row | None:
    """Where the owner's alerts stand: `epoch`, `seq` of the newest and `purged_seq`, up to which they may be
    gone. None for an owner who has never had one.
    """
    return await connection.fetchrow(
        "SELECT epoch, seq, purged_seq FROM alert_sequences WHERE owner_id = $1", owner_id
    )


async def fetch_unacknowledged_counts(connection: Connection, owner_id: UUID) -> Sequence[Row]:
    """How many alerts nobody has taken note of, by `severity`; none for a severity that has none."""
    return await connection.fetch(
        "SELECT severity, count(*) AS count FROM alerts WHERE owner_id = $1 AND acknowledged_at IS NULL "
        "GROUP BY severity",
        owner_id,
    )


async def fetch_portfolio_history(connection: Connection, owner_id: UUID) -> Sequence[Row]:
    """Each snapshot of the owner's portfolios by `date`: total_value, cash_value and cumulative_return."""
    return await connection.fetch(
        "SELECT portfolio_id, date, total_value, cash_value, cumulative_return FROM performance_history "
        "WHERE owner_id = $1 ORDER BY date, portfolio_id",
        owner_id,
    )

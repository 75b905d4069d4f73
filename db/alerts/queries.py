"""Reading alerts and their rules."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.alerts.rows import (
    AimsRow,
    AlertPageRow,
    AlertRow,
    AlertRuleRow,
    PortfolioHistoryRow,
    RebalancedRow,
    SeverityCountRow,
)
from db.pages import Join, Key, Listing, columns, sequence_number
from db.sessions import Connection

ALERTS = Listing(
    row=AlertRow,
    name="alerts",
    columns=columns(
        "id seq kind severity title message metrics rule_id portfolio_id instrument_id created_at "
        "acknowledged_at",
        symbol="i.symbol",
    ),
    table="alerts",
    joins={"i": Join("instruments", "i.id = t.instrument_id", left=True)},
    order=(Key("seq", "t.seq", sequence_number),),
    descending=True,
    parent="t.owner_id",
    filters={
        "severities": "t.severity = ANY({}::text[])",
        "acknowledged": "(t.acknowledged_at IS NOT NULL) = {}",
        "kind": "t.kind = {}",
        "portfolio_id": "t.portfolio_id = {}",
        "since": "t.created_at >= {}",
    },
)

ALERT_RULES = Listing(
    row=AlertRuleRow,
    name="alertRules",
    columns=columns(
        "id name kind severity threshold hysteresis instrument_id portfolio_id cooldown_seconds "
        "channels is_active last_fired_at active_from active_until active_weekdays time_zone "
        "created_at",
        symbol="i.symbol",
    ),
    table="alert_rules",
    joins={"i": Join("instruments", "i.id = t.instrument_id", left=True)},
    order=(Key("id", "t.id", UUID),),
    parent="t.owner_id",
)


async def fetch_unacknowledged_counts(connection: Connection, owner_id: UUID) -> Sequence[SeverityCountRow]:
    """Return how many alerts are unacknowledged, by `severity`; severities without any are missing."""
    return cast(
        "Sequence[SeverityCountRow]",
        await connection.fetch(
            "SELECT severity, count(*) AS count FROM alerts WHERE owner_id = $1 AND acknowledged_at IS NULL "
            "GROUP BY severity",
            owner_id,
        ),
    )


_PAGE = f"""
SELECT s.epoch, s.seq AS last_seq, s.purged_seq, a.*
FROM alert_sequences s
LEFT JOIN LATERAL (
    SELECT {ALERTS.selected} FROM {ALERTS.source}
    WHERE t.owner_id = $1 AND t.seq > $2
          AND ($3::text[] IS NULL OR t.severity = ANY($3)) AND ($4::uuid IS NULL OR t.portfolio_id = $4)
    ORDER BY t.seq LIMIT $5
) a ON true
WHERE s.owner_id = $1
"""


async def fetch_alert_page(
    connection: Connection,
    owner_id: UUID,
    after: int = 0,
    severities: Sequence[str] | None = None,
    portfolio_id: UUID | None = None,
    most: int = 100,
) -> Sequence[AlertPageRow]:
    """Return the owner's next alerts after this number, oldest first, as rows of the list of alerts.

    Each has `epoch`, `last_seq` and `purged_seq`, the state of the sequence at the same instant; one row with
    nothing else where there is no such alert, and no row for an owner who has never had one.
    """
    return cast(
        "Sequence[AlertPageRow]",
        await connection.fetch(_PAGE, owner_id, after, severities, portfolio_id, most),
    )


async def fetch_portfolio_history(connection: Connection, owner_id: UUID) -> Sequence[PortfolioHistoryRow]:
    """Return each snapshot of the owner's portfolios by `date`: total and cash value, cumulative return."""
    return cast(
        "Sequence[PortfolioHistoryRow]",
        await connection.fetch(
            # As text: Python would take a microsecond and more for each of tens of thousands of numbers.
            "SELECT portfolio_id, date, total_value::text, cash_value::text, cumulative_return::text "
            "FROM performance_history WHERE owner_id = $1 ORDER BY date, portfolio_id",
            owner_id,
        ),
    )


async def fetch_aims(connection: Connection, owner_id: UUID) -> Sequence[AimsRow]:
    """Return `id`, `strategy` and `target_weights` of the owner's portfolios, and their account's zone."""
    return cast(
        "Sequence[AimsRow]",
        await connection.fetch(
            "SELECT p.id, p.strategy, p.target_weights, a.time_zone FROM portfolios p "
            "JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id WHERE p.owner_id = $1 ORDER BY p.id",
            owner_id,
        ),
    )


async def fetch_rebalanced(connection: Connection, owner_id: UUID) -> Sequence[RebalancedRow]:
    """Return the owner's complete rebalances in order: `portfolio_id`, `new_weights` and `ended_at`."""
    return cast(
        "Sequence[RebalancedRow]",
        await connection.fetch(
            "SELECT portfolio_id, new_weights, coalesce(completed_at, started_at) AS ended_at "
            "FROM rebalance_history WHERE owner_id = $1 AND status = 'COMPLETED' ORDER BY ended_at, id",
            owner_id,
        ),
    )


async def fetch_symbols(connection: Connection, owner_id: UUID) -> dict[UUID, str]:
    """Return the symbol of every instrument that the owner sees."""
    rows = await connection.fetch(
        "SELECT id, symbol FROM instruments WHERE owner_id IS NULL OR owner_id = $1", owner_id
    )
    return {row["id"]: row["symbol"] for row in rows}

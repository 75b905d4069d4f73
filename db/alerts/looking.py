"""What rules on portfolios are held against, and where they stand."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from db.ids import uuid7
from db.models import AlertLook, AlertState
from db.sessions import Session, Sessions

_CLAIM = """
UPDATE alert_looks l SET due_at = clock_timestamp() + make_interval(secs => :again)
FROM (SELECT owner_id FROM alert_looks WHERE due_at <= clock_timestamp()
      ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED) due
WHERE l.owner_id = due.owner_id
RETURNING l.owner_id
"""


async def claim_looks(sessions: Sessions, again_seconds: float, most: int) -> Sequence[UUID]:
    """Owners whose portfolios are due to be looked at; due again after so many seconds, whatever happens."""
    async with sessions.begin(None) as session:
        found = await session.execute(text(_CLAIM), {"again": again_seconds, "most": most})
        return [row.owner_id for row in found]


async def end_look(session: Session, owner_id: UUID) -> None:
    """Looks no more at an owner who has no such rules."""
    await session.execute(delete(AlertLook).where(AlertLook.owner_id == owner_id))


_PORTFOLIOS = """
SELECT p.id, p.name, p.currency, p.strategy, p.target_weights, s.cash_balance, s.total_value,
       s.unpriced_position_count,
       (SELECT r.new_weights FROM rebalance_history r
        WHERE r.owner_id = :owner AND r.portfolio_id = p.id AND r.status = 'COMPLETED'
        ORDER BY r.id DESC LIMIT 1) AS rebalanced_to
FROM portfolios p JOIN portfolio_summary s ON s.owner_id = :owner AND s.portfolio_id = p.id
WHERE p.owner_id = :owner AND p.is_active ORDER BY p.id
"""

_POSITIONS = """
SELECT t.portfolio_id, t.instrument_id, i.symbol, round(t.quantity * q.price, 10) AS market_value
FROM positions t JOIN instruments i ON i.id = t.instrument_id
JOIN quotes q ON q.instrument_id = t.instrument_id
WHERE t.owner_id = :owner AND t.quantity > 0 ORDER BY t.portfolio_id, i.symbol
"""

_RETURNS = """
SELECT DISTINCT ON (h.portfolio_id) h.portfolio_id, h.date, 1 + h.cumulative_return AS level,
       greatest(1, max(1 + h.cumulative_return) OVER (PARTITION BY h.portfolio_id)) AS peak
FROM performance_history h
WHERE h.owner_id = :owner AND h.cumulative_return IS NOT NULL
ORDER BY h.portfolio_id, h.date DESC
"""


async def portfolios_of(session: Session, owner_id: UUID) -> Sequence[RowMapping]:
    """The owner's portfolios that are not archived: what they are worth, and which weights they aim at."""
    return (await session.execute(text(_PORTFOLIOS), {"owner": owner_id})).mappings().all()


async def positions_of(session: Session, owner_id: UUID) -> Sequence[RowMapping]:
    """What each open position that has a price is worth."""
    return (await session.execute(text(_POSITIONS), {"owner": owner_id})).mappings().all()


async def returns_of(session: Session, owner_id: UUID) -> Sequence[RowMapping]:
    """The `level` of each portfolio's time-weighted index at its last snapshot, and the index's `peak`."""
    return (await session.execute(text(_RETURNS), {"owner": owner_id})).mappings().all()


async def ids_of_symbols(session: Session, symbols: Sequence[str]) -> dict[str, UUID]:
    """The instruments with these symbols."""
    rows = await session.execute(
        text("SELECT symbol, id FROM instruments WHERE symbol = ANY(CAST(:symbols AS text[]))"),
        {"symbols": symbols},
    )
    return {row.symbol: row.id for row in rows}


async def states_of(session: Session, owner_id: UUID, rule_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """Where these locked rules stand; what is missing is armed."""
    statement = select(*AlertState.__table__.columns).where(
        AlertState.owner_id == owner_id, AlertState.rule_id.in_(rule_ids)
    )
    return (await session.execute(statement)).mappings().all()


async def save_state(
    session: Session,
    owner_id: UUID,
    rule_id: UUID,
    portfolio_id: UUID,
    instrument_id: UUID | None,
    is_armed: bool,
    quiet_until: dt.datetime | None,
) -> None:
    """Where a locked rule stands with a portfolio, or with an instrument in it."""
    stands: dict[str, Any] = {"is_armed": is_armed, "quiet_until": quiet_until}
    statement = upsert(AlertState).values(
        owner_id=owner_id,
        id=uuid7(),
        rule_id=rule_id,
        portfolio_id=portfolio_id,
        instrument_id=instrument_id,
        **stands,
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["owner_id", "rule_id", "portfolio_id", "instrument_id"], set_=stands
        )
    )

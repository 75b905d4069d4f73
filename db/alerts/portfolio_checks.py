"""What portfolio rules are compared with, and the state of each."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, cast
from uuid import UUID

from asyncpg import Record
from sqlalchemy import RowMapping, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from db.alerts.rows import CheckedPortfolioRow, ReturnIndexRow, RuleStateRow
from db.ids import uuid7
from db.market.splits import MARKET_TODAY
from db.market.symbols import MEANT
from db.models import AlertCheck, AlertState
from db.sessions import Session, Sessions
from db.writing import RawConnection


async def end_look(session: Session, owner_id: UUID) -> None:
    """Stop checking the portfolios of an owner who has no such rules."""
    await session.execute(delete(AlertCheck).where(AlertCheck.owner_id == owner_id))


async def with_checks(sessions: Sessions, owner_ids: Collection[UUID]) -> Sequence[UUID]:
    """Return those of the owners who have such rules."""
    async with sessions.reading(None) as connection:
        rows = await connection.fetch(
            "SELECT owner_id FROM alert_checks WHERE owner_id = ANY($1)", list(owner_ids)
        )
    return [row["owner_id"] for row in rows]


_RULES = """
SELECT r.*, i.symbol FROM alert_rules r LEFT JOIN instruments i ON i.id = r.instrument_id
WHERE r.owner_id = $1 AND r.is_active AND r.kind = ANY($2) ORDER BY r.id
"""

_STATES = """
SELECT rule_id, portfolio_id, instrument_id, is_armed, quiet_until FROM alert_states WHERE owner_id = $1
"""

# Cash and positions are read by one statement, or a trade in between would make the total look smaller than
# it is. While a split is being posted, quotes and quantities are not for the same shares: no price is known
# then.
_PORTFOLIOS = f"""
SELECT p.id, p.name, p.currency, p.strategy, p.target_weights, p.cash_balance::text AS cash_balance, held.*,
       (SELECT r.new_weights FROM rebalance_history r
        WHERE r.owner_id = $1 AND r.portfolio_id = p.id AND r.status = 'COMPLETED'
        ORDER BY r.id DESC LIMIT 1) AS rebalanced_to
FROM portfolios p
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(h.instrument_id), '{{}}') AS instrument_ids,
           coalesce(array_agg(h.symbol), '{{}}') AS symbols,
           coalesce(array_agg(h.quantity::text), '{{}}') AS quantities,
           coalesce(array_agg(h.price::text), '{{}}') AS prices,
           coalesce(array_agg(h.as_of), '{{}}') AS as_ofs
    FROM (SELECT t.instrument_id, i.symbol, t.quantity,
                 CASE WHEN NOT EXISTS (SELECT FROM split_work w WHERE w.instrument_id = t.instrument_id
                                       AND w.ex_date <= {MARKET_TODAY}) THEN t.price END AS price,
                 -- Any quote is better than a last trade.
                 CASE t.price_source WHEN 'QUOTE' THEN t.price_as_of END AS as_of
          FROM position_values t JOIN instruments i ON i.id = t.instrument_id
          WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.quantity > 0 ORDER BY i.symbol) h
) held
WHERE p.owner_id = $1 AND p.is_active ORDER BY p.id
"""

_RETURNS = """
SELECT DISTINCT ON (h.portfolio_id) h.portfolio_id, h.date, 1 + h.cumulative_return AS level,
       greatest(1, max(1 + h.cumulative_return) OVER (PARTITION BY h.portfolio_id)) AS peak
FROM performance_history h
WHERE h.owner_id = $1 AND h.cumulative_return IS NOT NULL
ORDER BY h.portfolio_id, h.date DESC
"""


async def rules_of(connection: RawConnection, owner_id: UUID, kinds: Collection[str]) -> Sequence[Record]:
    """Return the owner's active rules of these kinds, with their symbols."""
    return await connection.fetch(_RULES, owner_id, list(kinds))


async def standings_of(connection: RawConnection, owner_id: UUID) -> Sequence[RuleStateRow]:
    """Return the states of all the owner's rules; a missing one is armed."""
    return cast("Sequence[RuleStateRow]", await connection.fetch(_STATES, owner_id))


async def portfolios_of(connection: RawConnection, owner_id: UUID) -> Sequence[CheckedPortfolioRow]:
    """Return the owner's active portfolios: cash, the weights that they aim at, and their holdings.

    Archived portfolios are left out. Holdings are arrays of the same length, by symbol; decimals are text,
    and null for what has no price.
    """
    return cast("Sequence[CheckedPortfolioRow]", await connection.fetch(_PORTFOLIOS, owner_id))


async def returns_of(connection: RawConnection, owner_id: UUID) -> Sequence[ReturnIndexRow]:
    """Return the `level` of each portfolio's time-weighted index at its last snapshot, and its `peak`."""
    return cast("Sequence[ReturnIndexRow]", await connection.fetch(_RETURNS, owner_id))


async def ids_of_symbols(
    connection: RawConnection, owner_id: UUID, symbols: Sequence[str]
) -> dict[str, UUID]:
    """Return the instruments that these symbols mean to the owner."""
    sql = f"SELECT symbol, id FROM {MEANT.format(symbols='$2', owner='$1')} meant"
    rows = await connection.fetch(sql, owner_id, symbols)
    return {row["symbol"]: row["id"] for row in rows}


async def states_of(session: Session, owner_id: UUID, rule_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """Return the states of these locked rules; a missing one is armed."""
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
    """Save the state of a locked rule for a portfolio, or for an instrument in it."""
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

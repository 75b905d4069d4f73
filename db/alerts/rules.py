"""Writing alert rules and their evaluation state; each function is a part of the caller's transaction.

The transaction acts on the owner's behalf. The order of locks: a user's rules by id, then their watches,
states and checks, and the sequence last.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, delete, exists, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.dialects.postgresql import insert as upsert

from db.market.splits import MARKET_TODAY
from db.models import AlertCheck, AlertRule, AlertState, AlertWatch, Instrument
from db.sessions import Session


async def name_is_taken(session: Session, owner_id: UUID, name: str, *, but: UUID | None = None) -> bool:
    """Return whether another rule of the owner has this name."""
    statement = select(AlertRule.id).where(AlertRule.owner_id == owner_id, AlertRule.name == name)
    if but is not None:
        statement = statement.where(AlertRule.id != but)
    return (await session.execute(statement)).first() is not None


async def count_rules(session: Session, owner_id: UUID) -> int:
    """Return how many rules the owner has."""
    statement = select(func.count()).select_from(AlertRule).where(AlertRule.owner_id == owner_id)
    return (await session.execute(statement)).scalar_one()


async def insert_rule(session: Session, values: Mapping[str, Any]) -> None:
    """Add a rule."""
    await session.execute(insert(AlertRule).values(**values))


async def lock_rules(
    session: Session,
    owner_id: UUID,
    *,
    ids: Collection[UUID] | None = None,
    kinds: Collection[str] | None = None,
    active: bool = False,
) -> Sequence[RowMapping]:
    """Lock and return by id the owner's rules with these ids, or of these kinds, with symbol and currency."""
    statement = (
        select(*AlertRule.__table__.columns, Instrument.symbol, Instrument.currency)
        .outerjoin(Instrument, Instrument.id == AlertRule.instrument_id)
        .where(AlertRule.owner_id == owner_id)
        .order_by(AlertRule.id)
        .with_for_update(key_share=True, of=AlertRule)
    )
    if ids is not None:
        statement = statement.where(AlertRule.id.in_(ids))
    if kinds is not None:
        statement = statement.where(AlertRule.kind.in_(kinds))
    if active:
        statement = statement.where(AlertRule.is_active)
    return (await session.execute(statement)).mappings().all()


_FOLLOW = """
UPDATE {table} r SET
    threshold = greatest(round((r.threshold * s.split_for)::numeric(400, 60) / s.quantity, 10), 0.0000000001),
    hysteresis = round((r.hysteresis * s.split_for)::numeric(400, 60) / s.quantity, 10),
    followed_splits = r.followed_splits || s.days
FROM (SELECT r.{id} AS id, array_agg(x.ex_date ORDER BY x.ex_date) AS days,
             product(x.quantity) AS quantity, product(x.split_for) AS split_for
      FROM {table} r JOIN instrument_splits x ON x.instrument_id = r.instrument_id
          AND x.ex_date > r.units_of AND x.ex_date <= {today} AND x.ex_date <> ALL(r.followed_splits)
      WHERE r.owner_id = :owner AND r.{id} = ANY(:ids) AND r.kind IN ('PRICE_ABOVE', 'PRICE_BELOW')
      GROUP BY 1) s
WHERE r.owner_id = :owner AND r.{id} = s.id AND NOT r.followed_splits && s.days
"""


async def follow_splits(session: Session, owner_id: UUID, rule_ids: Collection[UUID]) -> bool:
    """Convert the price levels of locked rules to a share of today; return whether any changed.

    Each split is followed once, in whatever order they became known, since `followed_splits` is changed with
    them. The state of a rule does not change.
    """
    changed = 0
    for table, id in (("alert_rules", "id"), ("alert_watches", "rule_id")):
        sql = text(_FOLLOW.format(table=table, id=id, today=MARKET_TODAY))
        sql = sql.bindparams(bindparam("ids", type_=ARRAY(PgUUID(as_uuid=True))))
        done: Any = await session.execute(sql, {"owner": owner_id, "ids": list(rule_ids)})
        changed += done.rowcount
    return changed > 0


async def rules_of_instrument(session: Session, owner_id: UUID, instrument_id: UUID) -> Sequence[UUID]:
    """Return the ids of the owner's rules on the price of an instrument, locked in their order."""
    statement = (
        select(AlertRule.id)
        .where(
            AlertRule.owner_id == owner_id,
            AlertRule.instrument_id == instrument_id,
            AlertRule.kind.in_(("PRICE_ABOVE", "PRICE_BELOW")),
        )
        .order_by(AlertRule.id)
        .with_for_update(key_share=True)
    )
    return (await session.execute(statement)).scalars().all()


async def update_rule(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Change a locked rule."""
    mine = (AlertRule.owner_id == owner_id, AlertRule.id == id)
    await session.execute(update(AlertRule).where(*mine).values(**values))


async def note_fired(session: Session, owner_id: UUID, ids: Collection[UUID]) -> None:
    """Record that these locked rules have fired now."""
    mine = (AlertRule.owner_id == owner_id, AlertRule.id.in_(ids))
    await session.execute(update(AlertRule).where(*mine).values(last_fired_at=func.now()))


async def delete_rule(session: Session, owner_id: UUID, id: UUID) -> bool:
    """Delete a rule and its state; keep its alerts. Return whether it existed."""
    statement = delete(AlertRule).where(AlertRule.owner_id == owner_id, AlertRule.id == id)
    return (await session.execute(statement.returning(AlertRule.id))).first() is not None


async def watch(session: Session, owner_id: UUID, rule_id: UUID, values: Mapping[str, Any] | None) -> None:
    """Make every process compare prices with the rule, armed; stop that where `values` is None."""
    if values is None:
        mine = (AlertWatch.owner_id == owner_id, AlertWatch.rule_id == rule_id)
        await session.execute(delete(AlertWatch).where(*mine))
        return
    fresh = {"is_armed": True, "quiet_until": None, "as_of": None, **values}
    statement = upsert(AlertWatch).values(owner_id=owner_id, rule_id=rule_id, **fresh)
    await session.execute(statement.on_conflict_do_update(index_elements=["owner_id", "rule_id"], set_=fresh))


async def end_quiet(session: Session, owner_id: UUID, rule_id: UUID) -> None:
    """End the quiet time of a locked rule whose hours changed: it may fire as soon as they allow."""
    for table in (AlertWatch, AlertState):
        mine = (table.owner_id == owner_id, table.rule_id == rule_id)
        await session.execute(update(table).where(*mine).values(quiet_until=None))


async def forget_states(session: Session, owner_id: UUID, rule_id: UUID) -> None:
    """Arm a portfolio rule again for everything that it watches."""
    mine = (AlertState.owner_id == owner_id, AlertState.rule_id == rule_id)
    await session.execute(delete(AlertState).where(*mine))


async def keep_look(session: Session, owner_id: UUID, kinds: Collection[str]) -> None:
    """Check the owner's portfolios from now on if any active rule is of these kinds; otherwise stop."""
    rules = exists().where(AlertRule.owner_id == owner_id, AlertRule.is_active, AlertRule.kind.in_(kinds))
    if await session.scalar(select(rules)):
        statement = upsert(AlertCheck).values(owner_id=owner_id)
        await session.execute(
            statement.on_conflict_do_update(index_elements=["owner_id"], set_={"due_at": func.now()})
        )
    else:
        await session.execute(delete(AlertCheck).where(AlertCheck.owner_id == owner_id))

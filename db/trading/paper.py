"""The paper broker's books. Nobody's viewer is set here: they belong to the broker."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from db.models import Instrument, PaperExecution, PaperOrder, Quote
from db.sessions import Session


async def find_quote(session: Session, symbol: str) -> RowMapping | None:
    """The instrument's id with its quote, where it has one."""
    statement = (
        select(Instrument.id, Quote.price, Quote.as_of)
        .outerjoin(Quote, Quote.instrument_id == Instrument.id)
        .where(Instrument.symbol == symbol)
    )
    return (await session.execute(statement)).mappings().one_or_none()


async def add_order(session: Session, values: Mapping[str, Any]) -> bool:
    """Adds an order, unless the client order id is used: whether it is new."""
    statement = upsert(PaperOrder).values(**values).on_conflict_do_nothing(index_elements=["client_order_id"])
    return (await session.execute(statement.returning(PaperOrder.client_order_id))).first() is not None


async def find_order(session: Session, client_order_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """The order, locked until the transaction ends if asked."""
    statement = select(*PaperOrder.__table__.columns).where(PaperOrder.client_order_id == client_order_id)
    if lock:
        statement = statement.with_for_update()
    return (await session.execute(statement)).mappings().one_or_none()


async def update_order(session: Session, client_order_id: UUID, values: Mapping[str, Any]) -> None:
    """Changes a locked order."""
    await session.execute(
        update(PaperOrder).where(PaperOrder.client_order_id == client_order_id).values(**values)
    )


async def add_execution(
    session: Session,
    id: UUID,
    client_order_id: UUID,
    quantity: Decimal,
    price: Decimal,
    commission: Decimal,
    executed_at: dt.datetime,
    due_at: dt.datetime | None,
) -> None:
    """Adds a fill, to be told from `due_at` on, or never."""
    await session.execute(
        insert(PaperExecution).values(
            id=id,
            client_order_id=client_order_id,
            quantity=quantity,
            price=price,
            commission=commission,
            executed_at=executed_at,
            due_at=due_at,
        )
    )


async def executions_of(session: Session, client_order_id: UUID) -> Sequence[RowMapping]:
    """All fills of an order, oldest first."""
    statement = select(*PaperExecution.__table__.columns).where(
        PaperExecution.client_order_id == client_order_id
    )
    return (await session.execute(statement.order_by(PaperExecution.id))).mappings().all()


_TICKED = """
SELECT o.*, q.price, q.as_of FROM paper_orders o JOIN quotes q ON q.instrument_id = o.instrument_id
WHERE o.status = 'OPEN' AND (o.matched_as_of IS NULL OR o.matched_as_of < q.as_of)
ORDER BY o.client_order_id LIMIT :most FOR UPDATE OF o SKIP LOCKED
"""


async def lock_ticked(session: Session, most: int) -> Sequence[RowMapping]:
    """Open orders whose instrument has ticked since they were last matched, with the quote.

    What another process is matching just now is left to it.
    """
    return (await session.execute(text(_TICKED), {"most": most})).mappings().all()


_TELL = """
UPDATE paper_executions e SET due_at = clock_timestamp() + make_interval(secs => :again)
FROM (SELECT id FROM paper_executions WHERE due_at <= clock_timestamp()
      ORDER BY due_at, id LIMIT :most FOR UPDATE SKIP LOCKED) due
WHERE e.id = due.id
RETURNING e.*
"""


async def claim_executions(session: Session, again_seconds: float, most: int) -> Sequence[RowMapping]:
    """Fills that are due to be told; each is due again after so many seconds, unless acknowledged."""
    return (await session.execute(text(_TELL), {"again": again_seconds, "most": most})).mappings().all()


async def acknowledge(session: Session, ids: Sequence[UUID]) -> None:
    """These have arrived and are not told again."""
    await session.execute(update(PaperExecution).where(PaperExecution.id.in_(ids)).values(due_at=None))

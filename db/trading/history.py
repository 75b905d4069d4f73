"""A holding's past from some instant on: what came after it, how it was posted, and what that now becomes.

Everything runs in the caller's transaction, which has locked the portfolios. What is read depends on what
comes after the instant, never on how long the history before it is.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, any_, bindparam, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import BindParameter, TextClause

from db.market.splits import MARKET_TODAY
from db.models import Lot, Position

Starts = Mapping[UUID, tuple[dt.datetime, UUID]]
"""By portfolio: from which place of the ledger on, by time and by id."""

# A reversed entry and its reversal are both left out: together they come to nothing.
_STANDING = """t.reverses_id IS NULL AND NOT EXISTS (
    SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)"""

_STARTS = "unnest(:portfolios, :instants, :ids) AS s(portfolio_id, executed_at, id)"

_CHANGES = f"""
SELECT t.id, t.portfolio_id, t.transfer_id, t.type, t.executed_at, t.amount, t.commission, t.quantity,
       t.price, t.split_for, t.is_automatic, t.cash_delta, t.quantity_delta, t.cost_delta,
       t.realized_pnl, t.realized_pnl_fifo, a.time_zone
FROM {_STARTS}
JOIN transactions t ON t.owner_id = :owner AND t.portfolio_id = s.portfolio_id
    AND t.instrument_id = :instrument AND (t.executed_at, t.id) >= (s.executed_at, s.id)
JOIN accounts a ON a.owner_id = :owner AND a.id = t.account_id
WHERE t.type IN ('BUY', 'SELL', 'TRANSFER_IN', 'TRANSFER_OUT', 'SPLIT') AND {_STANDING}
ORDER BY t.executed_at, t.id
"""

_REACHED = f"""
WITH RECURSIVE reached AS (
    SELECT s.portfolio_id, s.executed_at, s.id FROM {_STARTS}
    UNION
    SELECT i.portfolio_id, i.executed_at, i.id FROM reached s
    JOIN transactions t ON t.owner_id = :owner AND t.portfolio_id = s.portfolio_id
        AND t.instrument_id = :instrument AND (t.executed_at, t.id) >= (s.executed_at, s.id)
        AND t.type = 'TRANSFER_OUT' AND t.transfer_id IS NOT NULL AND {_STANDING}
    JOIN transactions i ON i.owner_id = :owner AND i.transfer_id = t.transfer_id
        AND i.type = 'TRANSFER_IN' AND i.reverses_id IS NULL
)
SELECT DISTINCT ON (portfolio_id) portfolio_id, executed_at, id FROM reached
ORDER BY portfolio_id, executed_at, id
"""

# The splits of the instrument from those places on that have begun, for the market and for the account, and
# that no entry of the owner's own stands for: one of the same ratio within seven days. Where quantities were
# recorded that are adjusted already, no split until then is posted.
_DUE_SPLITS = f"""
SELECT p.id AS portfolio_id, p.account_id, p.currency, x.ex_date, x.quantity, x.split_for, e.executed_at,
       a.time_zone
FROM {_STARTS}
JOIN portfolios p ON p.owner_id = :owner AND p.id = s.portfolio_id
JOIN accounts a ON a.owner_id = :owner AND a.id = p.account_id
JOIN instrument_splits x ON x.instrument_id = :instrument AND x.ex_date <= {MARKET_TODAY}
CROSS JOIN LATERAL (SELECT x.ex_date::timestamp AT TIME ZONE a.time_zone AS executed_at) e
WHERE e.executed_at >= s.executed_at AND e.executed_at <= clock_timestamp() AND NOT EXISTS (
    SELECT FROM transactions t
    WHERE t.owner_id = :owner AND t.portfolio_id = p.id AND t.instrument_id = :instrument
        AND t.id <> ALL(:without) AND {_STANDING} AND CASE
            WHEN t.is_split_adjusted THEN t.executed_at < e.executed_at
                AND (t.created_at AT TIME ZONE 'America/New_York')::date >= x.ex_date
            ELSE t.type = 'SPLIT' AND NOT t.is_automatic
                AND t.quantity * x.split_for = t.split_for * x.quantity
                AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - x.ex_date) <= 7 END
)
ORDER BY e.executed_at, p.id
"""

_AUTOMATIC = """
SELECT t.id, t.portfolio_id, t.executed_at, t.quantity, t.split_for, r.id IS NOT NULL AS is_reversed,
       coalesce(NOT r.is_automatic, false) AS is_refused
FROM transactions t LEFT JOIN transactions r ON r.owner_id = :owner AND r.reverses_id = t.id
WHERE t.owner_id = :owner AND t.portfolio_id = ANY(:portfolios) AND t.instrument_id = :instrument
    AND t.is_automatic AND t.reverses_id IS NULL
"""

_USES = """
SELECT u.transaction_id, u.lot_transaction_id, u.lot_number, l.opened_at, u.quantity_delta, u.cost_delta,
       u.gain
FROM lot_uses u
JOIN lots l ON l.owner_id = :owner AND l.transaction_id = u.lot_transaction_id AND l.number = u.lot_number
WHERE u.owner_id = :owner AND u.transaction_id = ANY(:ids)
ORDER BY u.transaction_id, l.opened_at, u.lot_transaction_id, u.lot_number
"""

_OUTS = """
SELECT t.id, t.portfolio_id, t.transfer_id, t.cost_delta FROM transactions t
WHERE t.owner_id = :owner AND t.transfer_id = ANY(:ids) AND t.type = 'TRANSFER_OUT' AND t.reverses_id IS NULL
"""

_LOT = (
    Lot.id,
    Lot.portfolio_id,
    Lot.transaction_id,
    Lot.number,
    Lot.opened_at,
    Lot.remaining_quantity,
    Lot.remaining_cost,
)


def _statement(sql: str, *, starts: bool = False) -> TextClause:
    uuids = ARRAY(PgUUID(as_uuid=True))
    instants = ARRAY[dt.datetime](TIMESTAMP(timezone=True))
    types: list[BindParameter[Any]] = [bindparam("ids", type_=uuids)]
    if starts:
        types.append(bindparam("portfolios", type_=uuids))
        types.append(bindparam("instants", type_=instants))
    return text(sql).bindparams(*types)


_CHANGES_SQL = _statement(_CHANGES, starts=True)
_REACHED_SQL = _statement(_REACHED, starts=True)
_USES_SQL = _statement(_USES)
_OUTS_SQL = _statement(_OUTS)
_DUE_SPLITS_SQL = _statement(_DUE_SPLITS, starts=True).bindparams(
    bindparam("without", type_=ARRAY(PgUUID(as_uuid=True)))
)
_AUTOMATIC_SQL = text(_AUTOMATIC).bindparams(bindparam("portfolios", type_=ARRAY(PgUUID(as_uuid=True))))


def _given(owner_id: UUID, instrument_id: UUID, starts: Starts) -> dict[str, Any]:
    return {
        "owner": owner_id,
        "instrument": instrument_id,
        "portfolios": list(starts),
        "instants": [instant for instant, _ in starts.values()],
        "ids": [id for _, id in starts.values()],
    }


async def share_changes(
    session: AsyncSession, owner_id: UUID, instrument_id: UUID, starts: Starts
) -> Sequence[RowMapping]:
    """What changed the holdings of an instrument from those places on, in the ledger's order."""
    found = await session.execute(_CHANGES_SQL, _given(owner_id, instrument_id, starts))
    return found.mappings().all()


async def reached(
    session: AsyncSession, owner_id: UUID, instrument_id: UUID, starts: Starts
) -> dict[UUID, tuple[dt.datetime, UUID]]:
    """The same places, and those of the portfolios that shares were transferred to later, however far."""
    found = await session.execute(_REACHED_SQL, _given(owner_id, instrument_id, starts))
    return {row.portfolio_id: (row.executed_at, row.id) for row in found}


async def due_splits(
    session: AsyncSession, owner_id: UUID, instrument_id: UUID, starts: Starts, without: Collection[UUID]
) -> Sequence[RowMapping]:
    """Return the splits that those portfolios' holdings should have from those places on, by time.

    Left out are those that an entry of the owner's own stands for, unless it is one of `without`; an
    automatic entry may stand for some that are returned (see `find_automatic`).
    """
    given = _given(owner_id, instrument_id, starts) | {"without": list(without)}
    return (await session.execute(_DUE_SPLITS_SQL, given)).mappings().all()


async def find_automatic(
    session: AsyncSession, owner_id: UUID, instrument_id: UUID, portfolio_ids: Collection[UUID]
) -> Sequence[RowMapping]:
    """Return the automatic entries that these portfolios have ever had for splits of the instrument.

    `is_reversed` are those that were taken back, and `is_refused` those of them that their owner took back:
    they do not want them.
    """
    given = {"owner": owner_id, "instrument": instrument_id, "portfolios": list(portfolio_ids)}
    return (await session.execute(_AUTOMATIC_SQL, given)).mappings().all()


async def find_uses(
    session: AsyncSession, owner_id: UUID, transaction_ids: Sequence[UUID]
) -> Sequence[RowMapping]:
    """What these transactions did to lots, for each of them oldest lot first."""
    found = await session.execute(_USES_SQL, {"owner": owner_id, "ids": list(transaction_ids)})
    return found.mappings().all()


async def find_outs(
    session: AsyncSession, owner_id: UUID, transfer_ids: Sequence[UUID]
) -> Sequence[RowMapping]:
    """The outgoing sides of these transfers."""
    found = await session.execute(_OUTS_SQL, {"owner": owner_id, "ids": list(transfer_ids)})
    return found.mappings().all()


async def find_positions(
    session: AsyncSession, owner_id: UUID, instrument_id: UUID, portfolio_ids: Sequence[UUID]
) -> Sequence[RowMapping]:
    """What these portfolios, which the caller has locked, hold of an instrument."""
    statement = select(
        Position.portfolio_id,
        Position.quantity,
        Position.reserved_quantity,
        Position.cost_basis,
        Position.realized_pnl,
        Position.realized_pnl_fifo,
    ).where(
        Position.owner_id == owner_id,
        Position.instrument_id == instrument_id,
        Position.portfolio_id.in_(portfolio_ids),
    )
    return (await session.execute(statement)).mappings().all()


async def find_lots_of(
    session: AsyncSession, owner_id: UUID, transaction_ids: Sequence[UUID]
) -> Sequence[RowMapping]:
    """The lots, used up or not, that these transactions opened."""
    # An array and not a list of parameters, of which a statement has 32,767 at the most.
    ids = bindparam(None, list(transaction_ids), type_=ARRAY(PgUUID(as_uuid=True)))
    statement = select(*_LOT).where(Lot.owner_id == owner_id, Lot.transaction_id == any_(ids))
    return (await session.execute(statement)).mappings().all()


async def find_open_lots(
    session: AsyncSession,
    owner_id: UUID,
    portfolio_id: UUID,
    instrument_id: UUID,
    *,
    after: tuple[dt.datetime, UUID, int] | None,
    limit: int,
) -> Sequence[RowMapping]:
    """So many of the position's open lots, oldest first, from the one after that on."""
    age = (Lot.opened_at, Lot.transaction_id, Lot.number)
    statement = select(*_LOT).where(
        Lot.owner_id == owner_id,
        Lot.portfolio_id == portfolio_id,
        Lot.instrument_id == instrument_id,
        Lot.remaining_quantity > 0,
    )
    if after is not None:
        statement = statement.where(tuple_(*age) > after)
    return (await session.execute(statement.order_by(*age).limit(limit))).mappings().all()

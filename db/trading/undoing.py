"""Taking an import back: what it brought that still stands, and what the ledger is short of without it.

Everything runs in the caller's transaction, which has locked the portfolios before it reads entries.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Numeric, RowMapping, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import aliased

from db.models import Import, Instrument, Transaction
from db.sessions import Session


async def find_import(session: Session, owner_id: UUID, id: UUID) -> RowMapping | None:
    """The import's `reversed_at`; None without one that wrote something."""
    statement = select(Import.reversed_at).where(
        Import.owner_id == owner_id, Import.id == id, Import.transaction_count > 0
    )
    return (await session.execute(statement)).mappings().one_or_none()


async def standing_of(session: Session, owner_id: UUID, import_id: UUID) -> Sequence[RowMapping]:
    """All of what the import brought and nobody has reversed, with symbols, in the ledger's order."""
    reversal = aliased(Transaction)
    reversals = select(reversal.id).where(
        reversal.owner_id == owner_id, reversal.reverses_id == Transaction.id
    )
    statement = (
        select(*Transaction.__table__.columns, Instrument.symbol)
        .outerjoin(Instrument, Instrument.id == Transaction.instrument_id)
        .where(
            Transaction.owner_id == owner_id,
            Transaction.import_id == import_id,
            Transaction.reverses_id.is_(None),
            ~reversals.exists(),
        )
        .order_by(Transaction.executed_at, Transaction.id)
    )
    return (await session.execute(statement)).mappings().all()


# The figures of what is reversed, and its deltas with the other sign, as in `investing.trading.reversing`.
_REVERSE = """
INSERT INTO transactions (owner_id, id, reverses_id, account_id, portfolio_id, instrument_id, transfer_id,
    type, quantity, price, amount, commission, split_for, currency, executed_at, cash_delta, quantity_delta,
    cost_delta, realized_pnl, realized_pnl_fifo, is_automatic)
SELECT :owner, n.id, t.id, t.account_id, t.portfolio_id, t.instrument_id, t.transfer_id, t.type, t.quantity,
    t.price, t.amount, t.commission, t.split_for, t.currency, t.executed_at, -t.cash_delta, -t.quantity_delta,
    -t.cost_delta, -t.realized_pnl, -t.realized_pnl_fifo, :automatic
FROM unnest(:ids, :reversals) AS n(reverses_id, id)
JOIN transactions t ON t.owner_id = :owner AND t.id = n.reverses_id
"""


async def insert_reversals(session: Session, owner_id: UUID, reversals: Mapping[UUID, UUID]) -> None:
    """Add the transactions that take these back: by what each reverses, its id."""
    await _reverse(session, owner_id, reversals, is_automatic=False)


async def reverse_automatic(session: Session, owner_id: UUID, reversals: Mapping[UUID, UUID]) -> None:
    """Do the same for automatic entries that are posted anew, or are none any more: nobody took them back."""
    if reversals:
        await _reverse(session, owner_id, reversals, is_automatic=True)


async def _reverse(
    session: Session, owner_id: UUID, reversals: Mapping[UUID, UUID], *, is_automatic: bool
) -> None:
    uuids = ARRAY(PgUUID(as_uuid=True))
    statement = text(_REVERSE).bindparams(bindparam("ids", type_=uuids), bindparam("reversals", type_=uuids))
    values = {"owner": owner_id, "ids": list(reversals), "reversals": list(reversals.values())}
    await session.execute(statement, values | {"automatic": is_automatic})


async def mark_reversed(session: Session, owner_id: UUID, id: UUID) -> None:
    """Notes that the import is taken back, now."""
    mine = (Import.owner_id == owner_id, Import.id == id)
    await session.execute(update(Import).where(*mine).values(reversed_at=func.clock_timestamp()))


# Counted back from the balance of today, so that only what is later is read.
_SHORT = """
WITH later AS (
    SELECT t.id, t.type, t.quantity, t.instrument_id, t.executed_at, t.cash_delta,
           sum(t.cash_delta) OVER (ORDER BY t.executed_at DESC, t.id DESC) AS since
    FROM transactions t
    WHERE t.owner_id = :owner AND t.portfolio_id = :portfolio AND t.executed_at >= :since
        AND t.reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)
)
SELECT l.id, l.type, l.quantity, i.symbol, l.executed_at, l.cash_delta,
       :cash - l.since + l.cash_delta AS balance
FROM later l
LEFT JOIN instruments i ON i.id = l.instrument_id
WHERE :cash - l.since + l.cash_delta < 0
ORDER BY l.executed_at, l.id LIMIT 1
"""


async def first_short_of_cash(
    session: Session, owner_id: UUID, portfolio_id: UUID, since: dt.datetime, cash: Decimal
) -> RowMapping | None:
    """The first standing entry from then on after which the portfolio's cash is below zero, if there is one.

    `cash` is what is there after the last entry. With `symbol`, and as `balance` the cash after the entry.
    """
    statement = text(_SHORT).bindparams(
        bindparam("since", type_=TIMESTAMP(timezone=True)), bindparam("cash", type_=Numeric(28, 10))
    )
    parameters = {"owner": owner_id, "portfolio": portfolio_id, "since": since, "cash": cash}
    return (await session.execute(statement, parameters)).mappings().one_or_none()

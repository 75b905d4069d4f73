"""Stored transactions, for reversing them: their content, and their effects."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.writing import RawConnection


class TransactionRow(NamedTuple):
    """A transaction, and whether it has been reversed."""

    id: UUID
    account_id: UUID
    portfolio_id: UUID | None
    instrument_id: UUID | None
    symbol: str | None
    order_id: UUID | None
    reverses_id: UUID | None
    transfer_id: UUID | None
    type: str
    quantity: Decimal | None
    cash_delta: Decimal
    quantity_delta: Decimal
    executed_at: dt.datetime
    is_split_adjusted: bool
    is_reversed: bool


_ROW = """
SELECT t.id, t.account_id, t.portfolio_id, t.instrument_id, i.symbol, t.order_id, t.reverses_id,
       t.transfer_id, t.type, t.quantity, t.cash_delta, t.quantity_delta, t.executed_at,
       t.is_split_adjusted,
       EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id) AS is_reversed
FROM transactions t LEFT JOIN instruments i ON i.id = t.instrument_id
"""

_WITH_OTHER_SIDE = f"""
{_ROW} WHERE t.owner_id = $1 AND t.id IN (
    SELECT a.id FROM transactions a WHERE a.owner_id = $1 AND a.id = $2
    UNION ALL
    SELECT o.id FROM transactions a
    JOIN transactions o ON o.owner_id = $1 AND o.transfer_id = a.transfer_id AND o.reverses_id IS NULL
    WHERE a.owner_id = $1 AND a.id = $2
)
ORDER BY t.id
"""


async def find_with_other_side(
    connection: RawConnection, owner_id: UUID, id: UUID
) -> Sequence[TransactionRow]:
    """Return a transaction, and both sides of the transfer that it belongs to, the outgoing one first.

    Empty where the owner has no such transaction.
    """
    return [TransactionRow(**row) for row in await connection.fetch(_WITH_OTHER_SIDE, owner_id, id)]


_OF_IMPORT = f"""
{_ROW} WHERE t.owner_id = $1 AND t.import_id = $2 AND t.reverses_id IS NULL
    AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
ORDER BY t.executed_at, t.id
"""


async def standing_of_import(
    connection: RawConnection, owner_id: UUID, import_id: UUID
) -> Sequence[TransactionRow]:
    """Return all transactions of an import that are not reversed, in the ledger's order."""
    return [TransactionRow(**row) for row in await connection.fetch(_OF_IMPORT, owner_id, import_id)]


class ImportState(NamedTuple):
    """When an import was reversed; None if it was not."""

    reversed_at: dt.datetime | None


async def find_import(connection: RawConnection, owner_id: UUID, id: UUID) -> ImportState | None:
    """Return the state of an import; None if there is none that wrote anything."""
    sql = "SELECT reversed_at FROM imports WHERE owner_id = $1 AND id = $2 AND transaction_count > 0"
    row = await connection.fetchrow(sql, owner_id, id)
    return None if row is None else ImportState(**row)


class ShortEntry(NamedTuple):
    """An entry after which a portfolio's cash is below zero, and the cash after it."""

    id: UUID
    type: str
    quantity: Decimal | None
    symbol: str | None
    executed_at: dt.datetime
    cash_delta: Decimal
    balance: Decimal


# Counted back from today's balance, so that only later entries are read.
_SHORT = """
WITH later AS (
    SELECT t.id, t.type, t.quantity, t.instrument_id, t.executed_at, t.cash_delta,
           sum(t.cash_delta) OVER (ORDER BY t.executed_at DESC, t.id DESC) AS since
    FROM transactions t
    WHERE t.owner_id = $1 AND t.portfolio_id = $2 AND t.executed_at >= $3
        AND t.import_id IS DISTINCT FROM $5 AND t.reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
)
SELECT l.id, l.type, l.quantity, i.symbol, l.executed_at, l.cash_delta,
       $4::numeric - l.since + l.cash_delta AS balance
FROM later l
LEFT JOIN instruments i ON i.id = l.instrument_id
WHERE $4::numeric - l.since + l.cash_delta < 0
ORDER BY l.executed_at, l.id LIMIT 1
"""


async def first_short_of_cash(
    connection: RawConnection,
    owner_id: UUID,
    portfolio_id: UUID,
    since: dt.datetime,
    cash: Decimal,
    import_id: UUID,
) -> ShortEntry | None:
    """Return the first unreversed entry from then on after which the portfolio's cash is below zero.

    `cash` is the balance after the last entry; the entries of the import are about to be reversed.
    """
    values = (owner_id, portfolio_id, since, cash, import_id)
    row = await connection.fetchrow(_SHORT, *values)
    return None if row is None else ShortEntry(**row)

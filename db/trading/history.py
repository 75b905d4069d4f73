"""A holding's past from some instant on: later entries, how they were posted, and how they are posted again.

Everything runs in the caller's transaction, which has locked the portfolios. What is read depends on the
entries after the instant, never on how long the history before it is.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.market.splits import MARKET_TODAY
from db.writing import RawConnection

Starts = Mapping[UUID, tuple[dt.datetime, UUID]]
"""The first place of the ledger to read, by portfolio: an instant and an id."""

# A reversed entry and its reversal are both left out: together they cancel out.
_STANDING = """t.reverses_id IS NULL AND NOT EXISTS (
    SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)"""

_STARTS = "unnest($3::uuid[], $4::timestamptz[], $5::uuid[]) AS s(portfolio_id, executed_at, id)"


class LaterEntry(NamedTuple):
    """A stored entry that moves shares, with its account's time zone."""

    id: UUID
    portfolio_id: UUID
    transfer_id: UUID | None
    type: str
    executed_at: dt.datetime
    amount: Decimal
    commission: Decimal
    quantity: Decimal | None
    price: Decimal | None
    split_for: Decimal | None
    is_automatic: bool
    cash_delta: Decimal
    quantity_delta: Decimal
    cost_delta: Decimal
    realized_pnl: Decimal | None
    realized_pnl_fifo: Decimal | None
    time_zone: str


_CHANGES = f"""
SELECT t.id, t.portfolio_id, t.transfer_id, t.type, t.executed_at, t.amount, t.commission, t.quantity,
       t.price, t.split_for, t.is_automatic, t.cash_delta, t.quantity_delta, t.cost_delta,
       t.realized_pnl, t.realized_pnl_fifo, a.time_zone
FROM {_STARTS}
JOIN transactions t ON t.owner_id = $1 AND t.portfolio_id = s.portfolio_id
    AND t.instrument_id = $2 AND (t.executed_at, t.id) >= (s.executed_at, s.id)
JOIN accounts a ON a.owner_id = $1 AND a.id = t.account_id
WHERE t.type IN ('BUY', 'SELL', 'TRANSFER_IN', 'TRANSFER_OUT', 'SPLIT') AND {_STANDING}
ORDER BY t.executed_at, t.id
"""


async def share_changes(
    connection: RawConnection, owner_id: UUID, instrument_id: UUID, starts: Starts
) -> Sequence[LaterEntry]:
    """Return what changed the holdings of an instrument from those places on, in the ledger's order."""
    rows = await connection.fetch(_CHANGES, owner_id, instrument_id, *_given(starts))
    return [LaterEntry(**row) for row in rows]


_REACHED = f"""
WITH RECURSIVE reached AS (
    SELECT s.portfolio_id, s.executed_at, s.id FROM {_STARTS}
    UNION
    SELECT i.portfolio_id, i.executed_at, i.id FROM reached s
    JOIN transactions t ON t.owner_id = $1 AND t.portfolio_id = s.portfolio_id
        AND t.instrument_id = $2 AND (t.executed_at, t.id) >= (s.executed_at, s.id)
        AND t.type = 'TRANSFER_OUT' AND t.transfer_id IS NOT NULL AND {_STANDING}
    JOIN transactions i ON i.owner_id = $1 AND i.transfer_id = t.transfer_id
        AND i.type = 'TRANSFER_IN' AND i.reverses_id IS NULL
)
SELECT DISTINCT ON (portfolio_id) portfolio_id, executed_at, id FROM reached
ORDER BY portfolio_id, executed_at, id
"""


async def reached(
    connection: RawConnection, owner_id: UUID, instrument_id: UUID, starts: Starts
) -> dict[UUID, tuple[dt.datetime, UUID]]:
    """Return these places, and those of all portfolios that shares were later transferred to, in turn."""
    rows = await connection.fetch(_REACHED, owner_id, instrument_id, *_given(starts))
    return {row["portfolio_id"]: (row["executed_at"], row["id"]) for row in rows}


class DueSplitRow(NamedTuple):
    """A split that a portfolio's holding should have, where no entry of the owner's own represents it."""

    portfolio_id: UUID
    account_id: UUID
    currency: str
    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal
    executed_at: dt.datetime
    time_zone: str


# The splits of the instrument from those places on that have begun, for the market and for the account, and
# that no entry of the owner's own represents: one of the same ratio within seven days. Where quantities were
# recorded that are adjusted already, no split until then is posted.
_DUE_SPLITS = f"""
SELECT p.id AS portfolio_id, p.account_id, p.currency, x.ex_date, x.quantity, x.split_for, e.executed_at,
       a.time_zone
FROM {_STARTS}
JOIN portfolios p ON p.owner_id = $1 AND p.id = s.portfolio_id
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
JOIN instrument_splits x ON x.instrument_id = $2 AND x.ex_date <= {MARKET_TODAY}
CROSS JOIN LATERAL (SELECT x.ex_date::timestamp AT TIME ZONE a.time_zone AS executed_at) e
WHERE e.executed_at >= s.executed_at AND e.executed_at <= clock_timestamp() AND NOT EXISTS (
    SELECT FROM transactions t
    WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = $2
        AND t.id NOT IN (SELECT unnest($6::uuid[])) AND {_STANDING} AND CASE
            WHEN t.is_split_adjusted THEN t.executed_at < e.executed_at
                AND (t.created_at AT TIME ZONE 'America/New_York')::date >= x.ex_date
            ELSE t.type = 'SPLIT' AND NOT t.is_automatic
                AND t.quantity * x.split_for = t.split_for * x.quantity
                AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - x.ex_date) <= 7 END
)
ORDER BY e.executed_at, p.id
"""


async def due_splits(
    connection: RawConnection, owner_id: UUID, instrument_id: UUID, starts: Starts, without: Collection[UUID]
) -> Sequence[DueSplitRow]:
    """Return the splits that those portfolios' holdings should have from those places on, by time.

    Left out are those that an entry of the owner's own represents, unless it is one of `without`; an
    automatic entry may represent some that are returned (see `find_automatic`).
    """
    values = (owner_id, instrument_id, *_given(starts), list(without))
    return [DueSplitRow(**row) for row in await connection.fetch(_DUE_SPLITS, *values)]


class AutomaticEntry(NamedTuple):
    """An automatic entry for a split that a portfolio has, or has had.

    `is_reversed` tells that it was reversed, and `is_refused` that its owner did that: they do not want it.
    """

    id: UUID
    portfolio_id: UUID
    executed_at: dt.datetime
    quantity: Decimal | None
    split_for: Decimal | None
    is_reversed: bool
    is_refused: bool


_AUTOMATIC = """
SELECT t.id, t.portfolio_id, t.executed_at, t.quantity, t.split_for, r.id IS NOT NULL AS is_reversed,
       coalesce(NOT r.is_automatic, false) AS is_refused
FROM transactions t LEFT JOIN transactions r ON r.owner_id = $1 AND r.reverses_id = t.id
WHERE t.owner_id = $1 AND t.portfolio_id = ANY($3::uuid[]) AND t.instrument_id = $2
    AND t.is_automatic AND t.reverses_id IS NULL
"""


async def find_automatic(
    connection: RawConnection, owner_id: UUID, instrument_id: UUID, portfolio_ids: Collection[UUID]
) -> Sequence[AutomaticEntry]:
    """Return the automatic entries that these portfolios have ever had for splits of the instrument."""
    rows = await connection.fetch(_AUTOMATIC, owner_id, instrument_id, list(portfolio_ids))
    return [AutomaticEntry(**row) for row in rows]


class UseRow(NamedTuple):
    """The effect of a transaction on a lot."""

    transaction_id: UUID
    lot_transaction_id: UUID
    lot_number: int
    opened_at: dt.datetime
    quantity_delta: Decimal
    cost_delta: Decimal
    gain: Decimal | None


_USES = """
SELECT u.transaction_id, u.lot_transaction_id, u.lot_number, l.opened_at, u.quantity_delta, u.cost_delta,
       u.gain
FROM lot_uses u
JOIN lots l ON l.owner_id = $1 AND l.transaction_id = u.lot_transaction_id AND l.number = u.lot_number
WHERE u.owner_id = $1 AND u.transaction_id = ANY($2::uuid[])
ORDER BY u.transaction_id, l.opened_at, u.lot_transaction_id, u.lot_number
"""


async def find_uses(
    connection: RawConnection, owner_id: UUID, transaction_ids: Collection[UUID]
) -> Sequence[UseRow]:
    """Return the effects of these transactions on lots, for each of them oldest lot first."""
    return [UseRow(**row) for row in await connection.fetch(_USES, owner_id, list(transaction_ids))]


class OutRow(NamedTuple):
    """The outgoing side of a transfer between an owner's portfolios, with the average cost that left."""

    id: UUID
    portfolio_id: UUID
    transfer_id: UUID
    cost_delta: Decimal


_OUTS = """
SELECT t.id, t.portfolio_id, t.transfer_id, t.cost_delta FROM transactions t
WHERE t.owner_id = $1 AND t.transfer_id = ANY($2::uuid[]) AND t.type = 'TRANSFER_OUT'
    AND t.reverses_id IS NULL
"""


async def find_outs(
    connection: RawConnection, owner_id: UUID, transfer_ids: Collection[UUID]
) -> Sequence[OutRow]:
    """Return the outgoing sides of these transfers."""
    return [OutRow(**row) for row in await connection.fetch(_OUTS, owner_id, list(transfer_ids))]


class HeldRow(NamedTuple):
    """What a portfolio holds of an instrument."""

    portfolio_id: UUID
    quantity: Decimal
    reserved_quantity: Decimal
    cost_basis: Decimal
    realized_pnl: Decimal
    realized_pnl_fifo: Decimal


_POSITIONS = f"""
SELECT {", ".join(HeldRow._fields)} FROM positions
WHERE owner_id = $1 AND instrument_id = $2 AND portfolio_id = ANY($3::uuid[])
"""


async def find_positions(
    connection: RawConnection, owner_id: UUID, instrument_id: UUID, portfolio_ids: Collection[UUID]
) -> Sequence[HeldRow]:
    """Return what these portfolios, which the caller has locked, hold of an instrument."""
    rows = await connection.fetch(_POSITIONS, owner_id, instrument_id, list(portfolio_ids))
    return [HeldRow(**row) for row in rows]


class LotRow(NamedTuple):
    """A lot as it is stored."""

    portfolio_id: UUID
    transaction_id: UUID
    number: int
    opened_at: dt.datetime
    remaining_quantity: Decimal
    remaining_cost: Decimal


_LOT = ", ".join(LotRow._fields)
_LOTS_OF = f"SELECT {_LOT} FROM lots WHERE owner_id = $1 AND transaction_id = ANY($2::uuid[])"


async def find_lots_of(
    connection: RawConnection, owner_id: UUID, transaction_ids: Collection[UUID]
) -> Sequence[LotRow]:
    """Return the lots, used up or not, that these transactions opened."""
    return [LotRow(**row) for row in await connection.fetch(_LOTS_OF, owner_id, list(transaction_ids))]


LOTS_AT_ONCE = 200

# The running sum shows which of them are reached; the limit keeps a long list from being read.
_OLDEST_LOTS = f"""
SELECT {_LOT}
FROM (SELECT l.*, sum(remaining_quantity) OVER (ORDER BY opened_at, transaction_id, number)
             - remaining_quantity AS before
      FROM (SELECT {_LOT} FROM lots
            WHERE owner_id = $1 AND portfolio_id = $2 AND instrument_id = $3 AND remaining_quantity > 0
                {{after}}
            ORDER BY opened_at, transaction_id, number LIMIT {LOTS_AT_ONCE}) l) oldest
WHERE $4::numeric IS NULL OR before < $4 ORDER BY opened_at, transaction_id, number
"""
_OLDEST = _OLDEST_LOTS.format(after="")
_NEXT_OLDEST = _OLDEST_LOTS.format(after="AND (opened_at, transaction_id, number) > ($5, $6, $7)")


async def oldest_lots(
    connection: RawConnection,
    owner_id: UUID,
    portfolio_id: UUID,
    instrument_id: UUID,
    quantity: Decimal | None,
    after: tuple[dt.datetime, UUID, int] | None,
) -> Sequence[LotRow]:
    """Return the oldest open lots, starting after a given one, until they hold `quantity` shares together.

    `after` is the lot to start after. With a `quantity` of None all of them are returned; LOTS_AT_ONCE at the
    most.
    """
    values = (owner_id, portfolio_id, instrument_id, quantity)
    if after is None:
        rows = await connection.fetch(_OLDEST, *values)
    else:
        rows = await connection.fetch(_NEXT_OLDEST, *values, *after)
    return [LotRow(**row) for row in rows]


def _given(starts: Starts) -> tuple[list[UUID], list[dt.datetime], list[UUID]]:
    places = starts.values()
    return list(starts), [instant for instant, _ in places], [id for _, id in places]

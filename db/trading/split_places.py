"""The place of the ledger from which a portfolio's shares are those after a split.

Everything runs in the caller's transaction, which has locked the portfolios.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from db.market.splits import MARKET_TODAY
from db.writing import RawConnection


class SplitPlace(NamedTuple):
    """A split of the instrument, and the portfolio's entry of it, its owner's or automatic.

    `executed_at` and `id` are None without an entry. `begins` is the first instant of the ex-date in the
    account's `time_zone`; `is_adjusted` says that quantities were recorded that are adjusted for the split
    already.
    """

    portfolio_id: UUID
    time_zone: str
    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal
    begins: dt.datetime
    executed_at: dt.datetime | None
    id: UUID | None
    is_adjusted: bool


class HeldSplit(NamedTuple):
    """A split of an instrument that a portfolio has held, and when it `begins` in its account's time zone."""

    instrument_id: UUID
    ex_date: dt.date
    quantity: Decimal
    split_for: Decimal
    begins: dt.datetime


# `db.portfolio.pricing.splits_of` says the same for figures.
_PLACES = f"""
SELECT p.id AS portfolio_id, a.time_zone, x.ex_date, x.quantity, x.split_for,
       x.ex_date::timestamp AT TIME ZONE a.time_zone AS begins, e.executed_at, e.id,
       e.id IS NULL AND EXISTS (
           SELECT FROM transactions t
           WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = $2
               AND t.is_split_adjusted AND t.id NOT IN (SELECT unnest($4::uuid[])) AND t.reverses_id IS NULL
               AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
               AND t.executed_at < x.ex_date::timestamp AT TIME ZONE a.time_zone
               AND (t.created_at AT TIME ZONE 'America/New_York')::date >= x.ex_date
       ) AS is_adjusted
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
JOIN instrument_splits x ON x.instrument_id = $2 AND x.ex_date <= {MARKET_TODAY}
LEFT JOIN LATERAL (
    SELECT t.executed_at, t.id FROM transactions t
    WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = $2
        AND t.type = 'SPLIT' AND t.id NOT IN (SELECT unnest($4::uuid[])) AND t.reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
        AND t.quantity * x.split_for = t.split_for * x.quantity
        AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - x.ex_date) <= 7
    ORDER BY t.executed_at, t.id LIMIT 1
) e ON true
WHERE p.owner_id = $1 AND p.id = ANY($3::uuid[])
ORDER BY p.id, x.ex_date
"""

_STANDS = """t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = x.instrument_id
            AND t.reverses_id IS NULL
            AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)"""
_SAME = """t.type = 'SPLIT' AND t.quantity * x.split_for = t.split_for * x.quantity
            AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - x.ex_date) <= 7"""

# The splits of what a portfolio has held, except those that its owner reversed: its quantities are then as
# they are.
_SPLITS_OF_HELD = f"""
FROM portfolios p
JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id
JOIN positions h ON h.owner_id = $1 AND h.portfolio_id = p.id
JOIN instrument_splits x ON x.instrument_id = h.instrument_id AND x.ex_date <= {MARKET_TODAY}
CROSS JOIN LATERAL (SELECT x.ex_date::timestamp AT TIME ZONE a.time_zone AS begins) b
WHERE p.owner_id = $1 AND p.id = $2 AND NOT EXISTS (
    SELECT FROM transactions t JOIN transactions r ON r.owner_id = $1 AND r.reverses_id = t.id
    WHERE t.owner_id = $1 AND t.portfolio_id = p.id AND t.instrument_id = x.instrument_id
        AND t.is_automatic AND NOT r.is_automatic AND {_SAME}
)"""

_ADJUSTED = f"""
SELECT x.instrument_id, x.ex_date, x.quantity, x.split_for, b.begins {_SPLITS_OF_HELD}
    AND EXISTS (
        SELECT FROM transactions t WHERE {_STANDS} AND t.is_split_adjusted AND t.executed_at < b.begins
            AND (t.created_at AT TIME ZONE 'America/New_York')::date >= x.ex_date
    ) AND NOT EXISTS (SELECT FROM transactions t WHERE {_STANDS} AND {_SAME})
ORDER BY x.ex_date
"""

_AS_TRADED = f"""
SELECT x.instrument_id, x.ex_date, x.quantity, x.split_for, b.begins {_SPLITS_OF_HELD}
    AND EXISTS (
        SELECT FROM transactions t WHERE {_STANDS} AND NOT t.is_split_adjusted AND t.executed_at < b.begins
            AND t.type IN ('BUY', 'SELL', 'TRANSFER_IN', 'TRANSFER_OUT')
    )
ORDER BY x.ex_date
"""


async def find_adjusted(connection: RawConnection, owner_id: UUID, portfolio_id: UUID) -> Sequence[HeldSplit]:
    """Return the splits for which a portfolio's quantities before them are adjusted already, oldest first."""
    return [HeldSplit(**row) for row in await connection.fetch(_ADJUSTED, owner_id, portfolio_id)]


async def find_as_traded(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID
) -> Sequence[HeldSplit]:
    """Return the splits before which a portfolio has quantities as they were traded, oldest first."""
    return [HeldSplit(**row) for row in await connection.fetch(_AS_TRADED, owner_id, portfolio_id)]


async def find_split_places(
    connection: RawConnection,
    owner_id: UUID,
    instrument_id: UUID,
    portfolio_ids: Collection[UUID],
    without: Collection[UUID],
) -> Sequence[SplitPlace]:
    """Return for each portfolio, and each split of the instrument that has begun, the entry of the split.

    The entries `without` count as reversed.
    """
    values = (owner_id, instrument_id, list(portfolio_ids), list(without))
    return [SplitPlace(**row) for row in await connection.fetch(_PLACES, *values)]

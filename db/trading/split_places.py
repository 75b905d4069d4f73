"""From which place of the ledger on a portfolio's shares are those of after a split.

Everything runs in the caller's transaction, which has locked the portfolios.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from db.market.splits import MARKET_TODAY
from db.sessions import Session

# `db.portfolio.pricing.splits_of` says the same for figures.
_PLACES = f"""
SELECT p.id AS portfolio_id, a.time_zone, x.ex_date, x.quantity, x.split_for,
       x.ex_date::timestamp AT TIME ZONE a.time_zone AS begins, e.executed_at, e.id,
       e.id IS NULL AND EXISTS (
           SELECT FROM transactions t
           WHERE t.owner_id = :owner AND t.portfolio_id = p.id AND t.instrument_id = :instrument
               AND t.is_split_adjusted AND t.id <> ALL(:without) AND t.reverses_id IS NULL
               AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)
               AND t.executed_at < x.ex_date::timestamp AT TIME ZONE a.time_zone
               AND (t.created_at AT TIME ZONE 'America/New_York')::date >= x.ex_date
       ) AS is_adjusted
FROM portfolios p
JOIN accounts a ON a.owner_id = :owner AND a.id = p.account_id
JOIN instrument_splits x ON x.instrument_id = :instrument AND x.ex_date <= {MARKET_TODAY}
LEFT JOIN LATERAL (
    SELECT t.executed_at, t.id FROM transactions t
    WHERE t.owner_id = :owner AND t.portfolio_id = p.id AND t.instrument_id = :instrument
        AND t.type = 'SPLIT' AND t.id <> ALL(:without) AND t.reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)
        AND t.quantity * x.split_for = t.split_for * x.quantity
        AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - x.ex_date) <= 7
    ORDER BY t.executed_at, t.id LIMIT 1
) e ON true
WHERE p.owner_id = :owner AND p.id = ANY(:portfolios)
ORDER BY p.id, x.ex_date
"""

_STANDS = """t.owner_id = :owner AND t.portfolio_id = p.id AND t.instrument_id = x.instrument_id
            AND t.reverses_id IS NULL
            AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = :owner AND r.reverses_id = t.id)"""
_SAME = """t.type = 'SPLIT' AND t.quantity * x.split_for = t.split_for * x.quantity
            AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - x.ex_date) <= 7"""

# The splits of what a portfolio has held, but for those that its owner took back: its quantities are as they
# are then.
_SPLITS_OF_HELD = f"""
FROM portfolios p
JOIN accounts a ON a.owner_id = :owner AND a.id = p.account_id
JOIN positions h ON h.owner_id = :owner AND h.portfolio_id = p.id
JOIN instrument_splits x ON x.instrument_id = h.instrument_id AND x.ex_date <= {MARKET_TODAY}
CROSS JOIN LATERAL (SELECT x.ex_date::timestamp AT TIME ZONE a.time_zone AS begins) b
WHERE p.owner_id = :owner AND p.id = :portfolio AND NOT EXISTS (
    SELECT FROM transactions t JOIN transactions r ON r.owner_id = :owner AND r.reverses_id = t.id
    WHERE t.owner_id = :owner AND t.portfolio_id = p.id AND t.instrument_id = x.instrument_id
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


async def find_adjusted(session: Session, owner_id: UUID, portfolio_id: UUID) -> Sequence[RowMapping]:
    """Return the splits for which a portfolio's quantities before them are adjusted already, oldest first.

    Each with its `instrument_id`, and when it `begins` where the portfolio's account lives.
    """
    given = {"owner": owner_id, "portfolio": portfolio_id}
    return (await session.execute(text(_ADJUSTED), given)).mappings().all()


async def find_as_traded(session: Session, owner_id: UUID, portfolio_id: UUID) -> Sequence[RowMapping]:
    """Return the splits before which a portfolio has quantities as they were traded, in the same form."""
    given = {"owner": owner_id, "portfolio": portfolio_id}
    return (await session.execute(text(_AS_TRADED), given)).mappings().all()


async def find_split_places(
    session: Session,
    owner_id: UUID,
    instrument_id: UUID,
    portfolio_ids: Collection[UUID],
    without: Collection[UUID],
) -> Sequence[RowMapping]:
    """Return for each of the portfolios, and each split of the instrument that has begun, what stands for it.

    `executed_at` and `id` are those of the portfolio's entry, its owner's or automatic, both null without
    one; the entries `without` count as reversed. `begins` is the first instant of the ex-date in the
    account's `time_zone`; `is_adjusted` tells that quantities were recorded that are adjusted for the split
    already.
    """
    uuids = ARRAY(PgUUID(as_uuid=True))
    statement = text(_PLACES).bindparams(
        bindparam("portfolios", type_=uuids), bindparam("without", type_=uuids)
    )
    given = {
        "owner": owner_id,
        "instrument": instrument_id,
        "portfolios": list(portfolio_ids),
        "without": list(without),
    }
    return (await session.execute(statement, given)).mappings().all()

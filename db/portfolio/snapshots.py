"""Snapshots as they follow from transactions and prices: a portfolio's days, and writing what came of them.

Everything runs in the caller's transaction, which has locked the portfolio.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Date, RowMapping, bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db.models import PerformanceSnapshot, PerformanceWork, Portfolio
from db.sessions import Session, Sessions, announce
from db.vocabulary import Topic

# A day of the market, in SQL; `investing.rules.market_hours.market_day` says the same.
DAY = "(executed_at AT TIME ZONE 'America/New_York')::date"

# What crosses a portfolio's border; `investing.rules.performance.EXTERNAL` says the same.
EXTERNAL = "type IN ('DEPOSIT', 'WITHDRAWAL', 'TRANSFER_IN', 'TRANSFER_OUT')"

# All that was before the first wanted day is one move on the day before it. Candidates are days on which
# anything that was ever held has a price; they stay where it was held on that day, or something happened.
_REPLAY = f"""
WITH moves AS MATERIALIZED (
    SELECT greatest({DAY}, CAST(:since AS date) - 1) AS day, instrument_id, sum(cash_delta) AS cash,
           coalesce(sum(cash_delta) FILTER (WHERE {EXTERNAL}), 0) AS flow,
           sum(quantity_delta) AS quantity,
           coalesce(sum(quantity_delta) FILTER (WHERE {EXTERNAL}), 0) AS moved
    FROM transactions WHERE owner_id = :owner AND portfolio_id = :portfolio
    GROUP BY 1, 2
), instruments_held AS MATERIALIZED (
    SELECT instrument_id, min(day) AS first FROM moves WHERE quantity <> 0 GROUP BY 1
), candidates AS MATERIALIZED (
    SELECT day FROM moves
    UNION
    SELECT b.date FROM instruments_held h
    CROSS JOIN LATERAL (
        SELECT date FROM price_bars
        WHERE instrument_id = h.instrument_id AND date >= greatest(h.first, CAST(:since AS date))
    ) b
), cash AS MATERIALIZED (
    SELECT day, bool_or(m.day IS NOT NULL) AS has_moved, coalesce(sum(m.flow), 0) AS flow,
           sum(coalesce(sum(m.cash), 0)) OVER (ORDER BY day) AS cash_value
    FROM candidates LEFT JOIN moves m USING (day) GROUP BY day
), cells AS (
    SELECT day, h.instrument_id, coalesce(m.moved, 0) AS moved,
           sum(coalesce(m.quantity, 0)) OVER (PARTITION BY h.instrument_id ORDER BY day) AS quantity
    FROM candidates CROSS JOIN instruments_held h
    LEFT JOIN moves m USING (day, instrument_id)
)"""

_PRICES = """FROM cells c
    LEFT JOIN price_bars b ON b.instrument_id = c.instrument_id AND b.date = c.day
    LEFT JOIN LATERAL (
        -- Only where the day has no bar, which is rare and so not worth a window over all of them.
        SELECT close FROM price_bars
        WHERE b.close IS NULL AND instrument_id = c.instrument_id AND date < c.day
        ORDER BY date DESC LIMIT 1
    ) e ON true"""

_DAYS = f"""{_REPLAY}, priced AS (
    SELECT c.day, bool_or(b.close IS NOT NULL AND c.quantity <> 0) AS has_price,
           coalesce(sum(round(c.quantity * coalesce(b.close, e.close), 10)), 0) AS positions_value,
           coalesce(sum(round(c.moved * coalesce(b.close, e.close), 10)), 0) AS flow,
           count(*) FILTER (WHERE c.quantity <> 0) AS num_positions,
           count(*) FILTER (WHERE coalesce(b.close, e.close) IS NULL) AS unpriced_positions
    {_PRICES}
    WHERE c.day >= :since AND (c.quantity <> 0 OR c.moved <> 0)
    GROUP BY 1
)
SELECT c.day AS date, c.cash_value, coalesce(p.positions_value, 0) AS positions_value,
       c.flow + coalesce(p.flow, 0) AS net_flow, coalesce(p.num_positions, 0) AS num_positions,
       coalesce(p.unpriced_positions, 0) AS unpriced_positions
FROM cash c LEFT JOIN priced p USING (day)
WHERE c.day >= :since AND (c.has_moved OR p.has_price)
ORDER BY 1
"""

_DAYS_SQL = text(_DAYS).bindparams(bindparam("since", type_=Date))

# The same days, but for those on which a position had no price yet, with what each position was worth: as
# text, which is read where it holds nobody up.
_WORTH = f"""{_REPLAY}, worth AS MATERIALIZED (
    SELECT c.day, bool_or(b.close IS NOT NULL) AS has_price,
           bool_or(coalesce(b.close, e.close) IS NULL) AS is_unpriced,
           json_object_agg(c.instrument_id, round(c.quantity * coalesce(b.close, e.close), 10)::text)::text
           AS market_values
    {_PRICES}
    WHERE c.day >= :since AND c.quantity <> 0
    GROUP BY 1
)
SELECT c.day AS date, c.cash_value, coalesce(w.market_values, '{{}}') AS market_values
FROM cash c LEFT JOIN worth w USING (day)
WHERE c.day BETWEEN :since AND :until AND (c.has_moved OR w.has_price) AND w.is_unpriced IS NOT TRUE
ORDER BY 1
"""

_WORTH_SQL = text(_WORTH).bindparams(bindparam("since", type_=Date), bindparam("until", type_=Date))


async def lock_stale(session: Session, owner_id: UUID, portfolio_id: UUID) -> dt.date | None:
    """The first day whose snapshot does not hold, with the portfolio locked; None where all do."""
    statement = select(Portfolio.snapshots_stale_from).where(
        Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id
    )
    return (await session.execute(statement.with_for_update(key_share=True))).scalar_one_or_none()


async def find_days(
    session: Session, owner_id: UUID, portfolio_id: UUID, since: dt.date
) -> Sequence[RowMapping]:
    """The days from then on, in order: those on which something happened, or what was held had a price.

    Cash and positions at the day's end, positions at the last close until then, what came in from outside
    less what left (shares at the day's price), and how many positions there are and have no price.
    """
    parameters = {"owner": owner_id, "portfolio": portfolio_id, "since": since}
    return (await session.execute(_DAYS_SQL, parameters)).mappings().all()


async def find_worth(
    session: Session, owner_id: UUID, portfolio_id: UUID, since: dt.date, until: dt.date
) -> Sequence[RowMapping]:
    """The same days up to another, but for those on which a position had no price yet.

    Cash, and what each position was worth by its last close: `market_values`, the text of a JSON object with
    a decimal string for each instrument's id.
    """
    parameters = {"owner": owner_id, "portfolio": portfolio_id, "since": since, "until": until}
    return (await session.execute(_WORTH_SQL, parameters)).mappings().all()


async def find_past(
    session: Session, owner_id: UUID, portfolio_id: UUID, before: dt.date
) -> Sequence[RowMapping]:
    """The same of the days before, as they are stored."""
    statement = select(
        PerformanceSnapshot.date,
        PerformanceSnapshot.cash_value,
        PerformanceSnapshot.positions_value,
        PerformanceSnapshot.net_flow,
        PerformanceSnapshot.num_positions,
        PerformanceSnapshot.unpriced_positions,
    ).where(
        PerformanceSnapshot.owner_id == owner_id,
        PerformanceSnapshot.portfolio_id == portfolio_id,
        PerformanceSnapshot.date < before,
    )
    return (await session.execute(statement.order_by(PerformanceSnapshot.date))).mappings().all()


async def replace_snapshots(
    session: Session,
    owner_id: UUID,
    portfolio_id: UUID,
    since: dt.date,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Makes these the snapshots from that day on, and announces them.

    One whose day stays keeps its id, and only those that changed are written.
    """
    announce(session, owner_id, Topic.PORTFOLIOS)
    mine = (
        PerformanceSnapshot.owner_id == owner_id,
        PerformanceSnapshot.portfolio_id == portfolio_id,
        PerformanceSnapshot.date >= since,
    )
    dates = bindparam(None, [row["date"] for row in rows], type_=ARRAY(Date))
    await session.execute(
        delete(PerformanceSnapshot).where(*mine, PerformanceSnapshot.date != func.all(dates))
    )
    if not rows:
        return
    columns = PerformanceSnapshot.__table__.c
    arrays = [
        func.unnest(bindparam(None, [row[name] for row in rows], type_=ARRAY(columns[name].type)))
        for name in rows[0]
    ]
    statement = insert(PerformanceSnapshot).from_select(
        list(rows[0]), select(*arrays), include_defaults=False
    )
    figures = [name for name in rows[0] if name not in ("owner_id", "id", "portfolio_id", "date")]
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["owner_id", "portfolio_id", "date"],
            set_={name: statement.excluded[name] for name in figures},
            where=or_(*(columns[name].is_distinct_from(statement.excluded[name]) for name in figures)),
        )
    )


async def clear_stale(session: Session, owner_id: UUID, portfolio_id: UUID) -> None:
    """Notes that all snapshots of the locked portfolio hold."""
    mine = (Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    await session.execute(update(Portfolio).where(*mine).values(snapshots_stale_from=None))
    await session.execute(
        delete(PerformanceWork).where(
            PerformanceWork.owner_id == owner_id, PerformanceWork.portfolio_id == portfolio_id
        )
    )


_CLAIM = """
UPDATE performance_work w SET due_at = clock_timestamp() + make_interval(secs => :lease)
FROM (SELECT owner_id, portfolio_id FROM performance_work WHERE due_at <= clock_timestamp()
      ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED) due
WHERE w.owner_id = due.owner_id AND w.portfolio_id = due.portfolio_id
RETURNING w.owner_id, w.portfolio_id
"""


async def claim_work(sessions: Sessions, lease_seconds: float, most: int) -> Sequence[tuple[UUID, UUID]]:
    """Owners and ids of stale portfolios, claimed so that no other process takes them meanwhile."""
    async with sessions.begin(None) as session:
        found = await session.execute(text(_CLAIM), {"lease": lease_seconds, "most": most})
        return [(row.owner_id, row.portfolio_id) for row in found]


async def count_work(sessions: Sessions) -> int:
    """How many portfolios are stale and not claimed."""
    async with sessions.begin(None) as session:
        sql = "SELECT count(*) FROM performance_work WHERE due_at <= clock_timestamp()"
        return int((await session.execute(text(sql))).scalar_one())

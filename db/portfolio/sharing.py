"""Portfolios of one owner share prices: a trade in one is a price of the instrument in all of them.

So a trade changes what another portfolio was worth at a flow of that day, and at the day's end where there is
no close. The computation of a portfolio's snapshots marks those others, once for each change: a day's
purchases and sales are counted beside its snapshot, and the ledger only ever grows.
"""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from db.account.days import day_of
from db.sessions import Connection

# Unknown for snapshots that are older than the count: these trades were there before any other was computed.
_COUNTS = """
SELECT date, num_trades FROM performance_history
WHERE owner_id = $1 AND portfolio_id = $2 AND date >= $3 AND num_trades IS DISTINCT FROM 0
"""

_HAS_OTHERS = "SELECT EXISTS (SELECT FROM portfolios WHERE owner_id = $1 AND id <> $2)"

_MARK = f"""
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from, s.first)
FROM (
    SELECT q.id, min(d.day - CASE WHEN a.time_zone = $3 THEN 0 ELSE 1 END) AS first
    FROM unnest($4::date[]) AS d(day)
    JOIN transactions t ON t.owner_id = $1 AND t.portfolio_id = $2 AND t.type IN ('BUY', 'SELL')
        AND t.executed_at >= d.day::timestamp AT TIME ZONE $3
        AND t.executed_at < (d.day + 1)::timestamp AT TIME ZONE $3
    JOIN positions h ON h.owner_id = $1 AND h.instrument_id = t.instrument_id AND h.portfolio_id <> $2
    JOIN portfolios q ON q.owner_id = $1 AND q.id = h.portfolio_id
    JOIN accounts a ON a.owner_id = $1 AND a.id = q.account_id
    WHERE (q.snapshots_stale_from IS NULL OR q.snapshots_stale_from >= d.day)
        AND (h.quantity > 0 OR EXISTS (
            SELECT FROM transactions x WHERE x.owner_id = $1 AND x.portfolio_id = q.id
                AND x.instrument_id = h.instrument_id
                AND {day_of("x.executed_at", "a.time_zone")} >= d.day - 1))
        AND (a.time_zone <> 'America/New_York'
            OR NOT EXISTS (
                SELECT FROM price_bars b WHERE b.instrument_id = h.instrument_id AND b.date = d.day)
            OR EXISTS (
                SELECT FROM performance_history s WHERE s.owner_id = $1 AND s.portfolio_id = q.id
                    AND s.date BETWEEN d.day - 1 AND d.day + 1 AND s.flows IS NOT NULL))
    GROUP BY 1
    ORDER BY 1
) s
WHERE p.owner_id = $1 AND p.id = s.id
"""


async def mark_sharers(
    connection: Connection,
    owner_id: UUID,
    portfolio_id: UUID,
    time_zone: str,
    since: dt.date,
    trades: Mapping[dt.date, int],
) -> None:
    """Mark the owner's other portfolios whose snapshots do not reflect new trades of this one.

    `trades` counts purchases and sales by day from `since` on, in the time zone of its account; the stored
    counts are the previous ones.
    """
    if not await connection.fetchval(_HAS_OTHERS, owner_id, portfolio_id):
        return
    before = {
        row["date"]: row["num_trades"]
        for row in await connection.fetch(_COUNTS, owner_id, portfolio_id, since)
    }
    changed = [day for day, count in trades.items() if before.get(day, 0) not in (None, count)]
    # A day on which only reversed entries are left is no day any more.
    changed += before.keys() - trades.keys()
    if changed:
        await connection.execute(_MARK, owner_id, portfolio_id, time_zone, changed)

"""Marking the snapshots that new or changed prices make stale, within a load of price bars."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from db.account.days import day_of
from db.sessions import Connection

# From the changed price on, but not before the portfolio had anything of the instrument, and not at all where
# it had sold everything by then. A close counts in the account's day in which its market closed: that is the
# date of the bar or the day after it, and nowhere the day before, for New York closes after noon of any zone
# that is behind it. So the bar's date is right, or a day too early, which costs a day computed twice.
_MARK = f"""
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from, s.first)
FROM (
    SELECT h.portfolio_id, min(greatest(c.first, t.first)) AS first
    FROM unnest($2::uuid[], $3::date[]) AS c(instrument_id, first)
    JOIN positions h ON h.owner_id = $1 AND h.instrument_id = c.instrument_id
    CROSS JOIN LATERAL (
        SELECT min({day_of("t.executed_at", "a.time_zone")}) AS first,
               max({day_of("t.executed_at", "a.time_zone")}) AS last
        FROM transactions t JOIN accounts a ON a.owner_id = $1 AND a.id = t.account_id
        WHERE t.owner_id = $1 AND t.portfolio_id = h.portfolio_id AND t.instrument_id = c.instrument_id
    ) t
    WHERE h.quantity > 0 OR t.last >= c.first
    GROUP BY 1
    ORDER BY 1
) s
WHERE p.owner_id = $1 AND p.id = s.portfolio_id
"""


# A new day of a series of adjusted closes makes all of them closes for a share of that day.
_RESTATED = """
SELECT id FROM instruments i WHERE id = ANY($1::uuid[]) AND price_basis <> 'RAW'
    AND EXISTS (SELECT FROM instrument_splits s WHERE s.instrument_id = i.id)
"""


async def mark_stale(connection: Connection, changed: Mapping[UUID, dt.date]) -> None:
    """Mark every portfolio that held these instruments as stale from the first day that changed.

    User by user, because row-level security applies to the owner of the tables as well.
    """
    if not changed:
        return
    restated = [row["id"] for row in await connection.fetch(_RESTATED, list(changed))]
    changed = {**changed, **dict.fromkeys(restated, dt.date.min)}
    for user in await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1"):
        id = user["user_id"]
        await connection.execute("SELECT set_config('app.user_id', $1, true)", str(id))
        await connection.execute(_MARK, id, list(changed), list(changed.values()))

"""Reading the days with external flows of a scope: what is needed to value it at each flow.

Reversed entries and their reversals are left out: together they cancel out. What moves between two places of
a scope is no flow of it, and both sides of it take effect together.
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, cast
from uuid import UUID

from db.account.days import day_of
from db.portfolio.pricing import (
    IS_EXTERNAL,
    ZONES,
    Shift,
    close_for,
    close_on,
    closes,
    older_prices,
    price_at_end,
    shift_columns,
    shifts_from,
    splits_of,
)
from db.portfolio.rows import FlowDayRow
from db.sessions import Connection

_DAY = day_of("t.executed_at", "s.time_zone")
_ENTRY = f"""s.scope_id, t.portfolio_id, t.instrument_id, t.id, t.executed_at, {_DAY} AS day, t.type,
           t.cash_delta, t.quantity_delta, t.transfer_id, t.reverses_id, t.price, t.quantity, t.split_for,
           {IS_EXTERNAL} AS is_external"""

# The price that a trade was made at, and the ratio of a split.
_FACTS = """CASE WHEN t.type IN ('BUY', 'SELL') AND t.price > 0 THEN t.price::text END,
        CASE WHEN t.type = 'SPLIT' THEN t.quantity::text END, t.split_for::text"""
_MICROSECONDS = "(extract(epoch FROM t.executed_at) * 1000000)::bigint"


@cache
def _flow_days(shifted: bool) -> str:
    yesterday = "w.yesterday"
    return f"""
WITH scopes AS (
    SELECT * FROM unnest($2::uuid[], $3::text[], $4::date[], $5::date[])
        AS s(scope_id, time_zone, since, until)
), parts AS (
    SELECT * FROM unnest($6::uuid[], $7::uuid[]) AS p(scope_id, portfolio_id)
), {shifts_from(10)}, {ZONES}, ledger AS MATERIALIZED (
    SELECT {_ENTRY}
    FROM scopes s JOIN parts p USING (scope_id)
    JOIN transactions t ON t.owner_id = $1 AND t.portfolio_id = p.portfolio_id
    UNION ALL
    SELECT {_ENTRY}
    FROM scopes s JOIN unnest($8::uuid[], $9::uuid[]) AS a(scope_id, account_id) USING (scope_id)
    JOIN transactions t ON t.owner_id = $1 AND t.account_id = a.account_id AND t.portfolio_id IS NULL
), inner_transfers AS (
    SELECT scope_id, transfer_id, min(id::text)::uuid AS first_id FROM ledger
    WHERE transfer_id IS NOT NULL GROUP BY 1, 2 HAVING count(DISTINCT type) > 1
), entries AS MATERIALIZED (
    SELECT t.*, i.first_id, t.is_external AND i.transfer_id IS NULL AS is_flow
    FROM ledger t LEFT JOIN inner_transfers i USING (scope_id, transfer_id)
    WHERE t.reverses_id IS NULL AND NOT EXISTS (
        SELECT FROM ledger r WHERE r.scope_id = t.scope_id AND r.reverses_id = t.id)
), flow_days AS MATERIALIZED (
    SELECT s.scope_id, s.time_zone, array_agg(DISTINCT t.day ORDER BY t.day) AS days
    FROM entries t JOIN scopes s USING (scope_id)
    WHERE t.is_flow AND t.day BETWEEN s.since AND s.until GROUP BY 1, 2
), numbered AS MATERIALIZED (
    SELECT f.scope_id, f.time_zone, d.day, d.n::int
    FROM flow_days f, unnest(f.days) WITH ORDINALITY AS d(day, n)
), before AS MATERIALIZED (
    -- What was posted between two of these days counts before the second one.
    SELECT t.scope_id, t.portfolio_id, t.instrument_id, width_bucket(t.day, f.days) + 1 AS n,
           sum(t.cash_delta) AS cash, sum(t.quantity_delta) AS quantity
    FROM entries t JOIN flow_days f USING (scope_id) GROUP BY 1, 2, 3, 4
), {splits_of("before")}, units AS (
    -- Where a portfolio's shares are not yet, or already, those that the day's prices are for.
    SELECT scope_id, day, json_build_array(
               portfolio_id, instrument_id,
               product(CASE WHEN NOT differed THEN 1 WHEN ex_date < day THEN new ELSE old END)::text,
               product(CASE WHEN NOT differed THEN 1 WHEN ex_date < day THEN old ELSE new END)::text,
               product(CASE WHEN NOT differs THEN 1 WHEN ex_date <= day THEN new ELSE old END)::text,
               product(CASE WHEN NOT differs THEN 1 WHEN ex_date <= day THEN old ELSE new END)::text
           ) AS facts
    FROM (
        SELECT n.scope_id, n.day, f.portfolio_id, f.instrument_id, f.ex_date, f.quantity AS new,
               f.split_for AS old,
               (f.ex_date < n.day) <> (f.at < n.day::timestamp AT TIME ZONE n.time_zone) AS differed,
               (f.ex_date <= n.day) <> (f.at < (n.day + 1)::timestamp AT TIME ZONE n.time_zone) AS differs
        FROM numbered n JOIN parts p USING (scope_id) JOIN splits f USING (portfolio_id)
    ) of_day WHERE differed OR differs GROUP BY scope_id, day, portfolio_id, instrument_id
), cash AS (
    SELECT n.scope_id, n.day, sum(coalesce(b.cash, 0)) OVER (PARTITION BY n.scope_id ORDER BY n.n) AS cash
    FROM numbered n
    LEFT JOIN (SELECT scope_id, n, sum(cash) AS cash FROM before GROUP BY 1, 2) b USING (scope_id, n)
), held AS MATERIALIZED (
    -- What changed and the days that are asked for in one list: a join of the two is slow where the planner
    -- knows nothing of their sizes.
    SELECT scope_id, time_zone, day, portfolio_id, instrument_id, quantity FROM (
        SELECT g.scope_id, max(g.time_zone) AS time_zone, max(g.day) AS day, g.portfolio_id, g.instrument_id,
               sum(sum(g.quantity)) OVER (
                   PARTITION BY g.scope_id, g.portfolio_id, g.instrument_id ORDER BY g.n) AS quantity
        FROM (
            SELECT scope_id, NULL::text AS time_zone, NULL::date AS day, portfolio_id, instrument_id, n,
                   quantity
            FROM before WHERE quantity <> 0
            UNION ALL
            SELECT h.scope_id, n.time_zone, n.day, h.portfolio_id, h.instrument_id, n.n, 0
            FROM (SELECT DISTINCT scope_id, portfolio_id, instrument_id FROM before WHERE quantity <> 0) h
            JOIN numbered n USING (scope_id)
        ) g GROUP BY g.scope_id, g.portfolio_id, g.instrument_id, g.n
    ) c WHERE day IS NOT NULL AND quantity <> 0
), of_days AS MATERIALIZED (
    SELECT t.*, n.time_zone FROM entries t JOIN numbered n USING (scope_id, day)
), wanted AS MATERIALIZED (
    SELECT scope_id, time_zone, day, instrument_id FROM held
    UNION
    SELECT scope_id, time_zone, day, instrument_id FROM of_days WHERE instrument_id IS NOT NULL
), places AS MATERIALIZED (
    -- The day before as a column, or the index on closes would not be used below row-level security.
    SELECT DISTINCT time_zone, day, day - 1 AS yesterday, instrument_id FROM wanted
), known AS MATERIALIZED (
    SELECT w.time_zone, w.day, w.instrument_id, json_build_array(
               w.instrument_id, i.exchange, ({price_at_end(yesterday)})::text,
               restated(coalesce(b.close, e.close), w.instrument_id, w.yesterday, w.day)::text,
               restated(o.price, w.instrument_id, w.yesterday, w.day)::text, k.closes, EXISTS (
                   SELECT FROM instrument_splits x
                   WHERE x.instrument_id = w.instrument_id AND abs(x.ex_date - w.day) <= 7)) AS facts
    FROM places w JOIN instruments i ON i.id = w.instrument_id
    {close_on("w.instrument_id", yesterday, "w.time_zone", shifted=shifted)}
    {older_prices("w.instrument_id", yesterday, "w.time_zone", shifted=shifted)}
    CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(x.date, ({close_for("w.day")})::text) ORDER BY x.date) AS closes
        FROM ({closes("w.time_zone", shifted=shifted)}) x
        WHERE x.instrument_id = w.instrument_id AND x.day = w.day AND x.date BETWEEN w.day - 1 AND w.day + 1
    ) k
), elsewhere AS MATERIALIZED (
    SELECT p.time_zone, p.day, t.*
    FROM places p JOIN positions h ON h.owner_id = $1 AND h.instrument_id = p.instrument_id
    CROSS JOIN LATERAL (
        -- Not to be joined before the days are known: the index goes by them.
        SELECT t.portfolio_id, t.instrument_id, t.executed_at, t.id, t.type, t.price, t.quantity, t.split_for
        FROM transactions t
        WHERE t.owner_id = $1 AND t.portfolio_id = h.portfolio_id AND t.instrument_id = h.instrument_id
            AND t.executed_at >= p.day::timestamp AT TIME ZONE p.time_zone
            AND t.executed_at < (p.day + 1)::timestamp AT TIME ZONE p.time_zone
            AND t.type IN ('BUY', 'SELL', 'SPLIT') AND t.reverses_id IS NULL AND NOT EXISTS (
                SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
        OFFSET 0
    ) t
), told AS (
    SELECT t.scope_id, t.day, t.executed_at, coalesce(t.first_id, t.id) AS first_id, t.id, json_build_array(
               t.portfolio_id, t.instrument_id, {_MICROSECONDS}, t.cash_delta::text, t.quantity_delta::text,
               t.is_flow, true, {_FACTS}) AS facts
    FROM of_days t
    UNION ALL
    SELECT w.scope_id, t.day, t.executed_at, t.id, t.id, json_build_array(
               t.portfolio_id, t.instrument_id, {_MICROSECONDS}, '0', '0', false, false, {_FACTS})
    FROM elsewhere t JOIN wanted w USING (time_zone, day, instrument_id)
    WHERE NOT EXISTS (
        SELECT FROM parts x WHERE x.scope_id = w.scope_id AND x.portfolio_id = t.portfolio_id)
)
-- One list of all and not a join of three, which is slow where the planner knows nothing of their sizes.
SELECT scope_id, day AS date, max(cash) AS cash, (json_agg(facts) FILTER (WHERE kind = 'HELD'))::text AS held,
       (json_agg(facts) FILTER (WHERE kind = 'KNOWN'))::text AS known,
       (json_agg(facts) FILTER (WHERE kind = 'UNITS'))::text AS units,
       (json_agg(facts ORDER BY executed_at, first_id, id) FILTER (WHERE kind = 'ENTRY'))::text AS entries
FROM (
    SELECT scope_id, day, 'CASH' AS kind, cash, NULL::json AS facts, NULL::timestamptz AS executed_at,
           NULL::uuid AS first_id, NULL::uuid AS id
    FROM cash
    UNION ALL
    SELECT scope_id, day, 'HELD', NULL, json_build_array(portfolio_id, instrument_id, quantity::text),
           NULL, NULL, NULL
    FROM held
    UNION ALL
    SELECT w.scope_id, w.day, 'KNOWN', NULL, k.facts, NULL, NULL, NULL
    FROM wanted w JOIN known k USING (time_zone, day, instrument_id)
    UNION ALL
    SELECT scope_id, day, 'UNITS', NULL, facts, NULL, NULL, NULL FROM units
    UNION ALL
    SELECT scope_id, day, 'ENTRY', NULL, facts, executed_at, first_id, id FROM told
) of_day
GROUP BY 1, 2 ORDER BY 1, 2
"""


class FlowScope(NamedTuple):
    """A scope, its time zone, and the days between which its flows are read."""

    id: UUID
    time_zone: str
    since: dt.date
    until: dt.date
    portfolio_ids: Sequence[UUID]
    account_ids: Sequence[UUID] = ()


async def fetch_flow_days(
    connection: Connection, owner_id: UUID, scopes: Sequence[FlowScope], shifts: Sequence[Shift] = ()
) -> Sequence[FlowDayRow]:
    """Return the days of each scope on which something crossed its border, in order.

    One statement reads any number of scopes. Each row has `scope_id`, `date` and `cash` at the day's
    beginning, and these as the text of JSON lists, or null for none:

    - `held` at its beginning: portfolio, instrument and quantity;
    - `known`: instrument, exchange, price at the end of the day before, last close and last trade before the
      day, and the day's closes, each with its bar's date; all but the first price are for a share of the day,
      whatever splits the instrument has, and the last item says whether it has a split near by;
    - `units`: portfolio, instrument, and the numbers by which shares at the day's beginning, and its end, are
      multiplied and divided where they are not the shares that prices are for;
    - `entries` in the ledger's order, with trades and splits of the same instruments elsewhere: portfolio,
      instrument, microseconds since 1970, cash, quantity, whether it is a flow, whether it is of the scope,
      the price that it gives, new and old shares of a split.
    """
    parts = [(scope.id, id) for scope in scopes for id in scope.portfolio_ids]
    own = [(scope.id, id) for scope in scopes for id in scope.account_ids]
    columns = [[scope[n] for scope in scopes] for n in range(4)]
    for pairs in (parts, own):
        columns += [[pair[n] for pair in pairs] for n in range(2)]
    return cast(
        "Sequence[FlowDayRow]",
        await connection.fetch(_flow_days(bool(shifts)), owner_id, *columns, *shift_columns(shifts)),
    )

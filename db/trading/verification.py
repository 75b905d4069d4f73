"""Recomputing everything that follows from the transactions, in the database, and comparing.

A second implementation of the ledger on purpose: it shares no line with the one that writes. Each user is
verified on a connection of their own, so that row-level security holds here as everywhere.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.sessions import Connection, Sessions
from db.trading.models import IS_OPEN

# Divisions are carried to 60 places, so that the rounding to ten is the only one.
_REPLAY = """
CREATE OR REPLACE FUNCTION pg_temp.replayed(owner uuid)
RETURNS TABLE (kind text, portfolio_id uuid, instrument_id uuid, transaction_id uuid,
               quantity numeric, cost numeric, gain numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    t record;
    held numeric := 0;
    cost_basis numeric := 0;
    gained numeric := 0;
    lots uuid[] := '{}';
    lot_quantity numeric[] := '{}';
    lot_cost numeric[] := '{}';
    oldest int := 1;
    moved numeric;
    taken numeric;
    removed numeric;
    at_portfolio uuid;
    at_instrument uuid;
BEGIN
    FOR t IN
        SELECT * FROM (
            SELECT x.portfolio_id, x.instrument_id, x.executed_at, x.id, x.type, x.quantity, x.amount,
                   x.commission, x.split_for
            FROM transactions x WHERE x.owner_id = owner AND x.quantity_delta <> 0
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, 'END', NULL, NULL, NULL, NULL
        ) ledger
        ORDER BY ledger.portfolio_id NULLS LAST, ledger.instrument_id, ledger.executed_at, ledger.id
    LOOP
        IF (t.portfolio_id, t.instrument_id) IS DISTINCT FROM (at_portfolio, at_instrument) THEN
            IF at_portfolio IS NOT NULL THEN
                RETURN QUERY SELECT 'position', at_portfolio, at_instrument, NULL::uuid, held, cost_basis,
                                    gained;
                RETURN QUERY SELECT 'lot', at_portfolio, at_instrument, l.id, l.left_over, l.cost,
                                    NULL::numeric
                             FROM unnest(lots, lot_quantity, lot_cost) AS l(id, left_over, cost);
            END IF;
            at_portfolio := t.portfolio_id;
            at_instrument := t.instrument_id;
            held := 0; cost_basis := 0; gained := 0; oldest := 1;
            lots := '{}'; lot_quantity := '{}'; lot_cost := '{}';
        END IF;
        EXIT WHEN t.type = 'END';
        IF t.type IN ('BUY', 'TRANSFER_IN') THEN
            moved := t.amount + CASE WHEN t.type = 'BUY' THEN t.commission ELSE 0 END;
            held := held + t.quantity;
            cost_basis := cost_basis + moved;
            lots := lots || t.id;
            lot_quantity := lot_quantity || t.quantity;
            lot_cost := lot_cost || moved;
        ELSIF t.type = 'SPLIT' THEN
            held := 0;
            FOR i IN 1 .. cardinality(lots) LOOP
                lot_quantity[i] := round((lot_quantity[i] * t.quantity)::numeric(200, 60) / t.split_for, 10);
                held := held + lot_quantity[i];
            END LOOP;
        ELSE
            removed := CASE WHEN t.quantity = held THEN cost_basis
                            ELSE round((cost_basis * t.quantity)::numeric(200, 60) / held, 10) END;
            held := held - t.quantity;
            cost_basis := cost_basis - removed;
            moved := t.quantity;
            WHILE moved > 0 LOOP
                taken := least(moved, lot_quantity[oldest]);
                EXIT WHEN taken IS NULL;
                lot_cost[oldest] := CASE WHEN taken = lot_quantity[oldest] THEN 0 ELSE lot_cost[oldest] -
                    round((lot_cost[oldest] * taken)::numeric(200, 60) / lot_quantity[oldest], 10) END;
                lot_quantity[oldest] := lot_quantity[oldest] - taken;
                moved := moved - taken;
                IF lot_quantity[oldest] = 0 THEN oldest := oldest + 1; END IF;
            END LOOP;
            IF t.type = 'SELL' THEN
                gained := gained + t.amount - t.commission - removed;
                RETURN QUERY SELECT 'sale', at_portfolio, at_instrument, t.id, t.quantity, removed,
                                    t.amount - t.commission - removed;
            END IF;
        END IF;
    END LOOP;
END $$
"""

# Each query gives rows (what, id, stored, recomputed) that do not agree.
_CHECKS = (
    """
    SELECT 'cash of portfolio', p.id, p.cash_balance, coalesce(sum(t.cash_delta), 0)
    FROM portfolios p LEFT JOIN transactions t ON t.owner_id = p.owner_id AND t.portfolio_id = p.id
    WHERE p.owner_id = $1
    GROUP BY p.owner_id, p.id HAVING p.cash_balance <> coalesce(sum(t.cash_delta), 0)
    """,
    """
    SELECT 'unallotted cash of account', a.id, a.unallotted_cash, coalesce(sum(t.cash_delta), 0)
    FROM accounts a
    LEFT JOIN transactions t
        ON t.owner_id = a.owner_id AND t.account_id = a.id AND t.portfolio_id IS NULL
    WHERE a.owner_id = $1
    GROUP BY a.owner_id, a.id HAVING a.unallotted_cash <> coalesce(sum(t.cash_delta), 0)
    """,
    """
    WITH summed AS (
        SELECT portfolio_id, instrument_id, sum(quantity_delta) AS quantity FROM transactions
        WHERE owner_id = $1 AND quantity_delta <> 0 GROUP BY 1, 2
    ), replayed AS (
        SELECT * FROM replay WHERE kind = 'position'
    ), stored AS (
        SELECT id, portfolio_id, instrument_id, quantity, cost_basis, realized_pnl
        FROM positions WHERE owner_id = $1
    )
    SELECT difference.* FROM stored s
    FULL JOIN summed d USING (portfolio_id, instrument_id)
    FULL JOIN replayed r USING (portfolio_id, instrument_id)
    CROSS JOIN LATERAL (VALUES
        ('quantity of position', coalesce(s.id, instrument_id), s.quantity, d.quantity),
        ('replayed quantity of position', coalesce(s.id, instrument_id), s.quantity, r.quantity),
        ('cost basis of position', coalesce(s.id, instrument_id), s.cost_basis, r.cost),
        ('realized gain of position', coalesce(s.id, instrument_id), s.realized_pnl, r.gain)
    ) AS difference(what, id, stored, recomputed)
    WHERE coalesce(difference.stored, 0) <> coalesce(difference.recomputed, 0)
    """,
    """
    WITH stored AS (SELECT * FROM lots WHERE owner_id = $1),
    replayed AS (SELECT * FROM replay WHERE kind = 'lot')
    SELECT difference.* FROM stored s FULL JOIN replayed r USING (transaction_id)
    CROSS JOIN LATERAL (VALUES
        ('quantity of the lot of transaction', transaction_id, s.remaining_quantity, r.quantity),
        ('cost of the lot of transaction', transaction_id, s.remaining_cost, r.cost)
    ) AS difference(what, id, stored, recomputed)
    WHERE coalesce(difference.stored, 0) <> coalesce(difference.recomputed, 0)
    """,
    """
    SELECT 'realized gain of transaction', t.id, t.realized_pnl, r.gain
    FROM transactions t
    FULL JOIN (SELECT transaction_id, gain FROM replay WHERE kind = 'sale') r ON r.transaction_id = t.id
    WHERE t.owner_id = $1 AND t.realized_pnl IS DISTINCT FROM r.gain
    """,
    f"""
    SELECT 'reserved cash of portfolio', p.id, p.reserved_cash, coalesce(sum(o.reserved_cash), 0)
    FROM portfolios p
    LEFT JOIN orders o ON o.owner_id = p.owner_id AND o.portfolio_id = p.id AND {IS_OPEN}
    WHERE p.owner_id = $1
    GROUP BY p.owner_id, p.id HAVING p.reserved_cash <> coalesce(sum(o.reserved_cash), 0)
    """,
    f"""
    WITH wanted AS (
        SELECT portfolio_id, instrument_id, sum(quantity - filled_quantity) AS quantity
        FROM orders WHERE owner_id = $1 AND side = 'SELL' AND {IS_OPEN} GROUP BY 1, 2
    ), stored AS (
        SELECT id, portfolio_id, instrument_id, reserved_quantity FROM positions WHERE owner_id = $1
    )
    SELECT 'reserved quantity of position', coalesce(s.id, instrument_id), s.reserved_quantity, w.quantity
    FROM stored s FULL JOIN wanted w USING (portfolio_id, instrument_id)
    WHERE coalesce(s.reserved_quantity, 0) <> coalesce(w.quantity, 0)
    """,
    """
    SELECT 'filled quantity of order', o.id, o.filled_quantity, coalesce(sum(t.quantity), 0)
    FROM orders o LEFT JOIN transactions t ON t.owner_id = o.owner_id AND t.order_id = o.id
    WHERE o.owner_id = $1
    GROUP BY o.owner_id, o.id HAVING o.filled_quantity <> coalesce(sum(t.quantity), 0)
    """,
)


@dataclass(frozen=True)
class Verification:
    """What was looked at, how long that took in seconds, and each difference in a line."""

    users: int
    transactions: int
    seconds: float
    differences: Sequence[str]


async def verify_all(sessions: Sessions, report: Callable[[str, int, int], None]) -> Verification:
    """Verifies every user's cash, positions, lots and realised gains against their transactions."""
    start = time.monotonic()
    async with sessions.reading(None) as connection:
        users = await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1")
    transactions = 0
    differences: list[str] = []
    for done, row in enumerate(users):
        report("Verifying users", done, len(users))
        async with sessions.reading(row["user_id"]) as connection:
            transactions += await _verify(connection, row["user_id"], differences)
    report("Verifying users", len(users), len(users))
    return Verification(len(users), transactions, time.monotonic() - start, differences)


async def _verify(connection: Connection, owner_id: UUID, differences: list[str]) -> int:
    # One snapshot for all checks: a trade in between would look like a difference.
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(_REPLAY)
        await connection.execute(
            f"CREATE TEMPORARY TABLE replay ON COMMIT DROP AS SELECT * FROM pg_temp.replayed('{owner_id}')"
        )
        for check in _CHECKS:
            for what, id, stored, recomputed in await connection.fetch(check, owner_id):
                differences.append(
                    f"user {owner_id}: {what} {id} is {stored or 0}, its transactions and orders make it "
                    f"{recomputed or 0}"
                )
        count: int = await connection.fetchval(
            "SELECT count(*) FROM transactions WHERE owner_id = $1", owner_id
        )
        return count

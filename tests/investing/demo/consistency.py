"""What must hold for any ledger and what is projected from it; each query finds what contradicts it."""

from investing.rules.market.market_holidays import early_closes

# Days of the bundled prices on which trading ended at 13:00.
_HALF_DAYS = ", ".join(f"'{day}'" for year in range(1993, 2023) for day in early_closes(year))

CONTRADICTIONS = {
    "a portfolio's cash is the sum of its cash deltas": """
        SELECT p.name FROM portfolios p
        WHERE cash_balance IS DISTINCT FROM (SELECT sum(cash_delta) FROM transactions t
                                             WHERE t.owner_id = p.owner_id AND t.portfolio_id = p.id)
    """,
    "an account's unallotted cash is the sum of its own": """
        SELECT a.name FROM accounts a
        WHERE unallotted_cash IS DISTINCT FROM (
            SELECT sum(cash_delta) FROM transactions t
            WHERE t.owner_id = a.owner_id AND t.account_id = a.id AND t.portfolio_id IS NULL)
    """,
    "positions are the sums of quantity deltas and of realised gains": """
        SELECT * FROM (
            SELECT owner_id, portfolio_id, instrument_id, sum(quantity_delta) AS quantity,
                   sum(coalesce(realized_pnl, 0)) AS realized_pnl
            FROM transactions WHERE quantity_delta <> 0 GROUP BY 1, 2, 3
        ) t FULL JOIN positions p USING (owner_id, portfolio_id, instrument_id, quantity, realized_pnl)
        WHERE t.quantity IS NULL OR p.id IS NULL
    """,
    "lots add up to their position, one for each purchase": """
        SELECT p.id FROM positions p LEFT JOIN LATERAL (
            SELECT sum(remaining_quantity) AS quantity, count(*) AS purchases FROM lots l
            WHERE (l.owner_id, l.portfolio_id, l.instrument_id)
                = (p.owner_id, p.portfolio_id, p.instrument_id)
        ) l ON true
        WHERE l.quantity IS DISTINCT FROM p.quantity OR l.purchases <> (
            SELECT count(*) FROM transactions t WHERE t.type = 'BUY' AND
            (t.owner_id, t.portfolio_id, t.instrument_id) = (p.owner_id, p.portfolio_id, p.instrument_id))
    """,
    "cash is never negative, in a portfolio or outside of them": """
        SELECT * FROM (SELECT owner_id, account_id, portfolio_id, executed_at,
            sum(cash_delta) OVER (PARTITION BY owner_id, account_id, portfolio_id
                                  ORDER BY executed_at, id) AS cash FROM transactions) t WHERE cash < 0
    """,
    "an account's cash is never negative": """
        SELECT * FROM (SELECT owner_id, account_id, executed_at,
            sum(cash_delta) OVER (PARTITION BY owner_id, account_id
                                  ORDER BY executed_at, id) AS cash FROM transactions) t WHERE cash < 0
    """,
    "shares are never negative": """
        SELECT * FROM (SELECT sum(quantity_delta) OVER (PARTITION BY owner_id, portfolio_id, instrument_id
                                                        ORDER BY executed_at, id) AS quantity
                       FROM transactions) t WHERE quantity < 0
    """,
    "ids are in the order of the ledger": """
        SELECT * FROM (SELECT executed_at, lag(executed_at) OVER (PARTITION BY owner_id ORDER BY id) AS before
                       FROM transactions WHERE NOT is_automatic) t WHERE executed_at < before
    """,
    "a transfer goes out once and comes in once": """
        SELECT transfer_id FROM transactions WHERE type IN ('TRANSFER_IN', 'TRANSFER_OUT')
        GROUP BY owner_id, account_id, transfer_id
        HAVING array_agg(type ORDER BY id) <> ARRAY['TRANSFER_OUT', 'TRANSFER_IN'] OR sum(cash_delta) <> 0
    """,
    "trades are at the close of their day": f"""
        SELECT t.id FROM transactions t LEFT JOIN price_bars b ON b.instrument_id = t.instrument_id
            AND b.date = (t.executed_at AT TIME ZONE 'America/New_York')::date
        WHERE t.type IN ('BUY', 'SELL') AND (t.price IS DISTINCT FROM b.close OR
            (t.executed_at AT TIME ZONE 'America/New_York')::time
                <> CASE WHEN b.date IN ({_HALF_DAYS}) THEN time '13:00' ELSE time '16:00' END)
    """,
    "nothing is booked on top of adjusted prices, and no portfolio mixes both kinds": """
        SELECT t.portfolio_id FROM transactions t JOIN instruments i ON i.id = t.instrument_id
        GROUP BY 1 HAVING count(DISTINCT i.price_basis) > 1
            OR bool_or(i.price_basis = 'ADJUSTED' AND t.type IN ('SPLIT', 'DIVIDEND'))
    """,
    "the last day's values are what is held, at that day's close": """
        SELECT h.portfolio_id FROM performance_history h
        JOIN (SELECT portfolio_id, max(date) AS date FROM performance_history GROUP BY 1) newest
            USING (portfolio_id, date)
        JOIN portfolios p ON p.id = h.portfolio_id
        CROSS JOIN LATERAL (
            SELECT sum(round(s.quantity * b.close, 10)) AS worth FROM positions s
            JOIN price_bars b ON b.instrument_id = s.instrument_id AND b.date = h.date
            WHERE s.portfolio_id = p.id
        ) v
        WHERE (h.cash_value, h.positions_value, h.total_value)
            IS DISTINCT FROM (p.cash_balance, v.worth, p.cash_balance + v.worth)
    """,
    "every day's flow is what crossed the border on it": """
        SELECT * FROM (
            SELECT portfolio_id, (executed_at AT TIME ZONE 'America/New_York')::date AS date,
                   sum(cash_delta) AS net_flow
            FROM transactions WHERE type LIKE 'TRANSFER%' AND portfolio_id IS NOT NULL GROUP BY 1, 2
        ) t FULL JOIN (SELECT portfolio_id, date, net_flow, id FROM performance_history WHERE net_flow <> 0) h
            USING (portfolio_id, date, net_flow)
        WHERE h.id IS NULL
    """,
    "a day's return is what the formula says": """
        SELECT * FROM (
            -- Everything in the demo happens at a close, also what comes and leaves: nothing moves after it.
            -- A first day is a deposit that stays.
            SELECT daily_return, coalesce(
                round((total_value - net_flow) / lag(total_value) OVER w - 1, 10), 0) AS expected
            FROM performance_history WINDOW w AS (PARTITION BY portfolio_id ORDER BY date)
        ) h WHERE abs(daily_return - expected) > 1e-10 OR (daily_return IS NULL) <> (expected IS NULL)
    """,
    "volatility is that of the returns so far": """
        SELECT * FROM (
            -- The first day is a part of a day, and counts for no deviation; that takes twelve others.
            -- In the demo whatever is held has a close on every business day.
            SELECT volatility, CASE WHEN n > 12 THEN
                   stddev_samp(CASE WHEN n > 1 THEN daily_return END) OVER w * sqrt(252.0) END AS expected
            FROM (SELECT *, row_number() OVER (PARTITION BY portfolio_id ORDER BY date) AS n
                  FROM performance_history) days WINDOW w AS (PARTITION BY portfolio_id ORDER BY date)
        ) h WHERE abs(volatility - expected) > 1e-9 OR (volatility IS NULL) <> (expected IS NULL)
    """,
}

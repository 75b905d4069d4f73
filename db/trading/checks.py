"""The comparisons of `verify`: each query returns mismatches as rows (what, id, stored, recomputed).

`$1` is the owner, and `replay` the temporary table with the results of `db.trading.replay`.
"""

from db.market.splits import MARKET_TODAY
from db.models.trading import IS_OPEN

_CASH = (
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
)

_HOLDINGS = (
    """
    WITH summed AS (
        SELECT portfolio_id, instrument_id, sum(quantity_delta) AS quantity
        FROM transactions WHERE owner_id = $1 AND instrument_id IS NOT NULL
        GROUP BY 1, 2
    ), replayed AS (
        SELECT * FROM replay WHERE kind = 'position'
    ), stored AS (
        SELECT id, portfolio_id, instrument_id, quantity, cost_basis, realized_pnl, realized_pnl_fifo
        FROM positions WHERE owner_id = $1
    )
    SELECT difference.* FROM stored s
    FULL JOIN summed d USING (portfolio_id, instrument_id)
    FULL JOIN replayed r USING (portfolio_id, instrument_id)
    CROSS JOIN LATERAL (VALUES
        ('quantity of position', coalesce(s.id, instrument_id), s.quantity, d.quantity),
        ('replayed quantity of position', coalesce(s.id, instrument_id), s.quantity, r.quantity),
        ('cost basis of position', coalesce(s.id, instrument_id), s.cost_basis, r.cost),
        ('realized gain of position', coalesce(s.id, instrument_id), s.realized_pnl, r.gain),
        ('realized gain by FIFO of position', coalesce(s.id, instrument_id), s.realized_pnl_fifo, r.gain_fifo)
    ) AS difference(what, id, stored, recomputed)
    WHERE coalesce(difference.stored, 0) <> coalesce(difference.recomputed, 0)
    """,
    """
    WITH stored AS (SELECT * FROM lots WHERE owner_id = $1),
    replayed AS (SELECT * FROM replay WHERE kind = 'lot')
    SELECT difference.* FROM stored s FULL JOIN replayed r USING (portfolio_id, transaction_id, number)
    CROSS JOIN LATERAL (VALUES
        ('quantity of the lot of transaction', transaction_id, s.remaining_quantity, r.quantity),
        ('cost of the lot of transaction', transaction_id, s.remaining_cost, r.cost),
        ('age in seconds of the lot of transaction', transaction_id,
         extract(epoch FROM coalesce(s.opened_at, r.opened_at)),
         extract(epoch FROM coalesce(r.opened_at, s.opened_at)))
    ) AS difference(what, id, stored, recomputed)
    WHERE coalesce(difference.stored, 0) <> coalesce(difference.recomputed, 0)
    """,
    """
    WITH stored AS (
        SELECT transaction_id, lot_transaction_id AS lot_id, lot_number AS number, quantity_delta,
               cost_delta, gain
        FROM lot_uses WHERE owner_id = $1
    ), replayed AS (
        SELECT * FROM replay WHERE kind = 'use'
    )
    SELECT difference.* FROM stored s FULL JOIN replayed r USING (transaction_id, lot_id, number)
    CROSS JOIN LATERAL (VALUES
        ('quantity taken from a lot by transaction', transaction_id, s.quantity_delta, r.quantity),
        ('cost taken from a lot by transaction', transaction_id, s.cost_delta, r.cost),
        ('gain on a lot of transaction', transaction_id, s.gain, r.gain)
    ) AS difference(what, id, stored, recomputed)
    WHERE difference.stored IS DISTINCT FROM difference.recomputed
    """,
)

_TRANSACTIONS = (
    """
    WITH standing AS (
        SELECT * FROM transactions t
        WHERE t.owner_id = $1 AND t.reverses_id IS NULL
            AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
    )
    SELECT difference.* FROM standing t
    LEFT JOIN (SELECT * FROM replay WHERE kind = 'entry') r ON r.transaction_id = t.id
    CROSS JOIN LATERAL (VALUES
        ('shares of transaction', t.id, t.quantity_delta, coalesce(r.quantity, 0)),
        ('cost of transaction', t.id, t.cost_delta, coalesce(r.cost, 0)),
        ('realized gain of transaction', t.id, t.realized_pnl, r.gain),
        ('realized gain by FIFO of transaction', t.id, t.realized_pnl_fifo, r.gain_fifo)
    ) AS difference(what, id, stored, recomputed)
    WHERE difference.stored IS DISTINCT FROM difference.recomputed
    """,
    """
    SELECT difference.* FROM transactions r
    JOIN transactions t ON t.owner_id = $1 AND t.id = r.reverses_id
    CROSS JOIN LATERAL (VALUES
        ('cash of reversal', r.id, r.cash_delta, -t.cash_delta),
        ('shares of reversal', r.id, r.quantity_delta, -t.quantity_delta),
        ('cost of reversal', r.id, r.cost_delta, -t.cost_delta),
        ('realized gain of reversal', r.id, r.realized_pnl, -t.realized_pnl),
        ('realized gain by FIFO of reversal', r.id, r.realized_pnl_fifo, -t.realized_pnl_fifo)
    ) AS difference(what, id, stored, recomputed)
    WHERE r.owner_id = $1 AND difference.stored IS DISTINCT FROM difference.recomputed
    """,
    """
    SELECT 'shares in transfer of transaction', (array_agg(t.id ORDER BY t.id))[1],
           sum(t.quantity_delta) FILTER (WHERE t.type = 'TRANSFER_IN'),
           -sum(t.quantity_delta) FILTER (WHERE t.type = 'TRANSFER_OUT')
    FROM transactions t
    WHERE t.owner_id = $1 AND t.transfer_id IS NOT NULL AND t.instrument_id IS NOT NULL
    GROUP BY t.transfer_id
    -- Where a split lies between its two sides, the replay says how many shares come in.
    HAVING sum(t.quantity_delta) <> 0 AND NOT EXISTS (
        SELECT FROM replay r JOIN transactions i ON i.owner_id = $1 AND i.id = r.transaction_id
        WHERE r.kind = 'entry' AND i.transfer_id = t.transfer_id AND i.type = 'TRANSFER_IN'
            AND i.quantity <> i.quantity_delta)
    """,
    """
    SELECT 'cost in transfer of transaction', (array_agg(t.id ORDER BY t.id))[1],
           sum(t.cost_delta) FILTER (WHERE t.type = 'TRANSFER_IN'),
           -sum(t.cost_delta) FILTER (WHERE t.type = 'TRANSFER_OUT')
    FROM transactions t
    WHERE t.owner_id = $1 AND t.transfer_id IS NOT NULL AND t.instrument_id IS NOT NULL
    GROUP BY t.transfer_id HAVING sum(t.cost_delta) <> 0
    """,
)

_ORDERS = (
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
    # A fill is never reversed, so that every transaction of an order counts.
    """
    SELECT 'filled quantity of order', o.id, o.filled_quantity, coalesce(sum(t.quantity), 0)
    FROM orders o LEFT JOIN transactions t ON t.owner_id = o.owner_id AND t.order_id = o.id
    WHERE o.owner_id = $1
    GROUP BY o.owner_id, o.id HAVING o.filled_quantity <> coalesce(sum(t.quantity), 0)
    """,
)

_TIME = "s.ex_date::timestamp AT TIME ZONE a.time_zone"
_SAME = """t.quantity * s.split_for = t.split_for * s.quantity
                AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - s.ex_date) <= 7"""
_REVERSAL = "SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id"

# Entries that represent a split: the owner's own, or an automatic one even if the owner reversed it.
_STANDS_FOR = f"""
    SELECT FROM transactions t
    WHERE t.owner_id = $1 AND t.portfolio_id = p.portfolio_id AND t.instrument_id = p.instrument_id
        AND t.type = 'SPLIT' AND t.reverses_id IS NULL AND {_SAME}
        AND NOT EXISTS ({_REVERSAL} AND (r.is_automatic OR NOT t.is_automatic))
"""

_OF_HOLDERS = f"""
    FROM positions p
    JOIN portfolios f ON f.owner_id = $1 AND f.id = p.portfolio_id
    JOIN accounts a ON a.owner_id = $1 AND a.id = f.account_id
    JOIN instrument_splits s ON s.instrument_id = p.instrument_id AND s.ex_date <= {MARKET_TODAY}
    CROSS JOIN LATERAL (
        SELECT sum(t.quantity_delta) AS quantity,
               sum(t.quantity_delta) FILTER (WHERE t.is_as_traded) AS as_traded,
               coalesce(bool_or(t.is_as_traded), false) AS is_as_traded,
               coalesce(bool_or(t.is_adjusted), false) AS is_adjusted
        FROM (
            SELECT t.quantity_delta,
                   NOT t.is_split_adjusted AND t.transfer_id IS NULL AND t.type <> 'SPLIT'
                       AND t.reverses_id IS NULL AND NOT EXISTS ({_REVERSAL}) AS is_as_traded,
                   t.is_split_adjusted AND NOT EXISTS ({_REVERSAL})
                       AND (t.created_at AT TIME ZONE 'America/New_York')::date >= s.ex_date AS is_adjusted
            FROM transactions t
            WHERE t.owner_id = $1 AND t.portfolio_id = p.portfolio_id AND t.instrument_id = p.instrument_id
                AND t.executed_at < {_TIME}
        ) t
    ) h
    WHERE p.owner_id = $1 AND {_TIME} <= clock_timestamp() AND NOT EXISTS (
        SELECT FROM split_work w WHERE w.instrument_id = s.instrument_id AND w.ex_date = s.ex_date
    ) AND NOT EXISTS ({_STANDS_FOR})
"""

# Where the work of posting a split is done, every holder on its ex-date has an entry of it, at its instant.
_SPLITS = (
    f"""
    SELECT 'shares after the split on ' || s.ex_date || ' of position', p.id, h.quantity,
           trim_scale(round((h.quantity * s.quantity)::numeric(200, 80) / s.split_for, 18))
    {_OF_HOLDERS} AND h.quantity > 0 AND NOT h.is_adjusted
    """,
    f"""
    SELECT 'shares not adjusted for the split on ' || s.ex_date || ', beside adjusted ones, of position',
           p.id, trim_scale(h.as_traded),
           trim_scale(round((h.as_traded * s.quantity)::numeric(200, 80) / s.split_for, 18))
    {_OF_HOLDERS} AND h.is_as_traded AND h.is_adjusted
    """,
    f"""
    SELECT 'ratio of automatic split', t.id, trim_scale(t.quantity / t.split_for),
           (SELECT trim_scale(s.quantity / s.split_for) FROM instrument_splits s
            WHERE s.instrument_id = t.instrument_id AND {_TIME} = t.executed_at)
    FROM transactions t JOIN accounts a ON a.owner_id = $1 AND a.id = t.account_id
    WHERE t.owner_id = $1 AND t.is_automatic AND t.reverses_id IS NULL AND NOT EXISTS ({_REVERSAL})
        AND NOT EXISTS (
            SELECT FROM instrument_splits s
            WHERE s.instrument_id = t.instrument_id AND {_TIME} = t.executed_at
                AND t.quantity * s.split_for = t.split_for * s.quantity
        ) AND NOT EXISTS (SELECT FROM split_work w
                          WHERE w.instrument_id = t.instrument_id AND w.ex_date <= {MARKET_TODAY})
    """,
)

CHECKS = (*_CASH, *_HOLDINGS, *_TRANSACTIONS, *_ORDERS, *_SPLITS)

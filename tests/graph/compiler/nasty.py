"""Rows that are easily written wrong: texts, figures at their limits, odd times, nothing."""

from typing import Any

import asyncpg

from tests.graph.ownership import stored
from tests.graph.ownership.people import Person

# Quotes, backslashes, what looks like an escape, line ends, control characters, what SQL and JSON may end at.
TEXT = "\"q'\\ \\u0041 $1 {} %s \n\r\t\b\f\x01\x02\x1f\x7f </script> é 日本 😀 \u2028 e\u0301 $$"

_STATEMENTS = (
    # Two accounts: one that is archived and empty, and one whose total is negative.
    """INSERT INTO accounts (owner_id, id, name, broker, account_type, currency, initial_balance,
           unallotted_cash, is_active)
       VALUES ($1, gen_random_uuid(), $2::text, 'PAPER', 'CASH', 'EUR', 0, 0, false),
           ($1, gen_random_uuid(), 'below zero' || $2::text, 'PAPER', 'MARGIN', 'USD', 0.0000000001,
               -1234567.8900, true)""",
    # Portfolios: one below zero, one of exactly zero, one that is archived and has no lists.
    """INSERT INTO portfolios (owner_id, id, account_id, name, currency, margin, strategy, risk_tolerance,
           max_position_size, rebalance_frequency, cash_balance, is_active, symbols, target_weights)
       SELECT $1, gen_random_uuid(), a.id, p.name || left($2::text, 60), 'USD', true, 'EQUAL_WEIGHT', 0.5, 1,
           'MONTHLY', p.cash, p.cash <> 0, p.symbols, p.weights
       FROM accounts a, (VALUES ('minus', -99999999999999999.9999999999, NULL::text[],
               '{"B": "0.50", "A": "0.1000", "É": "0"}'::jsonb),
           ('nought', 0, '{}', '{}'), ('plus', 100, ARRAY['É', 'AAPL'], NULL))
           p(name, cash, symbols, weights)
       WHERE a.owner_id = $1 AND a.account_type = 'MARGIN'""",
    # Own instruments: symbols of other alphabets, one without any price, one that was worth nothing.
    """INSERT INTO instruments (id, symbol, name, asset_class, currency, exchange, owner_id)
       SELECT gen_random_uuid(), symbol, $2::text, 'OTHER', 'USD', nullif(symbol, 'É') , $1
       FROM unnest(ARRAY['É', '日本電気', 'ÅÄÖ/B', 'NOTHING', 'ΑΒΓ']) symbol""",
    """INSERT INTO quotes (instrument_id, price, as_of, previous_price, owner_id)
       SELECT id, 0, '0999-12-31 23:59:59+00'::timestamptz, 0, $1 FROM instruments
       WHERE owner_id = $1 AND symbol = 'NOTHING'
           AND $2::text <> ''
       UNION ALL SELECT id, 12.50, '2026-01-01 00:00:00.000000+00', NULL, $1 FROM instruments
       WHERE owner_id = $1 AND symbol IN ('日本電気', 'ΑΒΓ')""",
    """INSERT INTO price_bars (instrument_id, date, close, volume, owner_id)
       SELECT id, day::date, close, close * 3, $1 FROM instruments,
           (VALUES ('0999-01-01', 0), ('2024-01-01', 0.0000000001), ('2024-01-02', 100.50)) b(day, close)
       WHERE owner_id = $1 AND symbol IN ('É', 'ΑΒΓ') AND $2::text <> ''""",
    # Held in each portfolio, some of them closed.
    """INSERT INTO positions (owner_id, id, portfolio_id, instrument_id, quantity, cost_basis, realized_pnl,
           realized_pnl_fifo)
       SELECT $1, gen_random_uuid(), p.id, i.id, q.quantity, q.cost, -0.5, 0.25
       FROM portfolios p CROSS JOIN LATERAL (SELECT *, row_number() OVER (ORDER BY symbol) AS n
           FROM instruments i WHERE owner_id = $1 AND $2::text <> '') i
       JOIN (VALUES (1, 0, 0), (2, 3.000000000000000001, 10), (3, 100, 0), (4, 7, 77.7), (5, 1, 1), (6, 2, 2))
           q(n, quantity, cost) ON q.n = i.n
       WHERE p.owner_id = $1 AND p.cash_balance <= 100 ON CONFLICT DO NOTHING""",
    # Entries of the same instant, and of a year of three figures.
    """INSERT INTO transactions (owner_id, id, account_id, portfolio_id, type, amount, commission, currency,
           cash_delta, quantity_delta, executed_at, notes)
       SELECT $1, gen_random_uuid(), p.account_id, p.id, 'INTEREST', 1.10, 0, 'USD', 1.10, 0, at, $2::text
       FROM portfolios p, unnest(ARRAY['0999-06-01 00:00:00+00', '2024-01-01 12:00:00.000000+00',
           '2024-01-01 12:00:00+00', '2024-01-01 12:00:00.1+00', '2024-01-01 12:00:00.123456+00'
           ]::timestamptz[]) at
       WHERE p.owner_id = $1""",
    # Orders that were rejected: with a code of ours, with a broker's own, and without one.
    """INSERT INTO orders (owner_id, id, portfolio_id, instrument_id, client_order_id, side, type, status,
           quantity, filled_quantity, rejection_code, rejection_reason)
       SELECT $1, gen_random_uuid(), p.id, i.id, gen_random_uuid(), 'SELL', 'MARKET', 'REJECTED', 1, 0,
           code, $2::text
       FROM portfolios p, instruments i, unnest(ARRAY['INSUFFICIENT_FUNDS', 'E-42', NULL, '']) code
       WHERE p.owner_id = $1 AND p.cash_balance <= 100 AND i.owner_id = $1 AND i.symbol = 'É'""",
    """INSERT INTO rebalance_history (owner_id, id, portfolio_id, strategy, status, trigger, old_weights,
           new_weights, target_weights, turnover, total_cost, failure_reason)
       SELECT $1, gen_random_uuid(), p.id, 'CUSTOM', 'FAILED', 'DRIFT', '{"É": "0.10", "B": 0.2, "a": "1"}',
           '{}', NULL, 0, 0.0, $2::text
       FROM portfolios p WHERE p.owner_id = $1""",
    """INSERT INTO rebalance_legs (owner_id, rebalance_id, number, instrument_id, side, quantity, quote_price,
           status, reason)
       SELECT $1, r.id, l.number, i.id, 'BUY', 1, 2.50, 'SKIPPED', l.reason
       FROM rebalance_history r, instruments i, (VALUES (2, $2::text),
           (3, 'BELOW_MINIMUM: ' || $2::text), (4, ': '), (5, NULL),
           (6, 'NO_SUCH_CODE: words')) l(number, reason)
       WHERE r.owner_id = $1 AND i.owner_id = $1 AND i.symbol = 'É'""",
    """INSERT INTO alert_rules (owner_id, id, name, kind, severity, threshold, channels, active_from,
           active_until, active_weekdays, time_zone)
       VALUES ($1, gen_random_uuid(), $2::text, 'ORDER_REJECTED', 'CRITICAL', 0, ARRAY[$2::text, '', 'a,{}"'],
               '23:59:59', '00:00', '{7,1,3}', 'Asia/Kolkata'),
           ($1, gen_random_uuid(), 'plain', 'CASH_BELOW', 'WARNING', -0.50, '{}', NULL, NULL, NULL, NULL)""",
    """INSERT INTO alerts (owner_id, id, seq, kind, severity, title, message, metrics, acknowledged_at)
       SELECT $1, gen_random_uuid(), 100 + n, 'CASH_BELOW', 'WARNING', $2::text, $2::text, facts::jsonb,
           CASE WHEN n = 1 THEN now() END
       FROM unnest(ARRAY['{}',
           '{"cash": "100.500", "É": "-0.00", "zero": "0", "Z": "1E+5", "a": "12\\n",
               "٣": "٣", "text": "x", "huge": "123456789012345678901234567890.10"}',
           '{"priceAsOf": "2024-01-01T12:00:00+00:00", "price": "12.50", "date": "2024-02-29"}',
           '{"order": "00000000-0000-0000-0000-000000000007"}'
       ]) WITH ORDINALITY f(facts, n)""",
    """INSERT INTO audit_log (owner_id, id, action, entity_type, entity_id, details, user_agent)
       SELECT $1, gen_random_uuid(), 'odd', type, CASE WHEN type IS NOT NULL THEN gen_random_uuid() END,
           jsonb_build_object('text', $2::text, 'list', '[1, 2.50, null, {"a": 1e3}]'::jsonb), $2::text
       FROM unnest(ARRAY['NotificationDestination', NULL, 'A']) type""",
    """INSERT INTO watchlists (owner_id, id, name) VALUES ($1, gen_random_uuid(), left($2::text, 100))""",
)


def given(person: Person, superuser_url: str) -> Person:
    """The person, owner of all of that as well."""

    async def store(connection: "asyncpg.Connection[Any]") -> None:
        for statement in _STATEMENTS:
            await connection.execute(statement, person.owner_id, *([TEXT] if "$2" in statement else []))

    stored.run(superuser_url, store)
    return person

"""The replay of a user's transactions inside the database, from the first one on.

It goes instrument by instrument over all portfolios at once, because shares may go from one to another with
their lots; what a transfer moves is kept in `moving` from its outgoing side to its incoming one. Arrays hold
the open lots of all portfolios, oldest first. Reversed entries and their reversals are left out.

Where a split has reached the shares of only one side of a transfer, the incoming side has its own number of
shares, at the same cost; while the work of posting a split is due, the stored figures are taken as right.
"""

from db.market.splits import MARKET_TODAY

SMALLEST = "0.000000000000000001"
"""The smallest fraction of a share that is kept, in SQL."""

# Divisions are carried to 80 places, so that the rounding to ten places, or to eighteen for a quantity, is
# the only one.
REPLAY = """
CREATE OR REPLACE FUNCTION pg_temp.part_of(whole numeric, part numeric, of_all numeric, places int = 10)
RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT round((whole * part)::numeric(200, 80) / of_all, places) $$;

CREATE OR REPLACE FUNCTION pg_temp.split_reaches(owner uuid, portfolio uuid, x instrument_splits)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
SELECT coalesce((
    SELECT min(t.executed_at) FROM transactions t
    WHERE t.owner_id = owner AND t.portfolio_id = p.id AND t.instrument_id = x.instrument_id
        AND t.type = 'SPLIT' AND t.quantity * x.split_for = t.split_for * x.quantity
        AND abs((t.executed_at AT TIME ZONE a.time_zone)::date - x.ex_date) <= 7 AND t.reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = owner AND r.reverses_id = t.id)
), CASE WHEN EXISTS (
    SELECT FROM transactions t
    WHERE t.owner_id = owner AND t.portfolio_id = p.id AND t.instrument_id = x.instrument_id
        AND t.is_split_adjusted AND (t.created_at AT TIME ZONE 'America/New_York')::date >= x.ex_date
        AND t.executed_at < x.ex_date::timestamp AT TIME ZONE a.time_zone AND t.reverses_id IS NULL
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = owner AND r.reverses_id = t.id)
) THEN '-infinity' ELSE x.ex_date::timestamp AT TIME ZONE a.time_zone END)
FROM portfolios p JOIN accounts a ON a.owner_id = owner AND a.id = p.account_id
WHERE p.owner_id = owner AND p.id = portfolio
$$;

CREATE OR REPLACE FUNCTION pg_temp.replayed(owner uuid)
RETURNS TABLE (kind text, portfolio_id uuid, instrument_id uuid, transaction_id uuid, lot_id uuid, number int,
               opened_at timestamptz, quantity numeric, cost numeric, gain numeric, gain_fifo numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    t record;
    s record;
    piece jsonb;
    moving jsonb := '{}';
    at_instrument uuid;
    portfolios uuid[] := '{}';
    held numeric[] := '{}';
    basis numeric[] := '{}';
    gained numeric[] := '{}';
    gained_fifo numeric[] := '{}';
    p int;
    lot_of uuid[] := '{}';
    source uuid[] := '{}';
    numbers int[] := '{}';
    opened timestamptz[] := '{}';
    quantities numeric[] := '{}';
    restated numeric[];
    costs numeric[] := '{}';
    l int;
    amount numeric;
    taken numeric;
    removed numeric;
    moved numeric;
    proceeds numeric;
    part numeric;
    fifo numeric;
    ratio_new numeric;
    ratio_old numeric;
BEGIN
    FOR t IN
        SELECT * FROM (
            SELECT x.portfolio_id, x.instrument_id, x.executed_at, x.id, x.type, x.quantity, x.amount,
                   x.commission, x.split_for, x.transfer_id, x.quantity_delta
            FROM transactions x
            WHERE x.owner_id = owner AND x.instrument_id IS NOT NULL AND x.reverses_id IS NULL
                AND x.type IN ('BUY', 'SELL', 'TRANSFER_IN', 'TRANSFER_OUT', 'SPLIT')
                AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = owner AND r.reverses_id = x.id)
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, 'END', NULL, NULL, NULL, NULL, NULL, NULL
        ) ledger
        ORDER BY ledger.instrument_id NULLS LAST, ledger.executed_at, ledger.id
    LOOP
        IF t.instrument_id IS DISTINCT FROM at_instrument THEN
            IF at_instrument IS NOT NULL THEN
                RETURN QUERY SELECT 'position', f.id, at_instrument, NULL::uuid, NULL::uuid, NULL::int,
                                    NULL::timestamptz, f.held, f.basis, f.gained, f.gained_fifo
                             FROM unnest(portfolios, held, basis, gained, gained_fifo)
                                 AS f(id, held, basis, gained, gained_fifo);
                RETURN QUERY SELECT 'lot', f.id, at_instrument, f.source, f.source, f.number, f.opened,
                                    f.quantity, f.cost, NULL::numeric, NULL::numeric
                             FROM unnest(lot_of, source, numbers, opened, quantities, costs)
                                 AS f(id, source, number, opened, quantity, cost);
            END IF;
            at_instrument := t.instrument_id;
            portfolios := '{}'; held := '{}'; basis := '{}'; gained := '{}'; gained_fifo := '{}';
            lot_of := '{}'; source := '{}'; numbers := '{}';
            opened := '{}'; quantities := '{}'; costs := '{}';
        END IF;
        EXIT WHEN t.type = 'END';
        p := array_position(portfolios, t.portfolio_id);
        IF p IS NULL THEN
            portfolios := portfolios || t.portfolio_id;
            p := cardinality(portfolios);
            held[p] := 0; basis[p] := 0; gained[p] := 0; gained_fifo[p] := 0;
        END IF;
        removed := 0; moved := t.quantity; fifo := NULL;
        IF t.type IN ('BUY', 'TRANSFER_IN') THEN
            piece := CASE WHEN t.type = 'TRANSFER_IN' THEN moving -> t.transfer_id::text END;
            ratio_new := 1; ratio_old := 1;
            IF piece IS NOT NULL THEN
                FOR s IN
                    SELECT x.quantity, x.split_for, f.at <= t.executed_at AS was_new,
                           g.at <= t.executed_at AS becomes_new
                    FROM instrument_splits x,
                         LATERAL pg_temp.split_reaches(owner, (piece ->> 'portfolio')::uuid, x) f(at),
                         LATERAL pg_temp.split_reaches(owner, t.portfolio_id, x) g(at)
                    WHERE x.instrument_id = t.instrument_id AND x.ex_date <= {TODAY}
                LOOP
                    IF s.becomes_new AND NOT s.was_new THEN
                        ratio_new := ratio_new * s.quantity; ratio_old := ratio_old * s.split_for;
                    ELSIF s.was_new AND NOT s.becomes_new THEN
                        ratio_new := ratio_new * s.split_for; ratio_old := ratio_old * s.quantity;
                    END IF;
                END LOOP;
            END IF;
            amount := coalesce((piece ->> 'cost')::numeric,
                               t.amount + CASE WHEN t.type = 'BUY' THEN t.commission ELSE 0 END);
            piece := coalesce(piece -> 'lots', jsonb_build_array(jsonb_build_object(
                'opened', t.executed_at, 'quantity', t.quantity, 'cost', amount)));
            restated := ARRAY(SELECT (e.piece ->> 'quantity')::numeric
                              FROM jsonb_array_elements(piece) WITH ORDINALITY AS e(piece, n) ORDER BY e.n);
            IF ratio_new <> ratio_old THEN
                IF EXISTS (SELECT FROM split_work w
                           WHERE w.instrument_id = t.instrument_id AND w.ex_date <= {TODAY}) THEN
                    ratio_new := t.quantity_delta; ratio_old := t.quantity;
                END IF;
                -- As by a split: rounded once together, and the largest takes the difference.
                moved := pg_temp.part_of(t.quantity, ratio_new, ratio_old, 18);
                restated := ARRAY(SELECT greatest(pg_temp.part_of(e.q, ratio_new, ratio_old, 18), {SMALLEST})
                                  FROM unnest(restated) WITH ORDINALITY AS e(q, n) ORDER BY e.n);
                l := (SELECT e.n FROM unnest(restated) WITH ORDINALITY AS e(q, n)
                      ORDER BY e.q DESC, e.n LIMIT 1);
                restated[l] := restated[l] + moved - (SELECT sum(e.q) FROM unnest(restated) AS e(q));
            END IF;
            FOR i IN 0 .. jsonb_array_length(piece) - 1 LOOP
                -- Behind every lot that is as old or older; newer ones are at the end.
                l := cardinality(source);
                WHILE l > 0 AND (opened[l], source[l], numbers[l])
                    > ((piece -> i ->> 'opened')::timestamptz, t.id, i) LOOP l := l - 1; END LOOP;
                lot_of := lot_of[:l] || t.portfolio_id || lot_of[l + 1:];
                source := source[:l] || t.id || source[l + 1:];
                numbers := numbers[:l] || i || numbers[l + 1:];
                opened := opened[:l] || (piece -> i ->> 'opened')::timestamptz || opened[l + 1:];
                quantities := quantities[:l] || restated[i + 1] || quantities[l + 1:];
                costs := costs[:l] || (piece -> i ->> 'cost')::numeric || costs[l + 1:];
            END LOOP;
            held[p] := held[p] + moved;
            basis[p] := basis[p] + amount;
            removed := -amount;
        ELSIF t.type = 'SPLIT' THEN
            -- All lots together are rounded once; the largest takes what rounding each makes of a difference.
            moved := 0; l := NULL; restated := quantities;
            removed := CASE WHEN held[p] > 0 THEN pg_temp.part_of(held[p], t.quantity, t.split_for, 18) END;
            FOR i IN 1 .. cardinality(source) LOOP
                CONTINUE WHEN lot_of[i] <> t.portfolio_id;
                restated[i] := greatest(pg_temp.part_of(quantities[i], t.quantity, t.split_for, 18),
                                        {SMALLEST});
                removed := removed - restated[i];
                IF l IS NULL OR restated[i] > restated[l] THEN l := i; END IF;
            END LOOP;
            IF l IS NOT NULL AND restated[l] + removed > 0 THEN
                restated[l] := restated[l] + removed;
                FOR i IN 1 .. cardinality(source) LOOP
                    CONTINUE WHEN lot_of[i] <> t.portfolio_id;
                    part := restated[i] - quantities[i];
                    quantities[i] := restated[i];
                    moved := moved - part;
                    RETURN QUERY SELECT 'use', t.portfolio_id, at_instrument, t.id, source[i], numbers[i],
                                        opened[i], part, 0::numeric, NULL::numeric, NULL::numeric;
                END LOOP;
            END IF;
            removed := 0;
            held[p] := held[p] - moved;
        ELSE
            removed := CASE WHEN t.quantity = held[p] THEN basis[p]
                            ELSE pg_temp.part_of(basis[p], t.quantity, held[p]) END;
            held[p] := held[p] - t.quantity;
            basis[p] := basis[p] - removed;
            piece := '[]';
            proceeds := t.amount - t.commission;
            fifo := 0;
            WHILE moved > 0 LOOP
                l := array_position(lot_of, t.portfolio_id);
                EXIT WHEN l IS NULL;
                taken := least(moved, quantities[l]);
                moved := moved - taken;
                amount := CASE WHEN taken = quantities[l] THEN costs[l]
                               ELSE pg_temp.part_of(costs[l], taken, quantities[l]) END;
                part := CASE WHEN moved = 0 THEN proceeds
                             ELSE pg_temp.part_of(t.amount - t.commission, taken, t.quantity) END;
                proceeds := proceeds - part;
                fifo := fifo + part - amount;
                piece := piece || jsonb_build_object('opened', opened[l], 'quantity', taken, 'cost', amount);
                RETURN QUERY SELECT 'use', t.portfolio_id, at_instrument, t.id, source[l], numbers[l],
                                    opened[l], -taken, -amount,
                                    CASE WHEN t.type = 'SELL' THEN part - amount END, NULL::numeric;
                quantities[l] := quantities[l] - taken;
                costs[l] := costs[l] - amount;
                IF quantities[l] = 0 THEN
                    lot_of := lot_of[:l - 1] || lot_of[l + 1:];
                    source := source[:l - 1] || source[l + 1:];
                    numbers := numbers[:l - 1] || numbers[l + 1:];
                    opened := opened[:l - 1] || opened[l + 1:];
                    quantities := quantities[:l - 1] || quantities[l + 1:];
                    costs := costs[:l - 1] || costs[l + 1:];
                END IF;
            END LOOP;
            IF t.transfer_id IS NOT NULL THEN
                moving := moving || jsonb_build_object(t.transfer_id::text,
                    jsonb_build_object('cost', removed, 'lots', piece, 'portfolio', t.portfolio_id));
            END IF;
            IF t.type = 'SELL' THEN
                gained[p] := gained[p] + t.amount - t.commission - removed;
                gained_fifo[p] := gained_fifo[p] + fifo;
            END IF;
            moved := t.quantity;
        END IF;
        RETURN QUERY SELECT 'entry', t.portfolio_id, at_instrument, t.id, NULL::uuid, NULL::int,
                            t.executed_at,
                            CASE WHEN t.type IN ('BUY', 'TRANSFER_IN') THEN moved ELSE -moved END, -removed,
                            CASE WHEN t.type = 'SELL' THEN t.amount - t.commission - removed END,
                            CASE WHEN t.type = 'SELL' THEN fifo END;
    END LOOP;
END $$
""".replace("{SMALLEST}", SMALLEST).replace("{TODAY}", MARKET_TODAY)

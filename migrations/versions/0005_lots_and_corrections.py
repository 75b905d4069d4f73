"""What each transaction did to which lot, gains by both methods, and what corrections may refresh.

Revision: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

VIEWER = "nullif(current_setting('app.user_id', true), '')::uuid"

# Row-level security is forced on the owner too, who has to see every user's ledger while it is filled in.
LEDGER = ("transactions", "positions", "lots")

# Divisions are carried to 60 places, so that the rounding to ten is the only one.
REPLAY = """
DO $$
DECLARE
    t record;
    at_owner uuid;
    at_portfolio uuid;
    at_instrument uuid;
    held numeric := 0;
    cost_basis numeric := 0;
    gained numeric := 0;
    sources uuid[] := '{}';
    quantities numeric[] := '{}';
    costs numeric[] := '{}';
    moved numeric;
    taken numeric;
    removed numeric;
    part numeric;
    left_over numeric;
    fifo numeric;
BEGIN
    FOR t IN
        SELECT * FROM transactions
        WHERE instrument_id IS NOT NULL AND type IN ('BUY', 'SELL', 'TRANSFER_IN', 'TRANSFER_OUT', 'SPLIT')
        ORDER BY owner_id, portfolio_id, instrument_id, executed_at, id
    LOOP
        IF (t.owner_id, t.portfolio_id, t.instrument_id)
            IS DISTINCT FROM (at_owner, at_portfolio, at_instrument) THEN
            UPDATE positions SET realized_pnl_fifo = gained WHERE owner_id = at_owner
                AND portfolio_id = at_portfolio AND instrument_id = at_instrument;
            at_owner := t.owner_id; at_portfolio := t.portfolio_id; at_instrument := t.instrument_id;
            held := 0; cost_basis := 0; gained := 0;
            sources := '{}'; quantities := '{}'; costs := '{}';
        END IF;
        IF t.type IN ('BUY', 'TRANSFER_IN') THEN
            moved := t.amount + CASE WHEN t.type = 'BUY' THEN t.commission ELSE 0 END;
            held := held + t.quantity;
            cost_basis := cost_basis + moved;
            sources := sources || t.id; quantities := quantities || t.quantity; costs := costs || moved;
            UPDATE transactions SET cost_delta = moved WHERE owner_id = t.owner_id AND id = t.id;
        ELSIF t.type = 'SPLIT' THEN
            held := 0;
            FOR i IN 1 .. cardinality(sources) LOOP
                moved := round((quantities[i] * t.quantity)::numeric(200, 60) / t.split_for, 10);
                INSERT INTO lot_uses VALUES (t.owner_id, t.id, sources[i], 0, moved - quantities[i], 0, NULL);
                quantities[i] := moved;
                held := held + moved;
            END LOOP;
        ELSE
            removed := CASE WHEN t.quantity = held THEN cost_basis
                            ELSE round((cost_basis * t.quantity)::numeric(200, 60) / held, 10) END;
            held := held - t.quantity;
            cost_basis := cost_basis - removed;
            moved := t.quantity; left_over := t.amount - t.commission; fifo := 0;
            WHILE moved > 0 LOOP
                taken := least(moved, quantities[1]);
                moved := moved - taken;
                part := CASE WHEN moved = 0 THEN left_over
                             ELSE round(((t.amount - t.commission) * taken)::numeric(200, 60) / t.quantity, 10)
                             END;
                left_over := left_over - part;
                fifo := CASE WHEN taken = quantities[1] THEN costs[1]
                             ELSE round((costs[1] * taken)::numeric(200, 60) / quantities[1], 10) END;
                INSERT INTO lot_uses VALUES (t.owner_id, t.id, sources[1], 0, -taken, -fifo,
                                             CASE WHEN t.type = 'SELL' THEN part - fifo END);
                quantities[1] := quantities[1] - taken;
                costs[1] := costs[1] - fifo;
                IF quantities[1] = 0 THEN
                    sources := sources[2:]; quantities := quantities[2:]; costs := costs[2:];
                END IF;
            END LOOP;
            UPDATE transactions SET cost_delta = -removed, realized_pnl_fifo = CASE WHEN t.type = 'SELL' THEN
                (SELECT sum(gain) FROM lot_uses WHERE owner_id = t.owner_id AND transaction_id = t.id) END
            WHERE owner_id = t.owner_id AND id = t.id
            RETURNING gained + coalesce(realized_pnl_fifo, 0) INTO gained;
        END IF;
    END LOOP;
    UPDATE positions SET realized_pnl_fifo = gained WHERE owner_id = at_owner
        AND portfolio_id = at_portfolio AND instrument_id = at_instrument;
END $$
"""

# Shares that came or went are a fact; only how many a split made follows from what was held before it.
FACT = """
CREATE FUNCTION refuse_change_of_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transaction % is no split: its quantity_delta never changes', OLD.id
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def upgrade() -> None:
    money = sa.Numeric(precision=28, scale=10)
    for table, column in (
        ("transactions", "cost_delta"),
        ("positions", "realized_pnl_fifo"),
    ):
        op.add_column(table, sa.Column(column, money, server_default=sa.text("0"), nullable=False))
    op.add_column("transactions", sa.Column("realized_pnl_fifo", money, nullable=True))
    op.add_column("lots", sa.Column("number", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.drop_constraint("uq_lots_owner_id_transaction_id", "lots", type_="unique")
    op.create_unique_constraint(
        op.f("uq_lots_owner_id_transaction_id_number"), "lots", ["owner_id", "transaction_id", "number"]
    )
    op.drop_index("ix_lots_owner_id_portfolio_id_instrument_id_opened_at", "lots")
    op.create_index(
        "ix_lots_open",
        "lots",
        ["owner_id", "portfolio_id", "instrument_id", "opened_at", "transaction_id", "number"],
        postgresql_where=sa.text("remaining_quantity > 0"),
    )
    op.create_index(
        op.f("ix_transactions_owner_id_transfer_id"),
        "transactions",
        ["owner_id", "transfer_id"],
        postgresql_where=sa.text("transfer_id IS NOT NULL"),
    )
    op.create_table(
        "lot_uses",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("lot_transaction_id", sa.Uuid(), nullable=False),
        sa.Column("lot_number", sa.Integer(), nullable=False),
        sa.Column("quantity_delta", money, nullable=False),
        sa.Column("cost_delta", money, nullable=False),
        sa.Column("gain", money, nullable=True),
        sa.ForeignKeyConstraint(
            ["owner_id", "transaction_id"],
            ["transactions.owner_id", "transactions.id"],
            name=op.f("fk_lot_uses_owner_id_transaction_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "lot_transaction_id", "lot_number"],
            ["lots.owner_id", "lots.transaction_id", "lots.number"],
            name=op.f("fk_lot_uses_owner_id_lot_transaction_id_lot_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "owner_id", "transaction_id", "lot_transaction_id", "lot_number", name=op.f("pk_lot_uses")
        ),
    )
    op.create_index(
        op.f("ix_lot_uses_owner_id_lot_transaction_id_lot_number"),
        "lot_uses",
        ["owner_id", "lot_transaction_id", "lot_number"],
    )
    _fill_in()
    op.execute("ALTER TABLE lot_uses ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY owner ON lot_uses USING (owner_id = {VIEWER})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON lot_uses TO graphfolio_app")
    op.execute(
        "GRANT UPDATE (quantity_delta, cost_delta, realized_pnl_fifo) ON transactions TO graphfolio_app"
    )
    op.execute(FACT)
    op.execute(
        "CREATE TRIGGER quantity_delta_is_a_fact BEFORE UPDATE OF quantity_delta ON transactions FOR EACH ROW "
        "WHEN (OLD.type <> 'SPLIT' AND OLD.quantity_delta IS DISTINCT FROM NEW.quantity_delta) "
        "EXECUTE FUNCTION refuse_change_of_fact()"
    )


def _fill_in() -> None:
    for table in LEDGER:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(REPLAY)
    # Foreign keys are checked before the tables may be altered again.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in LEDGER:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("DROP TRIGGER quantity_delta_is_a_fact ON transactions")
    op.execute("DROP FUNCTION refuse_change_of_fact()")
    op.execute(
        "REVOKE UPDATE (quantity_delta, cost_delta, realized_pnl_fifo) ON transactions FROM graphfolio_app"
    )
    op.drop_table("lot_uses")
    op.drop_index(op.f("ix_transactions_owner_id_transfer_id"), "transactions")
    op.drop_index("ix_lots_open", "lots")
    op.create_index(
        "ix_lots_owner_id_portfolio_id_instrument_id_opened_at",
        "lots",
        ["owner_id", "portfolio_id", "instrument_id", "opened_at"],
    )
    op.drop_constraint("uq_lots_owner_id_transaction_id_number", "lots", type_="unique")
    op.create_unique_constraint("uq_lots_owner_id_transaction_id", "lots", ["owner_id", "transaction_id"])
    op.drop_column("lots", "number")
    op.drop_column("transactions", "realized_pnl_fifo")
    op.drop_column("transactions", "cost_delta")
    op.drop_column("positions", "realized_pnl_fifo")

"""An instrument's splits, what its series of prices is adjusted for, and in which day's units levels are.

Revision: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

QUANTITY = sa.Numeric(precision=38, scale=18)
TODAY = "(now() AT TIME ZONE 'America/New_York')::date"
BASES = "price_basis IN ('RAW', 'SPLIT_ADJUSTED', 'ADJUSTED')"

# A price for one share of the day `given` as one for a share of the day `wanted`: each split on the way divides
# it by its ratio, or multiplies on the way back. Rounded once, at 18 places.
RESTATED = """
CREATE FUNCTION restated(price numeric, instrument uuid, given date, wanted date) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE WHEN EXISTS (
    SELECT FROM instrument_splits s
    WHERE s.instrument_id = instrument AND s.ex_date > least(given, wanted)
        AND s.ex_date <= greatest(given, wanted)
) THEN (
    SELECT round(CASE WHEN given < wanted
        THEN (price * product(s.split_for))::numeric(400, 60) / product(s.quantity)
        ELSE (price * product(s.quantity))::numeric(400, 60) / product(s.split_for) END, 18)
    FROM instrument_splits s
    WHERE s.instrument_id = instrument AND s.ex_date > least(given, wanted)
        AND s.ex_date <= greatest(given, wanted)
) ELSE price END
$$
"""

# The close of a bar for one share of the day `wanted`, whatever its series is adjusted for: a raw close is for
# a share of its own day, an adjusted one for a share of the newest day of its series.
CLOSE_ON = """
CREATE FUNCTION close_on(close numeric, instrument uuid, bar date, wanted date) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE WHEN EXISTS (SELECT FROM instrument_splits s WHERE s.instrument_id = instrument) THEN restated(
    close, instrument,
    CASE WHEN (SELECT i.price_basis FROM instruments i WHERE i.id = instrument) = 'RAW' THEN bar
         ELSE (SELECT max(b.date) FROM price_bars b WHERE b.instrument_id = instrument) END,
    wanted
) ELSE close END
$$
"""

# The same for whole queries, which join it: how many shares of the newest day one share of a day in a span is.
FACTORS = """
CREATE VIEW split_factors WITH (security_invoker = true) AS
WITH edges AS (
    SELECT instrument_id, ex_date AS since FROM instrument_splits
    UNION
    SELECT instrument_id, '-infinity' FROM instrument_splits
)
SELECT e.instrument_id, e.since,
       lead(e.since, 1, 'infinity') OVER (PARTITION BY e.instrument_id ORDER BY e.since) AS until,
       coalesce((SELECT product(s.quantity) FROM instrument_splits s
                 WHERE s.instrument_id = e.instrument_id AND s.ex_date > e.since), 1) AS quantity,
       coalesce((SELECT product(s.split_for) FROM instrument_splits s
                 WHERE s.instrument_id = e.instrument_id AND s.ex_date > e.since), 1) AS split_for
FROM edges e
"""


def upgrade() -> None:
    _create_tables()
    op.add_column(
        "instruments",
        sa.Column("price_basis", sa.Text(), server_default=sa.text("'RAW'"), nullable=False),
    )
    op.execute("UPDATE instruments SET price_basis = 'ADJUSTED' WHERE prices_adjusted")
    # Checked before the table is altered again.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.drop_column("instruments", "prices_adjusted")
    op.create_check_constraint(op.f("ck_instruments_price_basis"), "instruments", BASES)
    for statement in (RESTATED, CLOSE_ON, FACTORS):
        op.execute(statement)
    op.execute("GRANT SELECT ON split_factors TO graphfolio_app")
    for table in ("quotes", "orders", "paper_orders"):
        op.add_column(table, sa.Column("units_of", sa.Date(), nullable=True))
    for table in ("alert_rules", "alert_watches"):
        op.add_column(table, sa.Column("units_of", sa.Date(), server_default=sa.text(TODAY), nullable=False))
    for column in ("is_automatic", "is_split_adjusted"):
        op.add_column(
            "transactions",
            sa.Column(column, sa.Boolean(), server_default=sa.text("false"), nullable=False),
        )
    op.create_check_constraint(
        op.f("ck_transactions_is_automatic"), "transactions", "NOT is_automatic OR type = 'SPLIT'"
    )


def _create_tables() -> None:
    op.create_table(
        "instrument_splits",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("ex_date", sa.Date(), nullable=False),
        sa.Column("quantity", QUANTITY, nullable=False),
        sa.Column("split_for", QUANTITY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND split_for > 0 AND quantity <> split_for",
            name=op.f("ck_instrument_splits_ratio"),
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_instrument_splits_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("instrument_id", "ex_date", name=op.f("pk_instrument_splits")),
    )
    op.create_table(
        "split_work",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("ex_date", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("after_owner", sa.Uuid(), nullable=True),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_split_work_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("instrument_id", "ex_date", name=op.f("pk_split_work")),
    )
    op.create_index(op.f("ix_split_work_due_at"), "split_work", ["due_at"])
    # Neither has an owner's policy: a split is the market's. Once recorded it stays.
    op.execute("GRANT SELECT, INSERT ON instrument_splits TO graphfolio_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON split_work TO graphfolio_app")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_transactions_is_automatic"), "transactions", type_="check")
    for column in ("is_split_adjusted", "is_automatic"):
        op.drop_column("transactions", column)
    for table in ("alert_watches", "alert_rules", "paper_orders", "orders", "quotes"):
        op.drop_column(table, "units_of")
    op.execute("DROP VIEW split_factors")
    op.execute("DROP FUNCTION close_on(numeric, uuid, date, date)")
    op.execute("DROP FUNCTION restated(numeric, uuid, date, date)")
    op.add_column(
        "instruments",
        sa.Column("prices_adjusted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.execute("UPDATE instruments SET prices_adjusted = true WHERE price_basis <> 'RAW'")
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.drop_constraint(op.f("ck_instruments_price_basis"), "instruments", type_="check")
    op.drop_column("instruments", "price_basis")
    op.drop_table("split_work")
    op.drop_table("instrument_splits")

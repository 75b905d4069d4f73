"""Which snapshots do not hold any more, and the work of computing them anew.

Revision: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Row-level security is forced on the owner too, who has to see every user's ledger while marks are filled in.
LEDGER = ("transactions", "portfolios")

# No business logic: whoever lowers the mark, the list of marked portfolios follows it, as an index would.
# It fires when a mark appears, not each time it is lowered, so that a trade rarely pays for it.
NOTE = """
CREATE FUNCTION note_stale_snapshots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO performance_work (owner_id, portfolio_id) VALUES (NEW.owner_id, NEW.id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
"""

MARK_ALL = """
UPDATE portfolios p SET snapshots_stale_from = t.first
FROM (SELECT owner_id, portfolio_id, min((executed_at AT TIME ZONE 'America/New_York')::date) AS first
      FROM transactions WHERE portfolio_id IS NOT NULL GROUP BY 1, 2) t
WHERE p.owner_id = t.owner_id AND p.id = t.portfolio_id
"""


def upgrade() -> None:
    op.add_column("portfolios", sa.Column("snapshots_stale_from", sa.Date(), nullable=True))
    op.add_column(
        "performance_history",
        sa.Column("unpriced_positions", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_performance_history_unpriced_positions"), "performance_history", "unpriced_positions >= 0"
    )
    op.create_table(
        "performance_work",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_performance_work_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "portfolio_id", name=op.f("pk_performance_work")),
    )
    op.create_index(op.f("ix_performance_work_due_at"), "performance_work", ["due_at"])
    # No owner's policy: work is looked for before anybody knows whose it is.
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON performance_work TO graphfolio_app")
    op.execute(NOTE)
    op.execute(
        "CREATE TRIGGER note_stale_snapshots_of_new AFTER INSERT ON portfolios FOR EACH ROW "
        "WHEN (NEW.snapshots_stale_from IS NOT NULL) EXECUTE FUNCTION note_stale_snapshots()"
    )
    op.execute(
        "CREATE TRIGGER note_stale_snapshots AFTER UPDATE OF snapshots_stale_from ON portfolios FOR EACH ROW "
        "WHEN (OLD.snapshots_stale_from IS NULL AND NEW.snapshots_stale_from IS NOT NULL) "
        "EXECUTE FUNCTION note_stale_snapshots()"
    )
    _mark_all()


def _mark_all() -> None:
    for table in LEDGER:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(MARK_ALL)
    # Foreign keys are checked before the tables may be altered again.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in LEDGER:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("DROP TRIGGER note_stale_snapshots ON portfolios")
    op.execute("DROP TRIGGER note_stale_snapshots_of_new ON portfolios")
    op.execute("DROP FUNCTION note_stale_snapshots()")
    op.drop_table("performance_work")
    op.drop_constraint(op.f("ck_performance_history_unpriced_positions"), "performance_history")
    op.drop_column("performance_history", "unpriced_positions")
    op.drop_column("portfolios", "snapshots_stale_from")

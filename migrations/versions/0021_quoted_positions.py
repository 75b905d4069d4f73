"""Which positions have stopped having prices; all snapshots anew, deviations by their own frequency.

Revision: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

CHECK = "ck_performance_history_unquoted_positions"

# Row-level security is forced on the owner too, who has to see every user's ledger while marks are filled in.
LEDGER = ("transactions", "portfolios", "accounts")

# The definition of the deviations has changed, so none of the stored ones holds.
MARK_ALL = """
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from, t.first)
FROM (SELECT t.owner_id, t.portfolio_id,
             min(greatest((t.executed_at AT TIME ZONE a.time_zone)::date, DATE '0001-01-01')) AS first
      FROM transactions t JOIN accounts a ON a.owner_id = t.owner_id AND a.id = t.account_id
      WHERE t.portfolio_id IS NOT NULL GROUP BY 1, 2) t
WHERE p.owner_id = t.owner_id AND p.id = t.portfolio_id
"""


def upgrade() -> None:
    unquoted = sa.Column("unquoted_positions", sa.Integer(), server_default=sa.text("0"), nullable=False)
    op.add_column("performance_history", unquoted)
    op.create_check_constraint(op.f(CHECK), "performance_history", "unquoted_positions >= 0")
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
    op.drop_constraint(op.f(CHECK), "performance_history")
    op.drop_column("performance_history", "unquoted_positions")
    # What is stored is of the other definition.
    _mark_all()

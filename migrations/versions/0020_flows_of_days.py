"""What crossed a portfolio's border on each day, and which positions had no price; all snapshots anew.

Revision: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Row-level security is forced on the owner too, who has to see every user's ledger while marks are filled in.
LEDGER = ("transactions", "portfolios", "accounts")

CHECKED = ("stale_positions", "unquoted_positions", "num_trades")

# The definition of the returns has changed, so none of the stored ones holds.
MARK_ALL = """
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from, t.first)
FROM (SELECT t.owner_id, t.portfolio_id,
             min(greatest((t.executed_at AT TIME ZONE a.time_zone)::date, DATE '0001-01-01')) AS first
      FROM transactions t JOIN accounts a ON a.owner_id = t.owner_id AND a.id = t.account_id
      WHERE t.portfolio_id IS NOT NULL GROUP BY 1, 2) t
WHERE p.owner_id = t.owner_id AND p.id = t.portfolio_id
"""


def upgrade() -> None:
    for name in ("stale_positions", "unquoted_positions"):
        count = sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
        op.add_column("performance_history", count)
    op.add_column("performance_history", sa.Column("num_trades", sa.Integer(), nullable=True))
    op.add_column("performance_history", sa.Column("flows", sa.Text(), nullable=True))
    for name in CHECKED:
        check = op.f(f"ck_performance_history_{name}")
        op.create_check_constraint(check, "performance_history", f"{name} >= 0")
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
    for name in CHECKED:
        op.drop_constraint(op.f(f"ck_performance_history_{name}"), "performance_history")
    for name in ("flows", *CHECKED):
        op.drop_column("performance_history", name)
    # What is stored is of the other definition.
    _mark_all()

"""Portfolios that are only tracked have no strategy, and do not rebalance by themselves.

Revision: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

STRATEGIES = (
    "'MAX_SHARPE', 'MIN_VARIANCE', 'RISK_PARITY', 'HIERARCHICAL_RISK_PARITY', 'MIN_CVAR', 'EQUAL_WEIGHT', "
    "'CUSTOM'"
)
STRATEGY, AUTOMATIC = "ck_portfolios_strategy", "ck_portfolios_automatic"


def upgrade() -> None:
    op.drop_constraint(op.f(STRATEGY), "portfolios")
    op.create_check_constraint(op.f(STRATEGY), "portfolios", f"strategy IN ({STRATEGIES}, 'NONE')")
    op.create_check_constraint(op.f(AUTOMATIC), "portfolios", "NOT auto_rebalance OR strategy <> 'NONE'")


def downgrade() -> None:
    op.drop_constraint(op.f(AUTOMATIC), "portfolios")
    op.drop_constraint(op.f(STRATEGY), "portfolios")
    # They do not rebalance by themselves, so that another strategy does nothing that nobody asks for.
    op.execute("ALTER TABLE portfolios NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE portfolios SET strategy = 'EQUAL_WEIGHT' WHERE strategy = 'NONE'")
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("ALTER TABLE portfolios FORCE ROW LEVEL SECURITY")
    op.create_check_constraint(op.f(STRATEGY), "portfolios", f"strategy IN ({STRATEGIES})")

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
STRATEGY = op.f("ck_portfolios_strategy")
AUTOMATIC = op.f("ck_portfolios_automatic")


def upgrade() -> None:
    op.drop_constraint(STRATEGY, "portfolios")
    op.create_check_constraint(STRATEGY, "portfolios", f"strategy IN ({STRATEGIES}, 'NONE')")
    op.create_check_constraint(AUTOMATIC, "portfolios", "NOT auto_rebalance OR strategy <> 'NONE'")


def downgrade() -> None:
    op.drop_constraint(AUTOMATIC, "portfolios")
    op.drop_constraint(STRATEGY, "portfolios")
    op.create_check_constraint(STRATEGY, "portfolios", f"strategy IN ({STRATEGIES})")

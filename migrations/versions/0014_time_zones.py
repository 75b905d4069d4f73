"""The time zones of accounts and users, which cut instants into days.

Revision: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("accounts", "users"):
        op.add_column(
            table,
            sa.Column("time_zone", sa.Text(), nullable=False, server_default=sa.text("'America/New_York'")),
        )


def downgrade() -> None:
    for table in ("accounts", "users"):
        op.drop_column(table, "time_zone")

"""How often somebody has tried to come in.

Revision: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_attempts",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("full_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_attempts")),
    )
    # No owner's policy: whoever tries to come in is nobody yet. The server's role sees hashes and times.
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON login_attempts TO graphfolio_app")


def downgrade() -> None:
    op.drop_table("login_attempts")

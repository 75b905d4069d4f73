"""Fingerprints of imported transactions, and what came of each import.

Revision: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transactions", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_transactions_fingerprint",
        "transactions",
        ["owner_id", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("fingerprint IS NOT NULL"),
    )
    op.create_table(
        "imports",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_imports_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_imports")),
    )
    op.execute("ALTER TABLE imports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY owner ON imports "
        "USING (owner_id = nullif(current_setting('app.user_id', true), '')::uuid)"
    )
    op.execute("GRANT SELECT, INSERT ON imports TO graphfolio_app")


def downgrade() -> None:
    op.drop_table("imports")
    op.drop_index("ix_transactions_fingerprint", table_name="transactions")
    op.drop_column("transactions", "fingerprint")

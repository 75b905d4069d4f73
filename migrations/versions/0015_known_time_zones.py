"""No row has a time zone that PostgreSQL does not know: one would stop the statements over everybody's days.

Revision: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = ("accounts", "users")


def upgrade() -> None:
    # The expression raises an error of its own for a name that is not known.
    known = "(TIMESTAMPTZ '2000-01-01 00:00+00' AT TIME ZONE time_zone) IS NOT NULL"
    for table in _TABLES:
        op.create_check_constraint(op.f(f"ck_{table}_time_zone"), table, known)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_constraint(op.f(f"ck_{table}_time_zone"), table, type_="check")

"""The devices that users have logged in from.

Revision ID: 1004
Revises: 1001
"""

from alembic import op

revision = "1004"
down_revision = "1001"
branch_labels = None
depends_on = None

VIEWER = "(NULLIF(current_setting('app.user_id', true), ''))::uuid"


def upgrade() -> None:
    op.execute(
        r"""
CREATE TABLE known_devices (
    owner_id uuid NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_known_devices PRIMARY KEY (owner_id, digest),
    CONSTRAINT fk_known_devices_owner_id FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE
)
    """
    )
    op.execute("ALTER TABLE known_devices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY owner ON known_devices USING (owner_id = {VIEWER})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON known_devices TO graphfolio_app")


def downgrade() -> None:
    op.execute("DROP TABLE known_devices")

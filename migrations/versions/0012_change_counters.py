"""Change counters: how often something has happened to an owner that streams wait for.

Revision: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Counted in the transaction itself, so that none is missed, whoever wrote: a server, a worker, a command.
# The row is locked right after the one that changed, always in that order; for orders, of which several
# may change in a transaction that goes on to lock more, when everything else is done.
COUNT = (
    "CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "INSERT INTO change_counters (owner_id, topic, changes) VALUES (NEW.owner_id, TG_ARGV[0], 1) "
    "ON CONFLICT (owner_id, topic) DO UPDATE SET changes = change_counters.changes + 1; RETURN NULL; END $$"
)


def upgrade() -> None:
    op.create_table(
        "change_counters",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("topic IN ('alerts', 'orders', 'logins')", name=op.f("ck_change_counters_topic")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_change_counters_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "topic", name=op.f("pk_change_counters")),
    )
    # No owner's policy: a process asks in one statement for everybody who listens there. What the server's
    # role can see of a user is an id and a count.
    op.execute("GRANT SELECT, INSERT, UPDATE ON change_counters TO graphfolio_app")
    op.execute(COUNT)
    op.execute(
        "CREATE TRIGGER count_alerts AFTER INSERT OR UPDATE ON alert_sequences "
        "FOR EACH ROW EXECUTE FUNCTION count_change('alerts')"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER count_orders AFTER INSERT OR UPDATE ON orders DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION count_change('orders')"
    )
    op.execute(
        "CREATE TRIGGER count_logins AFTER UPDATE OF revoked_at ON refresh_tokens FOR EACH ROW "
        "WHEN (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) EXECUTE FUNCTION count_change('logins')"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER count_logins ON refresh_tokens")
    op.execute("DROP TRIGGER count_orders ON orders")
    op.execute("DROP TRIGGER count_alerts ON alert_sequences")
    op.execute("DROP FUNCTION count_change()")
    op.drop_table("change_counters")

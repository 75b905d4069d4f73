"""Notifications: destinations with sealed addresses, deliveries that are claimed, and a limit for each user.

Revision: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

VIEWER = "nullif(current_setting('app.user_id', true), '')::uuid"
TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    _create_destinations()
    _change_deliveries()
    _create_work()
    op.create_table(
        "notification_budgets",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("window_start", TIME, server_default=NOW, nullable=False),
        sa.Column("sent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_notification_budgets_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_notification_budgets")),
    )
    _guard("notification_budgets", "SELECT, INSERT, UPDATE")


def _create_destinations() -> None:
    op.create_table(
        "notification_destinations",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("encryption_key_id", sa.Text(), nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("code_expires_at", TIME, nullable=True),
        sa.Column("code_tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_sent_at", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "kind IN ('EMAIL', 'WEBHOOK', 'APPRISE')", name=op.f("ck_notification_destinations_kind")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["users.id"],
            name=op.f("fk_notification_destinations_owner_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_notification_destinations")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_notification_destinations_owner_id_name")),
    )
    op.execute(
        "CREATE TRIGGER touch_updated_at BEFORE UPDATE ON notification_destinations "
        "FOR EACH ROW EXECUTE FUNCTION touch_updated_at()"
    )
    _guard("notification_destinations", "SELECT, INSERT, UPDATE, DELETE")


def _change_deliveries() -> None:
    op.alter_column("deliveries", "alert_id", nullable=True)
    op.add_column(
        "deliveries", sa.Column("kind", sa.Text(), server_default=sa.text("'ALERT'"), nullable=False)
    )
    op.add_column("deliveries", sa.Column("destination_id", sa.Uuid(), nullable=True))
    op.add_column("deliveries", sa.Column("digest_id", sa.Uuid(), nullable=True))
    op.add_column("deliveries", sa.Column("sent_at", TIME, nullable=True))
    op.create_check_constraint(
        op.f("ck_deliveries_kind"), "deliveries", "kind IN ('ALERT', 'DIGEST', 'CONFIRMATION')"
    )
    for column, table in (("destination_id", "notification_destinations"), ("digest_id", "deliveries")):
        op.create_foreign_key(
            op.f(f"fk_deliveries_owner_id_{column}"),
            "deliveries",
            table,
            ["owner_id", column],
            ["owner_id", "id"],
            ondelete=f"SET NULL ({column})",
        )
        op.create_index(op.f(f"ix_deliveries_owner_id_{column}"), "deliveries", ["owner_id", column])
    op.create_index(
        "ix_deliveries_without_an_alert",
        "deliveries",
        ["owner_id", "created_at"],
        postgresql_where=sa.text("alert_id IS NULL"),
    )
    # What is due is looked for in delivery_work from now on.
    op.drop_index("ix_deliveries_status_next_attempt_at", table_name="deliveries")
    op.execute("GRANT DELETE ON deliveries TO graphfolio_app")


def _create_work() -> None:
    op.create_table(
        "delivery_work",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", TIME, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id", "delivery_id"],
            ["deliveries.owner_id", "deliveries.id"],
            name=op.f("fk_delivery_work_owner_id_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "delivery_id", name=op.f("pk_delivery_work")),
    )
    op.create_index(op.f("ix_delivery_work_due_at"), "delivery_work", ["due_at"])
    # No owner's policy, as on order_work: who looks for what is due does not know yet on whose behalf.
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON delivery_work TO graphfolio_app")


def _guard(table: str, rights: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY owner ON {table} USING (owner_id = {VIEWER})")
    op.execute(f"GRANT {rights} ON {table} TO graphfolio_app")


def downgrade() -> None:
    op.drop_table("notification_budgets")
    op.drop_table("delivery_work")
    op.execute("REVOKE DELETE ON deliveries FROM graphfolio_app")
    op.drop_index("ix_deliveries_without_an_alert", table_name="deliveries")
    for column in ("digest_id", "destination_id"):
        op.drop_index(op.f(f"ix_deliveries_owner_id_{column}"), table_name="deliveries")
        op.drop_constraint(f"fk_deliveries_owner_id_{column}", "deliveries", type_="foreignkey")
    # Digests and confirmations have no place in the older table. Its policy is forced on its owner too.
    op.execute("ALTER TABLE deliveries NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM deliveries WHERE alert_id IS NULL")
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("ALTER TABLE deliveries FORCE ROW LEVEL SECURITY")
    op.drop_constraint(op.f("ck_deliveries_kind"), "deliveries", type_="check")
    for column in ("sent_at", "digest_id", "destination_id", "kind"):
        op.drop_column("deliveries", column)
    op.alter_column("deliveries", "alert_id", nullable=False)
    op.create_index(op.f("ix_deliveries_status_next_attempt_at"), "deliveries", ["status", "next_attempt_at"])
    op.drop_table("notification_destinations")

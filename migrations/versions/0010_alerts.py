"""Alerts that are raised: rules with hours and hysteresis, where each stands, and a sequence for each user.

Revision: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

VIEWER = "nullif(current_setting('app.user_id', true), '')::uuid"
MONEY = sa.Numeric(precision=28, scale=10)
TIME = sa.DateTime(timezone=True)
TRANSACTION = sa.text("pg_current_xact_id()::text::bigint")

KINDS = (
    "kind IN ('PRICE_ABOVE', 'PRICE_BELOW', 'DAILY_MOVE', 'POSITION_WEIGHT', 'DRIFT', 'DRAWDOWN', "
    "'PORTFOLIO_VALUE_BELOW', 'CASH_BELOW', 'REBALANCE_COMPLETED', 'REBALANCE_FAILED', 'ORDER_REJECTED')"
)

# Reading all that changed since one looked last goes by the number of the transaction: a time, or a number
# that is given out before the commit, would pass over what is committed late.
TOUCH = (
    "CREATE FUNCTION touch_changed() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN NEW.changed = pg_current_xact_id()::text::bigint; RETURN NEW; END $$"
)

# Row-level security is forced on the owner too, who has to see every user's number.
UNFORCED = ("users", "alerts")


def upgrade() -> None:
    for column in (
        sa.Column("hysteresis", MONEY, server_default=sa.text("0"), nullable=False),
        sa.Column("active_from", sa.Time(), nullable=True),
        sa.Column("active_until", sa.Time(), nullable=True),
        sa.Column("active_weekdays", postgresql.ARRAY(sa.Integer()), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
    ):
        op.add_column("alert_rules", column)
    op.create_check_constraint(op.f("ck_alert_rules_hysteresis"), "alert_rules", "hysteresis >= 0")
    op.create_check_constraint(
        op.f("ck_alert_rules_active_hours"),
        "alert_rules",
        "num_nonnulls(active_from, active_until, active_weekdays, time_zone) IN (0, 4)",
    )
    _change_alerts()
    _create_watches()
    _create_states()
    _create_sequences()
    op.add_column("quotes", sa.Column("previous_price", MONEY, nullable=True))
    op.add_column("quotes", sa.Column("changed", sa.BigInteger(), server_default=TRANSACTION, nullable=False))
    _create_feeds()
    op.execute(TOUCH)
    for table in ("quotes", "alert_watches"):
        op.execute(
            f"CREATE TRIGGER touch_changed BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION touch_changed()"
        )


def _change_alerts() -> None:
    op.drop_constraint("fk_alerts_owner_id_rule_id", "alerts", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_alerts_owner_id_rule_id"),
        "alerts",
        "alert_rules",
        ["owner_id", "rule_id"],
        ["owner_id", "id"],
        ondelete="SET NULL (rule_id)",
    )
    op.create_index(op.f("ix_alerts_owner_id_rule_id"), "alerts", ["owner_id", "rule_id"])
    op.create_index(op.f("ix_alerts_owner_id_created_at"), "alerts", ["owner_id", "created_at"])
    op.create_index(
        "ix_alerts_unacknowledged",
        "alerts",
        ["owner_id", "severity"],
        postgresql_where=sa.text("acknowledged_at IS NULL"),
    )
    op.execute("GRANT DELETE ON alerts TO graphfolio_app")


def _create_watches() -> None:
    op.create_table(
        "alert_watches",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("threshold", MONEY, nullable=False),
        sa.Column("hysteresis", MONEY, nullable=False),
        sa.Column("is_armed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("quiet_until", TIME, nullable=True),
        sa.Column("as_of", TIME, nullable=True),
        sa.Column("changed", sa.BigInteger(), server_default=TRANSACTION, nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_alert_watches_kind")),
        sa.ForeignKeyConstraint(
            ["owner_id", "rule_id"],
            ["alert_rules.owner_id", "alert_rules.id"],
            name=op.f("fk_alert_watches_owner_id_rule_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_alert_watches_instrument_id")
        ),
        sa.PrimaryKeyConstraint("owner_id", "rule_id", name=op.f("pk_alert_watches")),
    )
    op.create_index(op.f("ix_alert_watches_instrument_id"), "alert_watches", ["instrument_id"])
    op.create_index(op.f("ix_alert_watches_changed"), "alert_watches", ["changed"])
    op.create_table(
        "alert_checks",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_alert_checks_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_alert_checks")),
    )
    op.create_index(op.f("ix_alert_checks_due_at"), "alert_checks", ["due_at"])
    # Neither has an owner's policy: a price, or the time to look, comes before anybody knows whose rules it
    # concerns. What the server's role can see there of a user is an id, prices that somebody waits for, and
    # whether a rule has fired; names, portfolios and alerts are behind the policies of their own tables.
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON alert_watches, alert_checks TO graphfolio_app")


def _create_states() -> None:
    op.create_table(
        "alert_states",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("portfolio_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=True),
        sa.Column("is_armed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("quiet_until", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id", "rule_id"],
            ["alert_rules.owner_id", "alert_rules.id"],
            name=op.f("fk_alert_states_owner_id_rule_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "portfolio_id"],
            ["portfolios.owner_id", "portfolios.id"],
            name=op.f("fk_alert_states_owner_id_portfolio_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_alert_states_instrument_id")
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_alert_states")),
        sa.UniqueConstraint(
            "owner_id",
            "rule_id",
            "portfolio_id",
            "instrument_id",
            name=op.f("uq_alert_states_owner_id_rule_id_portfolio_id_instrument_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    _guard("alert_states", "SELECT, INSERT, UPDATE, DELETE")


def _create_sequences() -> None:
    op.create_table(
        "alert_sequences",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("purged_seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_alert_sequences_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_alert_sequences")),
    )
    # A row of its own: services lock the row in `users` first and portfolios after it, and an alert takes
    # its number when portfolios are locked already.
    for table in UNFORCED:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "INSERT INTO alert_sequences (owner_id, seq) SELECT id, greatest(alert_seq, (SELECT max(seq) FROM "
        "alerts WHERE owner_id = u.id)) FROM users u "
        "WHERE alert_seq > 0 OR EXISTS (SELECT FROM alerts WHERE owner_id = u.id)"
    )
    op.drop_column("users", "alert_seq")
    _force()
    _guard("alert_sequences", "SELECT, INSERT, UPDATE")


def _create_feeds() -> None:
    op.create_table(
        "market_feeds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Date(), nullable=True),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("leased_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_market_feeds")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON market_feeds TO graphfolio_app")


def _force() -> None:
    # Foreign keys are checked before the tables may be altered again.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in UNFORCED:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _guard(table: str, rights: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY owner ON {table} USING (owner_id = {VIEWER})")
    op.execute(f"GRANT {rights} ON {table} TO graphfolio_app")


def downgrade() -> None:
    for table in ("quotes", "alert_watches"):
        op.execute(f"DROP TRIGGER touch_changed ON {table}")
    op.execute("DROP FUNCTION touch_changed()")
    op.drop_table("market_feeds")
    op.drop_column("quotes", "changed")
    op.drop_column("quotes", "previous_price")
    op.add_column("users", sa.Column("alert_seq", sa.Integer(), server_default=sa.text("0"), nullable=False))
    for table in (*UNFORCED, "alert_sequences"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE users u SET alert_seq = s.seq FROM alert_sequences s WHERE s.owner_id = u.id")
    _force()
    for table in ("alert_sequences", "alert_states", "alert_checks", "alert_watches"):
        op.drop_table(table)
    op.execute("REVOKE DELETE ON alerts FROM graphfolio_app")
    op.drop_index("ix_alerts_unacknowledged", table_name="alerts")
    op.drop_index(op.f("ix_alerts_owner_id_created_at"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_owner_id_rule_id"), table_name="alerts")
    op.drop_constraint("fk_alerts_owner_id_rule_id", "alerts", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_alerts_owner_id_rule_id"),
        "alerts",
        "alert_rules",
        ["owner_id", "rule_id"],
        ["owner_id", "id"],
    )
    for name in ("active_hours", "hysteresis"):
        op.drop_constraint(op.f(f"ck_alert_rules_{name}"), "alert_rules", type_="check")
    for name in ("time_zone", "active_weekdays", "active_until", "active_from", "hysteresis"):
        op.drop_column("alert_rules", name)

"""What a transfer brings in may follow from splits, and orders and levels keep which splits they followed.

Revision: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

FOLLOWING = ("orders", "paper_orders", "alert_rules", "alert_watches")

# Shares that came or went are a fact; how many a split made follows from what was held before it, and how many
# came in from another portfolio from the splits that had begun in one of the two alone.
TRIGGER = """
CREATE TRIGGER quantity_delta_is_a_fact BEFORE UPDATE OF quantity_delta ON transactions FOR EACH ROW
WHEN ({facts} AND OLD.quantity_delta IS DISTINCT FROM NEW.quantity_delta)
EXECUTE FUNCTION refuse_change_of_fact()
"""

# Whatever a split should have reached and did not, it is to reach now.
FOLLOW_AGAIN = """
INSERT INTO split_work (instrument_id, ex_date, due_at)
SELECT instrument_id, ex_date, ex_date::timestamp AT TIME ZONE 'America/New_York' FROM instrument_splits
WHERE EXISTS (SELECT FROM logins)
ON CONFLICT (instrument_id, ex_date) DO UPDATE SET due_at = excluded.due_at, after_owner = NULL
"""


def upgrade() -> None:
    op.execute("DROP TRIGGER quantity_delta_is_a_fact ON transactions")
    derived = "OLD.type = 'SPLIT' OR OLD.type = 'TRANSFER_IN' AND OLD.transfer_id IS NOT NULL"
    op.execute(TRIGGER.format(facts=f"NOT ({derived})"))
    for table in FOLLOWING:
        empty = sa.text("'{}'::date[]")
        op.add_column(
            table, sa.Column("followed_splits", ARRAY(sa.Date()), server_default=empty, nullable=False)
        )
    op.execute(FOLLOW_AGAIN)


def downgrade() -> None:
    for table in FOLLOWING:
        op.drop_column(table, "followed_splits")
    op.execute("DROP TRIGGER quantity_delta_is_a_fact ON transactions")
    op.execute(TRIGGER.format(facts="OLD.type <> 'SPLIT'"))

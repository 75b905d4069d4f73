"""How a portfolio's plans are made: fractions of shares, the smallest trade, bands, reserve, limits, look-back.

Revision: 0007
Revises: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CHECKS = {
    "relative_drift_band": "relative_drift_band > 0 AND relative_drift_band <= 1",
    "minimum_trade": "minimum_trade >= 0",
    "cash_reserve": "cash_reserve >= 0 AND cash_reserve < 1",
    "max_trade": "max_trade > 0 AND max_trade <= 1",
    "max_turnover": "max_turnover > 0 AND max_turnover <= 2",
    "look_back_days": "look_back_days BETWEEN 30 AND 7560",
}


def upgrade() -> None:
    money = sa.Numeric(precision=28, scale=10)
    columns: dict[str, tuple[Any, str | None]] = {
        "fractional_shares": (sa.Boolean(), "true"),
        "minimum_trade": (money, "0"),
        "relative_drift_band": (money, None),
        "cash_reserve": (money, "0"),
        "max_trade": (money, None),
        "max_turnover": (money, None),
        "look_back_days": (sa.Integer(), "756"),
        "tax_aware": (sa.Boolean(), "false"),
    }
    for column, (type_, default) in columns.items():
        server_default = None if default is None else sa.text(default)
        op.add_column(
            "portfolios", sa.Column(column, type_, server_default=server_default, nullable=default is None)
        )
    for column, check in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_portfolios_{column}"), "portfolios", check)


def downgrade() -> None:
    for column in (
        "tax_aware",
        "look_back_days",
        "max_turnover",
        "max_trade",
        "cash_reserve",
        "relative_drift_band",
        "minimum_trade",
        "fractional_shares",
    ):
        op.drop_column("portfolios", column)

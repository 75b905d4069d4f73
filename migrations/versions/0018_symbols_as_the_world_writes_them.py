r"""Symbols as the world writes them: BRK B, BTC/USD, M&M.NS, letters of other scripts.

Revision: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_NAME = "ck_instruments_symbol"
_OLD = "symbol ~ '^[A-Z0-9][A-Z0-9.^=_-]{0,31}$'"
_NEW = r"""char_length(symbol) BETWEEN 1 AND 32 AND symbol !~ '^[ .=_/&+''$#:@*!%-]| $|  |[\u0001-\u001f"(),;<>?\[\\\]`a-z{|}~\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]'"""


def upgrade() -> None:
    _replace(_NEW)


def downgrade() -> None:
    _replace(_OLD)


def _replace(rule: str) -> None:
    op.drop_constraint(op.f(_NAME), "instruments", type_="check")
    op.create_check_constraint(op.f(_NAME), "instruments", rule)

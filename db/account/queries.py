"""Reading accounts."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from db.account.rows import AccountValueRow, ListedAccountRow, UserSummaryRow
from db.pages import Key, Listing, columns
from db.sessions import Connection

ACCOUNTS = Listing(
    row=ListedAccountRow,
    name="accounts",
    columns=columns(
        "id name broker account_type currency initial_balance is_paper is_active created_at "
        "unallotted_cash time_zone",
        cash_balance="t.unallotted_cash + (SELECT coalesce(sum(p.cash_balance), 0) FROM portfolios p WHERE "
        "p.owner_id = $1 AND p.account_id = t.id)",
    ),
    table="accounts",
    order=(Key("id", "t.id", UUID),),
    parent="t.owner_id",
    filters={"is_active": "t.is_active = {}"},
)


async def fetch_account_values(
    connection: Connection, owner_id: UUID, account_ids: Sequence[UUID]
) -> dict[UUID, AccountValueRow]:
    """Return `market_value` and `total_value` of each account, in its currency."""
    rows = await connection.fetch(
        """
        SELECT a.id, coalesce(sum(s.market_value), 0) AS market_value,
               a.unallotted_cash + coalesce(sum(s.total_value), 0) AS total_value
        FROM accounts a
        LEFT JOIN portfolio_summary s ON s.owner_id = $1 AND s.account_id = a.id
        WHERE a.owner_id = $1 AND a.id = ANY($2::uuid[])
        GROUP BY a.owner_id, a.id
        """,
        owner_id,
        account_ids,
    )
    return cast("dict[UUID, AccountValueRow]", {row["id"]: row for row in rows})


async def fetch_user_summary(connection: Connection, owner_id: UUID) -> UserSummaryRow:
    """Return the user's row of the view user_account_summary."""
    row = await connection.fetchrow("SELECT * FROM user_account_summary WHERE owner_id = $1", owner_id)
    assert row is not None, "a viewer has a row in users"
    return cast("UserSummaryRow", row)

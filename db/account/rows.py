"""What the queries of `db.account` return: each type has the columns of its statement.

`tests/db/test_rows.py` compares them with the columns that PostgreSQL reports for the statements.
"""

import datetime as dt
from typing import TypedDict
from uuid import UUID

from db.canonical import DecimalText


class AccountValueRow(TypedDict):
    """A row of `fetch_account_values`."""

    id: UUID
    market_value: DecimalText
    total_value: DecimalText


class UserSummaryRow(TypedDict):
    """A row of `fetch_user_summary`."""

    owner_id: UUID
    currency: str
    account_count: int
    other_currency_account_count: int
    portfolio_count: int
    position_count: int
    cash_balance: DecimalText
    market_value: DecimalText
    total_value: DecimalText


class ListedAccountRow(TypedDict):
    """A row of `ACCOUNTS`."""

    id: UUID
    name: str
    broker: str
    account_type: str
    currency: str
    initial_balance: DecimalText
    is_paper: bool
    is_active: bool
    created_at: dt.datetime
    unallotted_cash: DecimalText
    time_zone: str
    cash_balance: DecimalText

"""What the queries of `db.auth` return: each type has the columns of its statement.

`tests/db/test_rows.py` holds them against what PostgreSQL says of the statements.
"""

import datetime as dt
from typing import TypedDict
from uuid import UUID

from db.canonical import JsonObject


class DeletedKeyRow(TypedDict):
    """A row of `delete_api_key`."""

    broker: str
    label: str
    key_hint: str


class IdempotencyRow(TypedDict):
    """A row of `find`."""

    field: str
    arguments_hash: bytes
    outcome: JsonObject | None


class ViewerRow(TypedDict):
    """A row of `viewer`."""

    id: UUID
    username: str
    email: str
    full_name: str | None
    currency: str
    time_zone: str
    is_admin: bool
    is_active: bool
    created_at: dt.datetime
    last_login_at: dt.datetime | None

"""What the queries of `db.auth` return: each type has the columns of its statement.

`tests/db/test_rows.py` compares them with the columns that PostgreSQL reports for the statements.
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


class UserRow(TypedDict):
    """A row of `USERS`."""

    id: UUID
    username: str
    email: str
    full_name: str | None
    is_admin: bool
    is_active: bool
    currency: str
    time_zone: str
    created_at: dt.datetime
    last_login_at: dt.datetime | None


class ApiKeyRow(TypedDict):
    """A row of `API_KEYS`."""

    id: UUID
    broker: str
    label: str
    key_hint: str
    account_id: UUID | None
    created_at: dt.datetime
    last_used_at: dt.datetime | None


class AuditRow(TypedDict):
    """A row of `AUDIT_LOG`."""

    id: UUID
    action: str
    entity_type: str | None
    entity_id: UUID | None
    details: JsonObject
    ip_address: str | None
    user_agent: str | None
    created_at: dt.datetime

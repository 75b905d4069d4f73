"""What the queries of `db.notifications` return: each type has the columns of its statement.

`tests/db/test_rows.py` compares them with the columns that PostgreSQL reports for the statements.
"""

import datetime as dt
from typing import TypedDict
from uuid import UUID

from db.canonical import JsonObject


class LockedDestinationRow(TypedDict):
    """A row of `lock_destination`."""

    owner_id: UUID
    id: UUID
    name: str
    kind: str
    hint: str
    ciphertext: bytes
    encryption_key_id: str
    confirmed_at: dt.datetime | None
    code_expires_at: dt.datetime | None
    code_tries: int
    is_active: bool
    failures: int
    last_sent_at: dt.datetime | None
    created_at: dt.datetime
    updated_at: dt.datetime


class EncryptedRow(TypedDict):
    """A row of `lock_sealed`."""

    id: UUID
    ciphertext: bytes
    encryption_key_id: str


class ReadyDestinationRow(TypedDict):
    """A row of `find_ready`."""

    id: UUID
    name: str


class ToldAlertRow(TypedDict):
    """A row of `fetch_alerts`."""

    id: UUID
    kind: str
    severity: str
    title: str
    message: str
    metrics: JsonObject
    created_at: dt.datetime
    symbol: str | None


class DestinationRow(TypedDict):
    """A row of `DESTINATIONS`."""

    id: UUID
    name: str
    kind: str
    hint: str
    confirmed_at: dt.datetime | None
    is_active: bool
    failures: int
    last_sent_at: dt.datetime | None
    created_at: dt.datetime


class DeliveryRow(TypedDict):
    """A row of `DELIVERIES`."""

    id: UUID
    alert_id: UUID | None
    channel: str
    status: str
    attempts: int
    next_attempt_at: dt.datetime | None
    last_error: str | None
    sent_at: dt.datetime | None
    is_digested: bool
    created_at: dt.datetime

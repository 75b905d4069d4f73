"""Tables of authentication: users, their logins and tokens, and what they did."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Created, Owned, Updated, known_time_zone, of_owner, of_user, one_of
from db.ids import uuid7
from db.vocabulary import Broker


class User(Updated, Base):
    """A person; the row is owned by itself, as its id is the owner of everything below it.

    `time_zone` is an IANA name: it cuts the figures over all accounts into days.
    """

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"), known_time_zone())

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    username: Mapped[str]
    email: Mapped[str]
    full_name: Mapped[str | None]
    password_hash: Mapped[str]
    is_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    currency: Mapped[str] = mapped_column(server_default=text("'USD'"))
    time_zone: Mapped[str] = mapped_column(server_default=text("'America/New_York'"))
    last_login_at: Mapped[dt.datetime | None]
    created_at: Mapped[Created] = mapped_column(sort_order=98)


class Login(Base):
    """A username or an e-mail, in lower case: the one look-up of a user that has no owner yet."""

    __tablename__ = "logins"
    __table_args__ = (CheckConstraint("identifier = lower(identifier)", name="lower"),)

    identifier: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)


class LoginAttempt(Base):
    """The instant until which a subject has used up its login attempts (see `db.auth.attempts`).

    It has no owner, since nobody is logged in yet; the subject is a hash.
    """

    __tablename__ = "login_attempts"

    subject: Mapped[bytes] = mapped_column(primary_key=True)
    full_until: Mapped[dt.datetime]


class RefreshToken(Owned, Base):
    """A refresh token in a login's chain; the family is the login itself. Only the token's hash is stored."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        of_user(),
        UniqueConstraint("owner_id", "token_hash"),
        Index(None, "owner_id", "family_id"),
    )

    family_id: Mapped[UUID]
    token_hash: Mapped[bytes]
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class KnownDevice(Base):
    """A device that its owner has logged in from: the digest of its address or of its token."""

    __tablename__ = "known_devices"
    __table_args__ = (of_user(),)

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[dt.datetime]


class ApiKey(Owned, Base):
    """A broker's credentials, encrypted; the hint is all that is ever displayed."""

    __tablename__ = "api_keys"
    __table_args__ = (
        of_user(),
        of_owner("account_id", "accounts"),
        one_of("broker", Broker),
        UniqueConstraint("owner_id", "broker", "label"),
    )

    broker: Mapped[str]
    label: Mapped[str]
    key_hint: Mapped[str]
    account_id: Mapped[UUID | None]
    ciphertext: Mapped[bytes]
    encryption_key_id: Mapped[str]
    last_used_at: Mapped[dt.datetime | None]


class AuditEntry(Owned, Base):
    """An action of a user; rows are only ever added."""

    __tablename__ = "audit_log"
    __table_args__ = (of_user(),)

    action: Mapped[str]
    entity_type: Mapped[str | None]
    entity_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]


class IdempotencyKey(Base):
    """A mutation that moves money, done only once: the arguments' hash and the resulting ids."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (of_user(),)

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[UUID] = mapped_column(primary_key=True)
    field: Mapped[str]
    arguments_hash: Mapped[bytes]
    outcome: Mapped[dict[str, Any] | None]
    created_at: Mapped[Created]

"""What all tables share: constraint names, column types, and the owner in every key."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, MetaData, Numeric, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.ids import uuid7

Money = Annotated[Decimal, mapped_column(Numeric(28, 10))]
"""An amount, a price or a fraction: 28 digits, 10 of them after the point."""

Quantity = Annotated[Decimal, mapped_column(Numeric(38, 18))]
"""A number of shares or units: 38 digits, 18 of them after the point."""

Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]


class Base(DeclarativeBase):
    """Every table of Graphfolio."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: Text,
        UUID: Uuid,
        datetime: DateTime(timezone=True),
        Decimal: Numeric(28, 10),
        dict[str, Any]: JSONB,
    }


class Owned:
    """A row that belongs to one user.

    Its key starts with the owner, which is all that row-level security compares.
    """

    owner_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)
    created_at: Mapped[Created] = mapped_column(sort_order=98)


class Updated:
    """A row that changes; a trigger keeps the time of the last change."""

    updated_at: Mapped[Created] = mapped_column(sort_order=99)


def of_owner(column: str, table: str, *, cascade: bool = True) -> ForeignKeyConstraint:
    """Return a foreign key to a row of the same owner; a row cannot refer to another owner's row."""
    return ForeignKeyConstraint(
        ["owner_id", column], [f"{table}.owner_id", f"{table}.id"], ondelete="CASCADE" if cascade else None
    )


def of_user() -> ForeignKeyConstraint:
    """Return a foreign key to the user who owns the row."""
    return ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="CASCADE")


def one_of(column: str, words: Iterable[StrEnum]) -> CheckConstraint:
    """Return a check that the column holds a word of the vocabulary."""
    return CheckConstraint(f"{column} IN ({_quoted(words)})", name=column)


def known_time_zone() -> CheckConstraint:
    """Return a check that `time_zone` is known to PostgreSQL, which raises its own error if it is not."""
    known = "(TIMESTAMPTZ '2000-01-01 00:00+00' AT TIME ZONE time_zone) IS NOT NULL"
    return CheckConstraint(known, name="time_zone")


def _quoted(words: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{word}'" for word in words)

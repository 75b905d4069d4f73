"""Writing destinations. Each function is a part of the caller's transaction, on the owner's behalf.

Whoever changes a destination or its deliveries locks the destination first.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update

from db.models import AlertRule, Delivery, NotificationDestination
from db.notifications.rows import EncryptedRow, LockedDestinationRow
from db.sessions import Session, Sessions
from db.vocabulary import DeliveryKind

_Destination = NotificationDestination


async def names_of(session: Session, owner_id: UUID) -> set[str]:
    """The names of the owner's destinations."""
    found = await session.scalars(select(_Destination.name).where(_Destination.owner_id == owner_id))
    return set(found)


async def insert_destination(session: Session, values: Mapping[str, Any]) -> None:
    """Adds a destination."""
    await session.execute(insert(_Destination).values(**values))


async def lock_destination(session: Session, owner_id: UUID, id: UUID) -> LockedDestinationRow | None:
    """The destination, locked until the transaction ends; None where the owner has none of this id."""
    statement = (
        select(*_Destination.__table__.columns)
        .where(_Destination.owner_id == owner_id, _Destination.id == id)
        .with_for_update(key_share=True)
    )
    return cast("LockedDestinationRow | None", (await session.execute(statement)).mappings().one_or_none())


async def update_destination(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Changes a locked destination."""
    await session.execute(
        update(_Destination).where(_Destination.owner_id == owner_id, _Destination.id == id).values(**values)
    )


async def delete_destination(session: Session, owner_id: UUID, id: UUID, name: str) -> None:
    """Removes a locked destination, also from the channels of the owner's rules."""
    await session.execute(
        update(AlertRule)
        .where(AlertRule.owner_id == owner_id, AlertRule.channels.contains([name]))
        .values(channels=func.array_remove(AlertRule.channels, name))
    )
    await session.execute(
        delete(_Destination).where(_Destination.owner_id == owner_id, _Destination.id == id)
    )


async def count_codes(session: Session, owner_id: UUID, since: dt.datetime) -> int:
    """How many codes the owner has had sent since then, to whatever destinations."""
    statement = select(func.count()).where(
        Delivery.owner_id == owner_id,
        Delivery.alert_id.is_(None),
        Delivery.kind == DeliveryKind.CONFIRMATION.value,
        Delivery.created_at >= since,
    )
    return (await session.execute(statement)).scalar_one()


_TABLES = ("notification_destinations", "api_keys")


async def owners_of_secrets(sessions: Sessions) -> Sequence[UUID]:
    """Every user: whoever has a login may have secrets."""
    async with sessions.reading(None) as connection:
        rows = await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1")
    return [row["user_id"] for row in rows]


async def lock_sealed(
    session: Session, owner_id: UUID, table: str, but_key_id: str, most: int
) -> Sequence[EncryptedRow]:
    """Up to so many of the owner's secrets in a table, locked, that are sealed with another key than that."""
    assert table in _TABLES
    found = await session.execute(
        text(
            f"SELECT id, ciphertext, encryption_key_id FROM {table} WHERE owner_id = :owner "
            "AND encryption_key_id <> :key ORDER BY id LIMIT :most FOR NO KEY UPDATE"
        ),
        {"owner": owner_id, "key": but_key_id, "most": most},
    )
    return cast("Sequence[EncryptedRow]", found.mappings().all())


async def key_ids_of(session: Session, owner_id: UUID, table: str) -> set[str]:
    """The ids of the keys that the owner's secrets in a table are sealed with."""
    assert table in _TABLES
    found = await session.scalars(
        text(f"SELECT DISTINCT encryption_key_id FROM {table} WHERE owner_id = :owner"), {"owner": owner_id}
    )
    return set(found)


async def store_sealed(
    session: Session, owner_id: UUID, table: str, id: UUID, ciphertext: bytes, key_id: str
) -> None:
    """Stores a locked secret as it is sealed now."""
    assert table in _TABLES
    await session.execute(
        text(
            f"UPDATE {table} SET ciphertext = :ciphertext, encryption_key_id = :key "
            "WHERE owner_id = :owner AND id = :id"
        ),
        {"ciphertext": ciphertext, "key": key_id, "owner": owner_id, "id": id},
    )

"""Writing destinations; each function is a part of the caller's transaction, on the owner's behalf.

Every change of a destination or its deliveries locks the destination first.
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
    """Return the names of the owner's destinations."""
    found = await session.scalars(select(_Destination.name).where(_Destination.owner_id == owner_id))
    return set(found)


async def insert_destination(session: Session, values: Mapping[str, Any]) -> None:
    """Add a destination."""
    await session.execute(insert(_Destination).values(**values))


async def lock_destination(session: Session, owner_id: UUID, id: UUID) -> LockedDestinationRow | None:
    """Return the destination, locked until the transaction ends; None if the owner has none with this id."""
    statement = (
        select(*_Destination.__table__.columns)
        .where(_Destination.owner_id == owner_id, _Destination.id == id)
        .with_for_update(key_share=True)
    )
    return cast("LockedDestinationRow | None", (await session.execute(statement)).mappings().one_or_none())


async def update_destination(session: Session, owner_id: UUID, id: UUID, values: Mapping[str, Any]) -> None:
    """Change a locked destination."""
    await session.execute(
        update(_Destination).where(_Destination.owner_id == owner_id, _Destination.id == id).values(**values)
    )


async def delete_destination(session: Session, owner_id: UUID, id: UUID, name: str) -> None:
    """Delete a locked destination, also from the channels of the owner's rules."""
    await session.execute(
        update(AlertRule)
        .where(AlertRule.owner_id == owner_id, AlertRule.channels.contains([name]))
        .values(channels=func.array_remove(AlertRule.channels, name))
    )
    await session.execute(
        delete(_Destination).where(_Destination.owner_id == owner_id, _Destination.id == id)
    )


async def count_codes(session: Session, owner_id: UUID, since: dt.datetime) -> int:
    """Return how many codes were sent for the owner since then, to any of their destinations."""
    statement = select(func.count()).where(
        Delivery.owner_id == owner_id,
        Delivery.alert_id.is_(None),
        Delivery.kind == DeliveryKind.CONFIRMATION.value,
        Delivery.created_at >= since,
    )
    return (await session.execute(statement)).scalar_one()


_TABLES = ("notification_destinations", "api_keys")


async def owners_of_secrets(sessions: Sessions) -> Sequence[UUID]:
    """Return every user: anyone with a login may have secrets."""
    async with sessions.reading(None) as connection:
        rows = await connection.fetch("SELECT DISTINCT user_id FROM logins ORDER BY 1")
    return [row["user_id"] for row in rows]


async def lock_sealed(
    session: Session, owner_id: UUID, table: str, but_key_id: str, most: int
) -> Sequence[EncryptedRow]:
    """Lock and return up to `most` of the owner's secrets in a table that another key encrypts.

    That is any key but `but_key_id`.
    """
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
    """Return the ids of the keys that the owner's secrets in a table are encrypted with."""
    assert table in _TABLES
    found = await session.scalars(
        text(f"SELECT DISTINCT encryption_key_id FROM {table} WHERE owner_id = :owner"), {"owner": owner_id}
    )
    return set(found)


async def store_sealed(
    session: Session, owner_id: UUID, table: str, id: UUID, ciphertext: bytes, key_id: str
) -> None:
    """Store a locked secret as it is encrypted now."""
    assert table in _TABLES
    await session.execute(
        text(
            f"UPDATE {table} SET ciphertext = :ciphertext, encryption_key_id = :key "
            "WHERE owner_id = :owner AND id = :id"
        ),
        {"ciphertext": ciphertext, "key": key_id, "owner": owner_id, "id": id},
    )

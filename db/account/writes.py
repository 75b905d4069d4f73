"""Writing accounts."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from db.models import Account
from db.sessions import Session


async def name_is_taken(session: Session, owner_id: UUID, name: str, *, but: UUID | None = None) -> bool:
    """Whether another account of the owner has this name."""
    statement = select(Account.id).where(Account.owner_id == owner_id, Account.name == name)
    if but is not None:
        statement = statement.where(Account.id != but)
    return (await session.execute(statement)).first() is not None


async def insert_account(session: Session, owner_id: UUID, id: UUID, values: dict[str, Any]) -> None:
    """Adds an account, with no cash yet."""
    await session.execute(
        insert(Account).values(owner_id=owner_id, id=id, unallotted_cash=Decimal(0), **values)
    )


async def update_account(session: Session, owner_id: UUID, id: UUID, values: dict[str, Any]) -> bool:
    """Changes an account. Whether the owner has it."""
    changed = await session.execute(
        update(Account)
        .where(Account.owner_id == owner_id, Account.id == id)
        .values(**values)
        .returning(Account.id)
    )
    return changed.first() is not None

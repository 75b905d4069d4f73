"""Writing accounts."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, select, text, update

from db.account.days import day_of
from db.models import Account, Portfolio
from db.sessions import Session, announce
from db.vocabulary import Topic


async def name_is_taken(session: Session, owner_id: UUID, name: str, *, but: UUID | None = None) -> bool:
    """Return whether another account of the owner has this name."""
    statement = select(Account.id).where(Account.owner_id == owner_id, Account.name == name)
    if but is not None:
        statement = statement.where(Account.id != but)
    return (await session.execute(statement)).first() is not None


async def insert_account(session: Session, owner_id: UUID, id: UUID, values: dict[str, Any]) -> None:
    """Add an account, with no cash yet."""
    await session.execute(
        insert(Account).values(owner_id=owner_id, id=id, unallotted_cash=Decimal(0), **values)
    )


async def lock_account(session: Session, owner_id: UUID, account_id: UUID) -> RowMapping | None:
    """Return the account's row, locked until the transaction ends."""
    statement = select(
        Account.id,
        Account.currency,
        Account.account_type,
        Account.unallotted_cash,
        Account.time_zone,
        Account.is_active,
    ).where(Account.owner_id == owner_id, Account.id == account_id)
    return (await session.execute(statement.with_for_update(key_share=True))).mappings().one_or_none()


async def update_account(session: Session, owner_id: UUID, id: UUID, values: dict[str, Any]) -> bool:
    """Change an account; return whether it exists."""
    changed = await session.execute(
        update(Account)
        .where(Account.owner_id == owner_id, Account.id == id)
        .values(**values)
        .returning(Account.id)
    )
    return changed.first() is not None


_MARK_ALL = f"""
UPDATE portfolios p SET snapshots_stale_from = least(p.snapshots_stale_from,
    (SELECT min(date) FROM performance_history WHERE owner_id = :owner AND portfolio_id = p.id),
    (SELECT min({day_of("executed_at", "a.time_zone")}) FROM transactions
     WHERE owner_id = :owner AND portfolio_id = p.id))
FROM accounts a
WHERE a.owner_id = :owner AND a.id = :account AND p.owner_id = :owner AND p.account_id = a.id
"""


async def lock_portfolios(session: Session, owner_id: UUID, account_id: UUID | None = None) -> None:
    """Lock all portfolios of an account, or of the owner, until the transaction ends, in the order of ids.

    The account is locked already.
    """
    statement = select(Portfolio.id).where(Portfolio.owner_id == owner_id)
    if account_id is not None:
        statement = statement.where(Portfolio.account_id == account_id)
    await session.execute(statement.order_by(Portfolio.id).with_for_update(key_share=True))


async def mark_all_stale(session: Session, owner_id: UUID, account_id: UUID) -> None:
    """Mark the snapshots of all portfolios of an account as stale from their first day on.

    The caller has locked the portfolios. The first day is that of the first snapshot or, where it is earlier
    in the account's time zone as it is now, of the first transaction.
    """
    announce(session, owner_id, Topic.PORTFOLIOS)
    await session.execute(text(_MARK_ALL), {"owner": owner_id, "account": account_id})

"""Writing portfolios."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import insert, select, update

from db.models import Account, Portfolio
from db.portfolio.rows import SettingsRow
from db.sessions import Session, announce
from db.vocabulary import Topic


async def name_is_taken(
    session: Session, owner_id: UUID, account_id: UUID, name: str, *, but: UUID | None = None
) -> bool:
    """Return whether another portfolio of the account has this name."""
    statement = select(Portfolio.id).where(
        Portfolio.owner_id == owner_id, Portfolio.account_id == account_id, Portfolio.name == name
    )
    if but is not None:
        statement = statement.where(Portfolio.id != but)
    return (await session.execute(statement)).first() is not None


async def lock_its_account(session: Session, owner_id: UUID, id: UUID) -> None:
    """Lock the portfolio's account until the transaction ends: names are unique within it.

    An account is locked before its portfolios, and a portfolio never changes its account.
    """
    account_id = select(Portfolio.account_id).where(Portfolio.owner_id == owner_id, Portfolio.id == id)
    statement = select(Account.id).where(
        Account.owner_id == owner_id, Account.id == account_id.scalar_subquery()
    )
    await session.execute(statement.with_for_update(key_share=True))


async def find_settings(session: Session, owner_id: UUID, id: UUID) -> SettingsRow | None:
    """Return what updatePortfolio may change, locked until the transaction ends."""
    statement = select(
        Portfolio.account_id,
        Portfolio.strategy,
        Portfolio.symbols,
        Portfolio.target_weights,
        Portfolio.auto_rebalance,
    ).where(Portfolio.owner_id == owner_id, Portfolio.id == id)
    return cast(
        "SettingsRow | None",
        (await session.execute(statement.with_for_update(key_share=True))).mappings().one_or_none(),
    )


async def insert_portfolio(session: Session, values: dict[str, Any]) -> None:
    """Add a portfolio, and announce it."""
    announce(session, values["owner_id"], Topic.PORTFOLIOS)
    await session.execute(insert(Portfolio).values(**values))


async def update_portfolio(session: Session, owner_id: UUID, id: UUID, values: dict[str, Any]) -> bool:
    """Change a portfolio, and announce it; return whether it exists."""
    announce(session, owner_id, Topic.PORTFOLIOS)
    changed = await session.execute(
        update(Portfolio)
        .where(Portfolio.owner_id == owner_id, Portfolio.id == id)
        .values(**values)
        .returning(Portfolio.id)
    )
    return changed.first() is not None

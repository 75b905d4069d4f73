"""Which portfolios rebalance automatically, and when each is checked next."""

import datetime as dt
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from db.models import Account, Portfolio, Rebalance, RebalanceDue, User
from db.rebalancing.rows import AutomaticRow
from db.sessions import Session


async def set_due(
    session: Session,
    owner_id: UUID,
    portfolio_id: UUID,
    scheduled_at: dt.datetime,
    drift_at: dt.datetime | None,
) -> None:
    """Set when the portfolio is checked next, replacing earlier times."""
    values: dict[str, Any] = {
        "due_at": scheduled_at if drift_at is None else min(scheduled_at, drift_at),
        "scheduled_at": scheduled_at,
        "drift_at": drift_at,
        "attempts": 0,
    }
    statement = insert(RebalanceDue).values(owner_id=owner_id, portfolio_id=portfolio_id, **values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["owner_id", "portfolio_id"], set_=values)
    )


async def delete_due(session: Session, owner_id: UUID, portfolio_id: UUID) -> None:
    """Stop the automatic rebalancing of the portfolio."""
    await session.execute(
        delete(RebalanceDue).where(
            RebalanceDue.owner_id == owner_id, RebalanceDue.portfolio_id == portfolio_id
        )
    )


async def find_automatic(session: Session, owner_id: UUID, portfolio_id: UUID) -> AutomaticRow | None:
    """Return what decides when a portfolio rebalances automatically.

    `is_live` is true while the portfolio, its account and its owner are active.
    """
    statement = (
        select(
            Portfolio.auto_rebalance,
            Portfolio.rebalance_frequency,
            Portfolio.drift_band,
            Portfolio.strategy,
            Portfolio.target_weights,
            (Portfolio.is_active & Account.is_active & User.is_active).label("is_live"),
        )
        .join(Account, (Account.owner_id == owner_id) & (Account.id == Portfolio.account_id))
        .join(User, User.id == Portfolio.owner_id)
        .where(Portfolio.owner_id == owner_id, Portfolio.id == portfolio_id)
    )
    return cast("AutomaticRow | None", (await session.execute(statement)).mappings().one_or_none())


async def find_last_targets(
    session: Session, owner_id: UUID, portfolio_id: UUID, strategy: str
) -> dict[str, Decimal] | None:
    """Return the target weights of the last rebalance by this strategy, or None before the first one."""
    statement = (
        select(Rebalance.target_weights)
        .where(
            Rebalance.owner_id == owner_id,
            Rebalance.portfolio_id == portfolio_id,
            Rebalance.strategy == strategy,
            Rebalance.target_weights.is_not(None),
        )
        .order_by(Rebalance.id.desc())
        .limit(1)
    )
    found = (await session.execute(statement)).scalar_one_or_none()
    return None if found is None else {symbol: Decimal(weight) for symbol, weight in found.items()}


async def find_times(
    session: Session, owner_id: UUID, portfolio_id: UUID
) -> tuple[dt.datetime | None, dt.datetime | None] | None:
    """Return when the schedule and drift are due, or None if neither is; lock until the transaction ends."""
    statement = (
        select(RebalanceDue.scheduled_at, RebalanceDue.drift_at)
        .where(RebalanceDue.owner_id == owner_id, RebalanceDue.portfolio_id == portfolio_id)
        .with_for_update()
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row.scheduled_at, row.drift_at)

"""When a portfolio rebalances automatically, kept consistent with its settings."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from db.rebalancing import due as rows
from db.sessions import Session
from db.vocabulary import RebalanceFrequency
from investing.rules.market.market_days import next_due

_RELEVANT = frozenset({"auto_rebalance", "rebalance_frequency", "drift_band"})


async def update_due(
    session: Session, owner_id: UUID, portfolio_id: UUID, changed: Mapping[str, Any]
) -> None:
    """Update when a portfolio is due to match its settings, which have just been written."""
    if _RELEVANT.isdisjoint(changed):
        return
    settings = await rows.find_automatic(session, owner_id, portfolio_id)
    if settings is None or not settings["auto_rebalance"]:
        await rows.delete_due(session, owner_id, portfolio_id)
        return
    now = dt.datetime.now(dt.UTC)
    scheduled_at = next_due(RebalanceFrequency(settings["rebalance_frequency"]), now)
    await rows.set_due(
        session, owner_id, portfolio_id, scheduled_at, now if settings["drift_band"] is not None else None
    )

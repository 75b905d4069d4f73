"""The end of a rebalance: what it traded, what that cost, and the resulting weights."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from db.canonical import decimal
from db.rebalancing import running
from db.sessions import Session, announce
from db.vocabulary import LegStatus, OrderSide, RebalanceStatus, Topic
from investing.actor import RequestOrigin
from investing.alerts.events import raise_for_rebalance
from investing.audit import note
from investing.rules.money import quotient
from investing.rules.rebalancing.legs import Leg, ending


async def end(session: Session, owner_id: UUID, client: RequestOrigin, id: UUID) -> RebalanceStatus:
    """Record how a rebalance ended, all of whose legs have ended; the caller has locked its portfolio."""
    record = await running.lock_rebalance(session, owner_id, id)
    assert record is not None, "it is locked"
    legs = [
        Leg(
            row["symbol"],
            OrderSide(row["side"]),
            row["quantity"],
            LegStatus(row["status"]),
            row["filled_quantity"],
            row["reason"],
        )
        for row in await running.find_legs(session, owner_id, id)
    ]
    status, reason = ending(legs)
    totals = await running.find_totals(session, owner_id, id)
    weights = await running.find_weights(session, owner_id, record["portfolio_id"])
    value = record["value_before"]
    turnover = quotient(totals["traded"], value) if totals["traded"] and value is not None else Decimal(0)
    new_weights = {symbol: decimal(weight) for symbol, weight in weights.items()}
    values = {
        "status": status.value,
        "failure_reason": reason,
        "new_weights": new_weights,
        "turnover": turnover,
        "total_cost": totals["cost"],
        "trades_executed": totals["trades"],
        "completed_at": dt.datetime.now(dt.UTC),
    }
    await running.update_rebalance(session, owner_id, id, values)
    # Drift is measured from the weights that it has reached, so rules on portfolios are checked again.
    announce(session, owner_id, Topic.PORTFOLIOS)
    await running.set_work(session, owner_id, id, None)
    await note(
        session,
        owner_id,
        client,
        f"rebalance.{status.lower()}",
        "Rebalance",
        id,
        trades=totals["trades"],
        reason=reason,
    )
    figures: dict[str, Decimal | str] = {
        "turnover": turnover,
        "totalCost": totals["cost"],
        "trades": str(totals["trades"]),
    }
    await raise_for_rebalance(
        session,
        owner_id,
        record["portfolio_id"],
        await running.find_portfolio_name(session, owner_id, record["portfolio_id"]),
        completed=status is RebalanceStatus.COMPLETED,
        figures={"rebalance": str(id), **figures},
        reason=reason,
    )
    return status

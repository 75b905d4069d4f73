"""Start a rebalance: plan again under the portfolio's lock, store it and, on paper, carry it out at once.

All of it is one transaction. Nothing here talks to an external broker.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.canonical import decimal
from db.ids import uuid7
from db.rebalancing import running
from db.rebalancing.planning import find_rebalanced
from db.sessions import Session
from db.vocabulary import LegStatus, RebalanceStatus, RebalanceTrigger
from investing.actor import RequestOrigin
from investing.alerts.events import raise_for_rebalance
from investing.audit import note
from investing.brokers.protocol import AtomicBroker
from investing.rebalancing.atomic_execution import trade_atomically
from investing.rebalancing.ending import end
from investing.rebalancing.planning import plan_in
from investing.rebalancing.targets import Targets
from investing.rules.errors import (
    AccountInactive,
    DomainError,
    NotFound,
    PlanChanged,
    PortfolioInactive,
    RebalanceRunning,
)
from investing.rules.rebalancing.plans import Plan
from investing.trading.placing import TradingConfig

LEASE = dt.timedelta(seconds=30)
"""How long the process that started a rebalance has it to itself."""


@dataclass(frozen=True)
class Run:
    """A rebalance to start. `plan_hash` is the hash of the plan that its owner has seen, if any."""

    portfolio_id: UUID
    trigger: RebalanceTrigger
    plan_hash: str | None = None


async def start(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    run: Run,
    targets: Targets,
    trading_config: TradingConfig,
) -> UUID:
    """Store the rebalance with its legs; return its id.

    It is COMPLETED if the broker trades everything at once or there is nothing to trade, and RUNNING
    otherwise. Raise NotFound, PortfolioInactive, AccountInactive, RebalanceRunning, PlanChanged, what
    `plan_in` raises and, on paper, what the ledger refuses.
    """
    portfolio = await _lock(session, owner_id, run.portfolio_id)
    universe = await running.find_universe(session, owner_id, run.portfolio_id, list(targets.weights))
    # The lock keeps ticks from coming between the plan and its trades.
    quotes = await running.hold_quotes(session, universe)
    plan = await plan_in(session, owner_id, portfolio, targets, trading_config)
    if run.plan_hash is not None and run.plan_hash != plan.hash:
        message = "Prices or holdings have changed since this plan was made: review the new one."
        raise PlanChanged(message, ("planHash",), planned=run.plan_hash, current=plan.hash)
    id = uuid7()
    now = dt.datetime.now(dt.UTC)
    record = {
        "target_weights": {
            target.symbol: decimal(target.target_weight) for target in plan.targets if target.target_weight
        },
        "old_weights": await _weights(session, owner_id, run.portfolio_id),
        "value_before": plan.value,
        "plan_hash": plan.hash,
    }
    await _write(session, owner_id, id, run, targets, now, RebalanceStatus.RUNNING, record)
    broker = trading_config.brokers.named(portfolio["broker"])
    if plan.trades and isinstance(broker, AtomicBroker):
        trader = {**portfolio}
        await trade_atomically(session, owner_id, client, trader, id, plan, quotes, broker, now)
    else:
        await running.insert_legs(session, legs_of(owner_id, id, plan, quotes))
        if plan.trades:
            await running.insert_work(session, owner_id, id, now + LEASE)
    await note(
        session,
        owner_id,
        client,
        "rebalance.started",
        "Rebalance",
        id,
        trigger=run.trigger,
        strategy=targets.strategy,
        plan=plan.hash,
    )
    if not plan.trades or isinstance(broker, AtomicBroker):
        await end(session, owner_id, client, id)
    return id


async def write_failure(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    run: Run,
    strategy: str,
    reason: str,
) -> UUID:
    """Store a rebalance that was due and could not be started, with the reason; return its id."""
    id = uuid7()
    now = dt.datetime.now(dt.UTC)
    weights = await _weights(session, owner_id, run.portfolio_id)
    await running.insert_rebalance(
        session,
        {
            "owner_id": owner_id,
            "id": id,
            "portfolio_id": run.portfolio_id,
            "strategy": strategy,
            "status": RebalanceStatus.FAILED.value,
            "trigger": run.trigger.value,
            "started_at": now,
            "completed_at": now,
            "old_weights": weights,
            "new_weights": weights,
            "failure_reason": reason,
        },
    )
    await note(
        session, owner_id, client, "rebalance.failed", "Rebalance", id, trigger=run.trigger, reason=reason
    )
    name = await running.find_portfolio_name(session, owner_id, run.portfolio_id)
    await raise_for_rebalance(
        session,
        owner_id,
        run.portfolio_id,
        name,
        completed=False,
        figures={"rebalance": str(id)},
        reason=reason,
    )
    return id


def reason_of(domain_error: DomainError) -> str:
    """Return an error as the reason of a failure: its code, then its sentence."""
    return f"{domain_error.code}: {domain_error.message}"


def legs_of(owner_id: UUID, id: UUID, plan: Plan, quotes: Mapping[UUID, Decimal]) -> Sequence[dict[str, Any]]:
    """Return the rows of a plan's legs; its trades have sells before buys."""
    return [
        {
            "owner_id": owner_id,
            "rebalance_id": id,
            "number": number,
            "instrument_id": trade.instrument_id,
            "side": trade.side.value,
            "quantity": trade.quantity,
            "quote_price": quotes[trade.instrument_id],
            "status": LegStatus.PLANNED.value,
        }
        for number, trade in enumerate(plan.trades, 1)
    ]


async def _lock(session: Session, owner_id: UUID, portfolio_id: UUID) -> Mapping[Any, Any]:
    portfolio = await find_rebalanced(session, owner_id, portfolio_id, lock=True)
    if portfolio is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    if not portfolio["is_active"]:
        raise PortfolioInactive
    if not portfolio["account_is_active"]:
        raise AccountInactive("The account is archived: restore it first.", ("portfolioId",))
    if await running.find_running(session, owner_id, portfolio_id) is not None:
        raise RebalanceRunning
    return portfolio


async def _weights(session: Session, owner_id: UUID, portfolio_id: UUID) -> dict[str, str]:
    found = await running.find_weights(session, owner_id, portfolio_id)
    return {symbol: decimal(weight) for symbol, weight in found.items()}


async def _write(
    session: Session,
    owner_id: UUID,
    id: UUID,
    run: Run,
    targets: Targets,
    now: dt.datetime,
    status: RebalanceStatus,
    values: Mapping[str, Any],
) -> None:
    await running.insert_rebalance(
        session,
        {
            "owner_id": owner_id,
            "id": id,
            "portfolio_id": run.portfolio_id,
            "strategy": targets.strategy.value,
            "status": status.value,
            "trigger": run.trigger.value,
            "started_at": now,
            **values,
        },
    )

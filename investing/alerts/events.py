"""Rules on events, evaluated in the very transaction in which the event happens."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from db.alerts import portfolio_checks, rules
from db.sessions import Session
from db.vocabulary import AlertKind, AlertSeverity
from investing.alerts.raising import NewAlert, raise_alerts
from investing.alerts.stored import cooldown_of
from investing.alerts.wording import metrics_of
from investing.rules.alerts.conditions import RuleState, hold


async def raise_for_event(
    session: Session,
    owner_id: UUID,
    kind: AlertKind,
    portfolio_id: UUID,
    title: str,
    message: str,
    figures: Mapping[str, Decimal | dt.datetime | str | None],
    instrument_id: UUID | None = None,
) -> int:
    """Raise an alert for each of the owner's rules on this kind of event; return how many.

    Call it last in the transaction, when portfolios and orders are already locked. A rule that is in its
    cooldown, or outside its hours, does not fire.
    """
    found = [
        rule
        for rule in await rules.lock_rules(session, owner_id, kinds=[kind.value], active=True)
        if rule["portfolio_id"] in (None, portfolio_id) and rule["instrument_id"] in (None, instrument_id)
    ]
    if not found:
        return 0
    now = dt.datetime.now(dt.UTC)
    states = await portfolio_checks.states_of(session, owner_id, [rule["id"] for rule in found])
    quiet_until = {
        state["rule_id"]: state["quiet_until"] for state in states if state["portfolio_id"] == portfolio_id
    }
    alerts = []
    for rule in found:
        cooldown = cooldown_of(rule)
        if hold(cooldown, RuleState(quiet_until=quiet_until.get(rule["id"])), now) is not None:
            continue
        until = cooldown.until(now)
        await portfolio_checks.save_state(session, owner_id, rule["id"], portfolio_id, None, True, until)
        alerts.append(
            NewAlert(
                kind=kind,
                severity=AlertSeverity(rule["severity"]),
                title=title,
                message=message,
                metrics=metrics_of(figures),
                rule_id=rule["id"],
                portfolio_id=portfolio_id,
                instrument_id=instrument_id,
                channels=tuple(rule["channels"]),
            )
        )
    if alerts:
        await rules.note_fired(session, owner_id, {alert.rule_id for alert in alerts if alert.rule_id})
        await raise_alerts(session, owner_id, alerts)
    return len(alerts)


async def raise_for_rejection(
    session: Session, owner_id: UUID, order: Mapping[str, object], reason: str, code: str
) -> int:
    """Raise the alerts of an order that its broker has rejected; return how many.

    `order` has its ids, symbol, side and quantity.
    """
    portfolio_id, instrument_id = order["portfolio_id"], order["instrument_id"]
    quantity = order["quantity"]
    assert isinstance(portfolio_id, UUID)
    assert isinstance(instrument_id, UUID)
    assert isinstance(quantity, Decimal)
    return await raise_for_event(
        session,
        owner_id,
        AlertKind.ORDER_REJECTED,
        portfolio_id,
        f"{order['symbol']} order rejected",
        reason,
        {"quantity": quantity, "side": str(order["side"]), "code": code, "order": str(order["id"])},
        instrument_id,
    )


async def raise_for_rebalance(
    session: Session,
    owner_id: UUID,
    portfolio_id: UUID,
    portfolio_name: str,
    *,
    completed: bool,
    figures: Mapping[str, Decimal | dt.datetime | str | None],
    reason: str | None = None,
) -> int:
    """Raise the alerts of a rebalance that has ended, completely or for `reason` not; return how many."""
    if completed:
        kind, title, message = (
            AlertKind.REBALANCE_COMPLETED,
            f"{portfolio_name} rebalanced",
            f"Every trade of the rebalance of {portfolio_name} was made.",
        )
    else:
        kind, title = AlertKind.REBALANCE_FAILED, f"Rebalance of {portfolio_name} failed"
        message = reason or "Not every trade was made."
    return await raise_for_event(session, owner_id, kind, portfolio_id, title, message, figures)

"""Decide crossings in the database, under a lock, so that only one of several processes fires a rule."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.alerts import price_watches, rules
from db.sessions import Sessions
from db.vocabulary import AlertKind
from investing.alerts.raising import NewAlert, raise_alerts
from investing.alerts.stored import cooldown_of, threshold_of
from investing.alerts.wording import RuleValue, alert_of
from investing.rules.alerts.conditions import RuleState, daily_move, step
from investing.rules.alerts.price_index import Crossing, TickPrice

Watch = Mapping[Any, Any]


async def decide(
    sessions: Sessions, owner_id: UUID, crossings: Sequence[Crossing], now: dt.datetime
) -> dict[UUID, Watch | None]:
    """Decide an owner's crossings in their order, and raise the alerts that follow.

    Return each rule's watch as it is then, None for a rule that no longer exists. A tick older than the one
    that decided last does nothing.
    """
    ids = {crossing.rule_id for crossing in crossings}
    async with sessions.begin(owner_id) as session:
        found = {row["id"]: row for row in await rules.lock_rules(session, owner_id, ids=ids, active=True)}
        # A price after a split may come before the job that adjusts levels to the split.
        if await rules.follow_splits(session, owner_id, found):
            found = {
                row["id"]: row for row in await rules.lock_rules(session, owner_id, ids=ids, active=True)
            }
        before = await price_watches.lock_watches(session, owner_id, ids)
        watches: dict[UUID, Watch | None] = {id: before.get(id) for id in ids if id in found}
        alerts: list[NewAlert] = []
        for crossing in crossings:
            watch = watches.get(crossing.rule_id)
            if watch is not None:
                rule = found[crossing.rule_id]
                watches[crossing.rule_id], alert = _decided(rule, watch, crossing, now)
                alerts += [alert] if alert is not None else []
        for id, watch in watches.items():
            if watch is not None and watch is not before[id]:
                state = (watch["is_armed"], watch["quiet_until"], watch["as_of"])
                await price_watches.update_watch(session, owner_id, id, *state)
        if alerts:
            await rules.note_fired(session, owner_id, {alert.rule_id for alert in alerts if alert.rule_id})
            await raise_alerts(session, owner_id, alerts)
    return {id: watches.get(id) for id in ids}


def _decided(
    rule: Watch, watch: Watch, crossing: Crossing, now: dt.datetime
) -> tuple[Watch, NewAlert | None]:
    price = crossing.price
    value = _value(AlertKind(rule["kind"]), price)
    if value is None or (watch["as_of"] is not None and price.as_of < watch["as_of"]):
        return watch, None
    state = RuleState(watch["is_armed"], watch["quiet_until"])
    if _is_of_another_day(watch, price):
        state = RuleState(quiet_until=state.quiet_until)
    decision = step(threshold_of(watch), cooldown_of(rule), state, value, now)
    if not decision.fires and decision.state == RuleState(watch["is_armed"], watch["quiet_until"]):
        return watch, None
    after = {
        **watch,
        "is_armed": decision.state.is_armed,
        "quiet_until": decision.state.quiet_until,
        "as_of": price.as_of,
    }
    if not decision.fires:
        return after, None
    figures = {"price": price.price, "previousPrice": price.previous, "priceAsOf": price.as_of}
    seen = RuleValue(
        value=value,
        currency=rule["currency"],
        subject=rule["symbol"],
        instrument_id=rule["instrument_id"],
        figures=figures,
    )
    return after, alert_of(rule, seen)


def _is_of_another_day(watch: Watch, price: TickPrice) -> bool:
    """Return whether a rule on daily moves was last decided on another day, so that it starts anew."""
    return (
        watch["kind"] == AlertKind.DAILY_MOVE
        and watch["as_of"] is not None
        and not price.is_of_the_day_of(watch["as_of"])
    )


def _value(kind: AlertKind, price: TickPrice) -> Decimal | None:
    return daily_move(price.price, price.previous) if kind is AlertKind.DAILY_MOVE else price.price

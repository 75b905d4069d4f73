"""Create, change and delete alert rules."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.alerts import rules as rows
from db.auth.writes import lock_user
from db.ids import uuid7
from db.market.writes import find_instrument_ids
from db.sessions import Session, announce
from db.vocabulary import AlertKind, AlertSeverity, Topic
from investing.actor import Actor
from investing.alerts.channels import known_channels
from investing.audit import note
from investing.rules.alerts.alert_settings import (
    MOST_RULES,
    check_cooldown,
    check_target,
    check_threshold,
    checked_channels,
)
from investing.rules.alerts.conditions import PORTFOLIO_KINDS, PRICE_KINDS, Hours, Threshold
from investing.rules.errors import InvalidInput, NameTaken, NotFound, UnknownInstrument
from investing.rules.market.market_hours import market_day
from investing.rules.names import checked_name

ZERO = Decimal(0)


@dataclass(frozen=True)
class NewAlertRule:
    """A rule to create.

    `threshold` and `hysteresis` are in the unit of the kind (`investing.rules.alerts.conditions`).
    """

    name: str
    kind: AlertKind
    severity: AlertSeverity = AlertSeverity.WARNING
    threshold: Decimal = ZERO
    hysteresis: Decimal = ZERO
    symbol: str | None = None
    portfolio_id: UUID | None = None
    cooldown_seconds: int = 3600
    channels: Sequence[str] = field(default_factory=tuple)
    hours: Hours | None = None

    @property
    def as_threshold(self) -> Threshold:
        """The threshold that its values are compared with."""
        return Threshold(self.kind, self.threshold, self.hysteresis)

    def check(self) -> None:
        """Raise InvalidInput if the rule is not consistent in itself."""
        check_target(self.kind, self.symbol, self.portfolio_id is not None)
        check_threshold(self.as_threshold)
        check_cooldown(self.cooldown_seconds)


async def create_rule(actor: Actor, new: NewAlertRule) -> UUID:
    """Create a rule, active and armed; return its id.

    Raise InvalidInput, NameTaken or UnknownInstrument.
    """
    name = checked_name(new.name)
    new.check()
    id = uuid7()
    async with actor.sessions.begin(actor.id) as session:
        await _check_name(session, actor.id, name, None)
        channels = checked_channels(new.channels, await known_channels(session, actor.id))
        if await rows.count_rules(session, actor.id) >= MOST_RULES:
            raise InvalidInput(f"You have {MOST_RULES} alert rules, which is the maximum.")
        instrument_id = await instrument_of(session, actor.id, new.symbol)
        settings = {
            "severity": new.severity.value,
            "threshold": new.threshold,
            "hysteresis": new.hysteresis,
            "cooldown_seconds": new.cooldown_seconds,
            "channels": channels,
        }
        rule = {
            "owner_id": actor.id,
            "id": id,
            "name": name,
            "kind": new.kind.value,
            "instrument_id": instrument_id,
            "portfolio_id": new.portfolio_id,
            "is_active": True,
            "units_of": market_day(dt.datetime.now(dt.UTC)),
            "followed_splits": [],
            **settings,
            **hours_columns(new.hours),
        }
        await rows.insert_rule(session, rule)
        await _arm(session, actor.id, rule)
        facts = {"name": name, "kind": new.kind.value, "symbol": new.symbol, **settings}
        await note(session, actor.id, actor.client, "alertRule.created", "AlertRule", id, **facts)
    return id


async def change_rule(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> None:
    """Change the settings that are given, by column; the others stay.

    A rule whose threshold changes, or that is activated again, is armed anew; one whose hours change no
    longer waits for the old ones. Raise InvalidInput, NotFound or NameTaken.
    """
    changes = dict(changes)
    if "name" in changes:
        changes["name"] = checked_name(changes["name"])
    if "cooldown_seconds" in changes:
        check_cooldown(changes["cooldown_seconds"])
    async with actor.sessions.begin(actor.id) as session:
        if "name" in changes:
            await _check_name(session, actor.id, changes["name"], id)
        if "channels" in changes:
            known = await known_channels(session, actor.id)
            changes["channels"] = checked_channels(changes["channels"], known)
        locked = await rows.lock_rules(session, actor.id, ids=[id])
        if not locked:
            raise NotFound("There is no such alert rule.", ("alertRuleId",))
        if await rows.follow_splits(session, actor.id, [id]):
            locked = await rows.lock_rules(session, actor.id, ids=[id])
        before = locked[0]
        # A level that is given today is for a share of today.
        units = {name: before[name] for name in ("units_of", "followed_splits")}
        if "threshold" in changes:
            units = {"units_of": market_day(dt.datetime.now(dt.UTC)), "followed_splits": []}
        rule = {**before, **changes, **units}
        threshold = ("threshold", "hysteresis", "is_active")
        is_new = any(rule[column] != before[column] for column in threshold)
        if is_new:
            check_threshold(Threshold(AlertKind(rule["kind"]), rule["threshold"], rule["hysteresis"]))
        if changes:
            await rows.update_rule(session, actor.id, id, {**changes, **units})
        if is_new:
            await _arm(session, actor.id, rule)
        elif any(rule[column] != before[column] for column in hours_columns(None)):
            await rows.end_quiet(session, actor.id, id)
            announce(session, actor.id, Topic.PORTFOLIOS)
        await note(session, actor.id, actor.client, "alertRule.changed", "AlertRule", id, **changes)


async def delete_rule(actor: Actor, id: UUID) -> None:
    """Delete a rule; keep the alerts that it raised. Raise NotFound if the owner has no such rule."""
    async with actor.sessions.begin(actor.id) as session:
        if not await rows.delete_rule(session, actor.id, id):
            raise NotFound("There is no such alert rule.", ("alertRuleId",))
        await rows.keep_look(session, actor.id, PORTFOLIO_KINDS)
        await note(session, actor.id, actor.client, "alertRule.deleted", "AlertRule", id)


async def instrument_of(session: Session, owner_id: UUID, symbol: str | None) -> UUID | None:
    """Return the id of the instrument that the symbol means to the owner, None without a symbol.

    Raise UnknownInstrument if there is none.
    """
    if symbol is None:
        return None
    known = await find_instrument_ids(session, owner_id, [symbol])
    if symbol not in known:
        raise UnknownInstrument.named(symbol, ("symbol",))
    return known[symbol]


def hours_columns(hours: Hours | None) -> dict[str, Any]:
    """Return the columns that store active hours."""
    return {
        "active_from": hours and hours.start,
        "active_until": hours and hours.end,
        "active_weekdays": hours and sorted(hours.weekdays),
        "time_zone": hours and str(hours.zone),
    }


async def _arm(session: Session, owner_id: UUID, rule: Mapping[str, Any]) -> None:
    """Add a rule to those that are evaluated, armed, or remove an inactive one."""
    if rule["kind"] in PRICE_KINDS:
        columns = ("instrument_id", "kind", "threshold", "hysteresis", "units_of", "followed_splits")
        watched = {name: rule[name] for name in columns}
        await rows.watch(session, owner_id, rule["id"], watched if rule["is_active"] else None)
        return
    await rows.forget_states(session, owner_id, rule["id"])
    await rows.keep_look(session, owner_id, PORTFOLIO_KINDS)
    announce(session, owner_id, Topic.PORTFOLIOS)


async def _check_name(session: Session, owner_id: UUID, name: str, but: UUID | None) -> None:
    await lock_user(session, owner_id)
    if await rows.name_is_taken(session, owner_id, name, but=but):
        raise NameTaken(f"You already have an alert rule {name}.", ("name",))

"""Inputs of alert rules."""

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import strawberry

from graph.alerts.hours import ActiveHoursInput
from graph.mutating import own_id
from graph.vocabulary import AlertKind, AlertSeverity
from investing.alerts.rules import NewAlertRule, hours_columns
from investing.rules.alerts.conditions import EVENT_KINDS
from investing.rules.errors import InvalidInput

THRESHOLD = (
    "The value beyond which it fires. PRICE_ABOVE and PRICE_BELOW: a price, in the instrument's currency. "
    "DAILY_MOVE, POSITION_WEIGHT, DRIFT and DRAWDOWN: a fraction; 0.05 is five percent. "
    "PORTFOLIO_VALUE_BELOW and CASH_BELOW: an amount, in the portfolio's currency. Events "
    "(REBALANCE_COMPLETED, REBALANCE_FAILED, ORDER_REJECTED) have none."
)
HYSTERESIS = (
    "How far a value must come back across the threshold before the rule can fire again, in the unit of the "
    "threshold. With 0, a value that fluctuates around the threshold fires each time."
)
COOLDOWN = "For how many seconds it stays silent after it has fired, 0 to 31536000."
CHANNELS = "The names of the destinations that its alerts are sent to; at most 20."
HOURS = (
    "When it may fire; at any time if left out. A value that is beyond the threshold outside these hours "
    "fires when they begin, if it still is; events outside them are not reported."
)


@strawberry.input(
    description="An alert rule to create. PRICE_ABOVE, PRICE_BELOW and DAILY_MOVE watch an instrument and "
    "need a symbol; all others watch a portfolio, or without portfolioId all of yours. A rule "
    "whose threshold is already passed fires at once."
)
class CreateAlertRuleInput:
    name: str = strawberry.field(description="1 to 100 characters, unique among your rules.")
    kind: AlertKind = strawberry.field(description="What it watches.")
    severity: AlertSeverity = strawberry.field(
        description="The severity of its alerts.", default=AlertSeverity.WARNING
    )
    threshold: Decimal | None = strawberry.field(description=THRESHOLD, default=None)
    hysteresis: Decimal = strawberry.field(description=HYSTERESIS, default=Decimal(0))
    symbol: str | None = strawberry.field(
        description="The instrument's symbol. POSITION_WEIGHT, DRIFT and ORDER_REJECTED may have one too, "
        "and are then limited to that instrument.",
        default=None,
    )
    portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio; if left out, all of yours, including future ones.", default=None
    )
    cooldown_seconds: int = strawberry.field(description=COOLDOWN, default=3600)
    channels: list[str] = strawberry.field(description=CHANNELS, default_factory=list)
    active_hours: ActiveHoursInput | None = strawberry.field(description=HOURS, default=None)

    def rule(self) -> NewAlertRule:
        """Return the rule as the service takes it. Raise InvalidInput."""
        if self.threshold is None and self.kind not in EVENT_KINDS:
            raise InvalidInput(f"{self.kind} needs a threshold.", ("threshold",))
        return NewAlertRule(
            name=self.name,
            kind=self.kind,
            severity=self.severity,
            threshold=self.threshold if self.threshold is not None else Decimal(0),
            hysteresis=self.hysteresis,
            symbol=self.symbol,
            portfolio_id=None if self.portfolio_id is None else own_id("Portfolio", self.portfolio_id),
            cooldown_seconds=self.cooldown_seconds,
            channels=self.channels,
            hours=None if self.active_hours is None else self.active_hours.hours(),
        )


@strawberry.input(description="An alert rule to test against the past, and the days to test.")
class TestAlertRuleInput(CreateAlertRuleInput):
    __test__ = False

    from_: dt.date = strawberry.field(name="from", description="The first day.")
    to: dt.date = strawberry.field(description="The last day.")


@strawberry.input(
    description="Changes to an alert rule; what is left out stays as it is. A rule whose threshold or "
    "hysteresis changes, or that is switched on again, starts afresh. What it watches cannot be "
    "changed: create another rule."
)
class UpdateAlertRuleInput:
    alert_rule_id: strawberry.ID = strawberry.field(description="The alert rule.")
    name: str | None = strawberry.field(description="1 to 100 characters.", default=strawberry.UNSET)
    severity: AlertSeverity | None = strawberry.field(
        description="The severity of its alerts.", default=strawberry.UNSET
    )
    threshold: Decimal | None = strawberry.field(description=THRESHOLD, default=strawberry.UNSET)
    hysteresis: Decimal | None = strawberry.field(description=HYSTERESIS, default=strawberry.UNSET)
    cooldown_seconds: int | None = strawberry.field(description=COOLDOWN, default=strawberry.UNSET)
    channels: list[str] | None = strawberry.field(description=CHANNELS, default=strawberry.UNSET)
    active_hours: ActiveHoursInput | None = strawberry.field(
        description="When it may fire; null for any time.", default=strawberry.UNSET
    )
    is_active: bool | None = strawberry.field(
        description="Whether it is switched on.", default=strawberry.UNSET
    )

    def changes(self) -> dict[str, Any]:
        """Return what is given, by column. Raise InvalidInput."""
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "alert_rule_id" or value is strawberry.UNSET:
                continue
            if field.name == "active_hours":
                changes |= hours_columns(None if value is None else value.hours())
                continue
            if value is None:
                words = field.name.split("_")
                name = words[0] + "".join(word.title() for word in words[1:])
                raise InvalidInput(f"{name} cannot be null: leave it out to keep it.", (name,))
            changes[field.name] = value.value if isinstance(value, AlertSeverity) else value
        return changes


@strawberry.input(description="An alert rule to delete.")
class DeleteAlertRuleInput:
    alert_rule_id: strawberry.ID = strawberry.field(description="The alert rule.")

"""What clients give for an alert rule."""

import dataclasses
from decimal import Decimal
from typing import Any

import strawberry

from graph.alerts.hours import ActiveHoursInput
from graph.mutating import own_id
from graph.vocabulary import AlertKind, AlertSeverity
from investing.alerts.rules import NewAlertRule, hours_columns
from investing.rules.errors import InvalidInput

THRESHOLD = (
    "What it fires beyond. PRICE_ABOVE and PRICE_BELOW: a price, in the instrument's currency. DAILY_MOVE, "
    "POSITION_WEIGHT, DRIFT and DRAWDOWN: a fraction, 0.05 is five per cent. PORTFOLIO_VALUE_BELOW and "
    "CASH_BELOW: an amount, in the portfolio's currency. What happens or does not (REBALANCE_COMPLETED, "
    "REBALANCE_FAILED, ORDER_REJECTED): 0."
)
HYSTERESIS = (
    "How far a value has to come back across the threshold before the rule can fire again, in the "
    "threshold's unit: with 0 a value that flutters about the threshold fires each time."
)
COOLDOWN = "For how many seconds it is quiet after it has fired, 0 to 31536000."
CHANNELS = "Names of destinations that its alerts go to besides the stream; at most 20."
HOURS = (
    "When it may fire; always if left out. A value that is beyond the threshold outside of these hours fires "
    "when they begin, if it is so still; what happens outside of them is not told."
)


@strawberry.input(
    description="An alert rule to make. PRICE_ABOVE, PRICE_BELOW and DAILY_MOVE watch an instrument and have "
    "a symbol; all others watch a portfolio, or all of yours without portfolioId. A rule whose threshold is "
    "passed when it is made fires at once."
)
class CreateAlertRuleInput:
    name: str = strawberry.field(description="1 to 100 characters, unique among your rules.")
    kind: AlertKind = strawberry.field(description="What it watches.")
    severity: AlertSeverity = strawberry.field(
        description="How much its alerts matter.", default=AlertSeverity.WARNING
    )
    threshold: Decimal = strawberry.field(description=THRESHOLD, default=Decimal(0))
    hysteresis: Decimal = strawberry.field(description=HYSTERESIS, default=Decimal(0))
    symbol: str | None = strawberry.field(
        description="The instrument. POSITION_WEIGHT, DRIFT and ORDER_REJECTED may have one too, and are "
        "then about it alone.",
        default=None,
    )
    portfolio_id: strawberry.ID | None = strawberry.field(
        description="The portfolio; all of yours, also those to come, if left out.", default=None
    )
    cooldown_seconds: int = strawberry.field(description=COOLDOWN, default=3600)
    channels: list[str] = strawberry.field(description=CHANNELS, default_factory=list)
    active_hours: ActiveHoursInput | None = strawberry.field(description=HOURS, default=None)

    def rule(self) -> NewAlertRule:
        """The rule as the service takes it. Raises InvalidInput."""
        return NewAlertRule(
            name=self.name,
            kind=self.kind,
            severity=self.severity,
            threshold=self.threshold,
            hysteresis=self.hysteresis,
            symbol=self.symbol,
            portfolio_id=None if self.portfolio_id is None else own_id("Portfolio", self.portfolio_id),
            cooldown_seconds=self.cooldown_seconds,
            channels=self.channels,
            hours=None if self.active_hours is None else self.active_hours.hours(),
        )


@strawberry.input(
    description="An alert rule to change; what is left out stays. With another threshold or hysteresis, or "
    "switched on again, it is as new. What it watches never changes: make another one."
)
class UpdateAlertRuleInput:
    name: str | None = strawberry.field(description="1 to 100 characters.", default=strawberry.UNSET)
    severity: AlertSeverity | None = strawberry.field(
        description="How much its alerts matter.", default=strawberry.UNSET
    )
    threshold: Decimal | None = strawberry.field(description=THRESHOLD, default=strawberry.UNSET)
    hysteresis: Decimal | None = strawberry.field(description=HYSTERESIS, default=strawberry.UNSET)
    cooldown_seconds: int | None = strawberry.field(description=COOLDOWN, default=strawberry.UNSET)
    channels: list[str] | None = strawberry.field(description=CHANNELS, default=strawberry.UNSET)
    active_hours: ActiveHoursInput | None = strawberry.field(
        description="When it may fire; null for always.", default=strawberry.UNSET
    )
    is_active: bool | None = strawberry.field(
        description="Whether it fires at all.", default=strawberry.UNSET
    )

    def changes(self) -> dict[str, Any]:
        """What is given, by column. Raises InvalidInput."""
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is strawberry.UNSET:
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

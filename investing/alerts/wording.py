"""The wording of alerts: what happened, in an investor's terms."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.canonical import decimal, instant
from db.vocabulary import AlertKind, AlertSeverity
from investing.alerts.raising import NewAlert
from investing.rules.alerts.conditions import FRACTION_KINDS
from investing.rules.money import product


@dataclass(frozen=True)
class RuleValue:
    """A value that a rule is compared with: of what, in which currency, and further figures for metrics."""

    value: Decimal
    currency: str
    subject: str
    portfolio_id: UUID | None = None
    instrument_id: UUID | None = None
    figures: Mapping[str, Decimal | dt.datetime | str | None] | None = None


_TITLES = {
    AlertKind.PRICE_ABOVE: "{subject} above {threshold}",
    AlertKind.PRICE_BELOW: "{subject} below {threshold}",
    AlertKind.DAILY_MOVE: "{subject} moved by {value}",
    AlertKind.POSITION_WEIGHT: "{subject} weighs {value}",
    AlertKind.DRIFT: "{subject} drifted by {value}",
    AlertKind.DRAWDOWN: "{subject} down by {value}",
    AlertKind.PORTFOLIO_VALUE_BELOW: "{subject} worth less than {threshold}",
    AlertKind.CASH_BELOW: "{subject} low on cash",
}

_MESSAGES = {
    AlertKind.PRICE_ABOVE: "The price of {subject} is {value}, above {threshold}.",
    AlertKind.PRICE_BELOW: "The price of {subject} is {value}, below {threshold}.",
    AlertKind.DAILY_MOVE: "The price of {subject} has moved by {value} since the trading day before, more "
    "than {threshold}.",
    AlertKind.POSITION_WEIGHT: "{subject} is {value} of the portfolio, more than {threshold}.",
    AlertKind.DRIFT: "The weight of {subject} is {value} away from its target, more than {threshold}.",
    AlertKind.DRAWDOWN: "{subject} is {value} below its highest, more than {threshold}.",
    AlertKind.PORTFOLIO_VALUE_BELOW: "{subject} is worth {value}, less than {threshold}.",
    AlertKind.CASH_BELOW: "{subject} has {value} in cash, less than {threshold}.",
}


def alert_of(rule: Mapping[Any, Any], seen: RuleValue) -> NewAlert:
    """Return the alert of a rule that this value has fired."""
    kind = AlertKind(rule["kind"])
    words = {
        "subject": seen.subject,
        "value": _amount(kind, seen.value, seen.currency),
        "threshold": _amount(kind, rule["threshold"], seen.currency),
    }
    figures = {"value": seen.value, "threshold": rule["threshold"], **(seen.figures or {})}
    return NewAlert(
        kind=kind,
        severity=AlertSeverity(rule["severity"]),
        title=_TITLES[kind].format(**words),
        message=_MESSAGES[kind].format(**words),
        metrics=metrics_of(figures),
        rule_id=rule["id"],
        portfolio_id=seen.portfolio_id,
        instrument_id=seen.instrument_id,
        channels=tuple(rule["channels"]),
    )


def metrics_of(figures: Mapping[str, Decimal | dt.datetime | str | None]) -> dict[str, str]:
    """Return figures as strings: decimals without an exponent, instants in UTC; unknown ones are left out."""
    return {name: _text(value) for name, value in figures.items() if value is not None}


def _text(value: Decimal | dt.datetime | str) -> str:
    if isinstance(value, Decimal):
        return decimal(value)
    return instant(value) if isinstance(value, dt.datetime) else value


def _amount(kind: AlertKind, value: Decimal, currency: str) -> str:
    if kind in FRACTION_KINDS:
        return f"{decimal(product(value, Decimal(100)).quantize(Decimal('0.01')))} %"
    return f"{decimal(value)} {currency}"

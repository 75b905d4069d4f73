"""Convert stored rules to the types of the pure rules."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from db.vocabulary import AlertKind
from investing.rules.alerts.conditions import Cooldown, Hours, RuleState, Threshold
from investing.rules.alerts.price_index import PriceRule

Stored = Mapping[Any, Any]


def threshold_of(row: Stored) -> Threshold:
    """Return the threshold that the rule's values are compared with."""
    return Threshold(AlertKind(row["kind"]), Decimal(row["threshold"]), Decimal(row["hysteresis"]))


def cooldown_of(rule: Stored) -> Cooldown:
    """Return the rule's cooldown and active hours."""
    hours = None
    if rule["time_zone"] is not None:
        days = frozenset(rule["active_weekdays"])
        hours = Hours(rule["active_from"], rule["active_until"], days, ZoneInfo(rule["time_zone"]))
    return Cooldown(dt.timedelta(seconds=rule["cooldown_seconds"]), hours)


def watched_of(watch: Any) -> PriceRule:
    """Return a stored price watch as the price index takes it."""
    return PriceRule(
        owner_id=watch["owner_id"],
        rule_id=watch["rule_id"],
        instrument_id=watch["instrument_id"],
        threshold=threshold_of(watch),
        state=RuleState(watch["is_armed"], watch["quiet_until"]),
        as_of=watch["as_of"],
    )

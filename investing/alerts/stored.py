"""Rules as they are stored, made into what the pure rules take."""

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
    """What the rule's values are held against."""
    return Threshold(AlertKind(row["kind"]), Decimal(row["threshold"]), Decimal(row["hysteresis"]))


def cooldown_of(rule: Stored) -> Cooldown:
    """Its cooldown and its hours."""
    hours = None
    if rule["time_zone"] is not None:
        days = frozenset(rule["active_weekdays"])
        hours = Hours(rule["active_from"], rule["active_until"], days, ZoneInfo(rule["time_zone"]))
    return Cooldown(dt.timedelta(seconds=rule["cooldown_seconds"]), hours)


def watched_of(watch: Any) -> PriceRule:
    """A row of the table of watches, as the index has it."""
    return PriceRule(
        owner_id=watch["owner_id"],
        rule_id=watch["rule_id"],
        instrument_id=watch["instrument_id"],
        threshold=threshold_of(watch),
        state=RuleState(watch["is_armed"], watch["quiet_until"]),
        as_of=watch["as_of"],
    )

"""Rules as they are stored, made into what the pure rules take."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from db.vocabulary import AlertKind
from investing.rules.alerts import Bounds, Hours, Quiet, Standing
from investing.rules.price_index import Watched

Stored = Mapping[Any, Any]


def bounds_of(row: Stored) -> Bounds:
    """What the rule's values are held against."""
    return Bounds(AlertKind(row["kind"]), Decimal(row["threshold"]), Decimal(row["hysteresis"]))


def quiet_of(rule: Stored) -> Quiet:
    """Its cooldown and its hours."""
    hours = None
    if rule["time_zone"] is not None:
        days = frozenset(rule["active_weekdays"])
        hours = Hours(rule["active_from"], rule["active_until"], days, ZoneInfo(rule["time_zone"]))
    return Quiet(dt.timedelta(seconds=rule["cooldown_seconds"]), hours)


def watched_of(watch: Any) -> Watched:
    """A row of the table of watches, as the index has it."""
    return Watched(
        owner_id=watch["owner_id"],
        rule_id=watch["rule_id"],
        instrument_id=watch["instrument_id"],
        bounds=bounds_of(watch),
        standing=Standing(watch["is_armed"], watch["quiet_until"]),
        as_of=watch["as_of"],
    )

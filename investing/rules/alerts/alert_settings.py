"""Validation of an alert rule's settings: each check says what is wrong, and in which field."""

import datetime as dt
import re
from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

from db.vocabulary import AlertKind
from investing.rules.alerts.conditions import (
    EVENT_KINDS,
    FRACTION_KINDS,
    PRICE_KINDS,
    UNITS,
    Hours,
    Threshold,
)
from investing.rules.errors import InvalidInput, UnknownDestination
from investing.rules.money import LIMIT

LONGEST_COOLDOWN = 365 * 24 * 3600
MOST_CHANNELS = 20
LONGEST_CHANNEL = 100
MOST_RULES = 1_000

WITH_SYMBOL = PRICE_KINDS | {AlertKind.POSITION_WEIGHT, AlertKind.DRIFT, AlertKind.ORDER_REJECTED}
"""The kinds that watch an instrument, or can be limited to one."""

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)


def check_target(kind: AlertKind, symbol: str | None, has_portfolio: bool) -> None:
    """Check what a rule watches: an instrument for a price, a portfolio for everything else.

    Raise InvalidInput if the symbol is missing or out of place, or if a rule on a price has a portfolio.
    """
    if kind in PRICE_KINDS and symbol is None:
        raise InvalidInput(f"{kind} watches the price of an instrument: give its symbol.", ("symbol",))
    if kind in PRICE_KINDS and has_portfolio:
        raise InvalidInput(f"{kind} watches an instrument, not a portfolio.", ("portfolioId",))
    if kind not in WITH_SYMBOL and symbol is not None:
        raise InvalidInput(f"{kind} watches a portfolio as a whole: it has no symbol.", ("symbol",))


def check_threshold(threshold: Threshold) -> None:
    """Check that a threshold is valid in the unit of its kind, and that its re-arm level can be reached.

    Raise InvalidInput, naming the threshold or the hysteresis.
    """
    kind, level, hysteresis = threshold.kind, threshold.level, threshold.hysteresis
    if kind in EVENT_KINDS:
        if level or hysteresis:
            field = "threshold" if level else "hysteresis"
            raise InvalidInput(f"{kind} happens or does not: its {field} is 0.", (field,))
        return
    if kind in FRACTION_KINDS and not 0 < level <= 1:
        message = f"The threshold must be {UNITS[kind]}, above 0 and at most 1: 0.05 is five per cent."
        raise InvalidInput(message, ("threshold",))
    if kind is not AlertKind.CASH_BELOW and level <= 0:
        raise InvalidInput(f"The threshold must be {UNITS[kind]}, above 0.", ("threshold",))
    if not -LIMIT < level < LIMIT:
        raise InvalidInput("The threshold is too large.", ("threshold",))
    if hysteresis < 0:
        raise InvalidInput("The hysteresis must be 0 or more.", ("hysteresis",))
    if threshold.fires_below:
        if threshold.back_at >= LIMIT:
            raise InvalidInput("The hysteresis is too large.", ("hysteresis",))
    elif hysteresis >= level:
        raise InvalidInput(
            "The hysteresis must be less than the threshold: no value comes back further than to 0.",
            ("hysteresis",),
        )


def check_cooldown(seconds: int) -> None:
    """Check that a cooldown is between 0 seconds and a year; raise InvalidInput otherwise."""
    if not 0 <= seconds <= LONGEST_COOLDOWN:
        raise InvalidInput(f"A cooldown has 0 to {LONGEST_COOLDOWN} seconds.", ("cooldownSeconds",))


def checked_channels(channels: Sequence[str], known: Collection[str] | None = None) -> list[str]:
    """Return the names of destinations without surrounding space.

    Raise InvalidInput for too many names, a name that is not valid or a name given twice, and
    UnknownDestination for one that is not among `known`, where that is given.
    """
    names = [name.strip() for name in channels]
    if len(names) > MOST_CHANNELS:
        raise InvalidInput(f"A rule has at most {MOST_CHANNELS} channels.", ("channels",))
    for name in names:
        if not 1 <= len(name) <= LONGEST_CHANNEL or not name.isprintable():
            raise InvalidInput(f"A channel's name has 1 to {LONGEST_CHANNEL} characters.", ("channels",))
        if names.count(name) > 1:
            raise InvalidInput(f"The channel {name} appears twice.", ("channels",))
        if known is not None and name not in known:
            raise UnknownDestination(f"You have no destination {name}.", ("channels",), name=name)
    return names


def hours_of(start: dt.time, end: dt.time, weekdays: Collection[int], zone: str) -> Hours:
    """Return the active hours that a client's input describes.

    Weekdays are 1 (Monday) to 7. Raise InvalidInput if they describe no hours.
    """
    if start == end:
        raise InvalidInput(
            "The hours end when they begin: leave them out for a rule that is always active.",
            ("activeHours", "end"),
        )
    if not weekdays:
        raise InvalidInput("The hours have no weekday: give at least one.", ("activeHours", "weekdays"))
    return Hours(start, end, frozenset(weekdays), zone_of(zone))


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of the IANA database with this name; raise InvalidInput if there is none."""
    # Matched first because zoneinfo opens a file of that name; `localtime` is whatever the server is set to.
    try:
        if _ZONE.fullmatch(name) and len(name) <= LONGEST_CHANNEL and name != "localtime":
            return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        pass
    raise InvalidInput(
        "There is no such time zone: give its IANA name, such as Europe/Berlin or UTC.",
        ("activeHours", "timeZone"),
    )

"""When an alert rule fires: once for each crossing of its threshold, and when it may again.

A rule is ARMED or FIRED, for each thing that it watches on its own. Armed, it fires as soon as a value is
beyond the threshold; fired, it is armed again when a value has come back by the hysteresis. A rule that is
new is armed, so that one which is made when the value is beyond the threshold fires at the first look. While
it is quiet, because it fired a short time ago or because it is out of its hours, an armed rule waits: it
fires when that ends, if the value is beyond the threshold still.

Values and thresholds are in the same unit, which the kind says: see `UNITS`.
"""

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal

from db.vocabulary import AlertKind
from investing.rules.money import quotient

PRICE_KINDS = frozenset({AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW, AlertKind.DAILY_MOVE})
"""What a tick of an instrument can fire."""

PORTFOLIO_KINDS = frozenset(
    {
        AlertKind.POSITION_WEIGHT,
        AlertKind.DRIFT,
        AlertKind.DRAWDOWN,
        AlertKind.PORTFOLIO_VALUE_BELOW,
        AlertKind.CASH_BELOW,
    }
)
"""What a look at a portfolio can fire."""

EVENT_KINDS = frozenset({AlertKind.REBALANCE_COMPLETED, AlertKind.REBALANCE_FAILED, AlertKind.ORDER_REJECTED})
"""What happens, and has no threshold."""

FRACTION_KINDS = frozenset(
    {AlertKind.DAILY_MOVE, AlertKind.POSITION_WEIGHT, AlertKind.DRIFT, AlertKind.DRAWDOWN}
)
"""Those whose values are fractions: 0.05 is five per cent."""

_BELOW = frozenset({AlertKind.PRICE_BELOW, AlertKind.PORTFOLIO_VALUE_BELOW, AlertKind.CASH_BELOW})


@dataclass(frozen=True)
class Threshold:
    """What a value is held against."""

    kind: AlertKind
    level: Decimal
    hysteresis: Decimal = Decimal(0)

    @property
    def fires_below(self) -> bool:
        """Whether it is the small values that fire."""
        return self.kind in _BELOW

    @property
    def back_at(self) -> Decimal:
        """The value at which, or on the better side of which, the rule is armed again."""
        return self.level + (self.hysteresis if self.fires_below else -self.hysteresis)

    def is_beyond(self, value: Decimal) -> bool:
        """Whether the value fires; the threshold itself does not."""
        return value < self.level if self.fires_below else value > self.level

    def is_back(self, value: Decimal) -> bool:
        """Whether the value arms the rule again."""
        return value >= self.back_at if self.fires_below else value <= self.back_at


@dataclass(frozen=True)
class Hours:
    """When a rule may fire: from one time of day until another, local time, on some weekdays (1 to 7).

    Hours that end before they begin go past midnight, and belong to the day on which they begin.
    """

    start: dt.time
    end: dt.time
    weekdays: frozenset[int]
    zone: dt.tzinfo

    def next_open(self, now: dt.datetime) -> dt.datetime:
        """`now` if it is within the hours, or else the next instant at which they begin."""
        today = now.astimezone(self.zone).date()
        # From yesterday, whose hours may last past midnight, until the same weekday of next week.
        for days in range(-1, 9):
            date = today + dt.timedelta(days=days)
            if date.isoweekday() not in self.weekdays:
                continue
            start = self._at(date, self.start)
            end = self._at(date + dt.timedelta(days=self.end <= self.start), self.end)
            if now < end:
                return max(now, start)
        raise AssertionError("there is a weekday")

    def _at(self, date: dt.date, time: dt.time) -> dt.datetime:
        return dt.datetime.combine(date, time, self.zone).astimezone(dt.UTC)


@dataclass(frozen=True)
class Cooldown:
    """How a rule keeps itself from disturbing."""

    cooldown: dt.timedelta
    hours: Hours | None = None

    def until(self, fired_at: dt.datetime) -> dt.datetime:
        """Until when it is quiet after it has fired."""
        return fired_at + self.cooldown

    def opens(self, now: dt.datetime) -> dt.datetime:
        """`now`, or when its hours begin."""
        return now if self.hours is None else self.hours.next_open(now)


@dataclass(frozen=True)
class RuleState:
    """Where a rule stands with one of the things that it watches."""

    is_armed: bool = True
    quiet_until: dt.datetime | None = None


@dataclass(frozen=True)
class RuleDecision:
    """What a value does to a rule: where it stands then, and whether it fires."""

    state: RuleState
    fires: bool = False


def step(
    threshold: Threshold, cooldown: Cooldown, state: RuleState, value: Decimal, now: dt.datetime
) -> RuleDecision:
    """What this value does. The same value again does nothing more."""
    if not state.is_armed:
        return (
            RuleDecision(replace(state, is_armed=True)) if threshold.is_back(value) else RuleDecision(state)
        )
    if not threshold.is_beyond(value):
        return RuleDecision(state)
    held = hold(cooldown, state, now)
    if held is not None:
        return RuleDecision(held)
    return RuleDecision(RuleState(is_armed=False, quiet_until=cooldown.until(now)), fires=True)


def hold(cooldown: Cooldown, state: RuleState, now: dt.datetime) -> RuleState | None:
    """The standing of a rule that may not fire now, with when it may; None for one that may."""
    if state.quiet_until is not None and now < state.quiet_until:
        return state
    opens = cooldown.opens(now)
    return replace(state, quiet_until=opens) if opens > now else None


def daily_move(price: Decimal, previous: Decimal | None) -> Decimal | None:
    """How far a price is from that of the day before, up or down, as a fraction of it; None without one.

    From a price of 0 no move is known.
    """
    return None if not previous else quotient(abs(price - previous), previous)


def drawdown(index: Decimal, peak: Decimal) -> Decimal:
    """How far an index is below its peak, as a fraction of the peak.

    The index is that of time-weighted returns: money that comes or goes is no gain and no loss.
    """
    return quotient(peak - index, peak) if peak > 0 else Decimal(0)


UNITS: dict[AlertKind, str] = {
    AlertKind.PRICE_ABOVE: "a price, in the instrument's currency",
    AlertKind.PRICE_BELOW: "a price, in the instrument's currency",
    AlertKind.DAILY_MOVE: "a fraction of the last price of the trading day before, up or down",
    AlertKind.POSITION_WEIGHT: "a fraction of the portfolio's total value",
    AlertKind.DRIFT: "a difference of weights, as a fraction of the portfolio's total value",
    AlertKind.DRAWDOWN: "a fraction of the highest value of the time-weighted index",
    AlertKind.PORTFOLIO_VALUE_BELOW: "an amount, in the portfolio's currency",
    AlertKind.CASH_BELOW: "an amount, in the portfolio's currency",
    AlertKind.REBALANCE_COMPLETED: "nothing: it is 0",
    AlertKind.REBALANCE_FAILED: "nothing: it is 0",
    AlertKind.ORDER_REJECTED: "nothing: it is 0",
}
"""What a threshold of each kind is."""

"""When an alert rule fires: once for each crossing of its threshold, and when it may fire again.

A rule is ARMED or FIRED, separately for each thing that it watches. An armed rule fires as soon as a value is
beyond the threshold; a fired one is armed again when a value has come back by the hysteresis. A new rule is
armed, so a rule that is created while the value is beyond the threshold fires at the first check. During its
cooldown, or outside its active hours, an armed rule waits: it fires when that time ends, if the value is
still beyond the threshold.

Values and thresholds are in the same unit, which depends on the kind: see `UNITS`.
"""

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal

from db.vocabulary import AlertKind
from investing.rules.money import quotient

PRICE_KINDS = frozenset({AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW, AlertKind.DAILY_MOVE})
"""The kinds that a tick of an instrument can fire."""

PORTFOLIO_KINDS = frozenset(
    {
        AlertKind.POSITION_WEIGHT,
        AlertKind.DRIFT,
        AlertKind.DRAWDOWN,
        AlertKind.PORTFOLIO_VALUE_BELOW,
        AlertKind.CASH_BELOW,
    }
)
"""The kinds that a check of a portfolio can fire."""

EVENT_KINDS = frozenset({AlertKind.REBALANCE_COMPLETED, AlertKind.REBALANCE_FAILED, AlertKind.ORDER_REJECTED})
"""The kinds that report an event and have no threshold."""

FRACTION_KINDS = frozenset(
    {AlertKind.DAILY_MOVE, AlertKind.POSITION_WEIGHT, AlertKind.DRIFT, AlertKind.DRAWDOWN}
)
"""The kinds whose values are fractions: 0.05 is five per cent."""

_BELOW = frozenset({AlertKind.PRICE_BELOW, AlertKind.PORTFOLIO_VALUE_BELOW, AlertKind.CASH_BELOW})


@dataclass(frozen=True)
class Threshold:
    """The level that a value is compared with, and how far it must come back."""

    kind: AlertKind
    level: Decimal
    hysteresis: Decimal = Decimal(0)

    @property
    def fires_below(self) -> bool:
        """Whether the rule fires on values below the level."""
        return self.kind in _BELOW

    @property
    def back_at(self) -> Decimal:
        """The level at which the rule is armed again; values further from firing arm it too."""
        return self.level + (self.hysteresis if self.fires_below else -self.hysteresis)

    def is_beyond(self, value: Decimal) -> bool:
        """Return whether the value fires the rule; a value equal to the level does not."""
        return value < self.level if self.fires_below else value > self.level

    def is_back(self, value: Decimal) -> bool:
        """Return whether the value arms the rule again."""
        return value >= self.back_at if self.fires_below else value <= self.back_at


@dataclass(frozen=True)
class Hours:
    """When a rule may fire: from one local time of day to another, on some weekdays (1, Monday, to 7).

    Hours whose end is not after their start continue past midnight, and belong to the day on which they
    start.
    """

    start: dt.time
    end: dt.time
    weekdays: frozenset[int]
    zone: dt.tzinfo

    def next_open(self, now: dt.datetime) -> dt.datetime:
        """Return `now` if it is within the hours, or else the next instant at which they start."""
        today = now.astimezone(self.zone).date()
        # From yesterday, whose hours may continue past midnight, to the same weekday of next week.
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
    """How long a rule stays silent after it has fired, and the hours during which it may fire at all."""

    cooldown: dt.timedelta
    hours: Hours | None = None

    def until(self, fired_at: dt.datetime) -> dt.datetime:
        """Return the end of the cooldown of a rule that fired at `fired_at`."""
        return fired_at + self.cooldown

    def opens(self, now: dt.datetime) -> dt.datetime:
        """Return `now` if it is within the active hours, or else when they start."""
        return now if self.hours is None else self.hours.next_open(now)


@dataclass(frozen=True)
class RuleState:
    """The state of a rule for one of the things that it watches."""

    is_armed: bool = True
    quiet_until: dt.datetime | None = None


@dataclass(frozen=True)
class RuleDecision:
    """What a value does to a rule: its state afterwards, and whether it fires."""

    state: RuleState
    fires: bool = False


def step(
    threshold: Threshold, cooldown: Cooldown, state: RuleState, value: Decimal, now: dt.datetime
) -> RuleDecision:
    """Decide what this value does to the rule. The same value again changes nothing more."""
    if not state.is_armed:
        return (
            RuleDecision(replace(state, is_armed=True)) if threshold.is_back(value) else RuleDecision(state)
        )
    if not threshold.is_beyond(value):
        return RuleDecision(state)
    on_hold = hold(cooldown, state, now)
    if on_hold is not None:
        return RuleDecision(on_hold)
    return RuleDecision(RuleState(is_armed=False, quiet_until=cooldown.until(now)), fires=True)


def hold(cooldown: Cooldown, state: RuleState, now: dt.datetime) -> RuleState | None:
    """Return the state of a rule that may not fire yet, None for a rule that may.

    The state says from when the rule may fire.
    """
    if state.quiet_until is not None and now < state.quiet_until:
        return state
    opens = cooldown.opens(now)
    return replace(state, quiet_until=opens) if opens > now else None


def daily_move(price: Decimal, previous: Decimal | None) -> Decimal | None:
    """Return how far a price is from the day before's, up or down, as a fraction of it; None without one.

    From a price of 0 no move is known.
    """
    return None if not previous else quotient(abs(price - previous), previous)


def drawdown(index: Decimal, peak: Decimal) -> Decimal:
    """Return how far an index is below its peak, as a fraction of the peak.

    The index is that of time-weighted returns, in which deposits are no gains and withdrawals no losses.
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
"""What a threshold of each kind measures, and in which unit."""

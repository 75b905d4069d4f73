"""Find the rules that a price crosses without checking the others.

For each instrument, sorted lists hold the thresholds of the armed rules and the levels at which fired ones
are armed again. A tick compares itself with the ends of six lists and takes what it crosses, in O(log n) and
the number of rules crossed, however many rules there are. The index is a copy: what it finds is decided again
by the database.
"""

import datetime as dt
import heapq
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from db.vocabulary import AlertKind
from investing.rules.alerts.conditions import RuleState, Threshold, daily_move
from investing.rules.market.market_hours import day_of

_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_Level = tuple[Decimal, UUID]


@dataclass(frozen=True)
class TickPrice:
    """An instrument's price at a tick; `previous` is the last price of the trading day before, if known.

    Trading days are those of `time_zone`.
    """

    price: Decimal
    as_of: dt.datetime
    previous: Decimal | None = None
    time_zone: str = "America/New_York"

    def is_of_the_day_of(self, instant: dt.datetime) -> bool:
        """Return whether an instant is of the same trading day."""
        return day_of(instant, self.time_zone) == day_of(self.as_of, self.time_zone)


@dataclass(frozen=True)
class PriceRule:
    """A rule on an instrument and its state; `as_of` is the time of the tick that it was last decided by."""

    owner_id: UUID
    rule_id: UUID
    instrument_id: UUID
    threshold: Threshold
    state: RuleState
    as_of: dt.datetime | None = None


@dataclass(frozen=True)
class Crossing:
    """A rule that a price has crossed; `fires` is false where the price came back and arms the rule again."""

    owner_id: UUID
    rule_id: UUID
    instrument_id: UUID
    price: TickPrice
    fires: bool


class _Levels:
    """Sorted levels of rules.

    A value takes the levels below it where `takes_below`, and those above it otherwise.
    """

    def __init__(self, *, takes_below: bool, inclusive: bool) -> None:
        self._levels: list[_Level] = []
        self._takes_below = takes_below
        self._inclusive = inclusive

    def add(self, level: Decimal, id: UUID) -> None:
        self._levels.insert(bisect_left(self._levels, (level, id)), (level, id))

    def discard(self, level: Decimal, id: UUID) -> None:
        at = bisect_left(self._levels, (level, id))
        if at < len(self._levels) and self._levels[at] == (level, id):
            del self._levels[at]

    def take(self, value: Decimal) -> Sequence[UUID]:
        """Remove and return the rules whose level the value has passed, or reached where `inclusive`."""
        levels = self._levels
        if not levels:
            return ()
        nearest = levels[0][0] if self._takes_below else levels[-1][0]
        if nearest == value:
            if not self._inclusive:
                return ()
        elif (nearest < value) is not self._takes_below:
            return ()
        # Equal levels are among those taken only where they are inclusive.
        at = bisect_left(levels, (value, _LAST if self._takes_below is self._inclusive else _FIRST))
        part = slice(None, at) if self._takes_below else slice(at, None)
        taken = levels[part]
        del levels[part]
        return [id for _, id in taken]

    def clear(self) -> Sequence[UUID]:
        """Remove and return all of the rules."""
        levels, self._levels = self._levels, []
        return [id for _, id in levels]


@dataclass
class _InstrumentRules:
    """The rules of one instrument by their levels, and its last price."""

    price: TickPrice | None = None
    armed_above: _Levels = field(default_factory=lambda: _Levels(takes_below=True, inclusive=False))
    armed_below: _Levels = field(default_factory=lambda: _Levels(takes_below=False, inclusive=False))
    armed_move: _Levels = field(default_factory=lambda: _Levels(takes_below=True, inclusive=False))
    fired_above: _Levels = field(default_factory=lambda: _Levels(takes_below=False, inclusive=True))
    fired_below: _Levels = field(default_factory=lambda: _Levels(takes_below=True, inclusive=True))
    fired_move: _Levels = field(default_factory=lambda: _Levels(takes_below=False, inclusive=True))

    def levels_of(self, watched: PriceRule) -> tuple[_Levels, Decimal]:
        """Return the list that the rule belongs to in its state, and its level there."""
        name = {AlertKind.PRICE_ABOVE: "above", AlertKind.PRICE_BELOW: "below"}.get(
            watched.threshold.kind, "move"
        )
        if watched.state.is_armed:
            return getattr(self, f"armed_{name}"), watched.threshold.level
        return getattr(self, f"fired_{name}"), watched.threshold.back_at

    def crossed(self, price: TickPrice) -> Iterator[tuple[UUID, bool]]:
        """Remove the rules that this price crosses; yield each with whether it fires."""
        move = daily_move(price.price, price.previous)
        for levels, value, fires in (
            (self.armed_above, price.price, True),
            (self.armed_below, price.price, True),
            (self.armed_move, move, True),
            (self.fired_above, price.price, False),
            (self.fired_below, price.price, False),
            (self.fired_move, move, False),
        ):
            if value is not None:
                for id in levels.take(value):
                    yield id, fires


class PriceIndex:
    """All watched rules, by instrument and level.

    `put`, `tick` and `wake` return what is crossed, and assume that the caller carries it out.
    """

    def __init__(self) -> None:
        self._watched: dict[UUID, PriceRule] = {}
        self._by_instrument: dict[UUID, _InstrumentRules] = {}
        self._waiting: list[tuple[dt.datetime, UUID]] = []

    def __len__(self) -> int:
        return len(self._watched)

    def put(self, watched: PriceRule, now: dt.datetime) -> list[Crossing]:
        """Add or replace a rule and compare it with the last price of its instrument.

        Return the crossings that follow.
        """
        self.drop(watched.rule_id)
        price = self._rules_of(watched.instrument_id).price
        # A price older than the rule's last decision decides nothing; the newer price has yet to arrive here.
        is_news = price is not None and (watched.as_of is None or watched.as_of <= price.as_of)
        if price is not None and is_news and _is_of_another_day(watched, price):
            watched = replace(watched, state=replace(watched.state, is_armed=True))
        self._place(watched, now)
        return self._cross(watched.instrument_id, price, now) if price is not None and is_news else []

    def drop(self, rule_id: UUID) -> None:
        """Remove a rule, if it is there."""
        watched = self._watched.pop(rule_id, None)
        if watched is not None:
            levels, level = self._rules_of(watched.instrument_id).levels_of(watched)
            levels.discard(level, rule_id)

    def tick(self, instrument_id: UUID, price: TickPrice, now: dt.datetime) -> list[Crossing]:
        """Return what a new price crosses; a price older than the last one crosses nothing."""
        rules = self._rules_of(instrument_id)
        last = rules.price
        if last is not None and price.as_of < last.as_of:
            return []
        rules.price = price
        if last is not None and not price.is_of_the_day_of(last.as_of):
            # A daily move starts anew each day.
            for rule_id in rules.fired_move.clear():
                self._set_armed(rule_id, is_armed=True, now=now)
        return self._cross(instrument_id, price, now)

    def wake(self, now: dt.datetime) -> list[Crossing]:
        """Return what the last prices cross among the rules whose cooldown has ended by now."""
        crossings: list[Crossing] = []
        while self._waiting and self._waiting[0][0] <= now:
            _, rule_id = heapq.heappop(self._waiting)
            watched = self._watched.get(rule_id)
            if watched is not None and watched.state.is_armed:
                crossings += self.put(watched, now)
        return crossings

    def _cross(self, instrument_id: UUID, price: TickPrice, now: dt.datetime) -> list[Crossing]:
        crossings = []
        for rule_id, fires in self._rules_of(instrument_id).crossed(price):
            watched = self._set_armed(rule_id, is_armed=not fires, now=now)
            crossings.append(Crossing(watched.owner_id, rule_id, instrument_id, price, fires))
        return crossings

    def _set_armed(self, rule_id: UUID, *, is_armed: bool, now: dt.datetime) -> PriceRule:
        """Put a rule that was taken out into the list of its new state."""
        watched = self._watched[rule_id]
        watched = replace(watched, state=replace(watched.state, is_armed=is_armed))
        self._place(watched, now)
        return watched

    def _place(self, watched: PriceRule, now: dt.datetime) -> None:
        self._watched[watched.rule_id] = watched
        quiet_until = watched.state.quiet_until
        if watched.state.is_armed and quiet_until is not None and quiet_until > now:
            heapq.heappush(self._waiting, (quiet_until, watched.rule_id))
            return
        levels, level = self._rules_of(watched.instrument_id).levels_of(watched)
        levels.add(level, watched.rule_id)

    def _rules_of(self, instrument_id: UUID) -> _InstrumentRules:
        rules = self._by_instrument.get(instrument_id)
        if rules is None:
            rules = self._by_instrument[instrument_id] = _InstrumentRules()
        return rules


def _is_of_another_day(watched: PriceRule, price: TickPrice) -> bool:
    """Return whether a rule on daily moves was last decided on a day other than the price's."""
    return (
        watched.threshold.kind is AlertKind.DAILY_MOVE
        and watched.as_of is not None
        and not price.is_of_the_day_of(watched.as_of)
    )

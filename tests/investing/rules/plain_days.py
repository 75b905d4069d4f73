"""A ledger and closes in plain Python, and what follows from them by the definition, word for word.

`flows` and `end_value` look at all that there is each time and share nothing with `rules.valuation`; tests
hold that, and what SQL reads for it, against them.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from investing.rules.market.market_hours import closing_instant, day_of
from investing.rules.performance.figures import Figures, measure
from investing.rules.performance.series import Flow, Point, with_opening
from investing.rules.performance.valuation import ClosingPrice, DayEntry, FlowDay, KnownPrices, value_day

D = Decimal
_EXTERNAL = ("DEPOSIT", "WITHDRAWAL", "TRANSFER_IN", "TRANSFER_OUT")
_PLACES = D("1E-10")
_ONE_DAY = dt.timedelta(days=1)
_NOTHING = D(0)
ACCOUNT = None
"""The place of unallotted cash."""


@dataclass(frozen=True)
class Line:
    """An entry, in the ledger's order; `transfer` names both sides of a transfer between own places."""

    at: dt.datetime
    type: str
    place: UUID | None
    instrument: UUID | None = None
    cash: D = _NOTHING
    quantity: D = _NOTHING
    price: D | None = None
    transfer: object = None


@dataclass
class PlainDays:
    """All that an owner has posted, reversed entries left out, and closes by instrument and bar's date."""

    lines: Sequence[Line]
    closes: Mapping[UUID, Mapping[dt.date, D]] = field(default_factory=dict)
    exchanges: Mapping[UUID, str] = field(default_factory=dict)
    zone: str = "UTC"
    adjusted: Collection[UUID] = ()

    def __post_init__(self) -> None:
        self._of_days = {instrument: self._days_of(instrument) for instrument in self.closes}
        self._trades: dict[UUID, list[tuple[int, Line, dt.date]]] = {}
        self._sides: dict[object, list[Line]] = {}
        for n, line in enumerate(self.lines):
            if line.instrument is not None and line.type in ("BUY", "SELL") and line.price:
                self._trades.setdefault(line.instrument, []).append((n, line, self.day(line)))
            if line.transfer is not None:
                self._sides.setdefault(line.transfer, []).append(line)

    def day(self, line: Line) -> dt.date:
        return day_of(line.at, self.zone)

    def of_days(self, instrument: UUID) -> list[tuple[dt.date, dt.datetime | None, D]]:
        """The closes of an instrument: their day, when they were known, and the price."""
        return self._of_days.get(instrument, [])

    def _days_of(self, instrument: UUID) -> list[tuple[dt.date, dt.datetime | None, D]]:
        found = []
        for date, price in sorted(self.closes[instrument].items()):
            at = closing_instant(self.exchanges.get(instrument), date)
            found.append((date if at is None else day_of(at, self.zone), at, price))
        return found

    def until(self, instrument: UUID, day: dt.date) -> list[tuple[dt.date, dt.datetime | None, D]]:
        """The last two closes until a day's end, or those that there are."""
        closes = self.of_days(instrument)
        n = bisect_right(closes, day, key=lambda close: close[0])
        return closes[max(0, n - 2) : n]

    def trades(self, instrument: UUID) -> list[tuple[int, Line, dt.date]]:
        """With their numbers in the ledger, and their days."""
        return self._trades.get(instrument, [])

    def price_at(self, number: int, instrument: UUID) -> D | None:
        """Just before the line of this number."""
        line = self.lines[number]
        day = self.day(line)
        closes = self.until(instrument, day)
        today = [(n, t) for n, t, its in self.trades(instrument) if its == day]
        events = [((t.at, 1, n), t.price) for n, t in today if n < number]
        # Of a trade at the very moment of the close, the close stands.
        events += [((at, 2, 0), p) for d, at, p in closes if d == day and at and at <= line.at]
        if events:
            return max(events, key=lambda event: event[0])[1]
        if len(today) == 1:
            return today[0][1].price
        for price in (
            *[p for _, _, p in self.until(instrument, day - _ONE_DAY)[-1:]],
            *[t.price for _, t, its in self.trades(instrument) if its < day][-1:],
            *[t.price for _, t in today][:1],
            *[p for d, _, p in closes if d == day][:1],
        ):
            return price
        return None

    def price_on(self, day: dt.date, instrument: UUID) -> D | None:
        """At a day's end."""
        last = self.until(instrument, day)[-1:]
        for price in (
            *[p for d, _, p in last if d == day],
            *[t.price for _, t, its in self.trades(instrument) if its == day][-1:],
            *[p for _, _, p in last],
            *[t.price for _, t, its in self.trades(instrument) if its < day][-1:],
        ):
            return price
        return None

    def held(self, lines: Sequence[Line], inside: Collection[UUID | None]) -> dict[tuple[UUID, UUID], D]:
        held: dict[tuple[UUID, UUID], D] = {}
        for line in lines:
            if line.place in inside and line.instrument is not None and line.quantity:
                assert line.place is not None
                cell = (line.place, line.instrument)
                held[cell] = held.get(cell, D(0)) + line.quantity
        return {cell: quantity for cell, quantity in held.items() if quantity}

    def is_flow(self, line: Line, inside: Collection[UUID | None]) -> bool:
        """Whether it crosses the border of these places."""
        if line.type == "DIVIDEND" and line.instrument in self.adjusted:
            return line.place in inside
        if line.place not in inside or line.type not in _EXTERNAL:
            return False
        others = [o for o in self._sides.get(line.transfer, []) if o.type != line.type]
        return not any(other.place in inside for other in others)

    def flows(self, day: dt.date, inside: Collection[UUID | None]) -> list[Flow]:
        """By the definition."""
        found = []
        for n, line in enumerate(self.lines):
            if self.day(line) == day and self.is_flow(line, inside):
                before = self._worth(self.lines[:n], n, inside)
                found.append(Flow(before, self._worth(self.lines[: n + 1], n, inside) - before, line.at))
        return found

    def _worth(self, lines: Sequence[Line], number: int, inside: Collection[UUID | None]) -> D:
        cash = sum((line.cash for line in lines if line.place in inside), D(0))
        held = self.held(lines, inside)
        return cash + sum((worth(q, self.price_at(number, i)) for (_, i), q in held.items()), D(0))

    def end_value(self, day: dt.date, inside: Collection[UUID | None]) -> D:
        """By the definition."""
        lines = [line for line in self.lines if self.day(line) <= day]
        cash = sum((line.cash for line in lines if line.place in inside), D(0))
        held = self.held(lines, inside)
        return cash + sum((worth(q, self.price_on(day, i)) for (_, i), q in held.items()), D(0))

    def flow_day(self, day: dt.date, inside: Collection[UUID | None]) -> FlowDay:
        """The same as the rule is given it."""
        before = [line for line in self.lines if self.day(line) < day]
        return FlowDay(
            date=day,
            cash=sum((line.cash for line in before if line.place in inside), D(0)),
            holdings=self.held(before, inside),
            known={i: self._known(day, i) for i in {line.instrument for line in self.lines} if i},
            entries=[
                DayEntry(
                    at=line.at,
                    portfolio=line.place,
                    instrument=line.instrument,
                    cash=line.cash,
                    quantity=line.quantity,
                    is_flow=self.is_flow(line, inside),
                    is_inside=line.place in inside,
                    price=line.price if line.type in ("BUY", "SELL") and line.price else None,
                )
                for line in self.lines
                if self.day(line) == day
            ],
        )

    def _known(self, day: dt.date, instrument: UUID) -> KnownPrices:
        before = self.until(instrument, day - _ONE_DAY)[-1:]
        trades = [t.price for _, t, its in self.trades(instrument) if its < day][-1:]
        return KnownPrices(
            before=self.price_on(day - _ONE_DAY, instrument),
            last_close=before[0][2] if before else None,
            last_trade=trades[0] if trades else None,
            closes=tuple(ClosingPrice(at, p) for d, at, p in self.until(instrument, day) if d == day),
        )

    def days(self, inside: Collection[UUID | None]) -> list[dt.date]:
        """Every day from the first entry to the last entry or close."""
        first = min(self.day(line) for line in self.lines if line.place in inside)
        last = max(
            [self.day(line) for line in self.lines]
            + [day for instrument in self.closes for day, _, _ in self.of_days(instrument)]
        )
        return [first + n * _ONE_DAY for n in range((last - first).days + 1)]

    def points(self, inside: Collection[UUID | None]) -> list[Point]:
        """The days, valued by the rule at their flows."""
        found = []
        for day in self.days(inside):
            flows = value_day(self.flow_day(day, inside)).flows
            net_flow = sum((flow.amount for flow in flows), D(0))
            found.append(Point(day, self.end_value(day, inside), net_flow, 0, flows))
        return found

    def figures(self, inside: Collection[UUID | None]) -> Figures:
        """From the first flow on."""
        return measure(with_opening(self.points(inside)))


def worth(quantity: D, price: D | None) -> D:
    """Of shares; nothing without a price."""
    return D(0) if price is None else (quantity * price).quantize(_PLACES, ROUND_HALF_UP)

"""What a scope is worth at each of its external flows, at the prices known at that moment.

A scope is a portfolio, or the portfolios and the unallotted cash of an account or of a user. A sub-period
ends at each flow, and the scope is valued there (GIPS 2020, valuation at external cash flows). Only days with
flows need this: any other day is one sub-period from one day's end to the next. The price of an instrument is
the latest in time of

- its owner's trades in it on that day up to the flow, in any portfolio, so that every scope sees one price,
- the day's close, if its market has closed by then (one whose hours are not known closes with the day),
- the last close before.

If there is neither of the first two and the day's only trade comes later, that trade's price is nearer than
an older close. An instrument without any close until then has its last trade before, or whatever comes first
afterwards on that day. At the end of a day its price is the day's close; without one, its last trade of the
day or else the last close.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

from investing.rules.money import PLACES
from investing.rules.performance.returns import WIDE, ZERO
from investing.rules.performance.series import Flow

Cell = tuple[UUID, UUID]
"""A portfolio and an instrument that it holds."""

_SAME = Fraction(1)


class ClosingPrice(NamedTuple):
    """A closing price of the day; `at` is when the market closed, None for the end of the account's day."""

    at: dt.datetime | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class KnownPrices:
    """What is known of an instrument's price before a day's entries.

    `before` is the price at the end of the day before, `last_close` the last close before the day and
    `last_trade` the last trade before it; `closes` are the day's, in order. All but `before` are per share as
    of the day's end, after its splits.
    """

    before: Decimal | None = None
    last_close: Decimal | None = None
    last_trade: Decimal | None = None
    closes: tuple[ClosingPrice, ...] = ()


@dataclass(frozen=True, slots=True)
class DayEntry:
    """A ledger entry of the day: one of the scope or, if `is_inside` is false, a trade elsewhere.

    `price` is that of a trade that has one. `split` is the new and the old number of shares of a split. A
    flow crosses the scope's border; a transfer between the scope's own portfolios is none.
    """

    at: dt.datetime
    portfolio: UUID | None
    instrument: UUID | None
    cash: Decimal = ZERO
    quantity: Decimal = ZERO
    is_flow: bool = False
    is_inside: bool = True
    price: Decimal | None = None
    split: tuple[Decimal, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class FlowDay:
    """A day with flows: cash and shares at its beginning, prices, and its entries in the ledger's order.

    `units` is how many of the shares that the prices are quoted for make one share of a portfolio, at the
    day's beginning and at its end, if that is not 1: a split may reach prices on a different day than shares.
    """

    date: dt.date
    cash: Decimal
    holdings: Mapping[Cell, Decimal]
    known: Mapping[UUID, KnownPrices]
    entries: Sequence[DayEntry]
    units: Mapping[Cell, tuple[Fraction, Fraction]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubPeriodValues:
    """A sub-period of the day: the values at its beginning and its end, and each instrument's gain.

    None stands for cash. The gains add up to the difference.
    """

    start: Decimal
    end: Decimal
    gains: Mapping[UUID | None, Decimal]


@dataclass(frozen=True, slots=True)
class ValuedDay:
    """A day's sub-periods, one more than flows. `unpriced` had no price at a flow and count as 0."""

    date: dt.date
    parts: Sequence[SubPeriodValues]
    flows: tuple[Flow, ...]
    unpriced: frozenset[UUID] = frozenset()

    @property
    def net_flow(self) -> Decimal:
        """What came in minus what went out."""
        return sum((flow.amount for flow in self.flows), ZERO)


def value_day(day: FlowDay) -> ValuedDay:
    """Value the scope at each of the day's flows, to ten places for each position.

    Source: GIPS 2020, valuation at the time of external cash flows, by the prices described above.
    """
    return _Day(day).valued()


@dataclass
class _Prices:
    """The prices of one instrument over the day."""

    known: KnownPrices
    # The number of the entry, when, and the price per share as of the day's end.
    trades: list[tuple[int, dt.datetime, Decimal]] = field(default_factory=list)

    def at(self, number: int, at: dt.datetime) -> Decimal | None:
        """Return the price just before the entry of this number, None if nothing is known."""
        known, trades = self.known, self.trades
        close = next((c for c in reversed(known.closes) if c.at is not None and c.at <= at), None)
        trade = next((t for t in reversed(trades) if t[0] < number), None)
        if trade is not None and (close is None or close.at is None or trade[1] > close.at):
            return trade[2]
        if close is not None:
            return close.price
        if len(trades) == 1:
            return trades[0][2]
        later = [trade[2] for trade in trades[:1]] + [close.price for close in known.closes[:1]]
        return _first(known.last_close, known.last_trade, *later)

    def at_end(self) -> Decimal | None:
        """Return the price at the day's end, None if nothing is known."""
        if self.known.closes:
            return self.known.closes[-1].price
        if self.trades:
            return self.trades[-1][2]
        return _first(self.known.last_close, self.known.last_trade)


def _first(*prices: Decimal | None) -> Decimal | None:
    return next((price for price in prices if price is not None), None)


class _Day:
    """The state of a day as its entries are applied."""

    def __init__(self, day: FlowDay) -> None:
        self._day = day
        self._cash = day.cash
        self._held = {cell: quantity for cell, quantity in day.holdings.items() if quantity}
        # How many of the shares that prices are quoted for one share becomes by the day's remaining splits.
        self._becomes: dict[Cell, Fraction] = defaultdict(lambda: _SAME)
        for cell, (_, at_end) in day.units.items():
            self._becomes[cell] = at_end
        self._unpriced: set[UUID] = set()
        for entry in day.entries:
            if entry.split is not None:
                self._becomes[_cell(entry)] *= _ratio(entry.split)
        self._prices = self._collected()

    def _collected(self) -> dict[UUID, _Prices]:
        prices = defaultdict(
            lambda: _Prices(KnownPrices()), {i: _Prices(k) for i, k in self._day.known.items()}
        )
        becomes = dict(self._becomes)
        for number, entry in enumerate(self._day.entries):
            if entry.split is not None:
                becomes[_cell(entry)] /= _ratio(entry.split)
            elif entry.price is not None and entry.instrument is not None:
                price = _scaled(entry.price, 1 / becomes.get(_cell(entry), _SAME))
                prices[entry.instrument].trades.append((number, entry.at, price))
        return prices

    def valued(self) -> ValuedDay:
        """Apply the day's entries in order, and return the sub-periods between them."""
        parts: list[SubPeriodValues] = []
        flows: list[Flow] = []
        values = self._values_before()
        start = self._cash + sum(values.values(), ZERO)
        earned: dict[UUID | None, Decimal] = defaultdict(lambda: ZERO)
        for number, entry in enumerate(self._day.entries):
            if not entry.is_inside:
                continue
            if not entry.is_flow:
                earned[entry.instrument] += entry.cash
                self._apply(entry)
                continue
            before = self._values(number, entry.at)
            total = self._cash + sum(before.values(), ZERO)
            parts.append(SubPeriodValues(start, total, _gains(values, before, earned)))
            self._apply(entry)
            # A flow of cash alone changes no position.
            values = self._values(number, entry.at) if entry.quantity else before
            start = self._cash + sum(values.values(), ZERO)
            flows.append(Flow(total, start - total, entry.at))
            earned.clear()
        end = self._values(None, None)
        parts.append(
            SubPeriodValues(start, self._cash + sum(end.values(), ZERO), _gains(values, end, earned))
        )
        return ValuedDay(self._day.date, parts, tuple(flows), frozenset(self._unpriced))

    def _apply(self, entry: DayEntry) -> None:
        self._cash += entry.cash
        if entry.quantity:
            self._held[_cell(entry)] = WIDE.add(self._held.get(_cell(entry), ZERO), entry.quantity)
        if entry.split is not None:
            self._becomes[_cell(entry)] /= _ratio(entry.split)

    def _values_before(self) -> dict[UUID, Decimal]:
        """Return the value of what is held at the day's beginning, by instrument."""
        values: dict[UUID, Decimal] = {}
        for cell, quantity in self._held.items():
            instrument = cell[1]
            known = self._day.known.get(instrument, KnownPrices())
            at_beginning, _ = self._day.units.get(cell, (_SAME, _SAME))
            self._add(values, instrument, _scaled(quantity, at_beginning), known.before)
        return values

    def _values(self, number: int | None, at: dt.datetime | None) -> dict[UUID, Decimal]:
        """Return the value of what is held just before this entry, or at the day's end, by instrument."""
        values: dict[UUID, Decimal] = {}
        prices: dict[UUID, Decimal | None] = {}
        for cell, quantity in self._held.items():
            instrument = cell[1]
            if instrument not in prices:
                of = self._prices[instrument]
                prices[instrument] = of.at_end() if number is None or at is None else of.at(number, at)
            shares = _scaled(quantity, self._becomes.get(cell, _SAME))
            self._add(values, instrument, shares, prices[instrument])
        return values

    def _add(
        self, values: dict[UUID, Decimal], instrument: UUID, shares: Decimal, price: Decimal | None
    ) -> None:
        if not shares:
            return
        if price is None:
            self._unpriced.add(instrument)
            return
        worth = WIDE.quantize(WIDE.multiply(shares, price), PLACES)
        values[instrument] = values.get(instrument, ZERO) + worth


def _cell(entry: DayEntry) -> Cell:
    assert entry.portfolio is not None
    assert entry.instrument is not None, "shares are of something"
    return entry.portfolio, entry.instrument


def _ratio(split: tuple[Decimal, Decimal]) -> Fraction:
    new, old = split
    return Fraction(new) / Fraction(old)


def _scaled(number: Decimal, factor: Fraction) -> Decimal:
    if factor == 1:
        return number
    return WIDE.divide(WIDE.multiply(number, Decimal(factor.numerator)), Decimal(factor.denominator))


def _gains(
    start: Mapping[UUID, Decimal], end: Mapping[UUID, Decimal], earned: Mapping[UUID | None, Decimal]
) -> dict[UUID | None, Decimal]:
    gains = dict(earned)
    for instrument, value in end.items():
        gains[instrument] = gains.get(instrument, ZERO) + value
    for instrument, value in start.items():
        gains[instrument] = gains.get(instrument, ZERO) - value
    return gains

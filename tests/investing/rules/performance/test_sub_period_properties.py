"""True sub-periods: what holds for any history, of random flows, trades, prices and splits."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from db.vocabulary import PerformanceFigure as Figure
from db.vocabulary import UnavailableReason as Reason
from investing.rules.performance.contribution import rounded_to_total, weights
from investing.rules.performance.figures import measure
from investing.rules.performance.series import with_opening
from investing.rules.performance.valuation import ClosingPrice, DayEntry, FlowDay, KnownPrices, value_day
from tests.investing.rules.performance.test_sub_periods import ABC, D, P, Q, at, deposit, gain
from tests.investing.rules.plain_days import ACCOUNT, Line, PlainDays

# What may happen, each with a day and a minute of it. Cents and whole shares: no value is rounded.
amounts = st.integers(1, 50000).map(lambda cents: D(cents) / 100)
moments = st.tuples(st.integers(0, 5), st.integers(0, 24 * 60 - 1))
places = st.sampled_from([P, Q])
deeds = st.tuples(
    moments, places, st.sampled_from(["D", "W", "B", "S", "X", "I", "C", "T"]), amounts, st.integers(1, 9)
)
prices = st.dictionaries(st.integers(0, 7), amounts, max_size=6)
markets = st.sampled_from(["NYSE", None])


def world_of(
    done: Sequence[tuple[tuple[int, int], UUID, str, D, int]], by_day: dict[int, D], exchange: str | None
) -> PlainDays:
    """Deposits, withdrawals, trades, transfers of cash and shares, and interest; in the account, and in two
    portfolios, each of which begins with 10,000.
    """
    start = at("01-01 00:00")
    lines = [deposit("01-01 00:00", 10000, place) for place in (P, Q)]
    lines.append(deposit("01-01 00:00", 10000, ACCOUNT))
    held = {P: 0, Q: 0}
    for n, ((day, minute), place, kind, amount, shares) in enumerate(sorted(done, key=lambda deed: deed[0])):
        when, other = start + dt.timedelta(days=day, minutes=minute), Q if place == P else P
        if kind == "D":
            lines.append(Line(when, "DEPOSIT", place if shares > 3 else ACCOUNT, cash=amount))
        elif kind == "W":
            lines.append(Line(when, "WITHDRAWAL", place, cash=-amount))
        elif kind == "I":
            lines.append(Line(when, "INTEREST", place, cash=amount / 100))
        elif kind == "B":
            lines.append(Line(when, "BUY", place, ABC, -amount * shares, D(shares), amount))
            held[place] += shares
        elif kind == "C":
            lines.append(Line(when, "TRANSFER_OUT", place, cash=-amount, transfer=n))
            lines.append(Line(when, "TRANSFER_IN", other if shares > 4 else ACCOUNT, cash=amount, transfer=n))
        elif held[place] >= shares:
            held[place] -= shares
            if kind == "S":
                lines.append(Line(when, "SELL", place, ABC, amount * shares, D(-shares), amount))
            elif kind == "T":
                lines.append(Line(when, "TRANSFER_OUT", place, ABC, quantity=D(-shares), transfer=n))
                lines.append(Line(when, "TRANSFER_IN", other, ABC, quantity=D(shares), transfer=n))
                held[other] += shares
            else:
                lines.append(Line(when, "TRANSFER_OUT", place, ABC, quantity=D(-shares)))
    first = start.date()
    bars = {ABC: {first + dt.timedelta(days=n): price for n, price in by_day.items()}}
    return PlainDays(lines, bars, {ABC: exchange} if exchange else {})


worlds = st.builds(world_of, st.lists(deeds, max_size=14), prices, markets)
WHOLE = (P, Q, ACCOUNT)


@given(worlds, st.sampled_from([(P,), (Q,), (ACCOUNT,), (P, Q), WHOLE]))
@settings(max_examples=80, derandomize=True, deadline=None, database=None)
def test_the_rule_is_the_definition(world: PlainDays, inside: tuple[UUID | None, ...]) -> None:
    """At each flow, at each day's beginning and end, and what was gained in between."""
    for day in world.days(inside):
        found = value_day(world.flow_day(day, inside))
        assert list(found.flows) == world.flows(day, inside)
        assert found.parts[-1].end == world.end_value(day, inside)
        assert found.parts[0].start == world.end_value(day - dt.timedelta(days=1), inside)
        for part in found.parts:
            assert sum(part.gains.values(), D(0)) == part.end - part.start


@given(worlds)
@settings(max_examples=40, derandomize=True, deadline=None, database=None)
def test_contributions_add_up_to_the_return_and_gains_to_the_gain(world: PlainDays) -> None:
    points = with_opening(world.points(WHOLE))
    found = measure(points)
    if found.time_weighted_return is None or any(
        one.figure is Figure.CONTRIBUTIONS for one in found.unavailable
    ):
        return
    gains: dict[UUID | None, D] = {}
    parts: dict[UUID | None, D] = {}
    for date, of_day in weights(points):
        for part, weight in zip(value_day(world.flow_day(date, WHOLE)).parts, of_day, strict=True):
            for instrument, one in part.gains.items():
                gains[instrument] = gains.get(instrument, D(0)) + one
                parts[instrument] = parts.get(instrument, D(0)) + one * weight
    assert sum(gains.values(), D(0)) == gain(found)
    shared = rounded_to_total(found.time_weighted_return, list(parts.values()))
    assert shared is not None
    assert sum(shared, D(0)) == found.time_weighted_return


@given(worlds)
@settings(max_examples=40, derandomize=True, deadline=None, database=None)
def test_the_whole_is_the_mean_of_its_parts(world: PlainDays) -> None:
    """In each sub-period of the whole without a transfer between its parts: weighted by their capital at its
    start. A part is valued at the flows of the others, too.
    """
    for day in world.days(WHOLE):
        crossing = [
            n for n, line in enumerate(world.lines) if world.is_flow(line, WHOLE) and world.day(line) == day
        ]
        inner = [
            n for n, line in enumerate(world.lines) if line.transfer is not None and world.day(line) == day
        ]
        found = value_day(world.flow_day(day, WHOLE)).parts
        cuts = [*crossing, len(world.lines)]
        for part, (n, m) in zip(found[1:], pairwise(cuts), strict=True):
            if any(n < move < m for move in inner) or part.start <= 0:
                continue
            starts, ends = [], []
            for place in WHOLE:
                starts.append(world._worth(world.lines[: n + 1], n, [place]))
                end = world.end_value(day, [place]) if m == len(world.lines) else None
                ends.append(world._worth(world.lines[:m], m, [place]) if end is None else end)
            assert sum(starts, D(0)) == part.start
            assert sum(ends, D(0)) == part.end
            # The mean of end / start, each weighted by start, is the sum of ends by the sum of starts.
            mean = sum((s * (e / s - 1) for s, e in zip(starts, ends, strict=True) if s), D(0))
            mean += sum((e for s, e in zip(starts, ends, strict=True) if not s), D(0))
            assert abs(mean / part.start - (part.end / part.start - 1)) < D("1e-20")


@given(worlds)
@settings(max_examples=30, derandomize=True, deadline=None, database=None)
def test_an_account_with_one_portfolio_and_no_cash_has_its_return(world: PlainDays) -> None:
    """What comes into the account goes on into the portfolio at the same moment, and back the same way."""
    lines: list[Line] = []
    for n, line in enumerate(line for line in world.lines if line.place == P and line.transfer is None):
        if line.type in ("DEPOSIT", "WITHDRAWAL"):
            inner = ("TRANSFER_IN", "TRANSFER_OUT") if line.cash > 0 else ("TRANSFER_OUT", "TRANSFER_IN")
            moves = [
                Line(line.at, line.type, ACCOUNT, cash=line.cash),
                Line(line.at, inner[1], ACCOUNT, cash=-line.cash, transfer=n),
                Line(line.at, inner[0], P, cash=line.cash, transfer=n),
            ]
            lines += moves if line.cash > 0 else reversed(moves)
        else:
            lines.append(line)
    account = PlainDays(lines, world.closes, world.exchanges)
    of_account, of_portfolio = account.figures([P, ACCOUNT]), account.figures([P])
    if any(line.cash < 0 and line.type == "WITHDRAWAL" for line in lines):
        # On its way out the cash is in the account while the portfolio has it no more.
        assert of_account.end_value == of_portfolio.end_value
    assert of_account.time_weighted_return == of_portfolio.time_weighted_return
    assert of_account.max_drawdown == of_portfolio.max_drawdown


@given(worlds)
@settings(max_examples=30, derandomize=True, deadline=None, database=None)
def test_two_portfolios_or_one_are_the_same_to_the_account(world: PlainDays) -> None:
    together = [
        Line(
            o.at,
            o.type,
            P if o.place == Q else o.place,
            o.instrument,
            o.cash,
            o.quantity,
            o.price,
            o.transfer,
        )
        for o in world.lines
    ]
    assert PlainDays(together, world.closes, world.exchanges).figures([P, ACCOUNT]) == world.figures(WHOLE)


@given(worlds, st.integers(0, 40), amounts, st.booleans())
@settings(max_examples=40, derandomize=True, deadline=None, database=None)
def test_a_flow_that_leaves_again_at_once_changes_no_return(
    world: PlainDays, place: int, amount: D, shares: bool
) -> None:
    n = 3 + place % (len(world.lines) - 2)
    when = world.lines[n - 1].at
    if any(line.transfer is not None and line.at == when for line in world.lines):
        return
    passing = (
        [
            Line(when, "TRANSFER_IN", P, ABC, quantity=D(7)),
            Line(when, "TRANSFER_OUT", P, ABC, quantity=D(-7)),
        ]
        if shares
        else [Line(when, "DEPOSIT", P, cash=amount), Line(when, "WITHDRAWAL", P, cash=-amount)]
    )
    lines = [*world.lines[:n], *passing, *world.lines[n:]]
    with_it, without = PlainDays(lines, world.closes, world.exchanges), world
    one, other = with_it.figures([P]), without.figures([P])
    assert one.net_flow == other.net_flow
    if other.time_weighted_return is None or one.time_weighted_return is None:
        assert {u.reason for u in one.unavailable} >= {u.reason for u in other.unavailable} - {
            Reason.TOO_SHORT
        }
        return
    assert abs(one.time_weighted_return - other.time_weighted_return) <= D("1e-10") * (
        1 + abs(other.time_weighted_return)
    )


@given(worlds, st.sampled_from([D(2), D(4), D("0.5")]), st.integers(0, 20))
@settings(max_examples=40, derandomize=True, deadline=None, database=None)
def test_a_split_changes_no_value(world: PlainDays, ratio: D, place: int) -> None:
    """Anywhere in a day: from then on there are more shares, and each one is worth less."""
    for day in world.days(WHOLE):
        plain = world.flow_day(day, WHOLE)
        n = place % (len(plain.entries) + 1)
        found, expected = value_day(_split(plain, n, ratio)), value_day(plain)
        assert found.flows == expected.flows
        assert [(part.start, part.end) for part in found.parts] == [
            (part.start, part.end) for part in expected.parts
        ]


def _split(day: FlowDay, n: int, ratio: D) -> FlowDay:
    """The same day with a split before the entry of this number, in every portfolio that holds something."""
    held = dict(day.holdings)
    for entry in day.entries[:n]:
        if entry.quantity and entry.portfolio and entry.instrument:
            cell = (entry.portfolio, entry.instrument)
            held[cell] = held.get(cell, D(0)) + entry.quantity
    when = day.entries[n - 1].at if n else dt.datetime.combine(day.date, dt.time(), dt.UTC)
    # Also one that holds nothing tells what becomes of a share: it may be where the trades are.
    splits = [
        DayEntry(
            when, portfolio, ABC, quantity=held.get((portfolio, ABC), D(0)) * (ratio - 1), split=(ratio, D(1))
        )
        for portfolio in (P, Q)
    ]
    later = [
        replace(e, quantity=e.quantity * ratio, price=None if e.price is None else e.price / ratio)
        for e in day.entries[n:]
    ]
    known = {
        i: KnownPrices(
            before=k.before,
            last_close=None if k.last_close is None else k.last_close / ratio,
            last_trade=None if k.last_trade is None else k.last_trade / ratio,
            closes=tuple(ClosingPrice(c.at, c.price / ratio) for c in k.closes),
        )
        for i, k in day.known.items()
    }
    return replace(day, known=known, entries=[*day.entries[:n], *splits, *later])

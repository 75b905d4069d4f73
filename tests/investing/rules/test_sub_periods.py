"""True sub-periods: small histories with their right figures, worked out by hand, and what holds for any."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from db.vocabulary import PerformanceFigure as Figure
from db.vocabulary import UnavailableReason as Reason
from investing.rules.benchmark import Price, compare
from investing.rules.contribution import shared_out, weights
from investing.rules.figures import Figures, measure
from investing.rules.series import Point, sub_periods, with_opening
from investing.rules.valuation import Close, Entry, FlowDay, Known, value_day
from tests.investing.rules.plain_days import ACCOUNT, Line, Plain

D = Decimal
P, Q, ABC, XYZ = (UUID(int=n) for n in range(1, 5))


def at(text: str) -> dt.datetime:
    """ "01-04 15:00" is that moment of 2024, in UTC; a year may stand before it."""
    return dt.datetime.fromisoformat(text if len(text) > 11 else f"2024-{text}").replace(tzinfo=dt.UTC)


def deposit(when: str, amount: object, place: UUID | None = P) -> Line:
    return Line(at(when), "DEPOSIT", place, cash=D(str(amount)))


def withdrawal(when: str, amount: object, place: UUID | None = P) -> Line:
    return Line(at(when), "WITHDRAWAL", place, cash=-D(str(amount)))


def buy(when: str, quantity: object, price: object, fee: object = 0, place: UUID = P) -> Line:
    n, p = D(str(quantity)), D(str(price))
    return Line(at(when), "BUY", place, ABC, -n * p - D(str(fee)), n, p)


def sell(when: str, quantity: object, price: object, place: UUID = P) -> Line:
    n, p = D(str(quantity)), D(str(price))
    return Line(at(when), "SELL", place, ABC, n * p, -n, p)


def dividend(when: str, amount: object) -> Line:
    return Line(at(when), "DIVIDEND", P, ABC, D(str(amount)))


def closes(**by_day: object) -> dict[UUID, dict[dt.date, D]]:
    """Closes of ABC: `d0102` is 2 January 2024, `d20230103` the 3rd of 2023."""
    days = {(name[1:] if len(name) > 5 else f"2024{name[1:]}"): price for name, price in by_day.items()}
    return {ABC: {dt.date.fromisoformat(day): D(str(price)) for day, price in days.items()}}


def figures(*lines: Line, exchange: str | None = None, **by_day: object) -> Figures:
    exchanges = {ABC: exchange} if exchange else {}
    return Plain(lines, closes(**by_day), exchanges).figures([P])


def gain(found: Figures) -> D:
    assert found.end_value is not None
    assert found.start_value is not None
    assert found.net_flow is not None
    return found.end_value - found.start_value - found.net_flow


def test_money_that_only_passes_through_earns_on_all_of_it() -> None:
    # 10,100 become 10,600 in the one sub-period that grows: 500 / 10,100. The 100 before and after stay.
    found = figures(
        deposit("01-02 15:00", 100),
        deposit("01-04 15:00", 10000),
        buy("01-04 16:00", 100, 100),
        sell("01-04 17:00", 100, 105),
        withdrawal("01-04 18:00", 10500),
    )
    assert found.time_weighted_return == D("0.0495049505")
    assert gain(found) == 500
    # Sold at 98 instead: 10,100 become 9,900.
    found = figures(
        deposit("01-02 15:00", 100),
        deposit("01-04 15:00", 10000),
        buy("01-04 16:00", 100, 100),
        sell("01-04 17:00", 100, 98),
        withdrawal("01-04 18:00", 9850),
    )
    assert found.time_weighted_return == D("-0.0198019802")
    assert (found.end_value, gain(found)) == (D(50), D(-200))


def test_the_first_day_counts() -> None:
    # 1,000 are worth 900 at the end of the first day, and 1,100 in the end: 0.9 x 11/9.
    found = figures(
        deposit("01-02 15:00", 1000), buy("01-02 15:00", 10, 100), d0102=90, d0103=90, d0104=99, d0105=99,
        d0108=110,
    )  # fmt: skip
    assert found.time_weighted_return == D("0.1")
    assert found.max_drawdown is not None
    assert found.max_drawdown.depth == D("0.1")
    first = dt.date(2024, 1, 2)
    assert (found.max_drawdown.peak, found.max_drawdown.trough) == (first, first)
    assert found.max_drawdown.recovery == dt.date(2024, 1, 8)
    assert (found.start, found.start_value, found.net_flow, gain(found)) == (first, D(0), D(1000), D(100))
    assert found.worst_day is not None
    assert (found.worst_day.date, found.worst_day.daily) == (first, D("-0.1"))


def test_fees_of_the_first_day_count() -> None:
    # 1,000 put in: 10 shares for 950 and a fee of 50. They are worth 990 after 366 days: 0.99 - 1, and
    # 0.99 ^ (365 / 366) - 1 a year.
    found = figures(
        deposit("2023-01-03 15:00", 1000), buy("2023-01-03 15:00", 10, 95, 50), d20230103=90, d0104=99
    )
    assert (found.time_weighted_return, gain(found)) == (D("-0.01"), D(-10))
    assert found.money_weighted_return is not None
    assert round(found.money_weighted_return, 8) == D("-0.00997281")
    assert found.annualized_return is not None
    assert abs(found.annualized_return - found.money_weighted_return) < D("1e-9")


def test_a_fund_that_has_a_price_each_month() -> None:
    # The purchase that follows the second deposit says what the fund is worth at it: 1,000 become 1,100, and
    # 2,200 become 1,980.
    by_day = {"d0131": 100, "d0229": 110, "d0329": 99}
    lines = [
        deposit("01-31 12:00", 1000),
        buy("01-31 12:30", 10, 100),
        deposit("02-29 12:00", 1100),
        buy("02-29 12:30", 10, 110),
    ]
    world = Plain(lines, closes(**by_day))
    found = world.figures([P])
    assert found.time_weighted_return == D("-0.01")
    prices = [Price(date, close, None) for date, close in world.closes[ABC].items()]
    beside = compare(with_opening(world.points([P])), found, prices)
    assert (beside.benchmark_return, beside.excess_return) == (D("-0.01"), D(0))


def test_what_is_earned_without_capital_is_told() -> None:
    found = figures(
        deposit("01-02 15:00", 1000),
        buy("01-02 15:01", 10, 100),
        sell("01-02 16:00", 10, 110),
        withdrawal("01-02 17:00", 1100),
        dividend("01-04 15:00", 5),
        withdrawal("01-04 16:00", 5),
    )
    assert (found.time_weighted_return, gain(found)) == (D("0.1"), D(105))
    (note,) = found.notes
    assert (note.figure, note.reason) == (Figure.TIME_WEIGHTED_RETURN, Reason.RETURN_WITHOUT_CAPITAL)
    assert (note.amount, note.date) == (D(5), dt.date(2024, 1, 4))


def test_a_deposit_after_the_close_earns_nothing_that_day() -> None:
    # At 22:00 UTC New York has closed: 1,000 and 10 shares at 90, of 2,000.
    lines = [deposit("01-04 14:00", 2000), buy("01-04 15:00", 10, 100), deposit("01-04 22:00", 8000)]
    found = figures(*lines, exchange="NYSE", d0104=90)
    assert (found.time_weighted_return, found.end_value) == (D("-0.05"), D(9900))
    # Of a market that closes with the day nothing is known but the purchase: 2,000 stay, 10,000 become 9,900.
    assert figures(*lines, d0104=90).time_weighted_return == D("-0.01")
    # Before the close it is the same.
    early = [*lines[:2], deposit("01-04 20:59", 8000)]
    assert figures(*early, exchange="NYSE", d0104=90).time_weighted_return == D("-0.01")


def test_a_trade_after_the_close_is_later_than_it() -> None:
    # 20 shares at 90 when the market closes, the last trade was at 95: 2,000 become 1,900.
    lines = [
        deposit("01-04 14:00", 2000),
        buy("01-04 15:00", 10, 100),
        buy("01-04 21:30", 10, 95),
        deposit("01-04 22:00", 50),
    ]
    found = figures(*lines, exchange="NYSE", d0104=90)
    # 1,000 - 950 + 20 x 95 = 1,950; then 2,000 become 50 + 50 + 20 x 90 = 1,900.
    assert found.time_weighted_return == D("1950") / 2000 * D(1900) / 2000 - 1


def test_the_only_trade_of_the_day_comes_later() -> None:
    before = [deposit("01-02 14:00", 1000), buy("01-02 15:00", 10, 100)]
    after = buy("01-04 16:00", 1, 110)
    flow = deposit("01-04 15:00", 1000)
    # 1,000 become 1,100 at the deposit, 2,100 become 890 + 11 x 120 = 2,210.
    found = figures(*before, flow, after, d0102=100, d0104=120)
    assert found.time_weighted_return == round(D("1.1") * 2210 / 2100 - 1, 10)
    # With a second one nobody knows which: the last close. 2,000 become 780 + 12 x 120 = 2,220.
    found = figures(*before, flow, after, buy("01-04 17:00", 1, 110), d0102=100, d0104=120)
    assert found.time_weighted_return == D("0.11")
    # Where the market has closed, the close it is: 1,200, and 2,200 become 890 + 11 x 120.
    late = [deposit("01-04 21:30", 1000), buy("01-04 22:00", 1, 110)]
    found = figures(*before, *late, d0102=100, d0104=120, exchange="NYSE")
    assert found.time_weighted_return == round(D("1.2") * 2210 / 2200 - 1, 10)


def test_gifts_and_transfers_tell_no_price() -> None:
    lines = [
        deposit("01-02 14:00", 1000),
        buy("01-02 15:00", 10, 100),
        Line(at("01-04 14:00"), "BUY", P, ABC, D(0), D(10), D(0)),
        Line(at("01-04 15:00"), "TRANSFER_IN", P, ABC, D(0), D(5)),
    ]
    # Ten shares for nothing are a gain of 1,000, and five that come in a flow of 500.
    found = figures(*lines, d0102=100)
    assert (found.time_weighted_return, found.net_flow, found.end_value) == (D(1), D(1500), D(2500))


def test_what_never_had_a_close_is_worth_its_last_trade() -> None:
    found = figures(
        deposit("01-02 14:00", 1000),
        buy("01-02 15:00", 10, 100),
        sell("01-04 15:00", 5, 120),
        deposit("01-09 15:00", 800),
        Line(at("01-10 15:00"), "INTEREST", P, cash=D(100)),
    )
    # 600 and 5 x 120 are 1,200 on the 9th; 2,000 become 2,100.
    assert found.time_weighted_return == D("1.2") * D("1.05") - 1


def test_a_dividend_that_prices_contain_already_comes_from_outside() -> None:
    lines = [deposit("01-02 14:00", 1000), buy("01-02 15:00", 10, 100), dividend("01-03 15:00", 50)]
    world = Plain(lines, closes(d0102=100, d0103=105), adjusted=[ABC])
    found = world.figures([P])
    # 1,000, and 1,050 that become 1,100: without the dividend 1,000 become 1,050.
    assert (found.time_weighted_return, found.net_flow) == (round(D(1100) / 1050 - 1, 10), D(1050))
    assert Plain(lines, world.closes).figures([P]).time_weighted_return == D("0.1")


def test_less_than_nothing_is_no_capital() -> None:
    # On margin: 100 of one's own and 100 borrowed in 20 shares, which fall from 10 to 4, and rise to 6.
    lines = [deposit("01-02 14:00", 100), buy("01-02 15:00", 20, 10)]
    found = figures(*lines, d0102=10, d0103=4, d0104=6)
    refused = {one.figure: one.reason for one in found.unavailable}
    assert refused[Figure.TIME_WEIGHTED_RETURN] is refused[Figure.CONTRIBUTIONS] is Reason.NEGATIVE_CAPITAL
    assert refused[Figure.MONEY_WEIGHTED_RETURN] is Reason.UNDER_ONE_YEAR
    assert (found.time_weighted_return, found.max_drawdown, found.end_value) == (None, None, D(20))
    # The loss of more than everything is told, as long as nothing follows.
    found = figures(*lines, d0102=10, d0103=4)
    assert (found.time_weighted_return, found.end_value) == (D(-1), D(-20))
    assert {one.reason for one in found.unavailable if one.figure is Figure.CONTRIBUTIONS} == {
        Reason.TOTAL_LOSS
    }
    # Within a day, too: 150 are lent and come back.
    found = figures(deposit("01-02 14:00", 100), withdrawal("01-02 15:00", 150), deposit("01-02 16:00", 200))
    assert found.time_weighted_return is None


def test_a_split_between_two_flows_changes_no_value() -> None:
    """A day that ends after a split of 4 for 1: prices of before are given as they are after it."""
    day = at("01-04 00:00")
    entries = [
        Entry(day + dt.timedelta(hours=1), P, None, D(1), is_flow=True),
        Entry(day + dt.timedelta(hours=2), P, ABC, D(-400), D(1), price=D(400)),
        Entry(day + dt.timedelta(hours=3), P, None, D(1), is_flow=True),
        Entry(day + dt.timedelta(hours=4), P, ABC, quantity=D(33), split=(D(4), D(1))),
        Entry(day + dt.timedelta(hours=5), P, None, D(1), is_flow=True),
    ]
    known = {ABC: Known(before=D(396), last_close=D(99), closes=(Close(None, D(101)),))}
    found = value_day(FlowDay(day.date(), D(1000), {(P, ABC): D(10)}, known, entries))
    # 10 x 396 at the beginning; at the first flow the day's only trade stands, 400: 4 x 100.
    assert [part.start for part in found.parts] == [4960, 5001, 5002, 5003]
    assert [part.end for part in found.parts] == [5000, 5001, 5002, 603 + 44 * 101]
    assert found.parts[0].gains == {ABC: 40}
    assert [flow.amount for flow in found.flows] == [1, 1, 1]


def test_without_any_price_nothing_is_known() -> None:
    line = Line(at("01-04 15:00"), "TRANSFER_IN", P, ABC, D(0), D(5))
    assert value_day(Plain([line]).flow_day(dt.date(2024, 1, 4), [P])).unpriced == {ABC}
    # What comes later on its day is nearer than nothing.
    found = value_day(Plain([line], closes(d0104=7)).flow_day(dt.date(2024, 1, 4), [P]))
    assert (found.unpriced, found.net_flow) == (frozenset[UUID](), D(35))


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
) -> Plain:
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
    return Plain(lines, bars, {ABC: exchange} if exchange else {})


worlds = st.builds(world_of, st.lists(deeds, max_size=14), prices, markets)
WHOLE = (P, Q, ACCOUNT)


@given(worlds, st.sampled_from([(P,), (Q,), (ACCOUNT,), (P, Q), WHOLE]))
@settings(max_examples=80, deadline=None)
def test_the_rule_is_the_definition(world: Plain, inside: tuple[UUID | None, ...]) -> None:
    """At each flow, at each day's beginning and end, and what was gained in between."""
    for day in world.days(inside):
        found = value_day(world.flow_day(day, inside))
        assert list(found.flows) == world.flows(day, inside)
        assert found.parts[-1].end == world.end_value(day, inside)
        assert found.parts[0].start == world.end_value(day - dt.timedelta(days=1), inside)
        for part in found.parts:
            assert sum(part.gains.values(), D(0)) == part.end - part.start


@given(worlds)
@settings(max_examples=40, deadline=None)
def test_contributions_add_up_to_the_return_and_gains_to_the_gain(world: Plain) -> None:
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
    shared = shared_out(found.time_weighted_return, list(parts.values()))
    assert shared is not None
    assert sum(shared, D(0)) == found.time_weighted_return


@given(worlds)
@settings(max_examples=40, deadline=None)
def test_the_whole_is_the_mean_of_its_parts(world: Plain) -> None:
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
@settings(max_examples=30, deadline=None)
def test_an_account_with_one_portfolio_and_no_cash_has_its_return(world: Plain) -> None:
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
    account = Plain(lines, world.closes, world.exchanges)
    of_account, of_portfolio = account.figures([P, ACCOUNT]), account.figures([P])
    if any(line.cash < 0 and line.type == "WITHDRAWAL" for line in lines):
        # On its way out the cash is in the account while the portfolio has it no more.
        assert of_account.end_value == of_portfolio.end_value
    assert of_account.time_weighted_return == of_portfolio.time_weighted_return
    assert of_account.max_drawdown == of_portfolio.max_drawdown


@given(worlds)
@settings(max_examples=30, deadline=None)
def test_two_portfolios_or_one_are_the_same_to_the_account(world: Plain) -> None:
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
    assert Plain(together, world.closes, world.exchanges).figures([P, ACCOUNT]) == world.figures(WHOLE)


@given(worlds, st.integers(0, 40), amounts, st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_flow_that_leaves_again_at_once_changes_no_return(
    world: Plain, place: int, amount: D, shares: bool
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
    with_it, without = Plain(lines, world.closes, world.exchanges), world
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
@settings(max_examples=40, deadline=None)
def test_a_split_changes_no_value(world: Plain, ratio: D, place: int) -> None:
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
        Entry(
            when, portfolio, ABC, quantity=held.get((portfolio, ABC), D(0)) * (ratio - 1), split=(ratio, D(1))
        )
        for portfolio in (P, Q)
    ]
    later = [
        replace(e, quantity=e.quantity * ratio, price=None if e.price is None else e.price / ratio)
        for e in day.entries[n:]
    ]
    known = {
        i: Known(
            before=k.before,
            last_close=None if k.last_close is None else k.last_close / ratio,
            last_trade=None if k.last_trade is None else k.last_trade / ratio,
            closes=tuple(Close(c.at, c.price / ratio) for c in k.closes),
        )
        for i, k in day.known.items()
    }
    return replace(day, known=known, entries=[*day.entries[:n], *splits, *later])


def test_sub_periods_of_a_day() -> None:
    points = Plain(
        [deposit("01-02 15:00", 100), deposit("01-04 15:00", 10), withdrawal("01-04 16:00", 5)]
    ).points([P])
    day: Point = points[-1]
    assert sub_periods(D(100), day.flows, day.total_value) == [(D(n), D(n)) for n in (100, 110, 105)]

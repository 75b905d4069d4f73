"""True sub-periods: small histories with their right figures, worked out by hand, and what holds for any."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from db.vocabulary import PerformanceFigure as Figure
from db.vocabulary import UnavailableReason as Reason
from investing.rules.performance.benchmark import BenchmarkPrice, compare
from investing.rules.performance.figures import Figures
from investing.rules.performance.series import Point, sub_periods, with_opening
from investing.rules.performance.valuation import ClosingPrice, DayEntry, FlowDay, KnownPrices, value_day
from tests.investing.rules.plain_days import Line, PlainDays

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
    return PlainDays(lines, closes(**by_day), exchanges).figures([P])


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
    world = PlainDays(lines, closes(**by_day))
    found = world.figures([P])
    assert found.time_weighted_return == D("-0.01")
    prices = [BenchmarkPrice(date, close, None) for date, close in world.closes[ABC].items()]
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
    world = PlainDays(lines, closes(d0102=100, d0103=105), adjusted=[ABC])
    found = world.figures([P])
    # 1,000, and 1,050 that become 1,100: without the dividend 1,000 become 1,050.
    assert (found.time_weighted_return, found.net_flow) == (round(D(1100) / 1050 - 1, 10), D(1050))
    assert PlainDays(lines, world.closes).figures([P]).time_weighted_return == D("0.1")


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
        DayEntry(day + dt.timedelta(hours=1), P, None, D(1), is_flow=True),
        DayEntry(day + dt.timedelta(hours=2), P, ABC, D(-400), D(1), price=D(400)),
        DayEntry(day + dt.timedelta(hours=3), P, None, D(1), is_flow=True),
        DayEntry(day + dt.timedelta(hours=4), P, ABC, quantity=D(33), split=(D(4), D(1))),
        DayEntry(day + dt.timedelta(hours=5), P, None, D(1), is_flow=True),
    ]
    known = {ABC: KnownPrices(before=D(396), last_close=D(99), closes=(ClosingPrice(None, D(101)),))}
    found = value_day(FlowDay(day.date(), D(1000), {(P, ABC): D(10)}, known, entries))
    # 10 x 396 at the beginning; at the first flow the day's only trade stands, 400: 4 x 100.
    assert [part.start for part in found.parts] == [4960, 5001, 5002, 5003]
    assert [part.end for part in found.parts] == [5000, 5001, 5002, 603 + 44 * 101]
    assert found.parts[0].gains == {ABC: 40}
    assert [flow.amount for flow in found.flows] == [1, 1, 1]


def test_without_any_price_nothing_is_known() -> None:
    line = Line(at("01-04 15:00"), "TRANSFER_IN", P, ABC, D(0), D(5))
    assert value_day(PlainDays([line]).flow_day(dt.date(2024, 1, 4), [P])).unpriced == {ABC}
    # What comes later on its day is nearer than nothing.
    found = value_day(PlainDays([line], closes(d0104=7)).flow_day(dt.date(2024, 1, 4), [P]))
    assert (found.unpriced, found.net_flow) == (frozenset[UUID](), D(35))


def test_sub_periods_of_a_day() -> None:
    points = PlainDays(
        [deposit("01-02 15:00", 100), deposit("01-04 15:00", 10), withdrawal("01-04 16:00", 5)]
    ).points([P])
    day: Point = points[-1]
    assert sub_periods(D(100), day.flows, day.total_value) == [(D(n), D(n)) for n in (100, 110, 105)]

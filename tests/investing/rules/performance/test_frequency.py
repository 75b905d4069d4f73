"""How often a series is observed, and the figures by its own frequency, worked out by hand."""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import UnavailableReason as Reason
from investing.rules.market.market_days import is_market_day
from investing.rules.performance.frequency import PeriodStatistics, PricedDay, periods_per_year
from investing.rules.performance.returns import Statistics, periodic_rate

D = Decimal
DAY = dt.timedelta(days=1)
MONDAY = dt.date(2019, 1, 7)


def run(start: dt.date, days: int) -> list[dt.date]:
    return [start + n * DAY for n in range(days)]


def business(start: dt.date, days: int) -> list[dt.date]:
    return [date for date in run(start, days) if is_market_day(date)]


def spaced(*gaps: int) -> list[dt.date]:
    return [MONDAY + n * DAY for n in itertools.accumulate(gaps, initial=0)]


def month_ends(count: int, *, of_business: bool = False) -> list[dt.date]:
    """From 31 December 2018 on."""
    ends = [dt.date(2019 + n // 12, n % 12 + 1, 1) - DAY for n in range(count)]
    while of_business and not all(map(is_market_day, ends)):
        ends = [end if is_market_day(end) else end - DAY for end in ends]
    return ends


def priced(dates: Iterable[dt.date], values: Iterable[object]) -> list[PricedDay]:
    """Days with one position and its close; the first has no return."""
    first, *others = dates
    pairs = zip(others, values, strict=False)
    return [PricedDay(first, None, 1, 0), *(PricedDay(date, 1 + D(str(r)), 1, 0) for date, r in pairs)]


def of(days: Iterable[PricedDay], risk_free: str = "0") -> PeriodStatistics:
    series = PeriodStatistics(D(risk_free))
    for day in days:
        series.add(day)
    return series


def volatility(days: Iterable[PricedDay]) -> Decimal | Reason | None:
    statistics = of(days).statistics()
    return statistics if isinstance(statistics, Reason) else statistics.volatility()


WEEK = run(MONDAY, 7)
SUNDAY = WEEK[-1]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (run(MONDAY, 13), 365),
        (run(MONDAY, 800), 365),
        # A Friday and a Monday are three days apart, and four where one of them is a holiday.
        (business(MONDAY, 17), 252),
        (business(dt.date(2018, 11, 1), 400), 252),
        # Without the eleven Sundays of 81 days 69 gaps are left, of which eleven are of two days.
        ([day for day in run(MONDAY, 81) if day.weekday() != 6], Reason.IRREGULAR_SPACING),
        ([day for day in run(MONDAY, 81) if day.day != 9], 365),
        (spaced(*[7] * 12), 52),
        # Around Christmas and New Year, 2019: a Wednesday's close was a Tuesday's or a Thursday's.
        (spaced(*[7] * 10, 6, 8, 7, 6, 8, 7), 52),
        (month_ends(13), 12),
        (month_ends(60, of_business=True), 12),
        # On the first market day of each month; from 1 December 2020 to 4 January 2021 there are 34 days.
        ([next(iter(business(end + DAY, 9))) for end in month_ends(60)], 12),
        (month_ends(60, of_business=True)[::3], 4),
        (month_ends(60)[::6], Reason.IRREGULAR_SPACING),
        (spaced(*[2] * 40), Reason.IRREGULAR_SPACING),
        (spaced(*[1, 20] * 20), Reason.IRREGULAR_SPACING),
        ([MONDAY], Reason.TOO_SHORT),
        ([], Reason.TOO_SHORT),
    ],
)
def test_classes(days: list[dt.date], expected: int | Reason) -> None:
    assert periods_per_year(days) == expected


@pytest.mark.parametrize(
    ("missing", "expected"), [(1, 252), (2, 252), (3, 252), (4, Reason.IRREGULAR_SPACING)]
)
def test_business_days_of_which_some_are_missing(missing: int, expected: int | Reason) -> None:
    """Of 7 January to 4 March 2019 the 39 market days have 38 gaps; every Wednesday that is missing makes one
    gap of two days out of two, so of 38 - n gaps n are outside: 3 of 35 are less than a tenth, 4 of 34 more.
    """
    days = business(MONDAY, 57)
    assert len(days) == 39
    without = [day for day in days if day.weekday() == 2][:missing]
    assert periods_per_year([day for day in days if day not in without]) == expected


@pytest.mark.parametrize(("outside", "expected"), [(2, 52), (3, Reason.IRREGULAR_SPACING)])
def test_a_tenth_may_be_outside(outside: int, expected: int | Reason) -> None:
    assert periods_per_year(spaced(*[7] * (20 - outside), *[14] * outside)) == expected


def test_a_market_that_is_open_on_other_holidays_has_business_days_too() -> None:
    """London in 2019: closed on Easter Monday, two in May, one in August and Boxing Day, open on 4 July."""
    closed = {(1, 1), (4, 19), (4, 22), (5, 6), (5, 27), (8, 26), (12, 25), (12, 26)}
    days = [day for day in run(MONDAY, 359) if day.weekday() < 5 and (day.month, day.day) not in closed]
    assert periods_per_year(days) == 252


def test_a_week_from_sunday_to_thursday_is_no_class() -> None:
    days = [day for day in run(MONDAY, 300) if day.weekday() not in (4, 5)]
    assert periods_per_year(days) is Reason.IRREGULAR_SPACING


@pytest.mark.parametrize("gaps", [[0], [7, -1]])
def test_days_ascend(gaps: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        periods_per_year(spaced(*gaps))


def test_a_monthly_fund() -> None:
    """+2 % and -1 % in turn, 24 times: the mean is 0.5 %, every return is 1.5 % off it.

    s^2 = 24 x 0.015^2 / 23 = 0.0054 / 23, times 12: sqrt(0.0648 / 23) = 0.05307910422...
    By sqrt(252) it was 0.2432. Sharpe: 0.005 / sqrt(0.0054 / 23) x sqrt(12) = 0.005 x sqrt(12 x 23 / 0.0054).
    """
    series = of(priced(month_ends(25), ["0.02", "-0.01"] * 12))
    assert series.periods_per_year() == 12
    statistics = series.statistics()
    assert isinstance(statistics, Statistics)
    assert statistics.volatility() == (D("0.0648") / 23).sqrt().quantize(D("1E-10")) == D("0.0530791042")
    assert statistics.sharpe_ratio() == (D("0.000025") * 12 * 23 / D("0.0054")).sqrt().quantize(D("1E-10"))


@pytest.mark.parametrize(
    ("days", "n", "periods", "expected"),
    [
        # +1 % and -1 % in turn, n times: the mean is 0, so it is 0.01 x sqrt(n / (n - 1) x periods).
        (run(MONDAY, 29), 28, 365, "0.1945555238"),
        (business(MONDAY, 50), 32, 252, "0.1612851612"),
        (spaced(*[7] * 26), 26, 52, "0.0735391052"),
        (month_ends(13), 12, 12, "0.0361813613"),
        (month_ends(37)[::3], 12, 4, "0.0208893187"),
    ],
)
def test_volatility_by_frequency(days: list[dt.date], n: int, periods: int, expected: str) -> None:
    series = of(priced(days[: n + 1], ["0.01", "-0.01"] * (n // 2)))
    assert len(series.periods) == n
    assert series.periods_per_year() == periods
    by_hand = (D("0.0001") * n / (n - 1) * periods).sqrt().quantize(D("1E-10"))
    assert volatility(priced(days[: n + 1], ["0.01", "-0.01"] * (n // 2))) == by_hand == D(expected)


def test_the_risk_free_rate_is_one_of_a_period() -> None:
    """12.682503013196972066... % a year is 1 % a month, to the last digit: (1.01)^12 = 1.1268..."""
    yearly = D("1.01") ** 12 - 1
    assert periodic_rate(yearly, 12) == D("0.01")
    # Of +3 % and -1 % a month the mean is as much as is free of risk; beside 2 % and 0 it is nothing.
    series = of(priced(month_ends(13), ["0.03", "-0.01"] * 6), str(yearly)).statistics()
    assert isinstance(series, Statistics)
    assert series.sharpe_ratio() == series.sortino_ratio() == 0


def test_fewer_than_twelve_returns_are_too_few() -> None:
    days = priced(month_ends(13), ["0.02", "-0.01"] * 6)
    assert volatility(days[:12]) is Reason.TOO_SHORT
    assert volatility(days) is not Reason.TOO_SHORT
    # A month in which nothing was there to grow has no return.
    days[5] = days[5]._replace(growth=None)
    assert volatility(days) is Reason.TOO_SHORT


def test_irregular_days_have_no_volatility() -> None:
    days = spaced(*[1, 5, 30, 2, 90, 14] * 4)
    assert volatility(priced(days, ["0.02", "-0.01"] * 12)) is Reason.IRREGULAR_SPACING


def test_interest_on_a_sunday_joins_the_monday() -> None:
    """1,000 shares from 10 to 11 over the weekend, and 5 of interest: the same whether booked on the Sunday,
    when nothing has a close, or on the Monday: 11005 / 10000 = (10005 / 10000) (11005 / 10005).
    """
    friday, monday = dt.date(2019, 1, 18), dt.date(2019, 1, 22)  # Monday the 21st is a holiday.
    before = priced(business(MONDAY, 12), ["0.01", "-0.013"] * 5)
    after = priced(business(monday, 20), ["0.002", "-0.001"] * 7)[1:]
    assert before[-1].date == friday
    on_monday = [*before, PricedDay(monday, D("1.1005"), 1, 0), *after]
    on_sunday = [
        *before,
        PricedDay(dt.date(2019, 1, 20), D("1.0005"), 1, 1),
        PricedDay(monday, D("11005") / D("10005"), 1, 0),
        *after,
    ]
    assert len(of(on_sunday).periods) == len(of(on_monday).periods)
    assert volatility(on_sunday) == volatility(on_monday)
    assert of(on_sunday).periods_per_year() == 252


def test_where_not_all_markets_are_open_the_day_joins_the_next() -> None:
    """A share and a coin: Saturday and Sunday join Monday, and the series is one of business days."""
    days = [PricedDay(day, D("1.01"), 2, 0 if is_market_day(day) else 1) for day in run(MONDAY - 3 * DAY, 40)]
    series = of(days)
    assert series.periods_per_year() == 252
    values = {period.date: period.value for period in series.periods}
    # From Friday to Monday three days of 1 %, and four to the Tuesday after the holiday on 21 January.
    assert values[MONDAY] == D("0.030301")
    assert values[dt.date(2019, 1, 22)] == D("0.04060401")
    assert values[dt.date(2019, 1, 23)] == D("0.01")
    # Of the coin alone every day counts.
    assert of(day._replace(positions=1, stale_positions=0) for day in days).periods_per_year() == 365


def test_what_has_no_market_is_not_waited_for() -> None:
    """A share and a house: the house is in both counts, and the days are the share's own."""
    share = priced(business(MONDAY, 40), ["0.01", "-0.01"] * 20)
    both = [day._replace(positions=2, stale_positions=1, unquoted_positions=1) for day in share]
    assert of(both).periods == of(share).periods
    assert of(both).periods_per_year() == 252
    # The house alone has no periods, and nor does the share from when its market has gone: that is no sale.
    house = [day._replace(stale_positions=1, unquoted_positions=1) for day in share]
    assert of(house).periods == []
    assert of([*share[:20], *house[20:]]).periods == of(share[:20]).periods


def test_a_sale_beside_what_has_no_market_ends_a_period() -> None:
    share = priced(business(MONDAY, 4), ["0.01", "0.02", "0.03"])
    held = [day._replace(positions=2, stale_positions=1, unquoted_positions=1) for day in share[:3]]
    sold = share[3]._replace(stale_positions=1, unquoted_positions=1)
    assert of([*held, sold]).periods == of(share).periods


def test_places_say_which_days_a_benchmark_is_held_against() -> None:
    days = [PricedDay(day, D("1.01"), 1, 0 if day.weekday() < 5 else 1) for day in run(MONDAY, 10)]
    places = [(period.start, period.end) for period in of(days).periods]
    assert places == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 7), (7, 8), (8, 9)]


def test_days_at_the_end_wait_for_the_next_close() -> None:
    days = priced(business(MONDAY, 30), ["0.01", "-0.013"] * 9)
    weekend = [PricedDay(days[-1].date + n * DAY, D("1.5"), 2, 1) for n in (1, 2, 3)]
    assert volatility([*days, *weekend]) == volatility(days)
    joined = [*days, *weekend, PricedDay(days[-1].date + 4 * DAY, D("1.01"), 2, 0)]
    assert of(joined).periods[-1].value == D("1.5") ** 3 * D("1.01") - 1


def test_cash_alone_has_no_frequency() -> None:
    days = [PricedDay(day, D("1.001"), 0, 0) for day in month_ends(40)]
    assert of(days).periods == []
    assert volatility(days) is Reason.TOO_SHORT


def test_the_first_days_own_growth_is_no_period() -> None:
    """It began with a deposit some time on that day; so does a second day of that date, after an opening."""
    days = priced(month_ends(25), ["0.02", "-0.01"] * 12)
    begun = days[0]._replace(growth=D("0.9"))
    opening = PricedDay(begun.date, None, 0, 0)
    assert volatility([begun, *days[1:]]) == volatility(days)
    assert volatility([opening, begun, *days[1:]]) == volatility(days)
    assert of([opening, begun, *days[1:]]).periods[0][:2] == (1, 2)


def test_cash_before_the_first_purchase_begins_the_first_period() -> None:
    days = [PricedDay(MONDAY, None, 0, 0), PricedDay(MONDAY + DAY, D("0.999"), 1, 0)]
    assert [period.value for period in of(days).periods] == [D("-0.001")]


def test_the_day_of_the_last_sale_ends_a_period() -> None:
    """What is sold has a price, though nothing is held at the day's end; interest after that joins."""
    days = [
        PricedDay(MONDAY, None, 1, 0),
        PricedDay(MONDAY + DAY, D("0.9"), 0, 0),
        PricedDay(MONDAY + 2 * DAY, D("1.001"), 0, 0),
        PricedDay(MONDAY + 7 * DAY, D("1.1"), 1, 0),
    ]
    assert [period.value for period in of(days).periods] == [D("-0.1"), D("0.1011")]


@pytest.mark.parametrize("growths", [("-0.5", "-2"), ("-0.5", "1.2"), ("1.2", "-0.5"), ("0", "7")])
def test_nothing_links_through_a_loss_of_more_than_everything(growths: Sequence[str]) -> None:
    days = [PricedDay(MONDAY, None, 1, 0), PricedDay(MONDAY + DAY, D(growths[0]), 1, 1)]
    assert of([*days, PricedDay(MONDAY + 2 * DAY, D(growths[1]), 1, 0)]).periods[-1].value == -1


growths = st.one_of(st.none(), st.decimals("0.5", "1.5", places=14))


@given(st.lists(growths, min_size=12, max_size=40), st.sampled_from(["0", "0.04"]))
def test_business_days_keep_their_figures_to_the_last_digit(
    given: list[Decimal | None], risk_free: str
) -> None:
    """Each day's return is rounded to ten places and counted, as it always was."""
    expected = Statistics(periodic_rate(D(risk_free), 252))
    counted = 0
    for growth in given:
        if growth is not None:
            expected.add((growth - 1).quantize(D("1E-10"), ROUND_HALF_UP))
            counted += 1
    dates = business(dt.date(2018, 11, 30), 90)
    series = of([PricedDay(dates[0], None, 3, 0)], risk_free)
    for date, growth in zip(dates[1:], given, strict=False):
        series.add(PricedDay(date, growth, 3, 0))
    found = series.statistics()
    if counted < 12:
        assert found is Reason.TOO_SHORT
        return
    assert isinstance(found, Statistics)
    assert found.volatility() == expected.volatility()
    assert found.sharpe_ratio() == expected.sharpe_ratio()
    assert found.sortino_ratio() == expected.sortino_ratio()


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), growths), min_size=12, max_size=40))
def test_asked_day_by_day_it_says_the_same(steps: list[tuple[int, int, Decimal | None]]) -> None:
    days, date = [], MONDAY
    for gap, stale, growth in steps:
        date += gap * DAY
        days.append(PricedDay(date, growth, 2, stale))
    series = of([], "0.03")
    for place, day in enumerate(days):
        series.add(day)
        found, again = series.statistics(), of(days[: place + 1], "0.03").statistics()
        if isinstance(found, Reason) or isinstance(again, Reason):
            assert found is again
        else:
            assert found.volatility() == again.volatility()
            assert found.sortino_ratio() == again.sortino_ratio()


@given(st.lists(st.sampled_from([1, 2, 3, 7, 30, 90]), min_size=1, max_size=30))
def test_the_median_is_the_middle_one(gaps: list[int]) -> None:
    """Only where the median is a class's own can there be one."""
    middle = sorted(gaps)[(len(gaps) - 1) // 2], sorted(gaps)[len(gaps) // 2]
    found = periods_per_year(spaced(*gaps))
    classes = {1: {365, 252}, 7: {52}, 30: {12}, 90: {4}}
    if isinstance(found, int):
        assert middle[0] == middle[1]
        assert found in classes[middle[0]]
    elif len(set(gaps)) == 1 and gaps[0] in (7, 30, 90):
        pytest.fail("a series of one spacing has a class")

"""Splits and dividends from series made by hand, and from the real ones against what was really paid."""

import datetime as dt
from decimal import Decimal

import pytest

from investing.market.bundled import data_file, read_raw
from investing.rules.market.corporate_actions import Bar, Dividend, Split, derive

REAL = {
    series.instrument.symbol: [
        Bar(bar.date, bar.close, bar.adjusted_close) for bar in series.bars if bar.adjusted_close
    ]
    for series in read_raw(data_file("bokeh_sampledata", "_data/stocks.csv.gz"))
}


def bars(*closes: tuple[str, str]) -> list[Bar]:
    return [
        Bar(dt.date(2020, 1, day), Decimal(raw), Decimal(adjusted))
        for day, (raw, adjusted) in enumerate(closes, 1)
    ]


SECOND = dt.date(2020, 1, 2)


@pytest.mark.parametrize(
    ("closes", "actions"),
    [
        pytest.param([("10", "10"), ("12", "12")], [], id="no action"),
        pytest.param([("10", "5"), ("12", "6")], [], id="a constant factor"),
        pytest.param([("90", "30"), ("31", "31")], [Split(SECOND, 3, 1)], id="3-for-1"),
        pytest.param([("2", "20"), ("19", "19")], [Split(SECOND, 1, 10)], id="1-for-10"),
        pytest.param([("100", "99"), ("99", "99")], [Dividend(SECOND, Decimal("1.00"))], id="a dividend"),
        pytest.param(
            [("100", "100"), ("49.875", "99.75")],
            [Split(SECOND, 2, 1)],
            id="a split, in prices adjusted forwards",
        ),
        pytest.param(
            [("100", "49.50"), ("49.50", "49.50")],
            [Split(SECOND, 2, 1), Dividend(SECOND, Decimal("0.50"))],
            id="both on one day",
        ),
        pytest.param(
            [("100", "99.9175"), ("99.9175", "99.9175")],
            [Dividend(SECOND, Decimal("0.0825"))],
            id="fractions of a cent",
        ),
        pytest.param([("100", "99.9995"), ("99.9995", "99.9995")], [], id="rounding"),
        pytest.param(
            [("100", "50"), ("100", "100")],
            [Dividend(SECOND, Decimal("100.00"))],
            id="no split where the raw price does not fall",
        ),
        pytest.param([("100", "100"), ("100", "90")], [], id="a falling factor"),
        pytest.param([("100", "100")], [], id="one bar"),
        pytest.param([], [], id="no bar"),
    ],
)
def test_made_up_series(closes: list[tuple[str, str]], actions: list[Split | Dividend]) -> None:
    assert derive(bars(*closes)) == actions


def test_apple_split_twice_and_paid_three_dividends() -> None:
    assert derive(REAL["AAPL"]) == [
        Split(dt.date(2000, 6, 21), 2, 1),
        Split(dt.date(2005, 2, 28), 2, 1),
        Dividend(dt.date(2012, 8, 9), Decimal("2.65")),
        Dividend(dt.date(2012, 11, 7), Decimal("2.65")),
        Dividend(dt.date(2013, 2, 7), Decimal("2.65")),
    ]


def test_microsoft_split_once_and_paid_37_dividends_one_of_them_special() -> None:
    split, *dividends = derive(REAL["MSFT"])
    assert split == Split(dt.date(2003, 2, 18), 2, 1)
    assert dividends[0] == Dividend(dt.date(2003, 2, 19), Decimal("0.08"))
    # 3.00 special and 0.08 regular, which went ex on the same day.
    assert dividends[3] == Dividend(dt.date(2004, 11, 15), Decimal("3.08"))
    assert dividends[-1] == Dividend(dt.date(2013, 2, 19), Decimal("0.23"))
    assert len(dividends) == 37


def test_ibm_paid_a_dividend_every_quarter() -> None:
    dividends = [action for action in derive(REAL["IBM"]) if isinstance(action, Dividend)]
    assert len(dividends) == len(derive(REAL["IBM"])) == 52
    assert {str(dividend.amount) for dividend in dividends if dividend.date.year == 2011} == {"0.65", "0.75"}
    assert [dividend for dividend in dividends if dividend.date >= dt.date(2012, 5, 1)] == [
        Dividend(dt.date(2012, 5, 8), Decimal("0.85")),
        Dividend(dt.date(2012, 8, 8), Decimal("0.85")),
        Dividend(dt.date(2012, 11, 7), Decimal("0.85")),
        Dividend(dt.date(2013, 2, 6), Decimal("0.85")),
    ]


@pytest.mark.parametrize("symbol", ["FB", "GOOG"])
def test_facebook_and_google_did_nothing(symbol: str) -> None:
    assert derive(REAL[symbol]) == []


def test_days_out_of_order_are_refused() -> None:
    first, second = bars(("1", "1"), ("1", "1"))
    with pytest.raises(ValueError, match="ascend by date: 2020-01-01 comes after 2020-01-02"):
        derive([second, first])


def test_a_close_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        derive(bars(("1", "1"), ("0", "1")))

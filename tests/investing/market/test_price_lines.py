"""Lines and headers of a file of prices, without a database."""

import datetime as dt
from decimal import Decimal

import pytest

from db.market.bars import DailyBar
from db.vocabulary import PriceBasis
from investing.market.price_lines import BadPriceLine, HeaderError, LineReader, read_header

ALL = ["symbol", "date", "open", "high", "low", "close", "adjusted close", "volume"]
TODAY = dt.date(2024, 6, 3)


NO_SYMBOL = "is not a symbol: up to 32 letters, digits, spaces and .^=_-/&+'$#:@*!%"


@pytest.mark.parametrize(
    "header",
    [
        "symbol,date,open,high,low,close,adjusted close,volume",
        "Symbol,Date,Open,High,Low,Close,Adj Close,Volume",
        "SYMBOL, DATE ,OPEN,HIGH,LOW,CLOSE,ADJUSTED_CLOSE,VOLUME",
        '"symbol","date","open","high","low","close","AdjClose","volume"',
    ],
)
def test_headers_by_name(header: str) -> None:
    assert read_header(header) == ALL


def test_headers_in_any_order() -> None:
    assert read_header("close,date,symbol") == ["close", "date", "symbol"]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("symbol,date", "no close"),
        ("symbol,date,close,Close", "close twice"),
        ("symbol,date,close,adj close,adjusted_close", "adjusted close twice"),
        ("symbol,date,close,price,", "unknown 'price', unknown ''"),
        ("a,close,close", "unknown 'a', close twice, no symbol, no date"),
        ("symbol;date;close", "unknown 'symbol;date;close', no symbol, no date, no close"),
    ],
)
def test_all_wrong_headers_at_once(header: str, fault: str) -> None:
    with pytest.raises(HeaderError) as caught:
        read_header(header)
    assert str(caught.value) == (
        f"the headers do not fit: {fault}; the columns are symbol, date and close and, if you like, open, "
        "high, low, adjusted close, volume and split, with commas between them"
    )


def test_no_header() -> None:
    with pytest.raises(HeaderError, match=r"^the first line is empty and should name the columns$"):
        read_header(" ")


def test_a_worthless_share_has_a_price() -> None:
    """A close of 0 is one; a volume is a quantity, with as many places."""
    bar = read("A,2024-05-31,1,1,0,0,0.00,0.000000000000000001")
    assert bar.close == bar.low == bar.adjusted_close == 0
    assert bar.volume == Decimal("1E-18")


def read(line: str) -> DailyBar:
    return LineReader(ALL, TODAY, {"XOM": PriceBasis.ADJUSTED}).read(7, line)


def test_a_whole_line() -> None:
    assert read(' brk.b,2024-05-31,10.5,"11",.5, 10.25 ,+9.1234567890,0') == DailyBar(
        "BRK.B",
        dt.date(2024, 5, 31),
        Decimal("10.5"),
        Decimal("11"),
        Decimal("0.5"),
        Decimal("10.25"),
        Decimal("9.1234567890"),
        Decimal(0),
        7,
    )


def test_a_line_with_only_what_must_be() -> None:
    close = Decimal("999999999999999999.0000000001")
    assert read("A,2024-06-03,,,,999999999999999999.0000000001,,") == DailyBar(
        "A", TODAY, None, None, None, close, None, None, 7
    )


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("4:1", ("4", "1")),
        ("4/1", ("4", "1")),
        ("3 for 2", ("3", "2")),
        ("1-for-10", ("1", "10")),
        ("28", ("28", "1")),
        ("1.5", ("3", "2")),
        ("0.1", ("1", "10")),
        # A third, as two programs round it.
        ("0.3333", ("1", "3")),
        ("0.33333333", ("1", "3")),
        ("1.098039", ("56", "51")),
        ("1.0123456789", ("1.0123456789", "1")),
        ("", None),
        ("0", None),
        ("0.0", None),
        ("1", None),
        ("1:1", None),
    ],
)
def test_splits_as_the_world_writes_them(text: str, ratio: tuple[str, str] | None) -> None:
    bar = LineReader(["symbol", "date", "close", "split"], TODAY).read(2, f"A,2024-05-31,1,{text}")
    assert (bar.split_quantity, bar.split_for) == (
        (None, None) if ratio is None else tuple(map(Decimal, ratio))
    )


@pytest.mark.parametrize("text", [":1", "4:", "four", "-4", "4:0", "0:4", "100000", "1..5"])
def test_a_split_that_is_none(text: str) -> None:
    with pytest.raises(BadPriceLine, match="split"):
        LineReader(["symbol", "date", "close", "split"], TODAY).read(2, f"A,2024-05-31,1,{text}")


def test_an_adjusted_instrument_has_one_figure() -> None:
    assert read("XOM,2024-05-31,,,,5,,").adjusted_close == Decimal(5)
    assert read("XOM,2024-05-31,,,,5,5.0,").adjusted_close == Decimal(5)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A,2024-05-31,1,1,1,1,1", "too few fields: 7 instead of 8"),
        ("A,2024-05-31,1,1,1,1,1,1,1", "too many fields: 9 instead of 8"),
        (",2024-05-31,1,1,1,1,1,1", "the symbol is empty"),
        ("A;B,2024-05-31,1,1,1,1,1,1", f"'A;B' {NO_SYMBOL}"),
        ("\u20ac,2024-05-31,1,1,1,1,1,1", f"'\u20ac' {NO_SYMBOL}"),
        ("A,,1,1,1,1,1,1", "the date is empty"),
        ("A,31.05.2024,1,1,1,1,1,1", "'31.05.2024' is not a date like 2024-05-31"),
        ("A,2024-02-30,1,1,1,1,1,1", "'2024-02-30' is not a date like 2024-05-31"),
        ("A,20240531,1,1,1,1,1,1", "'20240531' is not a date like 2024-05-31"),
        ("A,0000-01-01,1,1,1,1,1,1", "'0000-01-01' is not a date like 2024-05-31"),
        ("A,2024-06-04,1,1,1,1,1,1", "the date 2024-06-04 is in the future"),
        ("A,2024-05-31,1,1,1,,1,1", "the close is empty"),
        ("A,2024-05-31,1,1,1,x,1,1", "the close 'x' is not a plain decimal number"),
        ("A,2024-05-31,1,1,1,NaN,1,1", "the close 'NaN' is not a plain decimal number"),
        ("A,2024-05-31,1,1,1,1,1,Infinity", "the volume 'Infinity' is not a plain decimal number"),
        ("A,2024-05-31,1,1,1,1e3,1,1", "the close '1e3' is not a plain decimal number"),
        ("A,2024-05-31,1,1,1,.,1,1", "the close '.' is not a plain decimal number"),
        ("A,2024-05-31,1,1,1,\u0661,1,1", "the close '\u0661' is not a plain decimal number"),
        ('A,2024-05-31,1,1,1,"1,000",1,1', "the close '1,000' is not a plain decimal number"),
        ("A,2024-05-31,1,1,1,1.00000000001,1,1", "the close has more than 10 decimals"),
        (f"A,2024-05-31,1,1,1,1,1,1{'0' * 18}", "the volume has more than 18 digits before the point"),
        (f"A,2024-05-31,1,1,1,{'x' * 50},1,1", f"the close '{'x' * 40}…' is not a plain decimal number"),
        ("A,2024-05-31,,,,-0.01,,", "the close is negative"),
        ("A,2024-05-31,,,,0,1,", "the close 0 and the adjusted close 1: either both are 0 or neither is"),
        ("A,2024-05-31,,,,1,0.0,", "the close 1 and the adjusted close 0.0: either both are 0 or neither is"),
        ("A,2024-05-31,1,1,1,1,1,1.0000000000000000001", "the volume has more than 18 decimals"),
        ("A,2024-05-31,-1,1,1,1,1,1", "the open is negative"),
        ("A,2024-05-31,1,1,1,1,-1,1", "the adjusted close is negative"),
        ("A,2024-05-31,1,1,1,1,1,-1", "the volume is negative"),
        ("A,2024-05-31,,1,2,1,,", "the low 2 is above the high 1"),
        ("A,2024-05-31,,,2,1,,", "the close 1 is below the low 2"),
        ("A,2024-05-31,,2,,3,,", "the close 3 is above the high 2"),
        ("A,2024-05-31,1,3,2,2,,", "the open 1 is below the low 2"),
        ("A,2024-05-31,4,3,2,2,,", "the open 4 is above the high 3"),
        ("A,2024-05-31,1,1,1,1\0,1,1", "there is a NUL character in it"),
        ('A,2024-05-31,1,1,1,"1,1,1', "the quotation marks or line ends are wrong (unexpected end of data)"),
        (
            "XOM,2024-05-31,,,,5,4,",
            "XOM's closes are adjusted for dividends; give the adjusted close as the close",
        ),
    ],
)
def test_bad_lines(line: str, reason: str) -> None:
    with pytest.raises(BadPriceLine) as caught:
        read(line)
    assert str(caught.value) == reason


def test_a_carriage_return_within_a_line() -> None:
    with pytest.raises(BadPriceLine, match=r"^the quotation marks or line ends are wrong"):
        read("A,2024-05-31,1,1,1,1\r,1,1")

"""Statements that take something back, that are of several accounts, or that hold more than transactions."""

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest

from db.vocabulary import TransactionType as T
from investing.rules.trading.import_rows import IgnoredRow, ImportRow, Parsed
from investing.trading.formats.files import Options, TransactionFileError
from investing.trading.formats.flex import read_flex
from investing.trading.formats.ghostfolio import read_ghostfolio
from investing.trading.formats.ofx import read_ofx
from investing.trading.formats.wording import bank_types
from tests.investing.trading.formats.reading import bad, cash, read

TRADE = (
    '<Trade accountId="{account}" currency="USD" assetCategory="STK" symbol="ABC" tradeID="{id}" '
    'dateTime="{when}" quantity="{quantity}" tradePrice="10" proceeds="{net}" netCash="{net}" '
    'ibCommission="0" {more}/>'
)


def trade(id: str, quantity: int, more: str = "", account: str = "U1", when: str = "20240110") -> str:
    """A trade at 10."""
    return TRADE.format(id=id, quantity=quantity, net=-10 * quantity, more=more, account=account, when=when)


def flex(*elements: str) -> bytes:
    """A statement of one line."""
    inside = "".join(elements)
    return f"<FlexQueryResponse><FlexStatements>{inside}</FlexStatements></FlexQueryResponse>".encode()


def sources(rows: list[Parsed], kind: type) -> list[str]:
    """What the file calls the rows of this kind."""
    return [row.source for row in rows if isinstance(row, kind)]


CANCEL = 'buySell="BUY (Ca.)" transactionType="TradeCancel"'


@pytest.mark.parametrize("more", [CANCEL, f'{CANCEL} origTradeID="2"'])
def test_flex_a_trade_and_its_cancellation_are_nothing(more: str) -> None:
    """Two purchases of the same; of both the one that the cancellation names, or else the first, goes."""
    rows = read(flex(trade("1", 5), trade("2", 5), trade("3", -5, more)))
    assert bad(rows) == []
    left = "1" if "orig" in more else "2"
    assert sources(rows, ImportRow) == [f"Trade {left}"]
    assert sources(rows, IgnoredRow) == [f"Trade {'2' if left == '1' else '1'}", "Trade 3"]


def test_flex_a_cancellation_of_what_is_not_there_is_refused() -> None:
    rows = read(flex(trade("1", 4), trade("3", -5, CANCEL)))
    assert [message[:48] for _, message in bad(rows)] == ["It cancels a trade that is not in this file: if "]
    assert sources(rows, ImportRow) == ["Trade 1"]


def test_flex_a_correction_replaces_the_trade() -> None:
    correct = 'transactionType="TradeCorrect" origTradeID="1"'
    rows = read(flex(trade("1", 5), trade("2", 6, correct)))
    assert (sources(rows, ImportRow), sources(rows, IgnoredRow)) == (["Trade 2"], ["Trade 1"])
    with_cancellation = read(flex(trade("1", 5), trade("3", -5, CANCEL), trade("2", 6, correct)))
    assert sources(with_cancellation, ImportRow) == ["Trade 2"]
    alone = read(flex(trade("2", 6, correct)))
    assert [line for line, _ in bad(alone)] == [1]


def test_flex_several_accounts_and_other_elements() -> None:
    other = '<FlexStatement accountId="U2"><AccountInformation accountId="U2" currency="USD"/>'
    data = flex(
        '<FlexStatement accountId="U1">',
        trade("1", 5),
        '<OpenPosition accountId="U1" symbol="ABC" position="5"/><SecurityInfo symbol="ABC"/>',
        "</FlexStatement>",
        other,
        trade("2", 7, account="U2"),
        "</FlexStatement>",
    )
    message = r"several accounts; name one with --account: U1 \(1 row\), U2 \(1 row\)\."
    with pytest.raises(TransactionFileError, match=message):
        read(data)
    rows = list(read_flex(data, Options(account="U1")))
    assert sources(rows, ImportRow) == ["Trade 1"]
    groups = Counter(row.group for row in rows if isinstance(row, IgnoredRow))
    assert groups == {"OpenPosition": 1, "SecurityInfo": 1, "row of U2": 2}
    with pytest.raises(TransactionFileError, match="no account U3"):
        list(read_flex(data, Options(account="U3")))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("20240110", dt.date(2024, 1, 10)),
        ("2024-01-10", dt.date(2024, 1, 10)),
        ("20240110;093001", dt.datetime(2024, 1, 10, 14, 30, 1, tzinfo=dt.UTC)),
        ("2024-07-10, 09:30:01", dt.datetime(2024, 7, 10, 13, 30, 1, tzinfo=dt.UTC)),
    ],
)
def test_flex_dates_and_times(when: str, expected: dt.date) -> None:
    (row,) = read(flex(trade("1", 5, when=when)))
    assert isinstance(row, ImportRow)
    assert (row.executed_at, type(row.executed_at)) == (expected, type(expected))


OFX = """OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX><INVSTMTMSGSRSV1><INVSTMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS>
"""


def ofx(*transactions: str, account: str = "A1", more: str = "") -> str:
    """A statement of one account."""
    return (
        f"<INVSTMTRS><DTASOF>20240630<CURDEF>USD<INVACCTFROM><BROKERID>b<ACCTID>{account}</INVACCTFROM>"
        f"<INVTRANLIST><DTSTART>20240101<DTEND>20240630{''.join(transactions)}</INVTRANLIST>{more}</INVSTMTRS>\n"
    )


def as_file(*statements: str) -> bytes:
    """A file of statements."""
    return (OFX + "".join(statements) + "</INVSTMTTRNRS></INVSTMTMSGSRSV1></OFX>\n").encode()


def sale(total: str, price: str = "137.16", when: str = "20240110", id: str = "1", more: str = "") -> str:
    """A sale of 8 shares, commission 7.95."""
    return (
        f"<SELLSTOCK><INVSELL><INVTRAN><FITID>{id}<DTTRADE>{when}{more}</INVTRAN>"
        "<SECID><UNIQUEID>BRK.B<UNIQUEIDTYPE>TICKER</SECID>"
        f"<UNITS>-8<UNITPRICE>{price}<COMMISSION>7.95<TOTAL>{total}<SUBACCTSEC>CASH<SUBACCTFUND>CASH"
        "</INVSELL><SELLTYPE>SELL</SELLSTOCK>\n"
    )


@pytest.mark.parametrize(
    ("total", "price", "amount", "commission", "stated", "told"),
    [
        # 8 x 137.16 = 1097.28; less 7.95 is 1089.33, of which 1089.30 came.
        ("1089.30", "137.160000", "1097.28", "7.98", "137.16", "0.03 by which total and price differ"),
        ("1089.30", "137.16", "1097.28", "7.98", "137.16", "0.03 by which total and price differ"),
        # One cent is rounding: 1089.32 + 7.95.
        ("1089.32", "137.16", "1097.27", "7.95", "137.16", ""),
        # At most a hundredth of 1097.28 = 10.9728: 1089.33 - 10.97 = 1078.36.
        ("1078.36", "137.16", "1097.28", "18.92", "137.16", "10.97 by which total and price differ"),
        # Better by 0.27: (1089.60 + 7.95) / 8 = 137.19375.
        ("1089.60", "137.16", "1097.55", "7.95", None, "The total is 0.27 better than the price: 137.19375"),
        # More than a hundredth: as the file says, and refused unless it is what rounding makes of the price.
        ("1078.35", "137.16", "1086.3", "7.95", "137.16", ""),
    ],
)
def test_ofx_what_total_and_price_disagree_by(
    total: str, price: str, amount: str, commission: str, stated: str | None, told: str
) -> None:
    (row,) = read(as_file(ofx(sale(total, price))))
    assert isinstance(row, ImportRow)
    assert (row.amount, row.commission) == (Decimal(amount), Decimal(commission))
    assert row.price == (None if stated is None else Decimal(stated))
    assert row.remark.startswith(told)
    assert bool(row.remark) is bool(told)
    if total != "1078.35":
        assert cash(row) == Decimal(total)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("20240110", dt.date(2024, 1, 10)),
        ("20240110000000", dt.date(2024, 1, 10)),
        ("20240110000000.000", dt.date(2024, 1, 10)),
        ("20240110120000", dt.datetime(2024, 1, 10, 12, tzinfo=dt.UTC)),
        ("20240110000000.000[-5:EST]", dt.datetime(2024, 1, 10, 5, tzinfo=dt.UTC)),
        ("20240110093000[-5:EST]", dt.datetime(2024, 1, 10, 14, 30, tzinfo=dt.UTC)),
    ],
)
def test_ofx_dates_and_times(when: str, expected: dt.date) -> None:
    (row,) = read(as_file(ofx(sale("1089.33", when=when))))
    assert isinstance(row, ImportRow)
    assert (row.executed_at, type(row.executed_at)) == (expected, type(expected))


def test_ofx_what_is_taken_back_and_what_is_not_there() -> None:
    rows = read(
        as_file(
            ofx(
                sale("1089.33", id="1"),
                sale("1089.33", id="2", more="<REVERSALFITID>1"),
                sale("1089.33", id="3", more="<REVERSALFITID>0"),
                sale("1089.33", id="4"),
            )
        )
    )
    assert sources(rows, ImportRow) == ["SELLSTOCK 4"]
    assert sources(rows, IgnoredRow) == ["SELLSTOCK 1", "SELLSTOCK 2"]
    assert [message[:44] for _, message in bad(rows)] == ["It takes back 0, which is not in this file: "]


def test_ofx_several_accounts() -> None:
    data = as_file(ofx(sale("1089.33")), ofx(sale("1089.33", id="2"), account="A2"))
    with pytest.raises(TransactionFileError, match=r"--account: A1 \(1 row\), A2 \(1 row\)"):
        read(data)
    rows = list(read_ofx(data, Options(account="A2")))
    assert (sources(rows, ImportRow), sources(rows, IgnoredRow)) == (["SELLSTOCK 2"], ["SELLSTOCK"])


@pytest.mark.parametrize(
    ("trntype", "amount", "words", "type"),
    [
        ("DEP", "1.5", "INTEREST EARNED", T.INTEREST),
        ("CREDIT", "1.5", "Credit int. paid", T.INTEREST),
        ("OTHER", "-5", "FEE", T.FEE),
        ("DEBIT", "-5", "WIRE FEE", T.FEE),
        ("DEBIT", "-5", "Monthly maintenance charge", T.FEE),
        ("OTHER", "-5", "MARGIN INTEREST", T.FEE),
        ("OTHER", "5", "FEE REBATE", T.INTEREST),
        ("OTHER", "-5", "FOREIGN TAX WITHHELD", T.TAX),
        ("CREDIT", "5", "DIVIDEND ABC", T.INTEREST),
        ("INT", "5", "", T.INTEREST),
        ("SRVCHG", "-5", "", T.FEE),
        ("DEP", "100", "ACH DEPOSIT", T.DEPOSIT),
        ("DEP", "100", "FROM INTEREST CHECKING", T.DEPOSIT),
        ("DEBIT", "-100", "TO NO FEE CHECKING", T.WITHDRAWAL),
        ("DEBIT", "-4", "COFFEE SHOP", T.WITHDRAWAL),
        ("CREDIT", "900", "IRS TREAS TAX REFUND", T.DEPOSIT),
        ("XFER", "100", "INTEREST", T.TRANSFER_IN),
    ],
)
def test_what_banks_call_interest_and_fees(trntype: str, amount: str, words: str, type: T) -> None:
    kinds, remark = bank_types(trntype, Decimal(amount), words)
    assert kinds[0 if Decimal(amount) > 0 else 1] is type
    by_words = trntype not in ("INT", "SRVCHG", "XFER") and type not in (T.DEPOSIT, T.WITHDRAWAL)
    assert remark == (f"“{words}” ({trntype}) is taken as {type}." if by_words else "")


def ghostfolio(*activities: str, more: str = "") -> bytes:
    """An export."""
    return f'{{"activities": [{", ".join(activities)}]{more}}}'.encode()


def activity(date: str, quantity: str = "5", price: str = "0", type: str = "BUY", account: str = "a") -> str:
    """An activity without a fee."""
    return (
        f'{{"accountId": "{account}", "type": "{type}", "quantity": {quantity}, "unitPrice": {price}, '
        f'"fee": 0, "currency": "USD", "symbol": "ABC", "date": "{date}"}}'
    )


def test_ghostfolio_gifts_and_nothings() -> None:
    day = "2024-01-10T00:00:00.000Z"
    rows = read(
        ghostfolio(
            activity(day),
            activity(day, type="SELL"),
            activity(day, quantity="0"),
            activity(day, type="DIVIDEND"),
            activity(day, type="ITEM", price="1"),
        )
    )
    good = [row for row in rows if isinstance(row, ImportRow)]
    assert [(row.type, str(row.quantity), cash(row)) for row in good] == [
        (T.BUY, "5", Decimal(0)),
        (T.SELL, "5", Decimal(0)),
    ]
    assert [row.reason for row in rows if isinstance(row, IgnoredRow)] == [
        "The BUY moves nothing.",
        "The DIVIDEND moves nothing.",
    ]
    assert len(bad(rows)) == 1


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024-01-10T00:00:00.000Z", dt.date(2024, 1, 10)),
        ("2024-01-10", dt.date(2024, 1, 10)),
        ("2024-01-09T23:00:00.000Z", dt.datetime(2024, 1, 9, 23, tzinfo=dt.UTC)),
        ("2024-01-10T00:00:00+01:00", dt.datetime(2024, 1, 9, 23, tzinfo=dt.UTC)),
    ],
)
def test_ghostfolio_dates(date: str, expected: dt.date) -> None:
    (row,) = read(ghostfolio(activity(date)))
    assert isinstance(row, ImportRow)
    assert (row.executed_at, type(row.executed_at)) == (expected, type(expected))


def test_ghostfolio_several_accounts_by_name() -> None:
    accounts = (
        ', "accounts": [{"id": "a", "name": "Broker"}, {"id": "b", "name": "Bank"}], "tags": [{"id": "t"}]'
    )
    day = "2024-01-10"
    data = ghostfolio(activity(day), activity(day, account="b"), activity(day, account="b"), more=accounts)
    with pytest.raises(TransactionFileError, match=r"--account: Broker \(1 row\), Bank \(2 rows\)"):
        read(data)
    for wanted in ("Bank", "b"):
        rows = list(read_ghostfolio(data, Options(account=wanted)))
        assert sources(rows, ImportRow) == ["activity 2", "activity 3"]
        groups = Counter(row.group for row in rows if isinstance(row, IgnoredRow))
        assert groups == {"row of Broker": 1, "accounts": 2, "tags": 1}

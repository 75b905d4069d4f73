"""CSV as Schwab, Fidelity, Interactive Brokers and Ghostfolio write it: files made after their columns."""

# ruff: noqa: E501

import datetime as dt
from decimal import Decimal

import pytest

from db.vocabulary import TransactionType as T
from investing.rules.trading.import_rows import BadRow, IgnoredRow, ImportRow, Parsed
from investing.trading.formats.files import Options, TransactionFileError
from investing.trading.formats.guessing import Format, guess, reader_of
from tests.investing.trading.formats.reading import bad, cash, read

Facts = tuple[int, T, str, str | None, str, str]
"""Line, type, date or instant, symbol, quantity, and what it does to cash."""


def taken(rows: list[Parsed]) -> list[Facts]:
    """What was read of the rows that are good."""
    return [
        (
            row.line,
            row.type,
            row.executed_at.isoformat(),
            row.symbol,
            "" if row.quantity is None else f"{row.quantity.normalize():f}",
            f"{cash(row).normalize():f}",
        )
        for row in rows
        if isinstance(row, ImportRow) and row.currency in ("USD", None)
    ]


def others(rows: list[Parsed]) -> list[tuple[int, str]]:
    """Line and group, or reason, of each row that is ignored."""
    return [(row.line, row.group or row.reason) for row in rows if isinstance(row, IgnoredRow)]


def remarks(rows: list[Parsed]) -> list[tuple[int, str]]:
    """What is told of the good rows."""
    return [(row.line, row.remark) for row in rows if isinstance(row, ImportRow) and row.remark]


SCHWAB = """\
"Transactions  for account Brokerage XXXX-1234 as of 02/01/2024 10:00:00 ET"
"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm","Amount"
"01/31/2024","Bank Interest","","BANK INT 123123-013124","","","","$0.45"
"01/30/2024 as of 01/29/2024","Qualified Dividend","BRK.B","A DIVIDEND","","","","$12.00"
"01/26/2024","Sell","BRK.B","BERKSHIRE","8","$137.16","$7.95","$1,089.30"
"01/25/2024","Reinvest Shares","VTI","VANGUARD","0.0513","$234.02","","-$12.00"
"01/24/2024","Stock Split","NVDA","NVIDIA","90","","",""
"01/23/2024","NRA Tax Adj","BRK.B","TAX","","","","($1.80)"
"01/22/2024","Buy","BRK.B","BERKSHIRE","10","$360.10","$4.95","-$3,605.95"
"01/22/2024","Cancel Buy","BRK.B","BERKSHIRE","1","$360.10","","$360.10"
"01/22/2024","Buy","BRK.B","BERKSHIRE","1","$360.10","","-$360.10"
"01/21/2024","Buy to Open","AAPL 02/16/2024 190.00 C","CALL","1","$2.00","$0.65","-$200.65"
"01/20/2024","Moon Landing","","","","","","$1.00"
"01/19/2024","MoneyLink Transfer","","Tfr BANK","","","","$5,000.00"

"Transactions Total","","","","","","","$1,137.00"
"""


def test_schwab() -> None:
    """The sale: 8 x 137.16 = 1097.28, less 7.95 is 1089.33, and 1089.30 came: 0.03 more is a fee."""
    assert guess(SCHWAB.encode()) is Format.SCHWAB
    rows = read(SCHWAB.encode())
    assert taken(rows) == [
        (3, T.INTEREST, "2024-01-31", None, "", "0.45"),
        (4, T.DIVIDEND, "2024-01-29", "BRK.B", "", "12"),
        (5, T.SELL, "2024-01-26", "BRK.B", "8", "1089.3"),
        (6, T.BUY, "2024-01-25", "VTI", "0.0513", "-12"),
        (8, T.TAX, "2024-01-23", "BRK.B", "", "-1.8"),
        (9, T.BUY, "2024-01-22", "BRK.B", "10", "-3605.95"),
        (14, T.DEPOSIT, "2024-01-19", None, "", "5000"),
    ]
    assert [line for line, _ in bad(rows)] == [7, 12, 13]
    assert others(rows) == [
        (1, "line of text"),
        (10, "It cancels line 11, which is left out as well."),
        (11, "It is cancelled by line 10."),
        (16, "line of text"),
    ]
    assert remarks(rows) == [(5, "0.03 by which total and price differ is taken as a fee.")]
    (sale,) = (row for row in rows if row.line == 5)
    assert isinstance(sale, ImportRow)
    assert (sale.amount, sale.commission) == (Decimal("1097.28"), Decimal("7.98"))


FIDELITY = """\
\N{ZERO WIDTH NO-BREAK SPACE}

Brokerage

Run Date,Action,Symbol,Description,Type,Quantity,Price ($),Commission ($),Fees ($),Accrued Interest ($),Amount ($),Settlement Date
 01/26/2024, YOU SOLD APPLE INC (AAPL) (Cash), AAPL, APPLE INC,Cash,-3,191.5,,0.01,,574.49,01/30/2024
 01/25/2024, DIVIDEND RECEIVED FIDELITY GOVERNMENT MONEY MARKET (SPAXX) (Cash), SPAXX, FIDELITY,Cash,0.000,,,,,3.17,
 01/25/2024, REINVESTMENT FIDELITY GOVERNMENT MONEY MARKET (SPAXX) (Cash), SPAXX, FIDELITY,Cash,3.17,1,,,,-3.17,
 01/24/2024, FOREIGN TAX PAID APPLE INC (AAPL) (Cash), AAPL, APPLE INC,Cash,0.000,,,,,-0.25,
 01/22/2024, YOU BOUGHT APPLE INC (AAPL) (Cash), AAPL, APPLE INC,Cash,10,190.25,4.95,,,"-1,907.45",01/24/2024
 01/20/2024, YOU SOLD OPENING TRANSACTION CALL (AAPL), -AAPL240216C190, CALL,Cash,-1,2,,,,199.34,
 01/19/2024, Electronic Funds Transfer Received (Cash), , No Description,Cash,,,,,,5000,

"The data and information in this spreadsheet is provided to you solely for your use, as it is."
"Date downloaded 02/01/2024 10:00 am"
"""


def test_fidelity() -> None:
    """3 x 191.50 - 0.01 = 574.49; 10 x 190.25 + 4.95 = 1907.45; the core account is cash."""
    rows = read(FIDELITY.encode())
    assert guess(FIDELITY.encode()) is Format.FIDELITY
    assert taken(rows) == [
        (6, T.SELL, "2024-01-26", "AAPL", "3", "574.49"),
        (7, T.INTEREST, "2024-01-25", None, "", "3.17"),
        (9, T.TAX, "2024-01-24", "AAPL", "", "-0.25"),
        (10, T.BUY, "2024-01-22", "AAPL", "10", "-1907.45"),
        (12, T.DEPOSIT, "2024-01-19", None, "", "5000"),
    ]
    assert bad(rows) == [(11, "This is an option, which the ledger cannot hold.")]
    assert others(rows) == [
        (3, "line of text"),
        (8, "It moves cash within the account."),
        (14, "line of text"),
        (15, "line of text"),
    ]
    assert len(rows) == 5 + 1 + 4


ALL_ACCOUNTS = """\
Run Date,Account,Account Number,Action,Symbol,Description,Type,Quantity,Price,Commission,Fees,Amount
01/22/2024,Roth,X1,DIRECT DEPOSIT PAY,,,Cash,,,,,100
01/23/2024,Joint,X2,DIRECT DEPOSIT PAY,,,Cash,,,,,200
01/24/2024,Joint,X2,BILL PAYMENT,,,Cash,,,,,-50
"""


def test_several_accounts_are_not_run_together() -> None:
    data = ALL_ACCOUNTS.encode()
    message = r"The file has several accounts; name one with --account: X1 \(1 row\), X2 \(2 rows\)\."
    with pytest.raises(TransactionFileError, match=message):
        read(data)
    rows = list(reader_of(Format.FIDELITY)(data, Options(account="X2")))
    assert [fact[0] for fact in taken(rows)] == [3, 4]
    assert others(rows) == [(2, "row of X1")]
    with pytest.raises(
        TransactionFileError, match=r"The file has no account X3; it has X1 \(1 row\), X2 \(2 rows\)\."
    ):
        list(reader_of(Format.FIDELITY)(data, Options(account="X3")))


ACTIVITY = """\
Statement,Header,Field Name,Field Value
Statement,Data,Title,Activity Statement
Account Information,Header,Field Name,Field Value
Account Information,Data,Account,U0000001
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Stocks,USD,BRK B,"2024-01-03, 09:30:01",10,360.12,361,-3601.2,-1.05,3602.25,0,8.8,O
Trades,Data,Order,Stocks,USD,BRK B,"2024-01-04, 10:00:00",5,361,361,-1805,-1,1806,0,0,O
Trades,Data,Order,Stocks,USD,BRK B,"2024-01-04, 10:00:00",-5,361,361,1805,1,-1806,0,0,Ca
Trades,Data,Order,Stocks,USD,BRK B,"2024-06-03, 16:00:00","-1,000",410,411,"410,000",-3.5,0,0,0,C
Trades,Data,ClosedLot,Stocks,USD,BRK B,2024-01-03,10,360.12,,,,3602.25,,,
Trades,SubTotal,,Stocks,USD,BRK B,,-990,,,406398.8,-4.55,3602.25,0,0,
Trades,Total,,Stocks,USD,,,,,,406398.8,-4.55,3602.25,0,0,
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,,Proceeds,Comm in USD,,,MTM in USD,Code
Trades,Data,Order,Forex,USD,EUR.USD,"2024-01-05, 11:00:00",100,1.08,,-108,-2,,,0,
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-03-14,BRK B(US0846707026) Cash Dividend USD 1.50 per Share (Ordinary Dividend),15
Dividends,Data,EUR,2024-03-15,SAP(DE0007164600) Cash Dividend EUR 2 per Share,4
Dividends,Data,Total,,,15
Dividends,Data,Total in USD,,,19.3
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Withholding Tax,Data,USD,2024-03-14,BRK B(US0846707026) Cash Dividend USD 1.50 per Share - US Tax,-2.25,
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2024-01-02,Electronic Fund Transfer,10000
Deposits & Withdrawals,Data,USD,2024-05-02,Disbursement,-100
Deposits & Withdrawals,Data,Total,,,9900
Fees,Header,Subtitle,Currency,Date,Description,Amount
Fees,Data,Other Fees,USD,2024-04-03,MARKET DATA,-1.5
Fees,Data,Total,,,,-1.5
Interest,Header,Currency,Date,Description,Amount
Interest,Data,USD,2024-04-03,USD Credit Interest for Mar-2024,4.56
Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code
Corporate Actions,Data,Stocks,USD,2024-05-16,"2024-05-15, 20:25:00","BRK B(US0846707026) Split 3 for 2 (BRK B, BERKSHIRE, US0846707026)",5,0,0,0,
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity
Open Positions,Data,Summary,Stocks,USD,BRK B,5
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Security ID
Financial Instrument Information,Data,Stocks,BRK B,BERKSHIRE,1,US0846707026
"""


def test_interactive_brokers_activity() -> None:
    """Cash moves by proceeds and commission: -3601.2 - 1.05; 410,000 - 3.5. 9:30:01 in New York is 14:30:01."""
    rows = read(ACTIVITY.encode())
    assert guess(ACTIVITY.encode()) is Format.IB_ACTIVITY
    assert taken(rows) == [
        (6, T.BUY, "2024-01-03T14:30:01+00:00", "BRK B", "10", "-3602.25"),
        (9, T.SELL, "2024-06-03T20:00:00+00:00", "BRK B", "1000", "409996.5"),
        (16, T.DIVIDEND, "2024-03-14", "BRK B", "", "15"),
        (21, T.TAX, "2024-03-14", "BRK B", "", "-2.25"),
        (23, T.DEPOSIT, "2024-01-02", None, "", "10000"),
        (24, T.WITHDRAWAL, "2024-05-02", None, "", "-100"),
        (27, T.FEE, "2024-04-03", None, "", "-1.5"),
        (30, T.INTEREST, "2024-04-03", None, "", "4.56"),
        (32, T.SPLIT, "2024-05-16T00:25:00+00:00", "BRK B", "3", "0"),
    ]
    buy = next(row for row in rows if isinstance(row, ImportRow))
    assert buy.identifiers == ("US0846707026",)
    assert bad(rows) == [(14, "It is of asset category Forex, which the ledger cannot hold.")]
    assert others(rows) == [
        (2, "Statement"),
        (4, "Account Information"),
        (7, "It is cancelled by line 8."),
        (8, "It cancels line 7, which is left out as well."),
        (10, "ClosedLot"),
        (11, "SubTotal of Trades"),
        (12, "Total of Trades"),
        (18, "sum of Dividends"),
        (19, "sum of Dividends"),
        (25, "sum of Deposits & Withdrawals"),
        (28, "sum of Fees"),
        (34, "Open Positions"),
        (36, "Financial Instrument Information"),
    ]
    # Each line is one of them, but for the nine headers.
    assert len(rows) == len(ACTIVITY.splitlines()) - 12


GHOSTFOLIO = """\
Date,Code,DataSource,Currency,Price,Quantity,Action,Fee,Note
10-01-2024,MSFT,YAHOO,USD,298.58,5,buy,19.00,a first one
2024-01-11,BTC-USD,YAHOO,USD,0,0.5,buy,0.00,a gift
12/01/2024,MSFT,YAHOO,USD,0.62,5,dividend,0.00,
13-01-2024,MSFT,YAHOO,USD,0,0,buy,0.00,
14-01-2024,House,MANUAL,USD,500000,1,item,0.00,
31-02-2024,MSFT,YAHOO,USD,1,1,buy,0.00,
"""


def test_ghostfolios_own() -> None:
    rows = read(GHOSTFOLIO.encode())
    assert guess(GHOSTFOLIO.encode()) is Format.GHOSTFOLIO_CSV
    assert taken(rows) == [
        (2, T.BUY, "2024-01-10", "MSFT", "5", "-1511.9"),
        (3, T.BUY, "2024-01-11", "BTC-USD", "0.5", "0"),
        (4, T.DIVIDEND, "2024-01-12", "MSFT", "", "3.1"),
    ]
    assert (others(rows), [line for line, _ in bad(rows)]) == ([(5, "The BUY moves nothing.")], [6, 7])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$1,234.50", "1234.5"),
        ("-$1,234.50", "-1234.5"),
        ("$-3", "-3"),
        ("($3.00)", "-3"),
        ("3.25-", "-3.25"),
        (" 1234567.891 ", "1234567.891"),
        ("\N{MINUS SIGN}5", "-5"),
        ("--", None),
        ("", None),
        (".5", "0.5"),
    ],
)
def test_numbers_as_brokers_write_them(text: str, value: str | None) -> None:
    from investing.trading.formats.csv_tables import number_of

    assert number_of(text, "amount") == (None if value is None else Decimal(value))


@pytest.mark.parametrize("text", ["1,23", "1.2.3", "abc", "1e5", "$", "NaN", "12,3456.7"])
def test_what_is_no_number(text: str) -> None:
    row = SCHWAB.replace("$5,000.00", text)
    found = [message for line, message in bad(read(row.encode())) if line == 14]
    assert found == [f"The amount {text!r} is no number."]


def test_rows_that_miss_something() -> None:
    lines = SCHWAB.splitlines()[:2]
    lines += ['"13/45/2024","Buy","A","","1","$1","","-$1"', '"","Buy","A","","1","$1","","-$1"']
    lines += [
        '"01/02/2024","Buy","A"',
        '"01/02/2024","Buy","A","","","$1","","-$1"',
        '"01/02/2024","Buy","A","x',
    ]
    rows = read("\n".join(lines).encode())
    assert [line for line, _ in bad(rows)] == [3, 4, 5, 6, 7]
    assert all(isinstance(row, BadRow | IgnoredRow) for row in rows)


def test_a_row_in_another_currency_says_so() -> None:
    (row,) = [r for r in read(ACTIVITY.encode()) if r.line == 17]
    assert isinstance(row, ImportRow)
    assert (row.currency, row.executed_at) == ("EUR", dt.date(2024, 3, 15))

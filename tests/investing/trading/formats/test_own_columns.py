"""Any other CSV, whose columns a person names."""

from pathlib import Path

import pytest

from db.vocabulary import TransactionType as T
from investing.rules.trading.import_rows import ImportRow
from investing.trading.formats.files import Options, TransactionFileError
from investing.trading.formats.own_columns import columns_of, read_own_columns
from investing.trading.transaction_files import read_symbols
from tests.investing.trading.formats.reading import bad
from tests.investing.trading.formats.test_brokers_csv import others, taken

COLUMNS = "date=Trade Date,type=Side,symbol=Ticker,quantity=Shares,price=Px,net=Net,commission=Fee"
TEXT = """\
My broker
Trade Date,Side,Ticker,Shares,Px,Net,Fee,Who
31.01.2024,BOT,BRK B,10,12.50,"-126.00",1.00,me
01.02.2024,SLD,BRK B,4,13,51,1,me
02.02.2024,Div,BRK B,,,2.5,,me
03.02.2024,Contribution,,,,100,,me
04.02.2024,Barter,,,,100,,me
2024-02-05,BOT,BRK B,1,1,-1,,me
Totals,,,,,126.5,,
"""


def options(columns: str = COLUMNS, date_format: str | None = "%d.%m.%Y", comma: bool = False) -> Options:
    """What a person says on the command line."""
    return Options(columns=columns_of(columns), date_format=date_format, decimal_comma=comma)


def test_a_table_by_its_columns() -> None:
    rows = list(read_own_columns(TEXT.encode(), options()))
    assert taken(rows) == [
        (3, T.BUY, "2024-01-31", "BRK B", "10", "-126"),
        (4, T.SELL, "2024-02-01", "BRK B", "4", "51"),
        (5, T.DIVIDEND, "2024-02-02", "BRK B", "", "2.5"),
        (6, T.DEPOSIT, "2024-02-03", None, "", "100"),
    ]
    assert [line for line, _ in bad(rows)] == [7, 8]
    assert bad(rows)[1][1] == "'2024-02-05' is not a date like %d.%m.%Y."
    assert others(rows) == [(1, "line of text"), (9, "line of text")]


def test_without_types_the_signs_say_what_it_is() -> None:
    text = "Datum;Stück;Kurs;Betrag\n2024-01-02;10;1.012,50;\n2024-01-03;-2;1.100;\n2024-01-04;;;-1.000,5\n"
    named = options("date=Datum,quantity=Stück,price=Kurs,net=Betrag", None, comma=True)
    rows = [row for row in read_own_columns(text.encode(), named) if isinstance(row, ImportRow)]
    assert [(row.type, str(row.quantity or row.amount), str(row.price)) for row in rows] == [
        (T.BUY, "10", "1012.50"),
        (T.SELL, "2", "1100"),
        (T.WITHDRAWAL, "1000.5", "None"),
    ]


def test_times_are_where_the_account_lives_unless_they_have_an_offset() -> None:
    named = "date=When,net=Net"
    for format, text, instant in (
        ("%Y-%m-%d %H:%M", "2024-01-02 15:30", "2024-01-02T15:30:00"),
        ("%Y-%m-%dT%H:%M%z", "2024-01-02T15:30+0100", "2024-01-02T14:30:00+00:00"),
    ):
        (row,) = read_own_columns(f"When,Net\n{text},5\n".encode(), options(named, format))
        assert isinstance(row, ImportRow)
        assert row.executed_at.isoformat() == instant


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            "date",
            r"'date' is not of the form field=Header, as in date=Trade Date\. The fields are date, type, ",
        ),
        ("when=Date", "'when=Date' is not of the form field=Header"),
        ("symbol=Ticker", r"The columns have no date\."),
        ("date=Date,date=Day", r"'date=Day' is there twice\."),
    ],
)
def test_columns_that_are_none(columns: str, message: str) -> None:
    with pytest.raises(TransactionFileError, match=message):
        columns_of(columns)


def test_headers_that_are_not_there() -> None:
    with pytest.raises(TransactionFileError, match=r"^No line has the headers Price, When\.$"):
        list(read_own_columns(b"Date,Price\n", options("date=When,price=Price")))


def test_symbols_by_identifier(tmp_path: Path) -> None:
    path = tmp_path / "symbols.csv"
    path.write_text("identifier,symbol\n084670702,brk.b\nus0846707026,BRK.B\n")
    assert read_symbols(path) == {"084670702": "BRK.B", "US0846707026": "BRK.B"}
    for text, message in (
        ("identifier,symbol\nA,B\nA,C\n", "A has two symbols"),
        ("identifier,symbol\nA1,a;b\n", "is not a symbol"),
        ("id,ticker\n", "No line has the headers identifier, symbol"),
    ):
        path.write_text(text)
        with pytest.raises(TransactionFileError, match=message):
            read_symbols(path)

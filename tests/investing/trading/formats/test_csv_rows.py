"""Graphfolio's own CSV, and files that are no file of transactions."""

import datetime as dt
import gzip
from pathlib import Path

import pytest

from investing.rules.trading.import_rows import ImportRow
from investing.trading.formats.csv_rows import read_csv
from investing.trading.formats.files import TransactionFileError, load
from investing.trading.formats.guessing import Format, guess
from tests.investing.trading.formats.reading import bad, read


@pytest.mark.parametrize(
    "data",
    [
        b"type,amount,executed at\nDEPOSIT,1.50,2024-01-01T00:00:00Z\n",
        b"\xef\xbb\xbfExecuted_At,AMOUNT,Type\r\n2024-01-01T01:00:00+01:00,1.5,deposit\r\n",
        b'"executed at","amount","type"\n\n2024-01-01 00:00:00Z, +1.5 ,Deposit',
    ],
)
def test_headers_by_name_and_either_end_of_line(data: bytes) -> None:
    (row,) = read(data)
    assert isinstance(row, ImportRow)
    assert (row.type, str(row.amount).rstrip("0"), row.executed_at.isoformat()) == (
        "DEPOSIT",
        "1.5",
        "2024-01-01T00:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("type,executed at\n".encode("utf-16"), r"not UTF-8 \(line 1\) but perhaps UTF-16: save it"),
        (b"type,executed at,notes\nFEE,2024-01-01T00:00:00Z,\xe9\n", r"\(line 2\) but perhaps an older one"),
        (b"type,amount\n", r"no executed at\."),
        (b"type,type,executed at,price each\n", r"unknown 'price each', type twice\."),
        (b"2024-01-01,BUY,1\n", "The headers do not fit"),
        (b"type,executed\0at\n", "NUL"),
        (b"type,executed at\n\n", "no transactions"),
    ],
)
def test_files_that_are_none(data: bytes, message: str) -> None:
    with pytest.raises(TransactionFileError, match=message):
        list(read_csv(data))


def test_an_open_quotation_mark_does_not_swallow_the_file() -> None:
    line = "FEE,1,2024-01-01T00:00:00Z,\n"
    text = "type,amount,executed at,notes\n" + 'FEE,1,2024-01-01T00:00:00Z,"open\n' + line * 5000
    rows = read(text.encode())
    assert bad(rows) == [(2, "It is too long: is a quotation mark not closed?")]
    assert len(rows) > 2000


def test_loading_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with pytest.raises(TransactionFileError, match="There is no file"):
        load(path)
    with pytest.raises(TransactionFileError, match="is a directory"):
        load(tmp_path)
    path.write_bytes(b" \n")
    with pytest.raises(TransactionFileError, match=r"a\.csv is empty"):
        load(path)
    path.write_bytes(gzip.compress(b"type,executed at\n"))
    assert load(path) == b"type,executed at\n"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TransactionFileError, match="broken gzip"):
        load(path)


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b'\xef\xbb\xbf {"meta": 1}', Format.GHOSTFOLIO),
        (b"<?xml version='1.0'?><FlexQueryResponse>", Format.IBFLEX),
        (b"\nOFXHEADER:100", Format.OFX),
        (b"<?xml version='1.0'?>\n<?OFX OFXHEADER='200'?>", Format.OFX),
        (b"type,executed at", Format.CSV),
    ],
)
def test_guessing(data: bytes, format: Format) -> None:
    assert guess(data) is format


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04", r"^The file is a spreadsheet or an archive: save the table as CSV\.$"),
        (b"%PDF-1.4", r"^The file is a PDF: download the same as CSV or OFX\.$"),
        (
            b"Day,Ticker\n1,2\n",
            r"formats that are known \(csv, ghostfolio, .* name its columns with --columns\.$",
        ),
        (b"[]", "none of the formats"),
    ],
)
def test_files_of_no_format(data: bytes, message: str) -> None:
    with pytest.raises(TransactionFileError, match=message):
        guess(data)


def test_days_and_places() -> None:
    text = (
        b"type,executed at,amount,place\nFEE,2024-01-10,1,2\nFEE,2024-01-10,2,\nFEE,2024-02-30,1,\nFEE,,1,\n"
    )
    rows = read(text + b"FEE,2024-01-10,1,-1\n")
    good = [row for row in rows if isinstance(row, ImportRow)]
    assert [(row.executed_at, row.place) for row in good] == [
        (dt.date(2024, 1, 10), 2),
        (dt.date(2024, 1, 10), None),
    ]
    assert [line for line, _ in bad(rows)] == [4, 5, 6]

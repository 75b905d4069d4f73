"""Imports of files of prices, on a real PostgreSQL."""

import datetime as dt
import gzip
import os
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from db.vocabulary import PriceBasis
from investing.market.importing import PriceImportReport, import_prices
from investing.market.price_files import PriceFileError
from tests.market_rows import count, rows

Import = Callable[..., tuple[PriceImportReport, list[tuple[int, str]]]]

BARS = (
    "SELECT symbol, date::text, open, high, low, close, adjusted_close, volume FROM price_bars b "
    "JOIN instruments i ON i.id = b.instrument_id ORDER BY symbol, date"
)
QUOTES = (
    "SELECT symbol, price, as_of FROM quotes q JOIN instruments i ON i.id = q.instrument_id ORDER BY symbol"
)


@pytest.fixture
def importing(owner_url: str, tmp_path: Path) -> Import:
    """Imports a text or bytes into the emptied database; gives the report and the bad lines."""
    rows(owner_url, "TRUNCATE instruments CASCADE")

    def run(
        content: str | bytes,
        *,
        skip_bad: bool = False,
        basis: PriceBasis | None = None,
        owner_id: UUID | None = None,
    ) -> tuple[PriceImportReport, list[tuple[int, str]]]:
        path = tmp_path / "prices.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        bad: list[tuple[int, str]] = []
        report = import_prices(
            owner_url,
            path,
            skip_bad=skip_bad,
            progress=lambda *step: None,
            report_bad=lambda line, reason: bad.append((line, reason)),
            owner_id=owner_id,
            basis=basis,
        )
        return report, bad

    return run


def day(month: int, number: int, hour: int) -> dt.datetime:
    return dt.datetime(2024, month, number, hour, tzinfo=dt.UTC)


def test_new_instruments_bars_and_quotes(owner_url: str, importing: Import) -> None:
    report, bad = importing(
        "\ufeffSymbol,Date,Open,High,Low,Close,Adj Close,Volume\r\n"
        "abc,2024-01-03,10,12,9,11,10.5,1000\r\n"
        "ABC,2024-07-01,,,,12.3456789012,,\r\n"
        "\r\n"
        "xyz,2024-01-02,,,,5,,\r\n"
    )
    assert bad == []
    assert report == PriceImportReport(True, 3, 0, 3, 0, 0, 2, 2)
    assert rows(owner_url, BARS) == [
        ("ABC", "2024-01-03", 10, 12, 9, 11, Decimal("10.5"), 1000),
        ("ABC", "2024-07-01", None, None, None, Decimal("12.3456789012"), None, None),
        ("XYZ", "2024-01-02", None, None, None, 5, None, None),
    ]
    assert rows(owner_url, "SELECT name, asset_class, currency, exchange, price_basis FROM instruments") == [
        ("ABC", "OTHER", "USD", None, "RAW"),
        ("XYZ", "OTHER", "USD", None, "RAW"),
    ]
    assert rows(owner_url, QUOTES) == [
        ("ABC", Decimal("12.3456789012"), day(7, 1, 20)),
        ("XYZ", 5, day(1, 2, 21)),
    ]


def test_a_second_import_changes_nothing(owner_url: str, importing: Import) -> None:
    content = "symbol,date,close\nA,2024-01-02,1.50\nA,2024-01-03,2\n"
    importing(content)
    query = "SELECT xmin::text, * FROM "
    before = [rows(owner_url, query + table) for table in ("instruments", "price_bars", "quotes")]
    assert importing(content) == (PriceImportReport(True, 2, 0, 0, 0, 2, 0, 0), [])
    assert [rows(owner_url, query + table) for table in ("instruments", "price_bars", "quotes")] == before


def test_changed_bars_and_what_lines_leave_empty(owner_url: str, importing: Import) -> None:
    importing(
        "symbol,date,open,high,low,close,adjusted close,volume\n"
        + "".join(f"A,2024-01-0{number},10,12,9,11,10.5,1000\n" for number in range(1, 6))
    )
    report, _ = importing(
        "symbol,date,close,high,volume\n"
        "A,2024-01-01,11.0,,\n"  # nothing new
        "A,2024-01-02,10,,\n"  # within the stored range, but the adjusted close is stale
        "A,2024-01-03,13,,\n"  # outside of it
        "A,2024-01-04,11,11.5,2000\n"  # another range takes the place of the whole range
        "A,2024-01-08,9,,\n"
    )
    assert report == PriceImportReport(True, 5, 0, 1, 3, 1, 0, 1)
    assert rows(owner_url, BARS) == [
        ("A", "2024-01-01", 10, 12, 9, 11, Decimal("10.5"), 1000),
        ("A", "2024-01-02", 10, 12, 9, 10, None, 1000),
        ("A", "2024-01-03", None, None, None, 13, None, 1000),
        ("A", "2024-01-04", None, Decimal("11.5"), None, 11, Decimal("10.5"), 2000),
        ("A", "2024-01-05", 10, 12, 9, 11, Decimal("10.5"), 1000),
        ("A", "2024-01-08", None, None, None, 9, None, None),
    ]
    assert rows(owner_url, QUOTES) == [("A", 9, day(1, 8, 21))]


def test_only_a_newer_bar_or_a_corrected_one_moves_the_quote(owner_url: str, importing: Import) -> None:
    importing("symbol,date,close\nA,2024-01-03,3\n")
    assert importing("symbol,date,close\nA,2024-01-02,2\n")[0].quotes_updated == 0
    assert importing("symbol,date,close\nA,2024-01-03,4\n")[0].quotes_updated == 1
    assert rows(owner_url, QUOTES) == [("A", 4, day(1, 3, 21))]
    rows(owner_url, "UPDATE quotes SET price = 7, as_of = '2024-01-05T12:00:00Z'")
    assert importing("symbol,date,close\nA,2024-01-04,5\n")[0].quotes_updated == 0
    assert rows(owner_url, QUOTES) == [("A", 7, day(1, 5, 12))]


def test_the_bar_of_today_gives_no_quote_of_the_future(owner_url: str, importing: Import) -> None:
    today = dt.datetime.now(dt.UTC).date()
    importing(f"symbol,date,close\nA,{today},3\n")
    ((_, _, as_of),) = rows(owner_url, QUOTES)
    assert as_of <= dt.datetime.now(dt.UTC)


BAD = (
    "symbol,date,close\n"
    "A,2024-01-02,1\n"
    "A,2024-01-03,zero\n"
    "B,2024-01-02,2\n"
    "a,2024-01-02,3\n"
    'A,2024-01-04,"4\n'
    "A,2999-01-01,5\n"
    "A,2024-01-02,1\n"
    f"{'A' * 70_000}\n"
    "C,2024-01-02,6"
)
REASONS = [
    (3, "the close 'zero' is not a plain decimal number"),
    (6, "the quotation marks or line ends are wrong (unexpected end of data)"),
    (7, "the date 2999-01-01 is in the future"),
    (9, "it is longer than 65536 bytes"),
    (5, "line 2 has the same symbol and date"),
    (8, "line 2 has the same symbol and date"),
]


def test_nothing_is_loaded_when_any_line_is_bad(owner_url: str, importing: Import) -> None:
    assert importing(BAD) == (PriceImportReport(False, 9, 6, 0, 0, 0, 0, 0), REASONS)
    assert [count(owner_url, table) for table in ("instruments", "price_bars", "quotes")] == [0, 0, 0]


def test_bad_lines_are_skipped_on_request(owner_url: str, importing: Import) -> None:
    assert importing(BAD, skip_bad=True) == (PriceImportReport(True, 9, 6, 3, 0, 0, 3, 3), REASONS)
    assert [(row[0], row[5]) for row in rows(owner_url, BARS)] == [("A", 1), ("B", 2), ("C", 6)]


def test_raw_closes_do_not_get_among_adjusted_ones(owner_url: str, importing: Import) -> None:
    importing("symbol,date,close\nA,2024-01-02,1\n")
    rows(owner_url, "UPDATE instruments SET price_basis = 'ADJUSTED'")
    report, bad = importing(
        "symbol,date,close,adj close\nA,2024-01-03,2,\nA,2024-01-04,2,1.5\n", skip_bad=True
    )
    assert bad == [(3, "A's closes are adjusted for dividends; give the adjusted close as the close")]
    assert report.inserted == 1
    assert rows(owner_url, BARS)[-1] == ("A", "2024-01-03", None, None, None, 2, 2, None)


SPLITS = (
    "SELECT symbol, ex_date::text, trim_scale(quantity), trim_scale(split_for) FROM instrument_splits s "
    "JOIN instruments i ON i.id = s.instrument_id ORDER BY symbol, ex_date"
)


def test_a_column_of_splits(owner_url: str, importing: Import) -> None:
    file = (
        "symbol,date,close,split\nA,2024-01-02,30,\nA,2024-01-03,8.34,4:1\nA,2024-06-03,3,0.3333\n"
        "B,2024-01-02,5,1\nB,2024-01-03,2,5/2\nC,2024-01-02,1,2-for-1\n"
    )
    assert importing(file)[0].splits_added == 4
    known = [
        ("A", "2024-01-03", 4, 1),
        ("A", "2024-06-03", 1, 3),
        ("B", "2024-01-03", 5, 2),
        ("C", "2024-01-02", 2, 1),
    ]
    assert rows(owner_url, SPLITS) == known
    # Nobody is there to hold anything.
    assert count(owner_url, "split_work") == 0
    # Again, and the same split under a day near by: nothing is new. Another ratio of that day is refused.
    assert importing(file)[0].splits_added == 0
    assert importing("symbol,date,close,split\nA,2024-01-08,8,4\n")[0].splits_added == 0
    report, bad = importing("symbol,date,close,split\nA,2024-01-03,8.34,5\n")
    assert (report.loaded, bad) == (False, [(2, "the split already recorded for that day is 4-for-1")])
    assert rows(owner_url, SPLITS) == known


def test_what_a_file_is_adjusted_for(owner_url: str, importing: Import) -> None:
    importing("symbol,date,close\nA,2024-01-02,1\n", basis=PriceBasis.SPLIT_ADJUSTED)
    assert rows(owner_url, "SELECT symbol, price_basis FROM instruments") == [("A", "SPLIT_ADJUSTED")]
    # Without a word more goes on as it is; another kind is never mixed in.
    assert importing("symbol,date,close\nA,2024-01-03,1\n")[0].inserted == 1
    report, bad = importing(
        "symbol,date,close\nA,2024-01-04,1\nB,2024-01-04,1\n", basis=PriceBasis.RAW, skip_bad=True
    )
    assert bad == [(2, "A's stored closes are adjusted for splits; import these with --basis split-adjusted")]
    assert report.inserted == 1


def test_gzip(owner_url: str, importing: Import) -> None:
    packed = gzip.compress(b"symbol,date,close\nA,2024-01-02,1\n")
    assert importing(packed)[0].inserted == 1
    with pytest.raises(
        PriceFileError, match=r"^prices\.csv is a broken gzip file: a part of it is missing or"
    ):
        importing(packed[:-9])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "prices.csv is empty."),
        (gzip.compress(b"", mtime=0), "prices.csv is empty."),
        (b"\n", "prices.csv: the first line is empty and should name the columns."),
        (b"symbol,date,close\n\n", "prices.csv has headers, but no prices."),
        (
            "symbol,date,close\n".encode("utf-16"),
            "prices.csv is not UTF-8 (line 1): save it in that encoding.",
        ),
        (
            b"symbol,date,close\nA,2024-01-02,1\n\xc4,2024-01-02,1\n",
            "prices.csv is not UTF-8 (line 3): save it in that encoding.",
        ),
        (
            "symbol,date,close\n".encode("utf-16-le"),
            "prices.csv: the first line does not name the columns: there is a NUL character in it.",
        ),
    ],
)
def test_files_that_cannot_be_imported(
    owner_url: str, importing: Import, content: bytes, message: str
) -> None:
    with pytest.raises(PriceFileError) as caught:
        importing(content, skip_bad=True)
    assert str(caught.value) == message
    assert count(owner_url, "price_bars") == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.csv", "There is no file {}."),
        ("folder", "{} is a directory."),
        ("pipe", "{} is not a regular file."),
    ],
)
def test_paths_that_are_no_files(owner_url: str, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    with pytest.raises(PriceFileError) as caught:
        import_prices(
            owner_url, path, skip_bad=False, progress=lambda *step: None, report_bad=lambda line, reason: None
        )
    assert str(caught.value) == message.format(path)


def test_a_database_out_of_reach_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("symbol,date,close\nA,2024-01-02,1\n")
    nowhere = f"postgresql://nobody@/none?host={tmp_path}"
    with pytest.raises(OSError, match=r"\.s\.PGSQL|No such file"):
        import_prices(nowhere, path, skip_bad=False, progress=print, report_bad=print)


@pytest.mark.parametrize("currency", ["usd", "EURO", "", "EUR\n", "XX", "XXQ"])
def test_a_currency_that_is_none(owner_url: str, tmp_path: Path, currency: str) -> None:
    with pytest.raises(PriceFileError, match=rf"^--currency: {currency} is not a currency code of ISO"):
        import_prices(
            owner_url, tmp_path, skip_bad=False, progress=print, report_bad=print, currency=currency
        )


def test_memory_does_not_grow_with_the_file(owner_url: str, importing: Import, tmp_path: Path) -> None:
    first = dt.date(1950, 1, 1)
    content = "symbol,date,close\n" + "".join(
        f"S{number % 4},{first + dt.timedelta(number // 4)},1.25\n" for number in range(60_000)
    )
    path = tmp_path / "long.csv"
    path.write_text(content)
    steps: list[tuple[str, int, int]] = []
    tracemalloc.start()
    report = import_prices(
        owner_url,
        path,
        skip_bad=False,
        progress=lambda *step: steps.append(step),
        report_bad=lambda line, reason: None,
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All bars at once would take some 30 MB.
    assert peak < 8_000_000
    assert (report.inserted, report.instruments_added) == (60_000, 4)
    size = len(content)
    assert steps[-3:] == [
        ("Reading prices", size, size),
        ("Storing price bars", 0, 1),
        ("Storing price bars", 1, 1),
    ]
    assert len(steps) == 15
    assert [done for what, done, _ in steps if what == "Reading prices"] == sorted(
        done for what, done, _ in steps if what == "Reading prices"
    )


def test_bars_of_ones_own(owner_url: str, superuser_url: str, importing: Import) -> None:
    """Of two with one symbol each has their own bars, and nobody's touch those of a shared one."""
    users = [uuid4(), uuid4()]
    for id in users:
        rows(
            superuser_url,
            "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, '')",
            id,
            str(id),
        )
    importing("symbol,date,close\nABC,2024-01-02,1\n")
    for id, close in zip(users, ("10", "20"), strict=True):
        report, bad = importing(f"symbol,date,close\nHOUSE,2024-01-02,{close}\n", owner_id=id)
        assert (report, bad) == (PriceImportReport(True, 1, 0, 1, 0, 0, 1, 1), [])
    again, _ = importing("symbol,date,close\nHOUSE,2024-01-02,21\n", owner_id=users[1])
    assert again == PriceImportReport(True, 1, 0, 0, 1, 0, 0, 1)
    with pytest.raises(PriceFileError, match=r"^ABC is a shared instrument: .* Nothing was loaded\.$"):
        importing("symbol,date,close\nABC,2024-01-02,9\nNEW,2024-01-02,9\n", owner_id=users[0])
    found = rows(
        superuser_url,
        "SELECT i.symbol, i.owner_id, b.close, b.owner_id, q.price, q.owner_id FROM instruments i "
        "JOIN price_bars b ON b.instrument_id = i.id JOIN quotes q ON q.instrument_id = i.id "
        "ORDER BY b.close",
    )
    one, other = users
    assert found == [
        ("ABC", None, 1, None, 1, None),
        ("HOUSE", one, 10, one, 10, one),
        ("HOUSE", other, 21, other, 21, other),
    ]
    assert rows(owner_url, "SELECT symbol FROM instruments") == [("ABC",)]

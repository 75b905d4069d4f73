"""Guess which format a file is in, by its first characters and by its headers."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from investing.trading.formats import fidelity, ghostfolio_csv, ib_activity, schwab
from investing.trading.formats.csv_rows import REQUIRED, read_csv
from investing.trading.formats.csv_tables import find_header
from investing.trading.formats.files import Reader, TransactionFileError
from investing.trading.formats.ghostfolio import read_ghostfolio
from investing.trading.formats.own_columns import read_own_columns


class Format(StrEnum):
    """The formats that can be read."""

    CSV = "csv"
    GHOSTFOLIO = "ghostfolio"
    GHOSTFOLIO_CSV = "ghostfolio-csv"
    IBFLEX = "ibflex"
    IB_ACTIVITY = "ib-activity"
    SCHWAB = "schwab"
    FIDELITY = "fidelity"
    OFX = "ofx"
    COLUMNS = "columns"


_BEGINNINGS: Final[Mapping[bytes, Format]] = {
    b"OFXHEADER": Format.OFX,
    b"<?OFX": Format.OFX,
    b"<OFX>": Format.OFX,
    b"{": Format.GHOSTFOLIO,
}
_NO_TEXT: Final[Mapping[bytes, str]] = {
    b"PK\x03\x04": "a spreadsheet or an archive: save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet: save the table as CSV",
    b"%PDF": "a PDF: download the same as CSV or OFX",
}
_HEAD = 64 * 1024
"""Bytes within which a table has its header."""


def guess(data: bytes) -> Format:
    """Return the format that the content looks like.

    Content that is not UTF-8 counts as CSV, whose reader reports it. Raise TransactionFileError, which names
    the formats, if it looks like none.
    """
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, what in _NO_TEXT.items():
        if start.startswith(beginning):
            raise TransactionFileError(f"The file is {what}.")
    for beginning, format in _BEGINNINGS.items():
        if start.startswith(beginning):
            return format
    if start.startswith(b"<"):
        return Format.OFX if b"<?OFX" in start else Format.IBFLEX
    return _guess_table(data[:_HEAD])


def _guess_table(data: bytes) -> Format:
    try:
        # The last line may be cut in two, and in the middle of a character.
        text = data.decode("utf-8-sig", "strict" if len(data) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return Format.CSV
    if text.lstrip().startswith(ib_activity.START):
        return Format.IB_ACTIVITY
    tables = {
        Format.SCHWAB: (schwab.HEADERS,),
        Format.FIDELITY: (fidelity.HEADERS,),
        Format.GHOSTFOLIO_CSV: ghostfolio_csv.HEADERS,
    }
    for format, alternatives in tables.items():
        if any(find_header(text, headers) for headers in alternatives):
            return format
    first = text.lstrip().partition("\n")[0].casefold()
    if any(name.replace("_", "") in first.replace("_", "").replace(" ", "") for name in REQUIRED):
        return Format.CSV
    raise TransactionFileError(
        f"It looks like none of the formats that are known ({', '.join(Format)}). If it is CSV, name its "
        "columns with --columns."
    )


def reader_of(format: Format) -> Reader:
    """Return the reader of the format.

    Readers of statements take a while to import, so only the one that is needed is imported.
    """
    match format:
        case Format.IBFLEX:
            from investing.trading.formats.flex import read_flex

            return read_flex
        case Format.OFX:
            from investing.trading.formats.ofx import read_ofx

            return read_ofx
        case _:
            return _READERS[format]


_READERS: Final[Mapping[Format, Reader]] = {
    Format.CSV: read_csv,
    Format.GHOSTFOLIO: read_ghostfolio,
    Format.GHOSTFOLIO_CSV: ghostfolio_csv.read_ghostfolio_csv,
    Format.IB_ACTIVITY: ib_activity.read_ib_activity,
    Format.SCHWAB: schwab.read_schwab,
    Format.FIDELITY: fidelity.read_fidelity,
    Format.COLUMNS: read_own_columns,
}

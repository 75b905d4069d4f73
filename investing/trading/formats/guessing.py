"""Which format a file is in, by its first characters."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from investing.trading.formats.csv_rows import read_csv
from investing.trading.formats.files import Reader
from investing.trading.formats.ghostfolio import read_ghostfolio


class Format(StrEnum):
    """The formats that can be read."""

    CSV = "csv"
    GHOSTFOLIO = "ghostfolio"
    IBFLEX = "ibflex"
    OFX = "ofx"


_BEGINNINGS: Final[Mapping[bytes, Format]] = {
    b"OFXHEADER": Format.OFX,
    b"<?OFX": Format.OFX,
    b"<OFX>": Format.OFX,
    b"{": Format.GHOSTFOLIO,
}


def guess(data: bytes) -> Format:
    """The format that the content looks like; CSV where it looks like none of the others."""
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, format in _BEGINNINGS.items():
        if start.startswith(beginning):
            return format
    if start.startswith(b"<"):
        return Format.OFX if b"<?OFX" in start else Format.IBFLEX
    return Format.CSV


def reader_of(format: Format) -> Reader:
    """The reader of the format. Those of statements take a while to import, which nobody else waits for."""
    match format:
        case Format.CSV:
            return read_csv
        case Format.GHOSTFOLIO:
            return read_ghostfolio
        case Format.IBFLEX:
            from investing.trading.formats.flex import read_flex

            return read_flex
        case Format.OFX:
            from investing.trading.formats.ofx import read_ofx

            return read_ofx

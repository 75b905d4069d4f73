"""Load a file of transactions whole: plain or gzip, and never larger than memory can take."""

import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from investing.rules.errors import shortened
from investing.rules.trading.import_rows import Parsed

LARGEST = 64 * 1024 * 1024
"""In bytes, unpacked. A ledger of 500,000 transactions is about this long."""

_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class TransactionFileError(Exception):
    """A file that cannot be imported at all; the message is one line that says why."""


@dataclass(frozen=True)
class Options:
    """What the user says of a file that it does not say itself.

    `account` is the one to read of a file that has several, by its number or name. `columns` are for CSV that
    no reader knows: what each column holds, by its header; `date_format` is how it writes dates (as
    `strptime` has it), and `decimal_comma` says that 1.234,5 is 1234.5.
    """

    account: str | None = None
    columns: Mapping[str, str] | None = None
    date_format: str | None = None
    decimal_comma: bool = False


NO_OPTIONS = Options()


class Reader(Protocol):
    """Reads the bytes of a file into rows, in the order of the file.

    It raises TransactionFileError.
    """

    def __call__(self, data: bytes, options: Options = NO_OPTIONS) -> Iterator[Parsed]: ...


def load(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of the file, unpacked.

    Raise TransactionFileError if it cannot be read, or has no bytes or too many.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise TransactionFileError(
                f"{path} is {'a directory' if path.is_dir() else 'no ordinary file'}."
                if path.exists()
                else f"There is no file {path}."
            )
        with path.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            data = (gzip.GzipFile(fileobj=file) if packed else file).read(LARGEST + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise TransactionFileError(f"{path.name} is a broken gzip file.") from None
    except OSError as error:
        raise TransactionFileError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    if len(data) > LARGEST:
        raise TransactionFileError(f"{path.name} has more than {LARGEST // 2**20} MiB: import it in parts.")
    if not data.strip():
        raise TransactionFileError(f"{path.name} is empty.")
    return data


def decode(data: bytes) -> str:
    """Decode UTF-8 with or without a byte order mark.

    Raise TransactionFileError that names the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        other = "UTF-16" if data.startswith(_UTF_16) else "an older one, such as Windows-1252"
        raise TransactionFileError(
            f"The file is not UTF-8 (line {line}) but perhaps {other}: save it in UTF-8."
        ) from None


def shown(text: str) -> str:
    """Return any text quoted, on one line, and shortened."""
    return repr(shortened(text))

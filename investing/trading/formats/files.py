"""A file of transactions, read whole: plain or gzip, and never larger than memory can take."""

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from investing.rules.import_rows import Parsed

LARGEST = 64 * 1024 * 1024
"""Bytes, unpacked. A ledger of 500,000 transactions is about this long."""

_GZIP = b"\x1f\x8b"


class TransactionFileError(Exception):
    """A file that cannot be imported at all; the message is one line that says why."""


class Reader(Protocol):
    """Reads the bytes of a file into rows, in the order of the file. Raises TransactionFileError."""

    def __call__(self, data: bytes) -> Iterator[Parsed]: ...


def load(path: str | os.PathLike[str]) -> bytes:
    """The bytes of the file, unpacked. Raises TransactionFileError where there are none or too many."""
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
    """UTF-8 with or without a byte order mark. Raises TransactionFileError that names the line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TransactionFileError(
            f"The file is not UTF-8 (line {line}): save it in that encoding."
        ) from None


def shown(text: str) -> str:
    """Quoted, on one line, and not long, whatever it is."""
    return repr(text if len(text) <= 40 else text[:40] + "…")

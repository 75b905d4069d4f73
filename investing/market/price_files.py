"""A price file as numbered lines of text, whatever its size: gzip or plain, UTF-8, one line at a time."""

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

LONGEST_LINE = 64 * 1024
"""In bytes. Anything longer is not a line of prices, and must not fill the memory."""

_GZIP = b"\x1f\x8b"


class PriceFileError(Exception):
    """A file that cannot be imported at all; the message is one line that names it."""


class FileLine(NamedTuple):
    """One line, numbered from 1; `text` is None if it is longer than LONGEST_LINE."""

    number: int
    text: str | None


class PriceFile(NamedTuple):
    """An open file: its name, its lines, its size in bytes, and how many bytes have been read."""

    name: str
    lines: Iterator[FileLine]
    size: int
    position: Callable[[], int]


@contextmanager
def open_prices(path: str | os.PathLike[str]) -> Iterator[PriceFile]:
    """Open a price file.

    Raise PriceFileError if it is missing, not an ordinary file, empty, not UTF-8 or a broken archive; some of
    that shows only while the lines are read.
    """
    path = Path(path)
    with ExitStack() as stack:
        with _explained(path):
            if not stat.S_ISREG(path.stat().st_mode):
                raise PriceFileError(f"{path} is {'a directory' if path.is_dir() else 'not a regular file'}.")
            file = stack.enter_context(path.open("rb"))
            size = os.fstat(file.fileno()).st_size
            packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
        if size == 0:
            raise PriceFileError(f"{path.name} is empty.")
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        yield PriceFile(path.name, _lines(path, stream), size, file.tell)


def _lines(path: Path, stream: IO[bytes]) -> Iterator[FileLine]:
    number = 0
    with _explained(path):
        while raw := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(raw) > LONGEST_LINE:
                _skip_rest(stream, raw)
                yield FileLine(number, None)
            else:
                yield FileLine(number, _text(path, number, raw))


def _text(path: Path, number: int, raw: bytes) -> str:
    try:
        # A byte order mark is not part of the first header.
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise PriceFileError(f"{path.name} is not UTF-8 (line {number}): save it in that encoding.") from None


def _skip_rest(stream: IO[bytes], raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(LONGEST_LINE)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Convert the system's errors to one line; only around the file, as a database has such errors too."""
    try:
        yield
    except FileNotFoundError:
        raise PriceFileError(f"There is no file {path}.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise PriceFileError(
            f"{path.name} is a broken gzip file: a part of it is missing or wrong."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PriceFileError(f"{path.name} cannot be read: {reason}.") from None

"""The samples as the readers read them: rows of statements, written for these tests."""

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path

from investing.rules.trading.import_rows import BadRow, IgnoredRow, ImportRow, Parsed, entry_of_row
from investing.rules.trading.merging import cash_delta_of
from investing.trading.formats.guessing import guess, reader_of

SAMPLES = Path(__file__).parent / "samples"
NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def sample(name: str) -> bytes:
    """The bytes of a sample."""
    return (SAMPLES / name).read_bytes()


def read(data: bytes) -> list[Parsed]:
    """The rows of a file whose format is guessed."""
    return list(reader_of(guess(data))(data))


def good(rows: list[Parsed]) -> dict[str, ImportRow]:
    """The rows that can be posted in dollars, by what the file calls them; of two, the last."""
    found = [row for row in rows if isinstance(row, ImportRow) and row.currency == "USD"]
    return {row.source: row for row in found}


def cash(row: ImportRow) -> Decimal:
    """What the row does to cash."""
    return cash_delta_of(entry_of_row(row, uuid.uuid4(), NOW, "USD", "UTC"))


def bad(rows: list[Parsed]) -> list[tuple[int, str]]:
    """Line and message of each row that cannot be posted at all."""
    return [(row.line, str(row.domain_error)) for row in rows if isinstance(row, BadRow)]


def ignored(rows: list[Parsed]) -> list[int]:
    """The lines that move nothing, or say again what others say."""
    return [row.line for row in rows if isinstance(row, IgnoredRow)]

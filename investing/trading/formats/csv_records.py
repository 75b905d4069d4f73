"""Split CSV into records, so that an unreadable one does not spoil the others."""

import csv
from collections.abc import Iterator

from investing.rules.errors import InvalidInput

LONGEST_RECORD = 64 * 1024
"""In characters. A longer record is not a transaction, but has an unclosed quotation mark."""


def records_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield each record with the number of its first line; one continues while a quotation mark is open."""
    record, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        if not record:
            start = number
        record += line
        # Limited in length: an unclosed quotation mark must not consume the whole file.
        if record.count('"') % 2 and len(record) <= LONGEST_RECORD:
            record += "\n"
            continue
        yield start, record.removesuffix("\r")
        record = ""
    if record:
        yield start, record


def fields_of(record: str, delimiter: str = ",", *, trim: bool = False) -> list[str]:
    """Return the fields of a record; `trim` removes spaces before them.

    Raise InvalidInput if it is not CSV.
    """
    if "\0" in record:
        raise InvalidInput("There is a NUL character in it.")
    if len(record) > LONGEST_RECORD:
        raise InvalidInput("It is too long: is a quotation mark not closed?")
    try:
        found = list(csv.reader((record,), strict=True, delimiter=delimiter, skipinitialspace=trim))
    except csv.Error as error:
        raise InvalidInput(f"The quotation marks or line ends are wrong ({error}).") from None
    return found[0] if found else []

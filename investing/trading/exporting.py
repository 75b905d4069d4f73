"""A portfolio's ledger as CSV, which an import into an empty portfolio makes the same ledger again."""

from collections.abc import AsyncIterator
from uuid import UUID

from db.canonical import instant
from db.sessions import Row, Sessions
from db.trading import imports
from db.vocabulary import TransactionType
from investing.trading.bulk import Progress
from investing.trading.formats.csv_rows import COLUMNS


def _quiet(step: str, done: int, total: int) -> None:
    """Reports nothing."""


async def export_csv(
    sessions: Sessions, owner_id: UUID, portfolio_id: UUID, progress: Progress = _quiet
) -> AsyncIterator[str]:
    """The ledger in pieces of a few thousand lines, read by pages of one snapshot; the header comes first.

    The header alone where nothing is recorded, and where the owner has no such portfolio: whoever asks must
    have checked that.
    """
    yield ",".join(COLUMNS) + "\n"
    async with sessions.reading(owner_id) as connection:
        total = await imports.count_ledger(connection, owner_id, portfolio_id)
        done = 0
        async for rows in imports.ledger_pages(connection, owner_id, portfolio_id):
            yield "".join(map(_line, rows))
            done += len(rows)
            progress("Writing transactions", done, total)


def _line(row: Row) -> str:
    # The ledger keeps zero for a split's amount, which a split is not given.
    amount = "" if row["type"] == TransactionType.SPLIT else row["amount"]
    fields = (
        row["type"],
        row["symbol"] or "",
        row["quantity"] or "",
        row["price"] or "",
        amount,
        row["commission"],
        row["split_for"] or "",
        instant(row["executed_at"]),
        _quoted(row["notes"] or ""),
    )
    return ",".join(fields) + "\n"


def _quoted(notes: str) -> str:
    """The one field that can hold a comma, a quotation mark or the end of a line."""
    return notes and '"' + notes.replace('"', '""') + '"'

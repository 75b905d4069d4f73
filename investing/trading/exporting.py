"""Export a portfolio's ledger as CSV, which an import into an empty portfolio turns into the same ledger."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.canonical import instant
from db.sessions import Connection, Row, Sessions
from db.trading import imports
from db.vocabulary import TransactionType
from investing.background import run_apart
from investing.rules.trading.ordering import order_key
from investing.trading.bulk import Progress
from investing.trading.formats.csv_rows import COLUMNS, PLACE

_NUMBERS = ("quantity", "price", "amount", "commission", "split_for")


def _quiet(step: str, done: int, total: int) -> None:
    """Report nothing."""


async def export_csv(
    sessions: Sessions, owner_id: UUID, portfolio_id: UUID, progress: Progress = _quiet
) -> AsyncIterator[str]:
    """Yield the ledger in pieces of a few thousand lines, the header first.

    It is read by pages of one snapshot. Yield only the header if nothing is recorded, and if the owner has no
    such portfolio: the caller must have checked that. There is a column `place` if rows of one instant have
    another order than an import would give them.
    """
    async with sessions.reading(owner_id) as connection, imports.snapshot(connection):
        unordered = await _unordered(connection, owner_id, portfolio_id)
        yield ",".join((*COLUMNS, PLACE) if unordered else COLUMNS) + "\n"
        total = await imports.count_ledger(connection, owner_id, portfolio_id)
        done = 0
        places = _Places(unordered)
        async for rows in imports.ledger_pages(connection, owner_id, portfolio_id):
            yield await run_apart(owner_id, _lines, rows, places)
            done += len(rows)
            progress("Writing transactions", done, total)


async def _unordered(connection: Connection, owner_id: UUID, portfolio_id: UUID) -> set[dt.datetime]:
    """Return the instants whose rows have another order than that of `rules.ordering`."""
    found: set[dt.datetime] = set()
    instant, before = None, None
    async for row in imports.crowded(connection, owner_id, portfolio_id):
        key = order_key(row["type"], row["symbol"], row["notes"], *(_number(row, name) for name in _NUMBERS))
        if row["executed_at"] != instant:
            instant = row["executed_at"]
        elif before is not None and key < before:
            found.add(row["executed_at"])
        before = key
    return found


def _number(row: Row, name: str) -> Decimal | None:
    value: Any = row[name]
    return None if value is None else Decimal(value)


class _Places:
    """Number the rows of the instants that need it, from 1 on; for all others the field is empty."""

    def __init__(self, unordered: set[dt.datetime]) -> None:
        self._unordered = unordered
        self._instant: dt.datetime | None = None
        self._last = 0

    def of(self, row: Row) -> str:
        """Return the field with its comma; an empty text if no row has a place."""
        if not self._unordered:
            return ""
        if row["executed_at"] not in self._unordered:
            return ","
        self._last = self._last + 1 if row["executed_at"] == self._instant else 1
        self._instant = row["executed_at"]
        return f",{self._last}"


def _lines(rows: Sequence[Row], places: _Places) -> str:
    return "".join(f"{_line(row)}{places.of(row)}\n" for row in rows)


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
    return ",".join(fields)


def _quoted(notes: str) -> str:
    """Quote the one field that can contain a comma, a quotation mark or a line break."""
    return notes and '"' + notes.replace('"', '""') + '"'

"""Identify the instrument of a row by its symbol, by the user's symbol map, or by its ISIN or CUSIP."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from db.trading import imports
from db.writing import RawConnection
from investing.rules.errors import InvalidInput
from investing.rules.names import checked_symbol
from investing.rules.trading.identifiers import isins_of
from investing.rules.trading.import_rows import BadRow, ImportRow, Parsed


def mapped(rows: Iterable[Parsed], symbols: Mapping[str, str]) -> list[Parsed]:
    """Return the rows with the symbols that the map has for their identifiers, or for their symbols."""
    return [_mapped(row, symbols) if isinstance(row, ImportRow) else row for row in rows]


def _mapped(row: ImportRow, symbols: Mapping[str, str]) -> ImportRow:
    known = (*row.identifiers, *(() if row.symbol is None else (row.symbol,)))
    found = next((symbols[key] for id in known if (key := id.strip().upper()) in symbols), None)
    return row if found is None else replace(row, symbol=found, identifiers=())


async def identified(connection: RawConnection, owner_id: UUID, rows: Sequence[Parsed]) -> list[Parsed]:
    """Return the rows with normalized symbols; find missing symbols by ISIN or CUSIP.

    A row that names an instrument by an unknown identifier is refused.
    """
    nameless = [row for row in rows if isinstance(row, ImportRow) and not row.symbol]
    isins = sorted({isin for row in nameless for id in row.identifiers for isin in isins_of(id)})
    known = await imports.find_by_isin(connection, owner_id, isins) if isins else {}
    return [_identified(row, known) if isinstance(row, ImportRow) else row for row in rows]


def _identified(row: ImportRow, known: Mapping[str, str]) -> Parsed:
    if row.symbol:
        # What is no symbol is refused here, without a query to the database.
        try:
            symbol = checked_symbol(row.symbol)
        except InvalidInput as domain_error:
            return BadRow(row.line, domain_error, row.source)
        return row if symbol == row.symbol else replace(row, symbol=symbol)
    if not row.identifiers:
        return row if row.symbol is None else replace(row, symbol=None)
    found = (known[isin] for id in row.identifiers for isin in isins_of(id) if isin in known)
    if (symbol := next(found, "")) != "":
        return replace(row, symbol=symbol)
    return BadRow(
        row.line,
        InvalidInput(
            f"The file has no symbol for {row.identifiers[0]}: say it in a file for --map-symbols, with the "
            "columns identifier and symbol.",
            ("symbol",),
        ),
        row.source,
    )

"""Reads and writes of imports, and of exports, which read a whole ledger by pages."""

import datetime as dt
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from db.market.symbols import MEANT
from db.models import Portfolio
from db.sessions import Connection, Row, Session
from db.trading.ledger_reads import InstrumentRow
from db.write_batch import WriteBatch
from db.writing import RawConnection

CHUNK = 5000

_INSTRUMENTS = f"""
SELECT i.id, i.symbol, i.currency, i.price_basis FROM {MEANT.format(symbols="$2::text[]", owner="$1")} i
"""


async def find_instruments(
    connection: RawConnection, owner_id: UUID, symbols: Sequence[str]
) -> dict[str, InstrumentRow]:
    """Return the instruments that these symbols mean to the owner, by symbol."""
    rows = await connection.fetch(_INSTRUMENTS, owner_id, list(symbols))
    return {row["symbol"]: InstrumentRow(**row) for row in rows}


async def find_by_isin(connection: RawConnection, owner_id: UUID, isins: Sequence[str]) -> dict[str, str]:
    """Return the symbols of the instruments with these ISINs that this owner can see, by ISIN.

    One of the owner's own takes precedence over a shared one. An ISIN of several instruments, such as two
    listings of one share, identifies none of them.
    """
    rows = await connection.fetch(
        "SELECT isin, owner_id, symbol FROM instruments "
        "WHERE isin = ANY($2::text[]) AND (owner_id IS NULL OR owner_id = $1)",
        owner_id,
        list(isins),
    )
    found: dict[str, dict[bool, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["isin"]][row["owner_id"] is not None].append(row["symbol"])
    meant = {isin: by_own.get(True) or by_own[False] for isin, by_own in found.items()}
    return {isin: symbols[0] for isin, symbols in meant.items() if len(symbols) == 1}


async def time_zone_of(connection: RawConnection, owner_id: UUID, portfolio_id: UUID) -> str | None:
    """Return the IANA time zone of the portfolio's account; None where the owner has no such portfolio."""
    time_zone: str | None = await connection.fetchval(
        "SELECT a.time_zone FROM portfolios p JOIN accounts a ON a.owner_id = $1 AND a.id = p.account_id "
        "WHERE p.owner_id = $1 AND p.id = $2",
        owner_id,
        portfolio_id,
    )
    return time_zone


class RecordedRow(NamedTuple):
    """A recorded transaction's content, and whether its import was reversed.

    The amount of shares from another portfolio is what they cost, as it is in an export.
    """

    type: str
    instrument_id: UUID | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal
    commission: Decimal
    split_for: Decimal | None
    executed_at: dt.datetime
    is_undone: bool


# A transfer from another portfolio has its number of shares as they are here, at their cost.
_MOVED = "t.type = 'TRANSFER_IN' AND t.transfer_id IS NOT NULL AND t.instrument_id IS NOT NULL"
_QUANTITY = f"CASE WHEN {_MOVED} THEN t.quantity_delta ELSE t.quantity END AS quantity"
_AMOUNT = f"CASE WHEN {_MOVED} THEN t.cost_delta ELSE t.amount END AS amount"

_RECORDED = f"""
SELECT t.type, t.instrument_id, {_QUANTITY}, t.price, {_AMOUNT}, t.commission, t.split_for, t.executed_at,
       m.reversed_at IS NOT NULL AS is_undone
FROM transactions t LEFT JOIN imports m ON m.owner_id = $1 AND m.id = t.import_id
WHERE t.owner_id = $1 AND t.portfolio_id = $2 AND t.reverses_id IS NULL
"""
_RECORDED_AT = f"{_RECORDED} AND t.executed_at = ANY($3::timestamptz[])"
_RECORDED_BETWEEN = f"{_RECORDED} AND t.executed_at BETWEEN $3 AND $4"


async def recorded_at(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID, instants: Sequence[dt.datetime]
) -> Sequence[RecordedRow]:
    """Return what the portfolio has on its ledger at exactly these instants, including reversed entries.

    Importing a reversed entry again does not restore it, unless its whole import was reversed.
    """
    rows = await connection.fetch(_RECORDED_AT, owner_id, portfolio_id, list(instants))
    return [RecordedRow(**row) for row in rows]


async def recorded_between(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID, first: dt.datetime, last: dt.datetime
) -> Sequence[RecordedRow]:
    """Return the same from one instant to another, both included."""
    rows = await connection.fetch(_RECORDED_BETWEEN, owner_id, portfolio_id, first, last)
    return [RecordedRow(**row) for row in rows]


class CashMove(NamedTuple):
    """A transaction's effect on a portfolio's cash."""

    executed_at: dt.datetime
    cash_delta: Decimal


_MOVES = """
SELECT t.executed_at, t.cash_delta FROM transactions t
WHERE t.owner_id = $1 AND t.portfolio_id = $2 AND t.executed_at > $3 AND t.reverses_id IS NULL
    AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
ORDER BY t.executed_at, t.id
"""


async def cash_moves_after(
    connection: RawConnection, owner_id: UUID, portfolio_id: UUID, since: dt.datetime
) -> Sequence[CashMove]:
    """Return the portfolio's later cash deltas, in the ledger's order, without reversed entries."""
    rows = await connection.fetch(_MOVES, owner_id, portfolio_id, since)
    return [CashMove(**row) for row in rows]


def add_import(parts: WriteBatch, values: Mapping[str, Any]) -> None:
    """Add an import, with or before its transactions."""
    parts.insert("imports", values)


async def find_report(connection: RawConnection, owner_id: UUID, id: UUID) -> Any:
    """Return the report of an import through the API, as JSON."""
    sql = "SELECT report FROM imports WHERE owner_id = $1 AND id = $2"
    return await connection.fetchval(sql, owner_id, id)


async def find_portfolios(session: Session, owner_id: UUID, name: str) -> Sequence[UUID]:
    """Return the portfolios of the owner that have this name, each in an account of its own."""
    statement = select(Portfolio.id).where(Portfolio.owner_id == owner_id, Portfolio.name == name)
    return (await session.execute(statement.order_by(Portfolio.id))).scalars().all()


async def has_portfolio(session: Session, owner_id: UUID, id: UUID) -> bool:
    """Return whether the owner has a portfolio with this id."""
    statement = select(Portfolio.id).where(Portfolio.owner_id == owner_id, Portfolio.id == id)
    return (await session.execute(statement)).first() is not None


# A reversed transaction and its reversal cancel out, and so are left out together.
_NOT_REVERSED = """
t.owner_id = $1 AND t.portfolio_id = $2 AND t.reverses_id IS NULL
AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
"""
_PAGE = f"""
SELECT t.id, t.type, i.symbol, {_QUANTITY}, t.price, {_AMOUNT}, t.commission, t.split_for, t.executed_at,
       t.notes
FROM transactions t LEFT JOIN instruments i ON i.id = t.instrument_id
WHERE {_NOT_REVERSED} AND (t.executed_at, t.id) > ($3, $4)
ORDER BY t.executed_at, t.id LIMIT {CHUNK}
"""
_EARLIEST = (dt.datetime.min.replace(tzinfo=dt.UTC), UUID(int=0))


def snapshot(connection: Connection) -> AbstractAsyncContextManager[Any]:
    """Return a context manager in which all reads see one snapshot."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


async def ledger_pages(
    connection: Connection, owner_id: UUID, portfolio_id: UUID
) -> AsyncIterator[Sequence[Row]]:
    """Yield the portfolio's transactions in the ledger's order, a few thousand at a time, of one snapshot."""
    async with snapshot(connection):
        after = _EARLIEST
        while rows := await connection.fetch(_PAGE, owner_id, portfolio_id, *after):
            yield rows
            after = (rows[-1]["executed_at"], rows[-1]["id"])


_CROWDED = f"""
SELECT executed_at, type, symbol, notes, quantity, price, amount, commission, split_for
FROM (SELECT t.id, t.executed_at, t.type, i.symbol, t.notes, {_QUANTITY}, t.price, t.amount, t.commission,
             t.split_for, count(*) OVER (PARTITION BY t.executed_at) AS together
      FROM transactions t LEFT JOIN instruments i ON i.id = t.instrument_id WHERE {_NOT_REVERSED}) t
WHERE together > 1 ORDER BY executed_at, id
"""


async def crowded(connection: Connection, owner_id: UUID, portfolio_id: UUID) -> AsyncIterator[Row]:
    """Yield the portfolio's transactions that share their instant with others, in the ledger's order."""
    async with snapshot(connection):
        async for row in connection.cursor(_CROWDED, owner_id, portfolio_id, prefetch=CHUNK):
            yield row


async def count_ledger(connection: Connection, owner_id: UUID, portfolio_id: UUID) -> int:
    """Return how many transactions `ledger_pages` yields."""
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM transactions t WHERE {_NOT_REVERSED}", owner_id, portfolio_id
    )
    return count

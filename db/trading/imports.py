"""Imports and exports: what many new transactions meet, written in bulk, and a whole ledger read by pages."""

import datetime as dt
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, and_, case, insert, or_, select
from sqlalchemy.orm import aliased

from db.market.symbols import meant
from db.models import Account, Import, Instrument, Portfolio, Transaction
from db.sessions import Connection, Row, Session
from db.vocabulary import TransactionType

CHUNK = 5000


async def find_instruments(session: Session, owner_id: UUID, symbols: Sequence[str]) -> dict[str, RowMapping]:
    """Return id, currency and price basis of the instruments that these symbols mean to the owner."""
    columns = (Instrument.symbol, Instrument.id, Instrument.currency, Instrument.price_basis)
    found = await session.execute(meant(owner_id, symbols).with_only_columns(*columns))
    return {row["symbol"]: row for row in found.mappings()}


async def find_by_isin(session: Session, owner_id: UUID, isins: Sequence[str]) -> dict[str, str]:
    """Return the symbols of the instruments with these ISINs that this owner can see, by ISIN.

    One of the owner's own goes before a shared one. An ISIN of several, such as two listings of one share,
    stands for none of them.
    """
    statement = select(Instrument.isin, Instrument.owner_id, Instrument.symbol).where(
        Instrument.isin.in_(isins), or_(Instrument.owner_id.is_(None), Instrument.owner_id == owner_id)
    )
    found: dict[str, dict[bool, list[str]]] = defaultdict(lambda: defaultdict(list))
    for isin, owner, symbol in await session.execute(statement):
        found[str(isin)][owner is not None].append(symbol)
    meant = {isin: by_own.get(True) or by_own[False] for isin, by_own in found.items()}
    return {isin: symbols[0] for isin, symbols in meant.items() if len(symbols) == 1}


async def time_zone_of(session: Session, owner_id: UUID, portfolio_id: UUID) -> str | None:
    """Return the IANA time zone of the portfolio's account; None where the owner has no such portfolio."""
    statement = (
        select(Account.time_zone)
        .join(Portfolio, and_(Portfolio.owner_id == owner_id, Portfolio.account_id == Account.id))
        .where(Account.owner_id == owner_id, Portfolio.id == portfolio_id)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def recorded_at(
    session: Session, owner_id: UUID, portfolio_id: UUID, instants: Sequence[dt.datetime]
) -> list[RowMapping]:
    """What the portfolio has on its ledger at exactly these instants, also what was reversed since: to import
    it again does not bring it back, unless its whole import was taken back, which `is_undone` says. The
    amount of shares from another portfolio is what they cost, as it is in an export.
    """
    rows: list[RowMapping] = []
    for start in range(0, len(instants), CHUNK):
        some = Transaction.executed_at.in_(instants[start : start + CHUNK])
        rows += (await session.execute(_recorded(owner_id, portfolio_id).where(some))).mappings().all()
    return rows


async def recorded_between(
    session: Session, owner_id: UUID, portfolio_id: UUID, first: dt.datetime, last: dt.datetime
) -> Sequence[RowMapping]:
    """Return the same from one instant to another, both included."""
    between = Transaction.executed_at.between(first, last)
    found = await session.execute(_recorded(owner_id, portfolio_id).where(between))
    return list(found.mappings())


def _recorded(owner_id: UUID, portfolio_id: UUID) -> Select[Any]:
    moved = and_(
        Transaction.type == TransactionType.TRANSFER_IN.value,
        Transaction.transfer_id.is_not(None),
        Transaction.instrument_id.is_not(None),
    )
    amount = case((moved, Transaction.cost_delta), else_=Transaction.amount).label("amount")
    quantity = case((moved, Transaction.quantity_delta), else_=Transaction.quantity).label("quantity")
    statement = select(
        Transaction.type,
        Transaction.instrument_id,
        quantity,
        Transaction.price,
        amount,
        Transaction.commission,
        Transaction.split_for,
        Transaction.executed_at,
        Import.reversed_at.is_not(None).label("is_undone"),
    )
    with_import = and_(Import.owner_id == owner_id, Import.id == Transaction.import_id)
    return statement.outerjoin(Import, with_import).where(
        Transaction.owner_id == owner_id,
        Transaction.portfolio_id == portfolio_id,
        Transaction.reverses_id.is_(None),
    )


async def cash_moves_after(
    session: Session, owner_id: UUID, portfolio_id: UUID, since: dt.datetime
) -> Sequence[tuple[dt.datetime, Decimal]]:
    """The portfolio's cash deltas later than that, in the ledger's order, without what was reversed."""
    reversal = aliased(Transaction)
    reversals = select(reversal.id).where(
        reversal.owner_id == owner_id, reversal.reverses_id == Transaction.id
    )
    statement = (
        select(Transaction.executed_at, Transaction.cash_delta)
        .where(
            Transaction.owner_id == owner_id,
            Transaction.portfolio_id == portfolio_id,
            Transaction.executed_at > since,
            Transaction.reverses_id.is_(None),
            ~reversals.exists(),
        )
        .order_by(Transaction.executed_at, Transaction.id)
    )
    return [(row.executed_at, row.cash_delta) for row in await session.execute(statement)]


async def insert_transactions(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds transactions, all with the same columns."""
    # Without that, rows are sent one by one wherever others of their columns are null than of the row before.
    options = {"render_nulls": True}
    await session.execute(insert(Transaction), [dict(row) for row in rows], execution_options=options)


async def insert_import(session: Session, values: Mapping[str, Any]) -> None:
    """Adds an import, before its transactions."""
    await session.execute(insert(Import).values(**values))


async def find_import(session: Session, owner_id: UUID, id: UUID) -> RowMapping:
    """What came of an import."""
    statement = select(Import.report).where(Import.owner_id == owner_id, Import.id == id)
    return (await session.execute(statement)).mappings().one()


async def find_portfolios(session: Session, owner_id: UUID, name: str) -> Sequence[UUID]:
    """The portfolios of the owner that have this name, each in an account of its own."""
    statement = select(Portfolio.id).where(Portfolio.owner_id == owner_id, Portfolio.name == name)
    return (await session.execute(statement.order_by(Portfolio.id))).scalars().all()


async def has_portfolio(session: Session, owner_id: UUID, id: UUID) -> bool:
    """Whether the owner has a portfolio of this id."""
    statement = select(Portfolio.id).where(Portfolio.owner_id == owner_id, Portfolio.id == id)
    return (await session.execute(statement)).first() is not None


# A transaction that was reversed and its reversal are together nothing, and so are left out together.
_NOT_REVERSED = """
t.owner_id = $1 AND t.portfolio_id = $2 AND t.reverses_id IS NULL
AND NOT EXISTS (SELECT FROM transactions r WHERE r.owner_id = $1 AND r.reverses_id = t.id)
"""
# What came in from another portfolio, as many shares as that made here, at what they cost.
_MOVED = "t.type = 'TRANSFER_IN' AND t.transfer_id IS NOT NULL AND t.instrument_id IS NOT NULL"
_QUANTITY = f"CASE WHEN {_MOVED} THEN t.quantity_delta ELSE t.quantity END AS quantity"

_PAGE = f"""
SELECT t.id, t.type, i.symbol, {_QUANTITY}, t.price,
       CASE WHEN {_MOVED} THEN t.cost_delta ELSE t.amount END AS amount, t.commission, t.split_for,
       t.executed_at, t.notes
FROM transactions t LEFT JOIN instruments i ON i.id = t.instrument_id
WHERE {_NOT_REVERSED} AND (t.executed_at, t.id) > ($3, $4)
ORDER BY t.executed_at, t.id LIMIT {CHUNK}
"""
_EARLIEST = (dt.datetime.min.replace(tzinfo=dt.UTC), UUID(int=0))


def snapshot(connection: Connection) -> AbstractAsyncContextManager[Any]:
    """Return what holds one snapshot for all that is read within it."""
    return connection.transaction(isolation="repeatable_read", readonly=True)


async def ledger_pages(
    connection: Connection, owner_id: UUID, portfolio_id: UUID
) -> AsyncIterator[Sequence[Row]]:
    """The portfolio's transactions in the ledger's order, a few thousand at a time, all of one snapshot."""
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
    """How many transactions `ledger_pages` gives."""
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM transactions t WHERE {_NOT_REVERSED}", owner_id, portfolio_id
    )
    return count

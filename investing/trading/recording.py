"""Recording what happened elsewhere: a transaction of today or of long ago."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db import locks
from db.ids import uuid7
from db.sessions import Session
from db.trading import quick
from db.trading.split_places import find_adjusted
from db.trading.splits import find_matched
from db.trading.writes import find_instrument, find_transaction, lock_account, lock_portfolio
from db.vocabulary import Topic, TransactionType
from db.write_batch import WriteBatch
from db.writing import RawConnection
from investing.actor import Actor
from investing.audit import add_note, note
from investing.idempotency import Intent, NotQuick, once_generally, once_quickly
from investing.rules.errors import (
    CurrencyMismatch,
    Inactive,
    InvalidInput,
    NotFound,
    PortfolioInactive,
    UnknownInstrument,
)
from investing.rules.trading.entries import check_notes, entry_of
from investing.rules.trading.ledger import SHARE_TYPES, Entry, overtaking
from investing.rules.trading.splits import first_affected
from investing.rules.warnings import Warning, same_split, warnings_of_entry
from investing.trading.adjusted import check_as_traded
from investing.trading.locking import lock_reached
from investing.trading.posting import CashLocation, post_entry
from investing.trading.quick import post_quickly


@dataclass(frozen=True)
class TransactionRequest:
    """A transaction as its owner tells it: of a portfolio, or of the account's unallotted cash without one.

    `account_id`, where both are given, is the portfolio's.
    """

    portfolio_id: UUID | None
    type: TransactionType
    symbol: str | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    commission: Decimal
    split_for: Decimal | None
    executed_at: dt.datetime
    notes: str | None
    account_id: UUID | None = None


@dataclass(frozen=True)
class RecordedTransaction:
    """A recorded transaction's id; its row with its symbol, if it is known already; and what is to be known.

    A split that is on the ledger already is recorded no second time: the transaction is the one there.
    """

    id: UUID
    row: Mapping[str, Any] | None = None
    warnings: Sequence[Warning] = ()


async def record_transaction(actor: Actor, record: TransactionRequest, idempotency_key: str) -> UUID:
    """Puts the transaction on the ledger, wherever in time it belongs. Its id. Raises as `recorded` does."""
    return (await recorded(actor, record, idempotency_key)).id


async def recorded(actor: Actor, record: TransactionRequest, idempotency_key: str) -> RecordedTransaction:
    """The same, and the row as it was written where that was just now and the quick way.

    Raises InvalidInput, NotFound, Inactive, PortfolioInactive, UnknownInstrument, CurrencyMismatch,
    InsufficientCash, InsufficientShares and IdempotencyMismatch.
    """
    check_notes(record.notes)
    # An account that was not named is no part of what a key stands for, nor was it when there was none.
    arguments = {name: value for name, value in vars(record).items() if (name, value) != ("account_id", None)}
    intent = Intent.of(actor.id, idempotency_key, "recordTransaction", arguments)
    if record.portfolio_id is None:
        return RecordedTransaction(
            await once_generally(actor.sessions, intent, lambda s: _of_account(s, actor, record))
        )
    try:
        return await _quickly(actor, record, record.portfolio_id, intent)
    except NotQuick:
        id = await once_generally(actor.sessions, intent, lambda s: _record(s, actor, record))
        return RecordedTransaction(id, warnings=await _warnings(actor, record, id))


async def _warnings(actor: Actor, record: TransactionRequest, id: UUID) -> Sequence[Warning]:
    """Return what is to be known of a transaction that was recorded the general way, now or before."""
    if record.type is not TransactionType.SPLIT:
        return ()
    async with actor.sessions.begin(actor.id) as session:
        row = await find_transaction(session, actor.id, id)
    is_other = row is not None and (row["is_automatic"] or row["executed_at"] != record.executed_at)
    return (same_split(record.symbol),) if is_other else ()


async def _quickly(
    actor: Actor, record: TransactionRequest, portfolio_id: UUID, intent: Intent
) -> RecordedTransaction:
    written: dict[UUID, Mapping[str, Any]] = {}
    bases: list[str | None] = []

    async def read(connection: RawConnection) -> Mapping[Any, Any]:
        row = await quick.for_entry(
            connection,
            actor.id,
            portfolio_id,
            intent.key,
            record.symbol,
            record.executed_at,
            overtaking(record.type),
        )
        bases[:] = [None if row is None else row["price_basis"]]
        return _checked_portfolio(row, record)

    async def decide(connection: RawConnection, row: Mapping[Any, Any], parts: WriteBatch) -> UUID:
        _check_active(row)
        instrument_id = None
        if record.symbol is not None:
            found = None if row["instrument_id"] is None else {"currency": row["instrument_currency"]}
            checked_instrument(record.symbol, found, row["currency"])
            instrument_id = row["instrument_id"]
        entry = _entry(record, has_symbol=instrument_id is not None)
        place = CashLocation.of_portfolio(actor.id, row)
        posted = await post_quickly(connection, parts, place, entry, row, notes=record.notes)
        pointing = {"order_id": None, "reverses_id": None, "import_id": None}
        written[entry.id] = {**posted, **pointing, "symbol": row["symbol"]}
        add_note(parts, actor.id, actor.client, *_noted(entry), type=record.type, symbol=record.symbol)
        return entry.id

    lock = locks.lock_portfolio(actor.id, portfolio_id)
    id = await once_quickly(actor.sessions, intent, lock, read, decide)
    actor.sessions.announce(actor.id, Topic.PORTFOLIOS)
    return RecordedTransaction(id, written.get(id), warnings_of_entry(record.type, record.symbol, bases[0]))


async def _of_account(session: Session, actor: Actor, record: TransactionRequest) -> UUID:
    """The same for an account's unallotted cash, where there is nothing but cash."""
    if record.account_id is None:
        raise InvalidInput(
            "Give the portfolioId, or the accountId for its unallotted cash.", ("portfolioId",)
        )
    if record.symbol is not None:
        raise InvalidInput(
            "An account's unallotted cash holds no shares: name the portfolio, or leave the symbol out.",
            ("symbol",),
        )
    account = await lock_account(session, actor.id, record.account_id)
    if account is None:
        raise NotFound("There is no such account.", ("accountId",))
    if not account["is_active"]:
        raise Inactive("The account is archived: restore it first.", ("accountId",))
    entry = _entry(record, has_symbol=False)
    await post_entry(session, CashLocation.of_account(actor.id, account), entry, notes=record.notes)
    await note(session, actor.id, actor.client, *_noted(entry), type=record.type, symbol=None)
    return entry.id


async def _record(session: Session, actor: Actor, record: TransactionRequest) -> UUID:
    assert record.portfolio_id is not None, "asked before"
    await _lock_reached(session, actor.id, record)
    locked = await lock_portfolio(session, actor.id, record.portfolio_id)
    portfolio = _checked_portfolio(locked, record)
    _check_active(portfolio)
    instrument_id = None
    if record.symbol is not None:
        instrument_id = await _instrument_id(session, actor.id, record.symbol, portfolio["currency"])
    entry = _entry(record, has_symbol=instrument_id is not None)
    if entry.type is TransactionType.SPLIT and instrument_id is not None:
        known = await _same_split(session, actor.id, record.portfolio_id, instrument_id, entry)
        if known is not None:
            return known
    place = CashLocation.of_portfolio(actor.id, portfolio)
    if entry.of_shares:
        adjusted = await find_adjusted(session, actor.id, record.portfolio_id)
        check_as_traded(entry, instrument_id, adjusted, place.time_zone)
    await post_entry(session, place, entry, instrument_id=instrument_id, notes=record.notes)
    await note(session, actor.id, actor.client, *_noted(entry), type=record.type, symbol=record.symbol)
    return entry.id


async def _same_split(
    session: Session, owner_id: UUID, portfolio_id: UUID, instrument_id: UUID, entry: Entry
) -> UUID | None:
    """Return the entry that the portfolio has of the split that this one is, None without one."""
    assert entry.quantity is not None, "a split has a quantity"
    assert entry.split_for is not None, "a split has a ratio"
    found = await find_matched(
        session, owner_id, portfolio_id, instrument_id, entry.executed_at, entry.quantity, entry.split_for
    )
    id: UUID | None = None if found is None else found["transaction_id"]
    return id


def _checked_portfolio(portfolio: Mapping[Any, Any] | None, record: TransactionRequest) -> Mapping[Any, Any]:
    if portfolio is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    if record.account_id not in (None, portfolio["account_id"]):
        raise NotFound("The account has no such portfolio.", ("portfolioId",))
    return portfolio


def _check_active(portfolio: Mapping[Any, Any]) -> None:
    if not portfolio["is_active"]:
        raise PortfolioInactive
    if not portfolio["account_is_active"]:
        raise Inactive("The portfolio's account is archived: restore it first.", ("portfolioId",))


def _entry(record: TransactionRequest, *, has_symbol: bool) -> Entry:
    return entry_of(
        uuid7(),
        record.type,
        record.executed_at,
        dt.datetime.now(dt.UTC),
        has_symbol=has_symbol,
        quantity=record.quantity,
        price=record.price,
        amount=record.amount,
        commission=record.commission,
        split_for=record.split_for,
    )


def _noted(entry: Entry) -> tuple[str, str, UUID]:
    return "transaction.recorded", "Transaction", entry.id


async def _lock_reached(session: Session, owner_id: UUID, record: TransactionRequest) -> None:
    """Locks, by id, what an entry of the past changes: also where its shares were transferred to since."""
    if record.symbol is not None and record.type in SHARE_TYPES:
        instrument = await find_instrument(session, owner_id, record.symbol)
        if instrument is not None and record.portfolio_id is not None:
            is_split = record.type is TransactionType.SPLIT
            start = first_affected(record.executed_at) if is_split else (record.executed_at, uuid7())
            starts = {record.portfolio_id: start}
            await lock_reached(session, owner_id, instrument["id"], starts)


async def _instrument_id(session: Session, owner_id: UUID, symbol: str, currency: str) -> UUID:
    instrument = checked_instrument(symbol, await find_instrument(session, owner_id, symbol), currency)
    found: UUID = instrument["id"]
    return found


def checked_instrument(symbol: str, instrument: Mapping[Any, Any] | None, currency: str) -> Mapping[Any, Any]:
    """The instrument, if a portfolio in this currency may hold it.

    Raises UnknownInstrument and CurrencyMismatch.
    """
    if instrument is None:
        raise UnknownInstrument(f"There is no instrument {symbol}.", ("symbol",), symbol=symbol)
    if instrument["currency"] != currency:
        raise CurrencyMismatch(
            f"{symbol} trades in {instrument['currency']}, the portfolio is in {currency}.",
            ("symbol",),
            expected=currency,
            actual=instrument["currency"],
        )
    return instrument

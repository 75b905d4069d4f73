"""Recording what happened elsewhere: a transaction of today or of long ago."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading.writes import find_instrument, lock_portfolio
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once
from investing.rules.entries import check_notes, entry_of
from investing.rules.ledger import SHARE_TYPES
from investing.rules.refusals import (
    CurrencyMismatch,
    Inactive,
    NotFound,
    PortfolioInactive,
    UnknownInstrument,
)
from investing.trading.locking import lock_reached
from investing.trading.posting import Place, post_entry


@dataclass(frozen=True)
class Record:
    """A transaction as its owner tells it."""

    portfolio_id: UUID
    type: TransactionType
    symbol: str | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    commission: Decimal
    split_for: Decimal | None
    executed_at: dt.datetime
    notes: str | None


async def record_transaction(actor: Actor, record: Record, idempotency_key: str) -> UUID:
    """Puts the transaction on the ledger, wherever in time it belongs. Its id.

    Raises InvalidInput, NotFound, PortfolioInactive, UnknownInstrument, CurrencyMismatch, InsufficientCash,
    InsufficientShares and IdempotencyMismatch.
    """
    check_notes(record.notes)

    async def effect(session: Session) -> UUID:
        return await _record(session, actor, record)

    return await once(actor.sessions, actor.id, idempotency_key, "recordTransaction", asdict(record), effect)


async def _record(session: Session, actor: Actor, record: Record) -> UUID:
    await _lock_reached(session, actor.id, record)
    portfolio = await lock_portfolio(session, actor.id, record.portfolio_id)
    if portfolio is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    if not portfolio["is_active"]:
        raise PortfolioInactive
    if not portfolio["account_is_active"]:
        raise Inactive("The portfolio's account is archived: restore it first.", ("portfolioId",))
    instrument_id = None
    if record.symbol is not None:
        instrument_id = await _instrument_id(session, record.symbol, portfolio["currency"])
    entry = entry_of(
        uuid7(),
        record.type,
        record.executed_at,
        dt.datetime.now(dt.UTC),
        has_symbol=instrument_id is not None,
        quantity=record.quantity,
        price=record.price,
        amount=record.amount,
        commission=record.commission,
        split_for=record.split_for,
    )
    place = Place.of_portfolio(actor.id, portfolio)
    await post_entry(session, place, entry, instrument_id=instrument_id, notes=record.notes)
    await note(
        session,
        actor.id,
        actor.client,
        "transaction.recorded",
        "Transaction",
        entry.id,
        type=record.type,
        symbol=record.symbol,
    )
    return entry.id


async def _lock_reached(session: Session, owner_id: UUID, record: Record) -> None:
    """Locks, by id, what an entry of the past changes: also where its shares were transferred to since."""
    if record.symbol is not None and record.type in SHARE_TYPES:
        instrument = await find_instrument(session, record.symbol)
        if instrument is not None:
            starts = {record.portfolio_id: (record.executed_at, uuid7())}
            await lock_reached(session, owner_id, instrument["id"], starts)


async def _instrument_id(session: Session, symbol: str, currency: str) -> UUID:
    instrument = checked_instrument(symbol, await find_instrument(session, symbol), currency)
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

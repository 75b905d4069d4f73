"""Shares between one's own portfolios: out here and in there, with their lots and their cost."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading.writes import find_instrument, insert_transaction
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once
from investing.rules.errors import CurrencyMismatch, InvalidInput, UnknownInstrument
from investing.rules.trading.entries import check_notes, entry_of
from investing.rules.trading.ledger import ZERO, Entry
from investing.trading.changes import HoldingChange
from investing.trading.holdings import load_holdings
from investing.trading.locking import check_active, lock_reached
from investing.trading.posting import CashLocation, move_cash, transaction_row


@dataclass(frozen=True)
class ShareTransfer:
    """Shares to move; `executed_at` is None for now."""

    from_portfolio_id: UUID
    to_portfolio_id: UUID
    symbol: str
    quantity: Decimal
    executed_at: dt.datetime | None
    notes: str | None


async def transfer_shares(actor: Actor, transfer: ShareTransfer, idempotency_key: str) -> UUID:
    """Moves shares from one portfolio to another, of any accounts in the same currency. The id of the
    transaction that comes in.

    Raises InvalidInput, NotFound, Inactive, UnknownInstrument, CurrencyMismatch, InsufficientShares and
    IdempotencyMismatch.
    """
    check_notes(transfer.notes)
    if transfer.from_portfolio_id == transfer.to_portfolio_id:
        raise InvalidInput("Shares are moved from one portfolio to another.", ("toPortfolioId",))

    async def effect(session: Session) -> UUID:
        return await _transfer(session, actor, transfer)

    arguments = asdict(transfer)
    return await once(actor.sessions, actor.id, idempotency_key, "transferShares", arguments, effect)


async def _transfer(session: Session, actor: Actor, transfer: ShareTransfer) -> UUID:
    instrument = await find_instrument(session, actor.id, transfer.symbol)
    if instrument is None:
        symbol = transfer.symbol
        raise UnknownInstrument(f"There is no instrument {symbol}.", ("symbol",), symbol=symbol)
    # The outgoing side has the lower id, and so its place before the incoming one.
    out = _entry(TransactionType.TRANSFER_OUT, transfer)
    into = _entry(TransactionType.TRANSFER_IN, transfer, at=out.executed_at)
    transfer_id = uuid7()
    starts = {transfer.from_portfolio_id: out.place, transfer.to_portfolio_id: into.place}
    locked = await lock_reached(session, actor.id, instrument["id"], starts)
    places = _places(actor.id, transfer, locked, instrument["currency"])
    changes = tuple(
        HoldingChange(id, replace(entry, time_zone=places[id].time_zone), transfer_id)
        for id, entry in ((transfer.from_portfolio_id, out), (transfer.to_portfolio_id, into))
    )
    holdings = await load_holdings(session, actor.id, instrument["id"], starts, changes)
    postings = holdings.post(changes)
    for change in changes:
        row = transaction_row(
            places[change.portfolio_id],
            change.entry,
            postings[change.entry.id],
            instrument["id"],
            transfer.notes,
            transfer_id,
        )
        await insert_transaction(session, row)
        await move_cash(session, places[change.portfolio_id], ZERO, change.entry.executed_at)
    await holdings.save(session)
    figures = {"symbol": transfer.symbol, "quantity": transfer.quantity}
    await note(session, actor.id, actor.client, "shares.transfer", "Transaction", into.id, **figures)
    return into.id


def _entry(type: TransactionType, transfer: ShareTransfer, at: dt.datetime | None = None) -> Entry:
    now = dt.datetime.now(dt.UTC)
    # What the shares cost is not given: it is what leaves the other portfolio.
    return entry_of(
        uuid7(),
        type,
        at or transfer.executed_at or now,
        now,
        has_symbol=True,
        quantity=transfer.quantity,
        amount=ZERO,
    )


def _places(
    owner_id: UUID, transfer: ShareTransfer, locked: Mapping[UUID, Mapping[Any, Any]], currency: str
) -> dict[UUID, CashLocation]:
    places = {}
    for id, field in (
        (transfer.from_portfolio_id, "fromPortfolioId"),
        (transfer.to_portfolio_id, "toPortfolioId"),
    ):
        portfolio = check_active(locked.get(id), "portfolio", (field,))
        if portfolio["currency"] != currency:
            raise CurrencyMismatch(
                f"{transfer.symbol} trades in {currency}, the portfolio is in {portfolio['currency']}.",
                (field,),
                expected=portfolio["currency"],
                actual=currency,
            )
        places[id] = CashLocation.of_portfolio(owner_id, portfolio)
    return places

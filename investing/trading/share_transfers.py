"""Move shares between the owner's own portfolios, with their lots and their cost."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from uuid import UUID

from db.ids import uuid7
from db.locks import Locks
from db.trading import ledger_reads as reads
from db.trading.ledger import LedgerTransaction
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import add_note
from investing.idempotency import Intent, once
from investing.rules.errors import CurrencyMismatch, InvalidInput, UnknownInstrument
from investing.rules.trading.entries import check_notes, entry_of
from investing.rules.trading.ledger import ZERO, Entry
from investing.trading.changes import HoldingChange
from investing.trading.holdings import load_holdings
from investing.trading.locking import check_active, hold_reached
from investing.trading.posting import move_cash
from investing.trading.transaction_rows import CashLocation, transaction_row


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
    """Move shares from one portfolio to another; return the id of the transaction that comes in.

    The portfolios may be of any accounts in the same currency. Raise InvalidInput, NotFound,
    PortfolioInactive, UnknownInstrument, CurrencyMismatch, InsufficientShares and IdempotencyMismatch.
    """
    check_notes(transfer.notes)
    if transfer.from_portfolio_id == transfer.to_portfolio_id:
        raise InvalidInput("Shares are moved from one portfolio to another.", ("toPortfolioId",))

    async def act(ledger: LedgerTransaction) -> UUID:
        return await _transfer(ledger, actor, transfer)

    intent = Intent.of(actor.id, idempotency_key, "transferShares", asdict(transfer), actor.login)
    locks = Locks.of(portfolios=[transfer.from_portfolio_id, transfer.to_portfolio_id])
    return await once(actor.sessions, intent, locks, act)


async def _transfer(ledger: LedgerTransaction, actor: Actor, transfer: ShareTransfer) -> UUID:
    instrument = await reads.find_instrument(ledger.connection, actor.id, transfer.symbol)
    if instrument is None:
        symbol = transfer.symbol
        raise UnknownInstrument.named(symbol, ("symbol",))
    # The outgoing side has the lower id, and so its place before the incoming one.
    out = _entry(TransactionType.TRANSFER_OUT, transfer)
    into = _entry(TransactionType.TRANSFER_IN, transfer, at=out.executed_at)
    transfer_id = uuid7()
    starts = {transfer.from_portfolio_id: out.place, transfer.to_portfolio_id: into.place}
    await hold_reached(ledger, instrument.id, starts)
    found = await reads.find_portfolios(ledger.connection, actor.id, list(starts))
    places = _places(actor.id, transfer, found, instrument.currency)
    changes = tuple(
        HoldingChange(id, replace(entry, time_zone=places[id].time_zone), transfer_id)
        for id, entry in ((transfer.from_portfolio_id, out), (transfer.to_portfolio_id, into))
    )
    holdings = await load_holdings(ledger, instrument.id, starts, changes)
    postings = holdings.post(changes)
    for change in changes:
        place, posting = places[change.portfolio_id], postings[change.entry.id]
        row = transaction_row(place, change.entry, posting, instrument.id, transfer.notes, transfer_id)
        ledger.add_transaction(row)
        move_cash(ledger, place, ZERO, change.entry.executed_at)
    holdings.save(ledger)
    figures = {"symbol": transfer.symbol, "quantity": transfer.quantity}
    add_note(ledger, actor.client, "shares.transfer", "Transaction", into.id, **figures)
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
    owner_id: UUID, transfer: ShareTransfer, found: Mapping[UUID, reads.PortfolioRow], currency: str
) -> dict[UUID, CashLocation]:
    places = {}
    for id, field in (
        (transfer.from_portfolio_id, "fromPortfolioId"),
        (transfer.to_portfolio_id, "toPortfolioId"),
    ):
        portfolio = check_active(found.get(id), "portfolio", (field,))
        if portfolio.currency != currency:
            raise CurrencyMismatch(
                f"{transfer.symbol} trades in {currency}, the portfolio is in {portfolio.currency}.",
                (field,),
                expected=portfolio.currency,
                actual=currency,
            )
        places[id] = CashLocation.of_portfolio(owner_id, portfolio)
    return places

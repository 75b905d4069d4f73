"""Correct by reversal: an entry with the other sign, and all that followed from the first one undone."""

import datetime as dt
from collections.abc import Collection, Sequence
from uuid import UUID

from db.ids import uuid7
from db.locks import NO_LOCKS
from db.trading import history, transactions
from db.trading import ledger_reads as reads
from db.trading.ledger import LedgerTransaction
from db.trading.ledger_writes import add_reversals
from db.trading.transactions import TransactionRow
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import add_note
from investing.idempotency import Intent, once
from investing.rules.errors import (
    AlreadyReversed,
    InsufficientCash,
    InsufficientShares,
    InvalidInput,
    NotFound,
)
from investing.rules.trading.entries import changes_shares, check_notes
from investing.rules.trading.splits import FIRST_PLACE, first_affected
from investing.trading.holdings import Holdings, load_holdings
from investing.trading.locking import check_active, hold_reached
from investing.trading.posting import check_cash, check_later_cash, move_cash
from investing.trading.transaction_rows import CashLocation

PlaceKey = tuple[UUID, UUID | None]
"""An account and one of its portfolios, or None for its unallotted cash."""

_FIELD = ("transactionId",)


async def reverse_transaction(
    actor: Actor, transaction_id: UUID, notes: str | None, idempotency_key: str
) -> UUID:
    """Reverse a transaction from its own day on; return the id of the one that reverses it.

    Both sides of a transfer between the owner's own places are reversed together. Raise InvalidInput for a
    reversal and for the fill of an order, AlreadyReversed, NotFound, PortfolioInactive, AccountInactive,
    InsufficientCash and InsufficientShares with the day on which it would leave too little, and
    IdempotencyMismatch.
    """
    check_notes(notes)

    async def act(ledger: LedgerTransaction) -> UUID:
        try:
            return await _reverse(ledger, actor, transaction_id, notes)
        except (InsufficientCash, InsufficientShares) as domain_error:
            # The refusal may concern a later entry, whose figures are not part of the request.
            domain_error.field = _FIELD
            raise

    arguments = {"transaction": transaction_id, "notes": notes}
    intent = Intent.of(actor.id, idempotency_key, "reverseTransaction", arguments, actor.login)
    return await once(actor.sessions, intent, NO_LOCKS, act)


async def _reverse(ledger: LedgerTransaction, actor: Actor, id: UUID, notes: str | None) -> UUID:
    key = (ledger.connection, ledger.owner_id)
    rows = _checked(await transactions.find_with_other_side(*key, id), id)
    starts = _starts(rows)
    if starts:
        await hold_reached(ledger, _instrument_of(rows), starts)
    places = await hold_places(ledger, [(row.account_id, row.portfolio_id) for row in rows])
    # Checked again once the places are locked, since another reversal may have happened meanwhile.
    rows = _checked(await transactions.find_with_other_side(*key, id), id)
    if any(row.is_reversed for row in rows if row.id == id):
        raise AlreadyReversed("This transaction has been reversed already.", _FIELD)
    holdings = await _without(ledger, rows, starts)
    for row in rows:
        await _return_cash(ledger, places[row.account_id, row.portfolio_id], row)
    new_ids = {row.id: uuid7() for row in rows}
    add_reversals(ledger.batch, ledger.owner_id, new_ids, notes)
    if holdings is not None:
        holdings.save(ledger)
    add_note(ledger, actor.client, "transaction.reversed", "Transaction", id, reversal=new_ids[id])
    return new_ids[id]


def _checked(rows: Sequence[TransactionRow], id: UUID) -> Sequence[TransactionRow]:
    """Return the rows to reverse. Raise NotFound and InvalidInput."""
    requested = next((row for row in rows if row.id == id), None)
    if requested is None:
        raise NotFound("There is no such transaction.", _FIELD)
    if requested.reverses_id is not None:
        raise InvalidInput("This is a reversal itself: record the transaction again instead.", _FIELD)
    if requested.order_id is not None:
        raise InvalidInput("This is a trade that a broker made for an order: it cannot be reversed.", _FIELD)
    return rows


async def hold_places(ledger: LedgerTransaction, keys: Collection[PlaceKey]) -> dict[PlaceKey, CashLocation]:
    """Lock accounts and portfolios. Raise NotFound for a missing one, AccountInactive for an archived one."""
    accounts = sorted({account_id for account_id, portfolio_id in keys if portfolio_id is None})
    portfolios = sorted({portfolio_id for _, portfolio_id in keys if portfolio_id is not None})
    await ledger.hold(portfolios, accounts)
    places: dict[PlaceKey, CashLocation] = {}
    if accounts:
        of_accounts = await reads.find_accounts(ledger.connection, ledger.owner_id, accounts)
        for id in accounts:
            account = check_active(of_accounts.get(id), "account")
            places[id, None] = CashLocation.of_account(ledger.owner_id, account)
    if portfolios:
        of_portfolios = await reads.find_portfolios(ledger.connection, ledger.owner_id, portfolios)
        for id in portfolios:
            portfolio = check_active(of_portfolios.get(id), "portfolio")
            places[portfolio.account_id, id] = CashLocation.of_portfolio(ledger.owner_id, portfolio)
    return places


def _starts(rows: Sequence[TransactionRow]) -> history.Starts:
    """Return the places from which on holdings change."""
    return {
        row.portfolio_id: first_changed(row)
        for row in rows
        if row.portfolio_id is not None and is_of_shares(row)
    }


def is_of_shares(row: TransactionRow) -> bool:
    """Return whether a transaction changes a holding."""
    return changes_shares(row.type, row.instrument_id)


def _instrument_of(rows: Sequence[TransactionRow]) -> UUID:
    instrument_id = rows[0].instrument_id
    assert instrument_id is not None, "shares are of an instrument"
    return instrument_id


def first_changed(row: TransactionRow) -> tuple[dt.datetime, UUID]:
    """Return the place of the ledger from which on a holding changes if this transaction is reversed.

    Without its owner's entry a split is posted on its ex-date, which may be some days before; and without
    quantities that are adjusted already, everything before them is as it was traded.
    """
    if row.is_split_adjusted:
        return FIRST_PLACE
    if row.type == TransactionType.SPLIT:
        return first_affected(row.executed_at)
    return row.executed_at, row.id


async def _without(
    ledger: LedgerTransaction, rows: Sequence[TransactionRow], starts: history.Starts
) -> Holdings | None:
    """Return the holdings posted again without these transactions; None if they are of cash alone."""
    if not starts:
        return None
    ids = [row.id for row in rows]
    holdings = await load_holdings(ledger, _instrument_of(rows), starts, without=ids)
    holdings.post(without=ids)
    return holdings


async def _return_cash(ledger: LedgerTransaction, place: CashLocation, row: TransactionRow) -> None:
    delta = -row.cash_delta
    if delta < 0 and not place.margin:
        check_cash(place.cash, delta)
        await check_later_cash(ledger, place, row.executed_at, delta)
    if delta or row.quantity_delta:
        move_cash(ledger, place, delta, row.executed_at)

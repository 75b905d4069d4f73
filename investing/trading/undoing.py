"""Undo an import: reverse every transaction that it brought, all of them or none.

The rules are those of `reversing`; what differs is that a holding is loaded, posted again and saved once, not
for each transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.locks import NO_LOCKS
from db.trading import history, transactions
from db.trading.ledger import LedgerTransaction, transact
from db.trading.ledger_writes import add_reversals, mark_import_reversed
from db.trading.transactions import ShortEntry, TransactionRow
from investing.actor import Actor
from investing.audit import add_note
from investing.idempotency import Intent, once
from investing.rules.errors import (
    AlreadyReversed,
    DomainError,
    InsufficientCash,
    InsufficientShares,
    InvalidInput,
    NotFound,
)
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import ZERO
from investing.trading.holdings import Holdings, load_holdings
from investing.trading.locking import hold_all_reached
from investing.trading.reversing import first_changed, hold_places, is_of_shares
from investing.trading.transaction_rows import CashLocation

_FIELD = ("importId",)

Progress = Callable[[str, int, int], None]


def _quiet(step: str, done: int, total: int) -> None:
    """Report nothing."""


async def reverse_import(actor: Actor, import_id: UUID, idempotency_key: str) -> UUID:
    """Reverse an import, unless the key has done it already; return its id.

    Transactions of it that were reversed before stay so. Raise NotFound, AlreadyReversed, PortfolioInactive,
    AccountInactive and IdempotencyMismatch; InsufficientCash and InsufficientShares with the day, and with
    the later transaction that needs what it brought; and InvalidInput for a later split of it. Nothing is
    changed then.
    """

    async def act(ledger: LedgerTransaction) -> UUID:
        await _undo(ledger, actor, import_id, _quiet)
        return import_id

    intent = Intent.of(actor.id, idempotency_key, "reverseImport", {"import": import_id})
    return await once(actor.sessions, intent, NO_LOCKS, act)


async def undo_import(actor: Actor, import_id: UUID, progress: Progress = _quiet) -> int:
    """Do the same without a key, for a person at the command line; return how many were reversed."""

    async def act(ledger: LedgerTransaction) -> int:
        return await _undo(ledger, actor, import_id, progress)

    return await transact(actor.sessions, actor.id, NO_LOCKS, act)


async def _undo(ledger: LedgerTransaction, actor: Actor, import_id: UUID, progress: Progress) -> int:
    key = (ledger.connection, ledger.owner_id, import_id)
    await _check_stands(ledger, import_id)
    places = await _hold(ledger, await transactions.standing_of_import(*key))
    # Checked again once the places are locked: all or part of it may have been reversed meanwhile.
    await _check_stands(ledger, import_id)
    rows = await transactions.standing_of_import(*key)
    held = await _without(ledger, rows, progress)
    progress("Reversing transactions", 0, len(rows))
    for portfolio_id, its_rows in _by_portfolio(rows).items():
        await _return_cash(ledger, places[portfolio_id], its_rows, import_id)
    add_reversals(ledger.batch, ledger.owner_id, {row.id: uuid7() for row in rows}, None)
    for holdings in held:
        holdings.save(ledger)
    mark_import_reversed(ledger.batch, ledger.owner_id, import_id)
    facts = {"transactions": len(rows)}
    add_note(ledger, actor.client, "import.reversed", "Import", import_id, **facts)
    progress("Reversing transactions", len(rows), len(rows))
    return len(rows)


async def _check_stands(ledger: LedgerTransaction, import_id: UUID) -> None:
    found = await transactions.find_import(ledger.connection, ledger.owner_id, import_id)
    if found is None:
        raise NotFound("There is no such import.", _FIELD)
    if found.reversed_at is not None:
        raise AlreadyReversed("This import has been reversed already.", _FIELD)


def _by_portfolio(rows: Sequence[TransactionRow]) -> Mapping[UUID, Sequence[TransactionRow]]:
    found: dict[UUID, list[TransactionRow]] = defaultdict(list)
    for row in rows:
        assert row.portfolio_id is not None, "imports are of portfolios"
        found[row.portfolio_id].append(row)
    return found


def _starts(rows: Sequence[TransactionRow]) -> Mapping[UUID, history.Starts]:
    """Return by instrument and portfolio the first place of the ledger that changes.

    Rows are in the ledger's order.
    """
    starts: dict[UUID, dict[UUID, Any]] = defaultdict(dict)
    for row in rows:
        if row.instrument_id is not None and row.portfolio_id is not None and is_of_shares(row):
            of_instrument, place = starts[row.instrument_id], first_changed(row)
            of_instrument[row.portfolio_id] = min(place, of_instrument.get(row.portfolio_id, place))
    return starts


async def _hold(ledger: LedgerTransaction, rows: Sequence[TransactionRow]) -> Mapping[UUID, CashLocation]:
    if starts := _starts(rows):
        await hold_all_reached(ledger, starts)
    places = await hold_places(ledger, {(row.account_id, row.portfolio_id) for row in rows})
    return {portfolio_id: place for (_, portfolio_id), place in places.items() if portfolio_id is not None}


async def _without(
    ledger: LedgerTransaction, rows: Sequence[TransactionRow], progress: Progress
) -> Sequence[Holdings]:
    """Return the holdings posted again without these transactions."""
    symbols = {row.instrument_id: row.symbol for row in rows}
    without = {row.id for row in rows}
    starts = _starts(rows)
    held = []
    for done, id in enumerate(sorted(starts)):
        progress("Posting holdings again", done, len(starts))
        holdings = await load_holdings(ledger, id, starts[id], without=without)
        try:
            holdings.post(without=without)
        except (InsufficientShares, InvalidInput) as domain_error:
            raise _needed(domain_error, holdings, symbols[id]) from None
        held.append(holdings)
    return held


def _needed(domain_error: DomainError, holdings: Holdings, symbol: str | None) -> DomainError:
    """Return the refusal with the later entry that is impossible without the import."""
    if holdings.current is None:
        # Open orders have reserved the shares, and the refusal says so.
        domain_error.field = _FIELD
        return domain_error
    entry = holdings.current.entry
    day = entry.day
    what = _named(entry.type, entry.quantity, symbol)
    if isinstance(domain_error, InsufficientShares):
        return InsufficientShares(
            f"{what} on {day} needs shares that this import brought; without it there are only "
            f"{domain_error.available.normalize():f}. Reverse that transaction first.",
            _FIELD,
            required=domain_error.required,
            available=domain_error.available,
            on_date=day,
            transaction_id=entry.id,
        )
    return InvalidInput(
        f"{what} on {day} cannot stand without this import: reverse that transaction first. "
        f"{domain_error.message}",
        _FIELD,
    )


def _named(type: str, quantity: Decimal | None, symbol: str | None) -> str:
    shares = "" if symbol is None or quantity is None else f" of {quantity.normalize():f} {symbol}"
    return f"The {type}{shares}"


async def _return_cash(
    ledger: LedgerTransaction, place: CashLocation, rows: Sequence[TransactionRow], import_id: UUID
) -> None:
    """Take back what the rows, of one portfolio and in the ledger's order, did to its cash.

    Raise InsufficientCash if a later entry, or an open order, needs it.
    """
    assert place.portfolio_id is not None, "imports are of portfolios"
    delta = -sum((row.cash_delta for row in rows), ZERO)
    first = rows[0].executed_at
    left = place.cash + place.reserved + delta
    if not place.margin:
        key = (ledger.connection, ledger.owner_id, place.portfolio_id)
        if (short := await transactions.first_short_of_cash(*key, first, left, import_id)) is not None:
            raise _short_of_cash(short, place.time_zone)
        _check_reserved(place, left)
    ledger.change_portfolio(place.portfolio_id, cash=delta, since=first)


def _check_reserved(place: CashLocation, left: Decimal) -> None:
    if left < place.reserved:
        raise InsufficientCash(
            f"Open orders have reserved {place.reserved.normalize():f}; without this import there is only "
            f"{left.normalize():f}. Cancel an order first.",
            _FIELD,
            required=place.reserved,
            available=left,
        )


def _short_of_cash(entry: ShortEntry, time_zone: str) -> InsufficientCash:
    required = -entry.cash_delta
    available = entry.balance + required
    day = day_of(entry.executed_at, time_zone)
    what = _named(entry.type, entry.quantity, entry.symbol)
    return InsufficientCash(
        f"{what} on {day} needs {required.normalize():f} in cash; without this import there is only "
        f"{available.normalize():f}. Reverse that transaction first.",
        _FIELD,
        required=required,
        available=available,
        on_date=day,
        transaction_id=entry.id,
    )

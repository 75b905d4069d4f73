"""Record what happened elsewhere: a transaction of today or of long ago."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.locks import Locks
from db.trading import ledger_reads as reads
from db.trading.ledger import LedgerTransaction
from db.trading.split_places import find_adjusted
from db.trading.splits import find_matched
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import add_note
from investing.idempotency import Intent, once, once_knowing
from investing.rules.errors import (
    AccountInactive,
    CurrencyMismatch,
    InvalidInput,
    NotFound,
    PortfolioInactive,
    UnknownInstrument,
)
from investing.rules.trading.entries import check_notes, entry_of
from investing.rules.trading.ledger import Entry, overtaking
from investing.rules.warnings import Warning, same_split, warnings_of_entry
from investing.trading.adjusted import check_as_traded
from investing.trading.posting import post_entry
from investing.trading.transaction_rows import CashLocation


@dataclass(frozen=True)
class TransactionRequest:
    """A transaction as its owner gives it: of a portfolio, or of the account's unallotted cash without one.

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
    """A recorded transaction's id, its row with its symbol if that is known already, and any warnings.

    A split that is on the ledger already is not recorded a second time: the transaction is the existing one.
    """

    id: UUID
    row: Mapping[str, Any] | None = None
    warnings: Sequence[Warning] = ()


async def record_transaction(actor: Actor, record: TransactionRequest, idempotency_key: str) -> UUID:
    """Put the transaction on the ledger, at any time, past or present; return its id.

    Raise what `recorded` raises.
    """
    return (await recorded(actor, record, idempotency_key)).id


async def recorded(actor: Actor, record: TransactionRequest, idempotency_key: str) -> RecordedTransaction:
    """Do the same, and return the row as it was written if that was just now.

    Raise InvalidInput, NotFound, AccountInactive, PortfolioInactive, UnknownInstrument, CurrencyMismatch,
    InsufficientCash, InsufficientShares and IdempotencyMismatch.
    """
    check_notes(record.notes)
    # An account that was not given is no part of the key's fingerprint, as when there was no such field.
    arguments = {name: value for name, value in vars(record).items() if (name, value) != ("account_id", None)}
    intent = Intent.of(actor.id, idempotency_key, "recordTransaction", arguments, actor.login)
    if record.portfolio_id is None:
        locks = Locks.of(accounts=[record.account_id])
        return RecordedTransaction(
            await once(actor.sessions, intent, locks, lambda ledger: _of_account(ledger, actor, record))
        )
    return await _of_portfolio(actor, record, record.portfolio_id, intent)


async def _of_portfolio(
    actor: Actor, record: TransactionRequest, portfolio_id: UUID, intent: Intent
) -> RecordedTransaction:
    async def read(ledger: LedgerTransaction) -> reads.EntryFacts:
        key = (ledger.connection, ledger.owner_id, portfolio_id, intent.key)
        facts = await reads.for_entry(*key, record.symbol, record.executed_at, overtaking(record.type))
        return _checked_portfolio(facts, record)

    async def decide(ledger: LedgerTransaction, facts: reads.EntryFacts) -> tuple[UUID, RecordedTransaction]:
        made = await _post(ledger, actor, record, facts)
        return made.id, made

    made = await once_knowing(actor.sessions, intent, Locks.of(portfolios=[portfolio_id]), read, decide)
    known = warnings_of_entry(record.type, record.symbol, made.known.price_basis)
    return made.result or RecordedTransaction(made.id, warnings=known)


async def _post(
    ledger: LedgerTransaction, actor: Actor, record: TransactionRequest, facts: reads.EntryFacts
) -> RecordedTransaction:
    _check_active(facts)
    instrument_id = None
    if record.symbol is not None:
        found = None if facts.instrument_id is None else facts.instrument_currency
        check_instrument(record.symbol, found, facts.currency)
        instrument_id = facts.instrument_id
    entry = _entry(record, has_symbol=instrument_id is not None)
    if entry.type is TransactionType.SPLIT and instrument_id is not None:
        known = await _same_split(ledger, facts.portfolio_id, instrument_id, entry)
        if known is not None:
            return RecordedTransaction(known, warnings=(same_split(record.symbol),))
    if entry.of_shares and (facts.is_before_split or entry.type is TransactionType.SPLIT):
        adjusted = await find_adjusted(ledger.connection, ledger.owner_id, facts.portfolio_id)
        check_as_traded(entry, instrument_id, adjusted, facts.time_zone)
    posted = await post_entry(
        ledger,
        CashLocation.of_portfolio(ledger.owner_id, facts),
        entry,
        instrument_id=instrument_id,
        known=facts,
        notes=record.notes,
        now=not facts.is_followed,
    )
    add_note(ledger, actor.client, *_noted(entry), type=record.type, symbol=record.symbol)
    pointing = {"order_id": None, "reverses_id": None, "import_id": None}
    row = {**posted, **pointing, "symbol": facts.symbol}
    return RecordedTransaction(
        entry.id, row, warnings_of_entry(record.type, record.symbol, facts.price_basis)
    )


async def _of_account(ledger: LedgerTransaction, actor: Actor, record: TransactionRequest) -> UUID:
    """Post to an account's unallotted cash, which holds nothing but cash."""
    if record.account_id is None:
        raise InvalidInput(
            "Give the portfolioId, or the accountId for its unallotted cash.", ("portfolioId",)
        )
    if record.symbol is not None:
        raise InvalidInput(
            "An account's unallotted cash holds no shares: name the portfolio, or leave the symbol out.",
            ("symbol",),
        )
    found = await reads.find_accounts(ledger.connection, ledger.owner_id, [record.account_id])
    account = found.get(record.account_id)
    if account is None:
        raise NotFound("There is no such account.", ("accountId",))
    if not account.is_active:
        raise AccountInactive("The account is archived: restore it first.", ("accountId",))
    entry = _entry(record, has_symbol=False)
    await post_entry(ledger, CashLocation.of_account(actor.id, account), entry, notes=record.notes)
    add_note(ledger, actor.client, *_noted(entry), type=record.type, symbol=None)
    return entry.id


async def _same_split(
    ledger: LedgerTransaction, portfolio_id: UUID, instrument_id: UUID, entry: Entry
) -> UUID | None:
    """Return the portfolio's entry for the same split as this one; None if there is none."""
    assert entry.quantity is not None, "a split has a quantity"
    assert entry.split_for is not None, "a split has a ratio"
    key = (ledger.connection, ledger.owner_id, portfolio_id, instrument_id)
    found = await find_matched(*key, entry.executed_at, entry.quantity, entry.split_for)
    return None if found is None else found.transaction_id


def _checked_portfolio(facts: reads.EntryFacts | None, record: TransactionRequest) -> reads.EntryFacts:
    if facts is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    if record.account_id not in (None, facts.account_id):
        raise NotFound("The account has no such portfolio.", ("portfolioId",))
    return facts


def _check_active(facts: reads.EntryFacts) -> None:
    if not facts.is_active:
        raise PortfolioInactive
    if not facts.account_is_active:
        raise AccountInactive("The portfolio's account is archived: restore it first.", ("portfolioId",))


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


def check_instrument(symbol: str, its_currency: str | None, currency: str) -> None:
    """Check that a portfolio in this currency may hold the instrument, whose currency is None without one.

    Raise UnknownInstrument and CurrencyMismatch.
    """
    if its_currency is None:
        raise UnknownInstrument.named(symbol, ("symbol",))
    if its_currency != currency:
        raise CurrencyMismatch(
            f"{symbol} trades in {its_currency}, the portfolio is in {currency}.",
            ("symbol",),
            expected=currency,
            actual=its_currency,
        )

"""Transfers of cash between an account and its portfolios, in one transaction or not at all."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from db.ids import uuid7
from db.locks import Locks
from db.trading import ledger_reads as reads
from db.trading.ledger import LedgerTransaction
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import add_note
from investing.idempotency import Intent, once_knowing
from investing.rules.errors import AccountInactive, DomainError, InvalidInput, NotFound, PortfolioInactive
from investing.rules.trading.entries import check_notes, entry_of
from investing.trading.posting import post_entry
from investing.trading.transaction_rows import CashLocation


async def transfer(
    ledger: LedgerTransaction,
    source: CashLocation,
    target: CashLocation,
    amount: Decimal,
    now: dt.datetime,
    notes: str | None,
    field: tuple[str, ...] = ("amount",),
) -> UUID:
    """Move cash between two locked locations; return the id of the incoming transaction.

    Raise InvalidInput or InsufficientCash, both about `field`.
    """
    transfer_id = uuid7()
    try:
        out = entry_of(uuid7(), TransactionType.TRANSFER_OUT, now, now, has_symbol=False, amount=amount)
        into = entry_of(uuid7(), TransactionType.TRANSFER_IN, now, now, has_symbol=False, amount=amount)
        await post_entry(ledger, source, out, notes=notes, transfer_id=transfer_id, now=True, may_owe=False)
        await post_entry(ledger, target, into, notes=notes, transfer_id=transfer_id, now=True)
    except DomainError as domain_error:
        domain_error.field = field
        raise
    return into.id


async def transfer_cash(
    actor: Actor,
    account_id: UUID,
    from_portfolio_id: UUID | None,
    to_portfolio_id: UUID | None,
    amount: Decimal,
    idempotency_key: str,
    notes: str | None,
) -> UUID:
    """Move cash within an account, None being its unallotted cash; return the incoming transaction's id.

    Raise InvalidInput, NotFound, AccountInactive, PortfolioInactive, InsufficientCash or IdempotencyMismatch.
    """
    if from_portfolio_id == to_portfolio_id:
        raise InvalidInput("The source and the target are the same.", ("toPortfolioId",))
    check_notes(notes)

    arguments = {
        "account": account_id,
        "from": from_portfolio_id,
        "to": to_portfolio_id,
        "amount": amount,
        "notes": notes,
    }
    intent = Intent.of(actor.id, idempotency_key, "TRANSFER", arguments, actor.login)
    portfolio_ids = [id for id in (from_portfolio_id, to_portfolio_id) if id is not None]

    async def read(ledger: LedgerTransaction) -> reads.CashFacts:
        facts = await reads.for_cash(ledger.connection, actor.id, account_id, portfolio_ids, intent.key)
        return check_there(facts, {id: _field(id, from_portfolio_id) for id in portfolio_ids})

    async def decide(ledger: LedgerTransaction, facts: reads.CashFacts) -> tuple[UUID, None]:
        places = _places(actor.id, facts, portfolio_ids, from_portfolio_id)
        source, target = places[from_portfolio_id], places[to_portfolio_id]
        id = await transfer(ledger, source, target, amount, dt.datetime.now(dt.UTC), notes)
        add_note(ledger, actor.client, "cash.transfer", "Transaction", id, amount=amount)
        return id, None

    locks = Locks.of(accounts=[account_id], portfolios=portfolio_ids)
    return (await once_knowing(actor.sessions, intent, locks, read, decide)).id


def check_there(facts: reads.CashFacts, fields: Mapping[UUID, str]) -> reads.CashFacts:
    """Return the facts if the account and each of these portfolios, by its field, are the owner's.

    Raise NotFound; called where they are read, so that the key is not used up by it.
    """
    if facts.account is None:
        raise NotFound("There is no such account.", ("accountId",))
    for id, field in fields.items():
        if id not in facts.portfolios:
            raise NotFound("The account has no such portfolio.", (field,))
    return facts


def _places(
    owner_id: UUID, facts: reads.CashFacts, portfolio_ids: Sequence[UUID], from_portfolio_id: UUID | None
) -> dict[UUID | None, CashLocation]:
    assert facts.account is not None, "checked where it was read"
    if not facts.account.is_active:
        raise AccountInactive("The account is archived: restore it first.", ("accountId",))
    places: dict[UUID | None, CashLocation] = {None: CashLocation.of_account(owner_id, facts.account)}
    for id in sorted(portfolio_ids):
        portfolio = facts.portfolios[id]
        if not portfolio.is_active:
            raise PortfolioInactive(field=(_field(id, from_portfolio_id),))
        places[id] = CashLocation.of_portfolio(owner_id, portfolio)
    return places


def _field(portfolio_id: UUID, from_portfolio_id: UUID | None) -> str:
    return "fromPortfolioId" if portfolio_id == from_portfolio_id else "toPortfolioId"

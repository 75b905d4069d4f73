"""Open, change and archive accounts, and move cash in and out."""

import datetime as dt
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.account.writes import (
    insert_account,
    lock_account,
    lock_portfolios,
    mark_all_stale,
    name_is_taken,
    update_account,
)
from db.auth.writes import lock_user
from db.ids import uuid7
from db.locks import Locks
from db.sessions import Session
from db.trading import ledger_reads as reads
from db.trading.ledger import LedgerTransaction
from db.trading.orders import count_open_orders
from db.vocabulary import AccountType, Broker, TransactionType
from db.writing import raw_connection_of
from investing.account.transfers import check_there
from investing.account.zone_changes import move_splits
from investing.actor import Actor
from investing.audit import add_note, note
from investing.idempotency import Intent, once_in_session, once_knowing
from investing.rules.errors import AccountInactive, InvalidInput, NameTaken, NotFound, PortfolioInactive
from investing.rules.names import checked_name
from investing.rules.portfolio.portfolio_settings import check_no_open_orders
from investing.rules.time_zones import DEFAULT, checked_time_zone
from investing.rules.trading.entries import check_notes, entry_of
from investing.time_zones import check_known
from investing.trading.posting import post_entry
from investing.trading.transaction_rows import CashLocation


@dataclass(frozen=True)
class NewAccount:
    """An account to open, with the cash that it starts with."""

    name: str
    broker: Broker
    account_type: AccountType
    currency: str
    initial_balance: Decimal
    is_paper: bool
    time_zone: str = DEFAULT


async def create_account(actor: Actor, new: NewAccount, *, idempotency_key: str | None = None) -> UUID:
    """Open an account; its initial balance is its first deposit. Return its id.

    Without a key nothing distinguishes a retry from a second request, but a name can be used only once. Raise
    InvalidInput, NameTaken or IdempotencyMismatch.
    """
    values: dict[str, Any] = {
        "name": checked_name(new.name),
        "broker": new.broker.value,
        "account_type": new.account_type.value,
        "currency": new.currency,
        "initial_balance": new.initial_balance,
        "is_paper": new.is_paper,
        "time_zone": checked_time_zone(new.time_zone),
    }
    if new.initial_balance < 0:
        raise InvalidInput("The initial balance must not be negative.", ("initialBalance",))

    async def effect(session: Session) -> UUID:
        return await _create(session, actor, new, values)

    if idempotency_key is None:
        return await actor.sessions.transact(actor.id, effect)
    arguments = asdict(new)
    return await once_in_session(
        actor.sessions, actor.id, idempotency_key, "createAccount", arguments, effect
    )


async def _create(session: Session, actor: Actor, new: NewAccount, values: dict[str, Any]) -> UUID:
    id = uuid7()
    await lock_user(session, actor.id)
    if await name_is_taken(session, actor.id, values["name"]):
        raise NameTaken(f"You already have an account {values['name']}.", ("name",))
    await check_known(session, values["time_zone"])
    await insert_account(session, actor.id, id, values)
    if new.initial_balance:
        await _deposit_initial_balance(session, actor.id, id, new, values["time_zone"])
    await note(session, actor.id, actor.client, "account.created", "Account", id, **values)
    return id


async def change_account(
    actor: Actor, id: UUID, *, name: str | None = None, time_zone: str | None = None
) -> None:
    """Give an account another name, another time zone or both; what is None stays.

    Another time zone divides its days differently: all snapshots of its portfolios become stale from their
    first day on, and splits begin at other instants. Raise InvalidInput, NameTaken or NotFound, and
    InsufficientShares with the day and the transaction if a later entry is not possible with the splits at
    those instants.
    """
    name = None if name is None else checked_name(name)
    time_zone = None if time_zone is None else checked_time_zone(time_zone)

    async def change(session: Session) -> None:
        await lock_user(session, actor.id)
        account = await lock_account(session, actor.id, id)
        if account is None:
            raise NotFound("There is no such account.", ("accountId",))
        if name is not None:
            await _rename(session, actor, id, name)
        if time_zone not in (None, account["time_zone"]):
            await _move_to(session, actor, id, account["time_zone"], time_zone)

    await actor.sessions.transact(actor.id, change)


async def _rename(session: Session, actor: Actor, id: UUID, name: str) -> None:
    if await name_is_taken(session, actor.id, name, but=id):
        raise NameTaken(f"You already have an account {name}.", ("name",))
    await update_account(session, actor.id, id, {"name": name})
    await note(session, actor.id, actor.client, "account.renamed", "Account", id, name=name)


async def _move_to(session: Session, actor: Actor, id: UUID, before: str, time_zone: str) -> None:
    await check_known(session, time_zone)
    # Whatever is posted meanwhile either waits for the account's new days or is already there to be marked.
    # All of the owner's: shares went on to other accounts, whose portfolios may come first in the order of
    # locks.
    await lock_portfolios(session, actor.id)
    await update_account(session, actor.id, id, {"time_zone": time_zone})
    await move_splits(session, actor.id, id, time_zone)
    await mark_all_stale(session, actor.id, id)
    zones = {"time_zone": time_zone, "before": before}
    await note(session, actor.id, actor.client, "account.time_zone_changed", "Account", id, **zones)


async def set_account_active(actor: Actor, id: UUID, is_active: bool) -> None:
    """Archive or restore an account; keep its history and its cash.

    Raise NotFound if it is not there, and InvalidInput if it is to be archived while orders are open.
    """

    async def change(session: Session) -> None:
        if not await update_account(session, actor.id, id, {"is_active": is_active}):
            raise NotFound("There is no such account.", ("accountId",))
        if not is_active:
            # Whoever places an order has locked its portfolio.
            await lock_portfolios(session, actor.id, id)
            check_no_open_orders(await count_open_orders(session, actor.id, id), "accountId")
        action = "account.restored" if is_active else "account.archived"
        await note(session, actor.id, actor.client, action, "Account", id)

    await actor.sessions.transact(actor.id, change)


async def move_cash(
    actor: Actor,
    type: TransactionType,
    account_id: UUID,
    portfolio_id: UUID | None,
    amount: Decimal,
    idempotency_key: str,
    notes: str | None,
) -> UUID:
    """Deposit or withdraw cash; return the transaction's id.

    The cash goes to or comes from a portfolio, or the account's unallotted cash. Raise InvalidInput,
    NotFound, AccountInactive, PortfolioInactive, InsufficientCash or IdempotencyMismatch.
    """
    check_notes(notes)

    arguments = {"account": account_id, "portfolio": portfolio_id, "amount": amount, "notes": notes}
    intent = Intent.of(actor.id, idempotency_key, type.value, arguments, actor.login)
    portfolio_ids = [] if portfolio_id is None else [portfolio_id]

    async def read(ledger: LedgerTransaction) -> reads.CashFacts:
        facts = await reads.for_cash(ledger.connection, actor.id, account_id, portfolio_ids, intent.key)
        return check_there(facts, dict.fromkeys(portfolio_ids, "portfolioId"))

    async def decide(ledger: LedgerTransaction, facts: reads.CashFacts) -> tuple[UUID, None]:
        assert facts.account is not None, "checked where it was read"
        location = _place(actor.id, facts, facts.account, portfolio_id)
        id = await _move(ledger, location, type, amount, notes)
        add_note(ledger, actor.client, f"cash.{type.lower()}", "Transaction", id, amount=amount)
        return id, None

    locks = Locks.of(accounts=[account_id], portfolios=portfolio_ids)
    return (await once_knowing(actor.sessions, intent, locks, read, decide)).id


def _place(
    owner_id: UUID, facts: reads.CashFacts, account: reads.AccountState, portfolio_id: UUID | None
) -> CashLocation:
    if not account.is_active:
        raise AccountInactive("The account is archived: restore it first.", ("accountId",))
    if portfolio_id is None:
        return CashLocation.of_account(owner_id, account)
    portfolio = facts.portfolios[portfolio_id]
    if not portfolio.is_active:
        raise PortfolioInactive
    return CashLocation.of_portfolio(owner_id, portfolio)


async def _move(
    ledger: LedgerTransaction,
    location: CashLocation,
    type: TransactionType,
    amount: Decimal,
    notes: str | None,
) -> UUID:
    now = dt.datetime.now(dt.UTC)
    entry = entry_of(uuid7(), type, now, now, has_symbol=False, amount=amount)
    await post_entry(ledger, location, entry, notes=notes, now=True, may_owe=False)
    return entry.id


async def _deposit_initial_balance(
    session: Session, owner_id: UUID, id: UUID, new: NewAccount, time_zone: str
) -> None:
    """Post the initial balance of a new account, in the transaction that opens it."""
    margin = new.account_type is AccountType.MARGIN
    location = CashLocation(owner_id, id, None, new.currency, Decimal(0), margin, time_zone)
    ledger = LedgerTransaction(await raw_connection_of(session), owner_id)
    await _move(ledger, location, TransactionType.DEPOSIT, new.initial_balance, "Initial balance")
    await ledger.flush()

"""Accounts: opening, renaming and archiving them, and moving cash in and out."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.account.writes import insert_account, name_is_taken, update_account
from db.auth.writes import lock_user
from db.ids import uuid7
from db.sessions import Session
from db.trading.writes import lock_account, lock_portfolio
from db.vocabulary import AccountType, Broker, TransactionType
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once
from investing.rules.entries import check_notes, entry_of
from investing.rules.names import checked_name
from investing.rules.refusals import Inactive, InvalidInput, NameTaken, NotFound, PortfolioInactive
from investing.trading.posting import Place, post_entry


@dataclass(frozen=True)
class NewAccount:
    """An account to open, with the cash it starts with."""

    name: str
    broker: Broker
    account_type: AccountType
    currency: str
    initial_balance: Decimal
    is_paper: bool


async def create_account(actor: Actor, new: NewAccount) -> UUID:
    """Opens an account; what it starts with is its first deposit.

    Raises InvalidInput and NameTaken.
    """
    name = checked_name(new.name)
    if new.initial_balance < 0:
        raise InvalidInput("An account starts with no cash or some.", ("initialBalance",))
    id = uuid7()
    async with actor.sessions.begin(actor.id) as session:
        await lock_user(session, actor.id)
        if await name_is_taken(session, actor.id, name):
            raise NameTaken(f"You have an account {name} already.", ("name",))
        values = {
            "name": name,
            "broker": new.broker.value,
            "account_type": new.account_type.value,
            "currency": new.currency,
            "initial_balance": new.initial_balance,
            "is_paper": new.is_paper,
        }
        await insert_account(session, actor.id, id, values)
        if new.initial_balance:
            await _move(
                session, actor.id, id, None, TransactionType.DEPOSIT, new.initial_balance, "Initial balance"
            )
        await note(session, actor.id, actor.client, "account.created", "Account", id, **values)
    return id


async def rename_account(actor: Actor, id: UUID, name: str) -> None:
    """Gives an account another name. Raises InvalidInput, NameTaken and NotFound."""
    name = checked_name(name)
    async with actor.sessions.begin(actor.id) as session:
        await lock_user(session, actor.id)
        if await name_is_taken(session, actor.id, name, but=id):
            raise NameTaken(f"You have an account {name} already.", ("name",))
        if not await update_account(session, actor.id, id, {"name": name}):
            raise NotFound("There is no such account.", ("id",))
        await note(session, actor.id, actor.client, "account.renamed", "Account", id, name=name)


async def set_account_active(actor: Actor, id: UUID, is_active: bool) -> None:
    """Archives an account, or restores it. Its history and its cash stay. Raises NotFound."""
    async with actor.sessions.begin(actor.id) as session:
        if not await update_account(session, actor.id, id, {"is_active": is_active}):
            raise NotFound("There is no such account.", ("id",))
        action = "account.restored" if is_active else "account.archived"
        await note(session, actor.id, actor.client, action, "Account", id)


async def move_cash(
    actor: Actor,
    type: TransactionType,
    account_id: UUID,
    portfolio_id: UUID | None,
    amount: Decimal,
    idempotency_key: str,
    notes: str | None,
) -> UUID:
    """DEPOSIT or WITHDRAWAL, to or from a portfolio or the account's unallotted cash. The transaction's id.

    Raises InvalidInput, NotFound, Inactive, PortfolioInactive, InsufficientCash and IdempotencyMismatch.
    """
    check_notes(notes)

    async def effect(session: Session) -> UUID:
        id = await _move(session, actor.id, account_id, portfolio_id, type, amount, notes)
        await note(session, actor.id, actor.client, f"cash.{type.lower()}", "Transaction", id, amount=amount)
        return id

    arguments = {"account": account_id, "portfolio": portfolio_id, "amount": amount, "notes": notes}
    return await once(actor.sessions, actor.id, idempotency_key, type.value, arguments, effect)


async def _move(
    session: Session,
    owner_id: UUID,
    account_id: UUID,
    portfolio_id: UUID | None,
    type: TransactionType,
    amount: Decimal,
    notes: str | None,
) -> UUID:
    account = await lock_account(session, owner_id, account_id)
    if account is None:
        raise NotFound("There is no such account.", ("accountId",))
    if not account["is_active"]:
        raise Inactive("The account is archived: restore it first.", ("accountId",))
    place = Place.of_account(owner_id, account)
    if portfolio_id is not None:
        portfolio = await lock_portfolio(session, owner_id, portfolio_id)
        if portfolio is None or portfolio["account_id"] != account_id:
            raise NotFound("The account has no such portfolio.", ("portfolioId",))
        if not portfolio["is_active"]:
            raise PortfolioInactive
        place = Place.of_portfolio(owner_id, portfolio)
    now = dt.datetime.now(dt.UTC)
    entry = entry_of(uuid7(), type, now, now, has_symbol=False, amount=amount)
    await post_entry(session, place, entry, notes=notes, now=True, may_owe=False)
    return entry.id

"""Accounts: opening, changing and archiving them, and moving cash in and out."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from db.account.writes import (
    insert_account,
    lock_portfolios,
    mark_all_stale,
    name_is_taken,
    update_account,
)
from db.auth.writes import lock_user
from db.ids import uuid7
from db.sessions import Session
from db.trading.writes import lock_account, lock_portfolio
from db.vocabulary import AccountType, Broker, TransactionType
from investing.account.zone_changes import move_splits
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once
from investing.rules.errors import Inactive, InvalidInput, NameTaken, NotFound, PortfolioInactive
from investing.rules.names import checked_name
from investing.rules.time_zones import DEFAULT, checked_time_zone
from investing.rules.trading.entries import check_notes, entry_of
from investing.time_zones import check_known
from investing.trading.posting import CashLocation, post_entry


@dataclass(frozen=True)
class NewAccount:
    """An account to open, with the cash it starts with."""

    name: str
    broker: Broker
    account_type: AccountType
    currency: str
    initial_balance: Decimal
    is_paper: bool
    time_zone: str = DEFAULT


async def create_account(actor: Actor, new: NewAccount) -> UUID:
    """Opens an account; what it starts with is its first deposit.

    Raises InvalidInput and NameTaken.
    """
    name = checked_name(new.name)
    time_zone = checked_time_zone(new.time_zone)
    if new.initial_balance < 0:
        raise InvalidInput("An account starts with no cash or some.", ("initialBalance",))
    id = uuid7()
    async with actor.sessions.begin(actor.id) as session:
        await lock_user(session, actor.id)
        if await name_is_taken(session, actor.id, name):
            raise NameTaken(f"You have an account {name} already.", ("name",))
        await check_known(session, time_zone)
        values = {
            "name": name,
            "broker": new.broker.value,
            "account_type": new.account_type.value,
            "currency": new.currency,
            "initial_balance": new.initial_balance,
            "is_paper": new.is_paper,
            "time_zone": time_zone,
        }
        await insert_account(session, actor.id, id, values)
        if new.initial_balance:
            await _move(
                session, actor.id, id, None, TransactionType.DEPOSIT, new.initial_balance, "Initial balance"
            )
        await note(session, actor.id, actor.client, "account.created", "Account", id, **values)
    return id


async def change_account(
    actor: Actor, id: UUID, *, name: str | None = None, time_zone: str | None = None
) -> None:
    """Give an account another name, another time zone or both; what is None stays.

    Another time zone cuts its days anew: all snapshots of its portfolios are stale from their first day on,
    and splits begin at other instants. Raises InvalidInput, NameTaken and NotFound; and InsufficientShares
    with the day and the transaction where a later entry cannot stand with the splits at those instants.
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
        raise NameTaken(f"You have an account {name} already.", ("name",))
    await update_account(session, actor.id, id, {"name": name})
    await note(session, actor.id, actor.client, "account.renamed", "Account", id, name=name)


async def _move_to(session: Session, actor: Actor, id: UUID, before: str, time_zone: str) -> None:
    await check_known(session, time_zone)
    # Whatever is posted meanwhile waits for the account's new days, or is there to be marked.
    await lock_portfolios(session, actor.id, id)
    await update_account(session, actor.id, id, {"time_zone": time_zone})
    await move_splits(session, actor.id, id, time_zone)
    await mark_all_stale(session, actor.id, id)
    zones = {"time_zone": time_zone, "before": before}
    await note(session, actor.id, actor.client, "account.time_zone_changed", "Account", id, **zones)


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
    place = CashLocation.of_account(owner_id, account)
    if portfolio_id is not None:
        portfolio = await lock_portfolio(session, owner_id, portfolio_id)
        if portfolio is None or portfolio["account_id"] != account_id:
            raise NotFound("The account has no such portfolio.", ("portfolioId",))
        if not portfolio["is_active"]:
            raise PortfolioInactive
        place = CashLocation.of_portfolio(owner_id, portfolio)
    now = dt.datetime.now(dt.UTC)
    entry = entry_of(uuid7(), type, now, now, has_symbol=False, amount=amount)
    await post_entry(session, place, entry, notes=notes, now=True, may_owe=False)
    return entry.id

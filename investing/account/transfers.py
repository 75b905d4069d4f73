"""Cash between an account and its portfolios: out here and in there, in one transaction, or not at all."""

import datetime as dt
from decimal import Decimal
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading.writes import lock_account, lock_portfolio
from db.vocabulary import TransactionType
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once
from investing.rules.errors import DomainError, Inactive, InvalidInput, NotFound, PortfolioInactive
from investing.rules.trading.entries import check_notes, entry_of
from investing.trading.posting import CashLocation, post_entry


async def transfer(
    session: Session,
    source: CashLocation,
    target: CashLocation,
    amount: Decimal,
    now: dt.datetime,
    notes: str | None,
    field: tuple[str, ...] = ("amount",),
) -> UUID:
    """Moves cash between two locked places. The id of the transaction that comes in.

    Raises InvalidInput and InsufficientCash, both about `field`.
    """
    transfer_id = uuid7()
    try:
        out = entry_of(uuid7(), TransactionType.TRANSFER_OUT, now, now, has_symbol=False, amount=amount)
        into = entry_of(uuid7(), TransactionType.TRANSFER_IN, now, now, has_symbol=False, amount=amount)
        await post_entry(session, source, out, notes=notes, transfer_id=transfer_id, now=True, may_owe=False)
        await post_entry(session, target, into, notes=notes, transfer_id=transfer_id, now=True)
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
    """Moves cash inside an account; None is the account's unallotted cash. The incoming transaction's id.

    Raises InvalidInput, NotFound, Inactive, PortfolioInactive, InsufficientCash and IdempotencyMismatch.
    """
    if from_portfolio_id == to_portfolio_id:
        raise InvalidInput("Cash is moved from one place to another.", ("toPortfolioId",))
    check_notes(notes)

    async def effect(session: Session) -> UUID:
        account = await lock_account(session, actor.id, account_id)
        if account is None:
            raise NotFound("There is no such account.", ("accountId",))
        if not account["is_active"]:
            raise Inactive("The account is archived: restore it first.", ("accountId",))
        places: dict[UUID | None, CashLocation] = {None: CashLocation.of_account(actor.id, account)}
        # By id, so that two transfers in opposite directions never wait for each other.
        for id in sorted(id for id in (from_portfolio_id, to_portfolio_id) if id is not None):
            field = ("fromPortfolioId",) if id == from_portfolio_id else ("toPortfolioId",)
            places[id] = await _place(session, actor.id, account_id, id, field)
        id = await transfer(
            session,
            places[from_portfolio_id],
            places[to_portfolio_id],
            amount,
            dt.datetime.now(dt.UTC),
            notes,
        )
        await note(session, actor.id, actor.client, "cash.transfer", "Transaction", id, amount=amount)
        return id

    arguments = {
        "account": account_id,
        "from": from_portfolio_id,
        "to": to_portfolio_id,
        "amount": amount,
        "notes": notes,
    }
    return await once(actor.sessions, actor.id, idempotency_key, "TRANSFER", arguments, effect)


async def _place(
    session: Session, owner_id: UUID, account_id: UUID, portfolio_id: UUID, field: tuple[str, ...]
) -> CashLocation:
    portfolio = await lock_portfolio(session, owner_id, portfolio_id)
    if portfolio is None or portfolio["account_id"] != account_id:
        raise NotFound("The account has no such portfolio.", field)
    if not portfolio["is_active"]:
        raise PortfolioInactive(field=field)
    return CashLocation.of_portfolio(owner_id, portfolio)

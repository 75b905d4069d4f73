"""Open, change and archive portfolios."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from db.account.writes import lock_account
from db.ids import uuid7
from db.market.writes import find_instrument_ids
from db.portfolio.writes import (
    find_settings,
    insert_portfolio,
    lock_its_account,
    name_is_taken,
    update_portfolio,
)
from db.sessions import Session, announce
from db.trading.ledger import LedgerTransaction
from db.trading.orders import count_open_orders
from db.vocabulary import AccountType, RebalanceFrequency, Strategy, Topic
from db.writing import raw_connection_of
from investing.account.transfers import transfer
from investing.actor import Actor
from investing.audit import note
from investing.idempotency import once_in_session
from investing.rebalancing.due import update_due
from investing.rules.errors import AccountInactive, InvalidInput, NameTaken, NotFound, UnknownInstrument
from investing.rules.names import checked_name
from investing.rules.portfolio.portfolio_settings import (
    check_automatic,
    check_fraction,
    check_no_open_orders,
    check_planning,
    check_symbols,
    check_targets,
)
from investing.trading.transaction_rows import CashLocation


@dataclass(frozen=True)
class NewPortfolio:
    """A portfolio to open, with its share of its account's unallotted cash."""

    account_id: UUID
    name: str
    strategy: Strategy
    risk_tolerance: Decimal
    max_position_size: Decimal
    auto_rebalance: bool
    rebalance_frequency: RebalanceFrequency
    drift_band: Decimal | None
    initial_cash: Decimal
    symbols: Sequence[str] | None
    target_weights: Mapping[str, str] | None
    fractional_shares: bool = True
    minimum_trade: Decimal = Decimal(0)
    relative_drift_band: Decimal | None = None
    cash_reserve: Decimal = Decimal(0)
    max_trade: Decimal | None = None
    max_turnover: Decimal | None = None
    look_back_days: int = 756
    tax_aware: bool = False


async def create_portfolio(actor: Actor, new: NewPortfolio, *, idempotency_key: str | None = None) -> UUID:
    """Open a portfolio and move its initial cash there from the account; return its id.

    Without a key nothing distinguishes a retry from a second request, but a name can be used only once. Raise
    InvalidInput, NotFound, AccountInactive, NameTaken, UnknownInstrument, InsufficientCash or
    IdempotencyMismatch.
    """
    name = checked_name(new.name)
    if new.initial_cash < 0:
        raise InvalidInput("The initial cash must not be negative.", ("initialCash",))
    settings = {
        name: value.value if isinstance(value, StrEnum) else value
        for name, value in vars(new).items()
        if name not in ("account_id", "name", "initial_cash")
    }
    _check(settings)
    check_targets(new.strategy, new.target_weights)
    check_automatic(new.strategy, new.auto_rebalance)

    async def effect(session: Session) -> UUID:
        return await _create(session, actor, new, name, settings)

    if idempotency_key is None:
        return await actor.sessions.transact(actor.id, effect)
    arguments = asdict(new)
    return await once_in_session(
        actor.sessions, actor.id, idempotency_key, "createPortfolio", arguments, effect
    )


async def _create(
    session: Session, actor: Actor, new: NewPortfolio, name: str, settings: Mapping[str, Any]
) -> UUID:
    id = uuid7()
    account = await lock_account(session, actor.id, new.account_id)
    if account is None:
        raise NotFound("There is no such account.", ("accountId",))
    if not account["is_active"]:
        raise AccountInactive("The account is archived: restore it first.", ("accountId",))
    await _check_name(session, actor.id, new.account_id, name)
    await _check_known(session, actor.id, settings)
    row = {
        "owner_id": actor.id,
        "id": id,
        "account_id": new.account_id,
        "name": name,
        "currency": account["currency"],
        "margin": account["account_type"] == AccountType.MARGIN,
        "cash_balance": Decimal(0),
        **settings,
    }
    await insert_portfolio(session, row)
    await update_due(session, actor.id, id, settings)
    if new.initial_cash:
        await _give(session, actor.id, account, id, new.initial_cash)
    await note(session, actor.id, actor.client, "portfolio.created", "Portfolio", id, name=name, **settings)
    return id


async def _give(
    session: Session, owner_id: UUID, account: Mapping[Any, Any], id: UUID, cash: Decimal
) -> None:
    """Move a new portfolio's initial cash there from its locked account."""
    margin = account["account_type"] == AccountType.MARGIN
    of_both = {"margin": margin, "currency": account["currency"], "time_zone": account["time_zone"]}
    source = CashLocation(owner_id, account["id"], None, cash=account["unallotted_cash"], **of_both)
    target = CashLocation(owner_id, account["id"], id, cash=Decimal(0), **of_both)
    ledger = LedgerTransaction(await raw_connection_of(session), owner_id)
    now = dt.datetime.now(dt.UTC)
    await transfer(ledger, source, target, cash, now, "Initial cash", ("initialCash",))
    await ledger.flush()
    announce(session, owner_id, Topic.PORTFOLIOS)


async def change_portfolio(actor: Actor, id: UUID, changes: Mapping[str, Any]) -> None:
    """Change the settings that are given, by column; the others stay.

    Raise InvalidInput, NotFound, NameTaken or UnknownInstrument.
    """
    changes = dict(changes)
    if "name" in changes:
        changes["name"] = checked_name(changes["name"])
    _check(changes)
    async with actor.sessions.begin(actor.id) as session:
        if "name" in changes:
            await lock_its_account(session, actor.id, id)
        before = await find_settings(session, actor.id, id)
        if before is None:
            raise NotFound("There is no such portfolio.", ("portfolioId",))
        strategy = Strategy(changes.get("strategy", before["strategy"]))
        if strategy is not Strategy.CUSTOM and "target_weights" not in changes:
            # Custom weights have no meaning for a strategy that computes its own.
            changes["target_weights"] = None
        check_targets(strategy, changes.get("target_weights", before["target_weights"]))
        check_automatic(strategy, changes.get("auto_rebalance", before["auto_rebalance"]))
        if "name" in changes:
            await _check_name(session, actor.id, before["account_id"], changes["name"], but=id)
        await _check_known(session, actor.id, changes)
        if changes:
            await update_portfolio(session, actor.id, id, changes)
            await update_due(session, actor.id, id, changes)
        await note(session, actor.id, actor.client, "portfolio.changed", "Portfolio", id, **changes)


async def set_portfolio_active(actor: Actor, id: UUID, is_active: bool) -> None:
    """Archive or restore a portfolio; keep its holdings and history.

    Raise NotFound if it is not there, and InvalidInput if it is to be archived while orders are open.
    """

    async def change(session: Session) -> None:
        if not await update_portfolio(session, actor.id, id, {"is_active": is_active}):
            raise NotFound("There is no such portfolio.", ("portfolioId",))
        if not is_active:
            # The portfolio is locked by now, so that no order can be placed in between.
            check_no_open_orders(await count_open_orders(session, actor.id, id), "portfolioId")
        action = "portfolio.restored" if is_active else "portfolio.archived"
        await note(session, actor.id, actor.client, action, "Portfolio", id)

    await actor.sessions.transact(actor.id, change)


def _check(settings: Mapping[str, Any]) -> None:
    check_fraction(settings.get("risk_tolerance"), "riskTolerance", zero=True)
    check_fraction(settings.get("max_position_size"), "maxPositionSize", zero=False)
    check_fraction(settings.get("drift_band"), "driftBand", zero=False)
    check_symbols(settings.get("symbols"))
    check_planning(settings)


async def _check_name(
    session: Session, owner_id: UUID, account_id: UUID, name: str, *, but: UUID | None = None
) -> None:
    if await name_is_taken(session, owner_id, account_id, name, but=but):
        raise NameTaken(f"The account already has a portfolio {name}.", ("name",))


async def _check_known(session: Session, owner_id: UUID, settings: Mapping[str, Any]) -> None:
    for setting, field in (("symbols", "symbols"), ("target_weights", "targetWeights")):
        symbols = list(settings.get(setting) or ())
        known = await find_instrument_ids(session, owner_id, symbols) if symbols else {}
        for symbol in symbols:
            if symbol not in known:
                raise UnknownInstrument.named(symbol, (field,))

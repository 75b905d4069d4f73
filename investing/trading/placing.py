"""Placing an order: looked at, reserved and written, in one transaction. Nothing here talks to a broker."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading import orders as rows
from db.trading.writes import find_position
from db.vocabulary import OrderSide, OrderStatus, OrderType
from investing.auth.types import Client
from investing.brokers.registry import Brokers
from investing.rules import orders as rules
from investing.rules.orders import ZERO, Ticket, Wish
from investing.rules.refusals import (
    Inactive,
    InsufficientCash,
    InsufficientShares,
    NoPrice,
    NotFound,
    PortfolioInactive,
)
from investing.trading.orders import note_order
from investing.trading.recording import checked_instrument


@dataclass(frozen=True)
class NewOrder:
    """An order as its owner places it."""

    portfolio_id: UUID
    symbol: str
    wish: Wish


@dataclass(frozen=True)
class PartOf:
    """The rebalance that an order is a leg of, and the id that the order therefore has.

    Its plan has kept to maxPositionSize, which is not asked for again at the price of the moment.
    """

    rebalance_id: UUID
    order_id: UUID


@dataclass(frozen=True)
class House:
    """What the server's settings say about placing orders."""

    brokers: Brokers
    quote_max_age: dt.timedelta | None = None
    patience: dt.timedelta = dt.timedelta(seconds=5)


async def place(
    session: Session,
    owner_id: UUID,
    client: Client,
    new: NewOrder,
    house: House,
    now: dt.datetime,
    part_of: PartOf | None = None,
) -> UUID:
    """Takes an order: reserved, PENDING, not with the broker yet. Its id.

    Raises NotFound, PortfolioInactive, Inactive, BrokerUnavailable, UnknownInstrument, CurrencyMismatch,
    NoPrice, StalePrice, InvalidInput, PositionTooLarge, InsufficientCash and InsufficientShares.
    """
    trader = await _trader(session, owner_id, new.portfolio_id)
    terms = house.brokers.named(trader["broker"]).terms
    found = await rows.find_quoted(session, new.symbol)
    instrument = checked_instrument(new.symbol, found, trader["currency"])
    price = _price(new, instrument, house, now)
    ticket = rules.ticket_of(new.wish, price, terms)
    if part_of is None:
        await _check_size(session, owner_id, trader, instrument, new, ticket, price)
    field = "quantity" if new.wish.notional is None else "notional"
    await _check_there(session, owner_id, trader, instrument, ticket, field)
    await rows.reserve(
        session, owner_id, new.portfolio_id, instrument["id"], ticket.reserved_cash, ticket.reserved_quantity
    )
    id = uuid7() if part_of is None else part_of.order_id
    values = _row(owner_id, id, new, ticket, instrument["id"], trader["broker"], now)
    if part_of is not None:
        values["rebalance_id"] = part_of.rebalance_id
    # By then whoever places it has its answer, or is gone.
    await rows.insert_order(session, values, now + house.patience * 2)
    await note_order(session, owner_id, client, "placed", values, symbol=new.symbol)
    return id


async def _trader(session: Session, owner_id: UUID, portfolio_id: UUID) -> Mapping[Any, Any]:
    trader = await rows.lock_trader(session, owner_id, portfolio_id)
    if trader is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    if not trader["is_active"]:
        raise PortfolioInactive
    if not trader["account_is_active"]:
        raise Inactive("The account is archived: restore it first.", ("portfolioId",))
    return trader


def _price(new: NewOrder, instrument: Mapping[Any, Any], house: House, now: dt.datetime) -> Decimal:
    if new.wish.type is OrderType.LIMIT:
        assert new.wish.limit_price is not None, "checked before"
        return new.wish.limit_price
    price: Decimal | None = instrument["price"]
    if price is None:
        message = f"There is no price of {new.symbol}, which a MARKET order needs: give a limit price."
        raise NoPrice(message, ("symbol",), symbol=new.symbol)
    rules.check_fresh(new.symbol, instrument["as_of"], now, house.quote_max_age)
    return price


async def _check_size(
    session: Session,
    owner_id: UUID,
    trader: Mapping[Any, Any],
    instrument: Mapping[Any, Any],
    new: NewOrder,
    ticket: Ticket,
    price: Decimal,
) -> None:
    if new.wish.side is OrderSide.SELL or trader["max_position_size"] >= 1:
        return
    exposure = await rows.find_exposure(session, owner_id, trader["id"], instrument["id"])
    rules.check_size(
        new.symbol,
        (exposure["quantity"] + ticket.quantity) * price,
        exposure["total_value"],
        trader["max_position_size"],
        field="quantity" if new.wish.notional is None else "notional",
    )


async def _check_there(
    session: Session,
    owner_id: UUID,
    trader: Mapping[Any, Any],
    instrument: Mapping[Any, Any],
    ticket: Ticket,
    field: str,
) -> None:
    cash = trader["cash_balance"] - trader["reserved_cash"]
    if ticket.reserved_cash > cash and not trader["margin"]:
        raise InsufficientCash(
            f"{ticket.reserved_cash.normalize():f} is needed, {cash.normalize():f} is there that no open "
            "order has reserved.",
            (field,),
            required=ticket.reserved_cash,
            available=cash,
        )
    if not ticket.reserved_quantity:
        return
    position = await find_position(session, owner_id, trader["id"], instrument["id"])
    held = ZERO if position is None else position["quantity"] - position["reserved_quantity"]
    if ticket.reserved_quantity > held:
        raise InsufficientShares(
            f"{ticket.quantity.normalize():f} shares are to be sold, {held.normalize():f} are there that no "
            "open order has reserved.",
            (field,),
            required=ticket.quantity,
            available=held,
        )


def _row(
    owner_id: UUID,
    id: UUID,
    new: NewOrder,
    ticket: Ticket,
    instrument_id: UUID,
    broker: str,
    now: dt.datetime,
) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "id": id,
        "client_order_id": id,
        "portfolio_id": new.portfolio_id,
        "instrument_id": instrument_id,
        "broker": broker,
        "side": new.wish.side.value,
        "type": new.wish.type.value,
        "status": OrderStatus.PENDING.value,
        "time_in_force": new.wish.time_in_force.value,
        "quantity": ticket.quantity,
        "notional": new.wish.notional,
        "limit_price": new.wish.limit_price,
        "worst_price": ticket.worst_price,
        "reserved_cash": ticket.reserved_cash,
        "expires_at": rules.expires_at(new.wish.time_in_force, now),
        "submitted_at": now,
    }

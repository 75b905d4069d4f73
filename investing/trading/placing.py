"""Placing an order: looked at, reserved and written, in one transaction. Nothing here talks to a broker."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.locks import lock_portfolio
from db.sessions import Session
from db.trading import batch_writes as writes
from db.trading import orders as rows
from db.trading import quick
from db.trading.writes import find_position
from db.vocabulary import OrderSide, OrderStatus, OrderType
from db.write_batch import WriteBatch
from db.writing import RawConnection
from investing.actor import Actor, RequestOrigin
from investing.audit import add_note
from investing.brokers.registry import Brokers
from investing.idempotency import Intent, once_quickly
from investing.rules.errors import (
    Inactive,
    InsufficientCash,
    InsufficientShares,
    NoPrice,
    NotFound,
    PortfolioInactive,
)
from investing.rules.trading import orders as rules
from investing.rules.trading.orders import ZERO, OrderRequest, SizedOrder
from investing.trading.orders import note_order, noted
from investing.trading.recording import checked_instrument

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class NewOrder:
    """An order as its owner places it."""

    portfolio_id: UUID
    symbol: str
    request: OrderRequest


@dataclass(frozen=True)
class PartOf:
    """The rebalance that an order is a leg of, and the id that the order therefore has.

    Its plan has kept to maxPositionSize, which is not asked for again at the price of the moment.
    """

    rebalance_id: UUID
    order_id: UUID


@dataclass(frozen=True)
class TradingConfig:
    """What the server's settings say about placing orders."""

    brokers: Brokers
    quote_max_age: dt.timedelta | None = None
    patience: dt.timedelta = dt.timedelta(seconds=5)


async def place(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    new: NewOrder,
    trading_config: TradingConfig,
    now: dt.datetime,
    part_of: PartOf | None = None,
) -> UUID:
    """Takes an order: reserved, PENDING, not with the broker yet. Its id.

    Raises NotFound, PortfolioInactive, Inactive, BrokerUnavailable, UnknownInstrument, CurrencyMismatch,
    NoPrice, StalePrice, InvalidInput, PositionTooLarge, InsufficientCash and InsufficientShares.
    """
    trader = _there(await rows.lock_trader(session, owner_id, new.portfolio_id))
    found = await rows.find_quoted(session, owner_id, new.symbol)
    exposure, free = None, ZERO
    if part_of is None and found is not None and _is_limited(new, trader):
        exposure = await rows.find_exposure(session, owner_id, new.portfolio_id, found["id"])
    if found is not None and new.request.side is OrderSide.SELL:
        position = await find_position(session, owner_id, new.portfolio_id, found["id"])
        free = ZERO if position is None else position["quantity"] - position["reserved_quantity"]
    facts = Facts(trader, found, exposure, free)
    sized_order, instrument = _size(new, facts, trading_config, now)
    await rows.reserve(
        session,
        owner_id,
        new.portfolio_id,
        instrument["id"],
        sized_order.reserved_cash,
        sized_order.reserved_quantity,
    )
    id = uuid7() if part_of is None else part_of.order_id
    order = _row(owner_id, id, new, sized_order, instrument, trader, now)
    if part_of is not None:
        order["rebalance_id"] = part_of.rebalance_id
    await rows.insert_order(session, order, _due_at(trading_config, now))
    await note_order(session, owner_id, client, "placed", order, symbol=new.symbol)
    return id


async def place_once(
    actor: Actor, intent: Intent, new: NewOrder, trading_config: TradingConfig
) -> tuple[UUID, dict[str, Any] | None]:
    """The same in a transaction of its own, once for the intent, by one statement that reads and one that
    writes. The order's id, and its row where it was placed just now.
    """
    placed: list[dict[str, Any]] = []

    async def read(connection: RawConnection) -> Row:
        return _there(await quick.for_order(connection, actor.id, new.portfolio_id, intent.key, new.symbol))

    async def decide(connection: RawConnection, row: Row, parts: WriteBatch) -> UUID:
        now = dt.datetime.now(dt.UTC)
        placed[:] = [await _add_order(connection, parts, actor, new, trading_config, row, now)]
        id: UUID = placed[0]["id"]
        return id

    lock = lock_portfolio(actor.id, new.portfolio_id)
    id = await once_quickly(actor.sessions, intent, lock, read, decide)
    return id, placed[0] if placed and placed[0]["id"] == id else None


async def _add_order(
    connection: RawConnection,
    parts: WriteBatch,
    actor: Actor,
    new: NewOrder,
    trading_config: TradingConfig,
    row: Row,
    now: dt.datetime,
) -> dict[str, Any]:
    found = None
    if row["instrument_id"] is not None:
        found = {
            "id": row["instrument_id"],
            "currency": row["instrument_currency"],
            "asset_class": row["asset_class"],
            "exchange": row["exchange"],
            "price": row["price"],
            "as_of": row["as_of"],
        }
    exposure = None
    if found is not None and _is_limited(new, row):
        exposure = await quick.exposure(connection, actor.id, new.portfolio_id, found["id"])
    sized_order, instrument = _size(
        new, Facts(row, found, exposure, row["free_quantity"]), trading_config, now
    )
    key = (actor.id, new.portfolio_id)
    if sized_order.reserved_cash:
        writes.reserve_cash(parts, *key, sized_order.reserved_cash)
    if sized_order.reserved_quantity:
        writes.reserve_shares(parts, *key, instrument["id"], sized_order.reserved_quantity)
    order = _row(actor.id, uuid7(), new, sized_order, instrument, row, now)
    writes.add_order(parts, order, _due_at(trading_config, now))
    reported = noted(order, symbol=new.symbol)
    add_note(parts, actor.id, actor.client, "order.placed", "Order", order["id"], **reported)
    return {**order, "symbol": new.symbol}


def _due_at(trading_config: TradingConfig, now: dt.datetime) -> dt.datetime:
    # By then whoever places it has its answer, or is gone.
    return now + trading_config.patience * 2


@dataclass(frozen=True)
class Facts:
    """What an order is decided by: the portfolio, the instrument with its quote, where there is one, what of
    it is held or wanted already (only where that is limited), and the shares that no open order has reserved.
    """

    trader: Row
    instrument: Row | None
    exposure: Row | None
    free: Decimal


def _there(trader: Row | None) -> Row:
    if trader is None:
        raise NotFound("There is no such portfolio.", ("portfolioId",))
    return trader


def _is_limited(new: NewOrder, trader: Row) -> bool:
    return new.request.side is OrderSide.BUY and trader["max_position_size"] < 1


def _size(
    new: NewOrder, facts: Facts, trading_config: TradingConfig, now: dt.datetime
) -> tuple[SizedOrder, Row]:
    """The order made definite, and its instrument. Raises every refusal that there is."""
    trader = facts.trader
    if not trader["is_active"]:
        raise PortfolioInactive
    if not trader["account_is_active"]:
        raise Inactive("The account is archived: restore it first.", ("portfolioId",))
    fees = trading_config.brokers.named(trader["broker"]).fees
    instrument = checked_instrument(new.symbol, facts.instrument, trader["currency"])
    price = _price(new, instrument, trading_config, now)
    sized_order = rules.size_order(new.request, price, fees, facts.free)
    field = "quantity" if new.request.notional is None else "notional"
    if facts.exposure is not None:
        value_after = (facts.exposure["quantity"] + sized_order.quantity) * price
        total, largest = facts.exposure["total_value"], trader["max_position_size"]
        rules.check_size(new.symbol, value_after, total, largest, field=field)
    _check_there(facts, sized_order, field)
    return sized_order, instrument


def _price(
    new: NewOrder, instrument: Mapping[Any, Any], trading_config: TradingConfig, now: dt.datetime
) -> Decimal:
    if new.request.type is OrderType.LIMIT:
        assert new.request.limit_price is not None, "checked before"
        return new.request.limit_price
    price: Decimal | None = instrument["price"]
    if price is None:
        message = f"There is no price of {new.symbol}, which a MARKET order needs: give a limit price."
        raise NoPrice(message, ("symbol",), symbol=new.symbol)
    rules.check_fresh(new.symbol, instrument["as_of"], now, trading_config.quote_max_age)
    return price


def _check_there(facts: Facts, sized_order: SizedOrder, field: str) -> None:
    trader = facts.trader
    cash = trader["cash_balance"] - trader["reserved_cash"]
    if sized_order.reserved_cash > cash and not trader["margin"]:
        raise InsufficientCash(
            f"{sized_order.reserved_cash.normalize():f} is needed, {cash.normalize():f} is there that no "
            "open order has reserved.",
            (field,),
            required=sized_order.reserved_cash,
            available=cash,
        )
    if sized_order.reserved_quantity > facts.free:
        raise InsufficientShares(
            f"{sized_order.quantity.normalize():f} shares are to be sold, {facts.free.normalize():f} are "
            "there that no open order has reserved.",
            (field,),
            required=sized_order.quantity,
            available=facts.free,
        )


def _row(
    owner_id: UUID,
    id: UUID,
    new: NewOrder,
    sized_order: SizedOrder,
    instrument: Row,
    trader: Row,
    now: dt.datetime,
) -> dict[str, Any]:
    expires_at = rules.expires_at(
        new.request.time_in_force,
        now,
        asset_class=instrument["asset_class"],
        exchange=instrument["exchange"],
        time_zone=trader["time_zone"],
    )
    return {
        "owner_id": owner_id,
        "id": id,
        "client_order_id": id,
        "portfolio_id": new.portfolio_id,
        "instrument_id": instrument["id"],
        "broker": trader["broker"],
        "side": new.request.side.value,
        "type": new.request.type.value,
        "status": OrderStatus.PENDING.value,
        "time_in_force": new.request.time_in_force.value,
        "quantity": sized_order.quantity,
        "filled_quantity": ZERO,
        "notional": new.request.notional,
        "limit_price": new.request.limit_price,
        "worst_price": sized_order.worst_price,
        "reserved_cash": sized_order.reserved_cash,
        "expires_at": expires_at,
        "submitted_at": now,
    }

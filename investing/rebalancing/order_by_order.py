"""One step of a rebalance at a broker that is asked order by order, in one transaction.

Sells go first; a buy is placed once the cash for it is there, and once no sell is open with what cash there
is. Nothing here talks to the broker: an order that a step has placed is for the desk to submit.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.rebalancing import running
from db.sessions import Session
from db.trading import orders as order_rows
from db.vocabulary import LegStatus, OrderSide, OrderStatus, OrderType, RebalanceStatus, TimeInForce
from investing.actor import RequestOrigin
from investing.rebalancing.ending import end
from investing.rebalancing.starting import reason_of
from investing.rules.errors import DomainError, InsufficientCash, InvalidInput
from investing.rules.rebalancing.legs import ENDED, ZERO, affordable, leg_state, order_id_of
from investing.rules.trading.orders import OrderRequest, size_order
from investing.trading.placing import NewOrder, PartOf, TradingConfig, place

LOOK_AGAIN = dt.timedelta(seconds=1)
"""How soon a rebalance is looked at again that waits for its broker."""

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class NextOrder:
    """What a step did: an order to submit, or nothing; and whether the rebalance has ended."""

    placed: UUID | None
    has_ended: bool


async def step(
    session: Session, owner_id: UUID, client: RequestOrigin, id: UUID, trading_config: TradingConfig
) -> NextOrder:
    """Notes what has become of the legs' orders, then places the next order or ends the rebalance."""
    portfolio_id = await running.find_portfolio_of(session, owner_id, id)
    if portfolio_id is None:
        return NextOrder(None, True)
    await order_rows.lock_trader(session, owner_id, portfolio_id)
    record = await running.lock_rebalance(session, owner_id, id)
    if record is None or record["status"] != RebalanceStatus.RUNNING:
        await running.set_work(session, owner_id, id, None)
        return NextOrder(None, True)
    await _note_orders(session, owner_id, id)
    legs = await running.find_legs(session, owner_id, id)
    selling = any(leg["side"] == OrderSide.SELL and leg["status"] not in ENDED for leg in legs)
    for leg in legs:
        if leg["status"] == LegStatus.PLANNED:
            placed = await _place(
                session, owner_id, client, id, portfolio_id, leg, trading_config, selling=selling
            )
            if placed is not None:
                return NextOrder(placed, False)
    if all(leg["status"] in ENDED for leg in await running.find_legs(session, owner_id, id)):
        await end(session, owner_id, client, id)
        return NextOrder(None, True)
    await running.set_work(session, owner_id, id, dt.datetime.now(dt.UTC) + LOOK_AGAIN)
    return NextOrder(None, False)


async def _note_orders(session: Session, owner_id: UUID, id: UUID) -> None:
    for leg in await running.find_legs(session, owner_id, id):
        if leg["status"] != LegStatus.SUBMITTED:
            continue
        order_status, filled = leg["order_status"], leg["order_filled"]
        assert order_status is not None
        assert filled is not None, "a leg that was submitted has an order"
        rejection = f"{leg['rejection_code']}: {leg['rejection_reason']}"
        status, reason = leg_state(
            leg["quantity"], OrderStatus(order_status), filled, rejection, leg["reason"]
        )
        values = {"status": status.value, "reason": reason, "filled_quantity": filled}
        if status is not LegStatus.SUBMITTED or filled != leg["filled_quantity"]:
            await running.update_leg(session, owner_id, id, leg["number"], values)


async def _place(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    id: UUID,
    portfolio_id: UUID,
    leg: Row,
    trading_config: TradingConfig,
    *,
    selling: bool,
) -> UUID | None:
    """The order that was placed; None where the leg has to wait, or is skipped."""
    try:
        return await _order(
            session, owner_id, client, id, portfolio_id, leg, leg["quantity"], None, trading_config
        )
    except InsufficientCash as domain_error:
        if leg["side"] == OrderSide.BUY and selling:
            return None
        reason = reason_of(domain_error)
        quantity = await _affordable(session, owner_id, portfolio_id, leg, trading_config)
        if leg["side"] == OrderSide.BUY and quantity:
            return await _order(
                session, owner_id, client, id, portfolio_id, leg, quantity, reason, trading_config
            )
    except DomainError as domain_error:
        reason = reason_of(domain_error)
    values = {"status": LegStatus.SKIPPED.value, "reason": reason}
    await running.update_leg(session, owner_id, id, leg["number"], values)
    return None


async def _order(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    id: UUID,
    portfolio_id: UUID,
    leg: Row,
    quantity: Decimal,
    reason: str | None,
    trading_config: TradingConfig,
) -> UUID:
    order_id = order_id_of(id, leg["number"])
    request = OrderRequest(OrderSide(leg["side"]), OrderType.MARKET, quantity, None, None, TimeInForce.DAY)
    new = NewOrder(portfolio_id, leg["symbol"], request)
    async with session.begin_nested():
        now = dt.datetime.now(dt.UTC)
        await place(session, owner_id, client, new, trading_config, now, PartOf(id, order_id))
    values = {"status": LegStatus.SUBMITTED.value, "order_id": order_id, "reason": reason}
    await running.update_leg(session, owner_id, id, leg["number"], values)
    return order_id


async def _affordable(
    session: Session, owner_id: UUID, portfolio_id: UUID, leg: Row, trading_config: TradingConfig
) -> Decimal:
    """How much of a purchase the cash pays for that is there and that no other order has reserved."""
    trader = await order_rows.lock_trader(session, owner_id, portfolio_id)
    quoted = await order_rows.find_quoted(session, owner_id, leg["symbol"])
    assert trader is not None
    assert quoted is not None
    cash = trader["cash_balance"] - trader["reserved_cash"]
    if cash <= 0:
        return ZERO
    request = OrderRequest(OrderSide.BUY, OrderType.MARKET, None, cash, None, TimeInForce.DAY)
    fees = trading_config.brokers.named(trader["broker"]).fees
    try:
        return affordable(leg["quantity"], size_order(request, quoted["price"], fees).quantity)
    except InvalidInput:
        return ZERO

"""A rebalance at a broker that trades in our own transaction: whole, or not at all."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.rebalancing import running
from db.sessions import Session
from db.trading import orders as rows
from db.vocabulary import (
    BrokerOrderStatus,
    LegStatus,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
    TransactionType,
)
from investing.actor import RequestOrigin
from investing.brokers.protocol import AtomicBroker, BrokerOrder, BrokerOrderRequest, Fill
from investing.rules.errors import OrderRejected
from investing.rules.rebalancing.legs import order_id_of
from investing.rules.rebalancing.plans import Plan, PlannedTrade
from investing.rules.trading.ledger import Entry, trade_amount
from investing.rules.trading.orders import expires_at
from investing.trading.orders import note_order
from investing.trading.posting import CashLocation, FillReference, post_entry


async def trade_whole(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    portfolio: Mapping[Any, Any],
    id: UUID,
    plan: Plan,
    quotes: Mapping[UUID, Decimal],
    broker: AtomicBroker,
    now: dt.datetime,
) -> None:
    """Fills every trade of the plan and posts it, sells before buys.

    `portfolio` is the locked row. Raises OrderRejected where the broker refuses one, and what the ledger
    refuses: the caller's transaction then leaves nothing behind.
    """
    requests = [_request(order_id_of(id, n), trade) for n, trade in enumerate(plan.trades, 1)]
    venues = await running.find_venues(session, [trade.instrument_id for trade in plan.trades])
    filled = await broker.fill_all(session, requests)
    legs = []
    for number, (trade, request, order) in enumerate(zip(plan.trades, requests, filled, strict=True), 1):
        _check(request, order)
        row = _order_row(owner_id, id, portfolio, trade, request, order, now)
        row["expires_at"] = expires_at(
            TimeInForce.DAY,
            now,
            asset_class=venues[trade.instrument_id]["asset_class"],
            exchange=venues[trade.instrument_id]["exchange"],
            time_zone=portfolio["time_zone"],
        )
        await rows.insert_filled_order(session, row)
        for execution in order.executions:
            await _post(session, owner_id, portfolio, trade, request, execution)
        await note_order(session, owner_id, client, "filled", row, symbol=trade.symbol, rebalance=id)
        legs.append(
            {
                "owner_id": owner_id,
                "rebalance_id": id,
                "number": number,
                "instrument_id": trade.instrument_id,
                "side": trade.side.value,
                "quantity": trade.quantity,
                "filled_quantity": trade.quantity,
                "quote_price": quotes[trade.instrument_id],
                "status": LegStatus.FILLED.value,
                "order_id": row["id"],
            }
        )
    await running.insert_legs(session, legs)


def _request(order_id: UUID, trade: PlannedTrade) -> BrokerOrderRequest:
    # No worst price: the quotes are held, so that the price is the one that was planned with.
    return BrokerOrderRequest(
        order_id,
        trade.symbol,
        trade.side,
        OrderType.MARKET,
        TimeInForce.DAY,
        trade.quantity,
        instrument_id=trade.instrument_id,
    )


def _check(request: BrokerOrderRequest, order: BrokerOrder) -> None:
    if order.rejection is not None:
        raise OrderRejected(order.rejection.reason, (), broker_code=order.rejection.code)
    assert order.status is BrokerOrderStatus.FILLED, f"{request.symbol} was to be filled whole"
    assert sum(execution.quantity for execution in order.executions) == request.quantity


def _order_row(
    owner_id: UUID,
    id: UUID,
    portfolio: Mapping[Any, Any],
    trade: PlannedTrade,
    request: BrokerOrderRequest,
    order: BrokerOrder,
    now: dt.datetime,
) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "id": request.client_order_id,
        "client_order_id": request.client_order_id,
        "portfolio_id": portfolio["id"],
        "instrument_id": trade.instrument_id,
        "rebalance_id": id,
        "broker": portfolio["broker"],
        "broker_order_id": order.broker_order_id,
        "side": trade.side.value,
        "type": OrderType.MARKET.value,
        "status": OrderStatus.FILLED.value,
        "time_in_force": TimeInForce.DAY.value,
        "quantity": trade.quantity,
        "filled_quantity": trade.quantity,
        "average_fill_price": _average(order.executions),
        "submitted_at": now,
    }


def _average(executions: Sequence[Fill]) -> Decimal:
    (only,) = executions
    return only.price


async def _post(
    session: Session,
    owner_id: UUID,
    portfolio: Mapping[Any, Any],
    trade: PlannedTrade,
    request: BrokerOrderRequest,
    execution: Fill,
) -> None:
    # Read again, since each trade moves the cash that the next one has.
    trader = await rows.lock_trader(session, owner_id, portfolio["id"])
    assert trader is not None, "it is locked"
    entry = Entry(
        id=uuid7(),
        type=TransactionType.BUY if trade.side is OrderSide.BUY else TransactionType.SELL,
        executed_at=execution.executed_at,
        amount=trade_amount(execution.quantity, execution.price),
        commission=execution.commission,
        quantity=execution.quantity,
        price=execution.price,
        of_shares=True,
    )
    await post_entry(
        session,
        CashLocation.of_portfolio(owner_id, trader),
        entry,
        instrument_id=trade.instrument_id,
        fills=FillReference(request.client_order_id, execution.id),
        now=True,
    )

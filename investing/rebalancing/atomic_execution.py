"""A rebalance at a broker that trades in our own transaction: completely or not at all."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from db.ids import uuid7
from db.locks import Locks
from db.rebalancing import running
from db.sessions import Session, announce
from db.trading.ledger import LedgerTransaction
from db.trading.ledger_reads import TradeFacts, for_trades
from db.trading.ledger_writes import add_order
from db.vocabulary import (
    BrokerOrderStatus,
    LegStatus,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
    Topic,
    TransactionType,
)
from db.writing import raw_connection_of
from investing.actor import RequestOrigin
from investing.brokers.protocol import AtomicBroker, BrokerOrder, BrokerOrderRequest, Fill
from investing.rules.errors import OrderRejected
from investing.rules.rebalancing.legs import order_id_of
from investing.rules.rebalancing.plans import Plan, PlannedTrade
from investing.rules.trading.ledger import Entry, overtaking, trade_amount
from investing.rules.trading.orders import expires_at
from investing.trading.orders import note_order
from investing.trading.posting import post_entry
from investing.trading.transaction_rows import CashLocation, FillReference


async def trade_atomically(
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
    """Fill every trade of the plan and post it, sells before buys, as one statement.

    `portfolio` is the locked row. Raise OrderRejected if the broker rejects one, and whatever the ledger
    refuses: the caller's transaction then leaves nothing behind.
    """
    requests = [_request(order_id_of(id, n), trade) for n, trade in enumerate(plan.trades, 1)]
    venues = await running.find_venues(session, [trade.instrument_id for trade in plan.trades])
    filled = await broker.fill_all(session, requests)
    ledger = LedgerTransaction(
        await raw_connection_of(session), owner_id, Locks.of(portfolios=[portfolio["id"]])
    )
    known = await _holdings(ledger, portfolio["id"], filled, plan)
    # Cash reserved by open orders must not be spent; each trade changes the cash left for the next one.
    place = CashLocation(
        owner_id,
        portfolio["account_id"],
        portfolio["id"],
        portfolio["currency"],
        portfolio["cash_balance"] - portfolio["reserved_cash"],
        portfolio["margin"],
        portfolio["time_zone"],
        portfolio["reserved_cash"],
    )
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
        add_order(ledger.batch, row, None)
        (execution,) = order.executions
        posted = await _post(ledger, place, trade, request, execution, known[trade.instrument_id])
        place = replace(place, cash=place.cash + posted["cash_delta"])
        told = _Noted(trade.side.value, trade.quantity, trade.symbol)
        note_order(ledger, client, "filled", request.client_order_id, told, rebalance=id)
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
    await ledger.flush()
    announce(session, owner_id, Topic.PORTFOLIOS)
    await running.insert_legs(session, legs)


class _Noted(NamedTuple):
    side: str
    quantity: Decimal
    symbol: str


async def _holdings(
    ledger: LedgerTransaction, portfolio_id: UUID, filled: Sequence[BrokerOrder], plan: Plan
) -> Mapping[UUID, TradeFacts]:
    """Return what is held of each instrument before any of it is traded."""
    instants = [execution.executed_at for order in filled for execution in order.executions]
    key = (ledger.connection, ledger.owner_id, portfolio_id)
    ids = [trade.instrument_id for trade in plan.trades]
    earliest = min(instants, default=dt.datetime.now(dt.UTC))
    return await for_trades(*key, ids, earliest, overtaking(TransactionType.SELL))


def _request(order_id: UUID, trade: PlannedTrade) -> BrokerOrderRequest:
    # No worst price: the quotes are locked, so the price is the one that the plan was made with.
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
    assert order.status is BrokerOrderStatus.FILLED, f"{request.symbol} was to be filled completely"
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
    ledger: LedgerTransaction,
    place: CashLocation,
    trade: PlannedTrade,
    request: BrokerOrderRequest,
    execution: Fill,
    known: TradeFacts,
) -> Mapping[str, Any]:
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
    return await post_entry(
        ledger,
        place,
        entry,
        instrument_id=trade.instrument_id,
        known=known,
        fills=FillReference(request.client_order_id, execution.id),
        now=True,
    )

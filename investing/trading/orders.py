"""What becomes of an order that is placed, each in one transaction: filled, ended, not known.

Nothing here talks to a broker. The portfolio is locked before anything of it is read or changed.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading import orders as rows
from db.vocabulary import OrderSide, OrderStatus, OrderType, TimeInForce, TransactionType
from investing.actor import RequestOrigin
from investing.alerts.events import tell_rejected
from investing.audit import note
from investing.brokers.protocol import BrokerOrder, BrokerOrderRequest, Fill, Rejection
from investing.idempotency import dump
from investing.rules.errors import (
    DomainError,
    NoPrice,
    OrderRejected,
)
from investing.rules.trading import orders as rules
from investing.rules.trading.filling import FilledOrder, OrderState, after_fill
from investing.rules.trading.ledger import Entry
from investing.rules.trading.orders import OPEN, ZERO
from investing.trading.posting import CashLocation, FillReference, post_entry

OrderRow = Mapping[Any, Any]
"""An order's row with its symbol."""

LOOK_AFTER = dt.timedelta(minutes=15)
"""How often a resting order is compared with its broker's, whatever the broker tells by itself."""


async def fill(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    execution: Fill,
    broker_order_id: str | None = None,
) -> OrderStatus | None:
    """Puts a fill on the ledger, once however often it is told. Where the order stands now.

    None where there is no such order any more. Raises the ledger's refusals, which only a broker can cause
    that fills beyond what it was given.
    """
    order = await _locked(session, owner_id, execution.client_order_id)
    if order is None:
        return None
    if order["status"] not in OPEN or await rows.is_executed(session, owner_id, execution.id):
        return OrderStatus(order["status"])
    value = await rows.filled_value(session, owner_id, order["id"]) if order["filled_quantity"] else ZERO
    filled = filled_by(order, value, execution)
    await _release(session, owner_id, order, filled.released_cash, execution.quantity)
    await _post(session, owner_id, order, execution, filled.amount)
    changed = changed_by(order, filled, broker_order_id)
    await _change(session, owner_id, client, order, filled.status, changed, execution=execution.id)
    return filled.status


async def _post(session: Session, owner_id: UUID, order: OrderRow, execution: Fill, amount: Decimal) -> None:
    # Again, since what the order had reserved is free for it now.
    trader = await rows.lock_trader(session, owner_id, order["portfolio_id"])
    assert trader is not None, "it is locked"
    await post_entry(
        session,
        CashLocation.of_portfolio(owner_id, trader),
        entry_of(order, execution, amount),
        instrument_id=order["instrument_id"],
        fills=FillReference(order["id"], execution.id),
        now=True,
    )


def filled_by(order: OrderRow, value: Decimal, execution: Fill) -> FilledOrder:
    """The order after a fill; `value` is quantity x price over all that it traded before."""
    side = OrderSide(order["side"])
    state = OrderState(
        side=side,
        quantity=order["quantity"],
        filled=order["filled_quantity"],
        reserved_cash=order["reserved_cash"],
        value=value,
        dearest=(order["limit_price"] or order["worst_price"]) if side is OrderSide.BUY else None,
    )
    return after_fill(state, execution.quantity, execution.price, execution.commission)


def entry_of(order: OrderRow, execution: Fill, amount: Decimal) -> Entry:
    """The fill of an order as an entry of the ledger, with its amount by the rule."""
    return Entry(
        id=uuid7(),
        type=TransactionType.BUY if order["side"] == OrderSide.BUY else TransactionType.SELL,
        executed_at=execution.executed_at,
        amount=amount,
        commission=execution.commission,
        quantity=execution.quantity,
        price=execution.price,
        of_shares=True,
    )


def changed_by(order: OrderRow, filled: FilledOrder, broker_order_id: str | None) -> dict[str, Any]:
    """The columns of an order that a fill changes."""
    return {
        "status": filled.status.value,
        "filled_quantity": filled.filled,
        "average_fill_price": filled.average_price,
        "reserved_cash": filled.reserved_cash,
        "broker_order_id": broker_order_id or order["broker_order_id"],
    }


async def settle(
    session: Session, owner_id: UUID, client: RequestOrigin, state: BrokerOrder
) -> OrderStatus | None:
    """Brings the order to where its broker has it. Every fill of that state is on the ledger already.

    Where it stands now, None where there is no such order any more.
    """
    order = await _locked(session, owner_id, state.client_order_id)
    if order is None:
        return None
    now = dt.datetime.now(dt.UTC)
    is_due = order["expires_at"] is not None and order["expires_at"] <= now
    stands = OrderStatus(order["status"])
    status = rules.status_of(state.status, order["filled_quantity"], order["quantity"], is_due=is_due)
    if stands in OPEN and status in OPEN:
        due_at = now + LOOK_AFTER
        await rows.set_work(session, owner_id, order["id"], min(due_at, order["expires_at"] or due_at))
    if status is stands or not rules.may_become(stands, status):
        return stands
    values: dict[str, Any] = {"broker_order_id": state.broker_order_id}
    if status not in OPEN:
        remaining = order["quantity"] - order["filled_quantity"]
        await _release(session, owner_id, order, order["reserved_cash"], remaining)
        values["reserved_cash"] = ZERO
    if status is OrderStatus.REJECTED:
        values |= _rejection(order["symbol"], state.rejection)
    await _change(session, owner_id, client, order, status, values)
    if status is OrderStatus.REJECTED:
        await tell_rejected(session, owner_id, order, values["rejection_reason"], values["rejection_code"])
    return status


async def set_unknown(session: Session, owner_id: UUID, client: RequestOrigin, id: UUID) -> None:
    """Notes that nobody knows whether the broker has the order: it is looked up in a second."""
    order = await _locked(session, owner_id, id)
    if order is not None and order["status"] == OrderStatus.PENDING:
        due_at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
        await rows.set_work(session, owner_id, id, due_at)
        await _change(session, owner_id, client, order, OrderStatus.UNKNOWN, {})


def request_of(order: OrderRow) -> BrokerOrderRequest:
    """The order as its broker is asked for it, the same each time."""
    return BrokerOrderRequest(
        client_order_id=order["client_order_id"],
        symbol=order["symbol"],
        side=OrderSide(order["side"]),
        type=OrderType(order["type"]),
        time_in_force=TimeInForce(order["time_in_force"]),
        quantity=order["quantity"],
        limit_price=order["limit_price"],
        worst_price=order["worst_price"],
        instrument_id=order["instrument_id"],
    )


async def _locked(session: Session, owner_id: UUID, id: UUID) -> OrderRow | None:
    """The order, locked after its portfolio: the order of locks that everybody keeps."""
    order = await rows.find_order(session, owner_id, id)
    if order is None:
        return None
    await rows.lock_trader(session, owner_id, order["portfolio_id"])
    return await rows.find_order(session, owner_id, id, lock=True)


async def _release(
    session: Session, owner_id: UUID, order: OrderRow, cash: Decimal, quantity: Decimal
) -> None:
    shares = quantity if order["side"] == OrderSide.SELL else ZERO
    await rows.reserve(session, owner_id, order["portfolio_id"], order["instrument_id"], -cash, -shares)


async def _change(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    order: OrderRow,
    status: OrderStatus,
    values: Mapping[str, Any],
    **details: object,
) -> None:
    await rows.update_order(session, owner_id, order["id"], {**values, "status": status.value})
    if status not in OPEN:
        await rows.set_work(session, owner_id, order["id"], None)
    word = status.lower()
    await note_order(session, owner_id, client, word, order, symbol=order["symbol"], **details)


async def end(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    order: OrderRow,
    status: OrderStatus,
    values: Mapping[str, Any],
) -> None:
    """End a locked order that holds nothing back any more, with these columns changed."""
    await _change(session, owner_id, client, order, status, values)


async def note_order(
    session: Session,
    owner_id: UUID,
    client: RequestOrigin,
    word: str,
    order: OrderRow,
    **details: object,
) -> None:
    """Writes what became of an order into the audit log."""
    facts = noted(order, **details)
    await note(session, owner_id, client, f"order.{word}", "Order", order["id"], **facts)


def noted(order: OrderRow, **details: object) -> dict[str, object]:
    """What the audit log is told of an order."""
    return {"side": order["side"], "quantity": order["quantity"], **details}


def _rejection(symbol: str, rejection: Rejection | None) -> dict[str, Any]:
    """Why the broker refused, as columns: its refusal is told again to whoever asks."""
    assert rejection is not None, "a broker says why"
    domain_error: DomainError = OrderRejected(rejection.reason, (), broker_code=rejection.code)
    if rejection.code == NoPrice.code:
        domain_error = NoPrice(rejection.reason, ("symbol",), symbol=symbol)
    return {
        "rejection_code": rejection.code,
        "rejection_reason": rejection.reason,
        "rejection_facts": dump(domain_error),
    }

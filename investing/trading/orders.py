"""What becomes of a placed order: filled, ended, or unknown.

Nothing here calls a broker. The portfolio is locked before anything of it is read or changed.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from db.ids import uuid7
from db.trading import ledger_writes as writes
from db.trading import order_reads as reads
from db.trading import orders as rows
from db.trading.ledger import LedgerTransaction
from db.trading.orders import OrderRow
from db.vocabulary import OrderSide, OrderStatus, OrderType, TimeInForce, TransactionType
from investing.actor import RequestOrigin
from investing.audit import add_note
from investing.brokers.protocol import BrokerOrder, BrokerOrderRequest, Fill, Rejection
from investing.idempotency import dump
from investing.rules.errors import (
    DomainError,
    NoPrice,
    OrderRejected,
)
from investing.rules.trading import orders as rules
from investing.rules.trading.filling import FilledOrder, OrderState, after_fill
from investing.rules.trading.ledger import Entry, overtaking
from investing.rules.trading.orders import OPEN, ZERO
from investing.trading.posting import Released, post_entry
from investing.trading.transaction_rows import CashLocation, FillReference

_OVERTAKING = (overtaking(TransactionType.BUY), overtaking(TransactionType.SELL))

LOOK_AFTER = dt.timedelta(minutes=15)
"""How often a resting order is compared with its broker's, even if the broker reports by itself."""


class NotedOrder(Protocol):
    """What the audit log records of an order."""

    @property
    def side(self) -> str: ...
    @property
    def quantity(self) -> object: ...
    @property
    def symbol(self) -> str: ...


async def fill(
    ledger: LedgerTransaction, client: RequestOrigin, execution: Fill, broker_order_id: str | None = None
) -> OrderStatus | None:
    """Put a fill on the ledger, once however often it is reported; return the order's current status.

    Return None if the order no longer exists. Raise the ledger's refusals, which only a broker can cause that
    fills beyond what was ordered.
    """
    id = execution.client_order_id
    key = (ledger.connection, ledger.owner_id, id, execution.id)
    facts = await reads.for_fill(*key, execution.executed_at, _OVERTAKING)
    if facts is not None and await ledger.hold_order(id, facts.portfolio_id):
        facts = await reads.for_fill(*key, execution.executed_at, _OVERTAKING)
    if facts is None:
        return None
    if facts.status not in OPEN or facts.is_executed:
        return OrderStatus(facts.status)
    filled = _filled(facts, execution)
    await post_entry(
        ledger,
        CashLocation.of_portfolio(ledger.owner_id, facts),
        _entry(facts, execution, filled),
        instrument_id=facts.instrument_id,
        known=facts,
        fills=FillReference(id, execution.id),
        released=Released(filled.released_cash, filled.released_quantity),
        now=True,
    )
    values = {
        "filled_quantity": filled.filled,
        "average_fill_price": filled.average_price,
        "reserved_cash": filled.reserved_cash,
        "broker_order_id": broker_order_id or facts.broker_order_id,
    }
    _change(ledger, client, id, facts, filled.status, values, execution=execution.id)
    return filled.status


def _filled(facts: reads.FillFacts, execution: Fill) -> FilledOrder:
    """Return the order after a fill."""
    side = OrderSide(facts.side)
    state = OrderState(
        side=side,
        quantity=facts.quantity,
        filled=facts.filled_quantity,
        reserved_cash=facts.order_reserved_cash,
        value=facts.filled_value,
        highest_price=(facts.limit_price or facts.worst_price) if side is OrderSide.BUY else None,
    )
    return after_fill(state, execution.quantity, execution.price, execution.commission)


def _entry(facts: reads.FillFacts, execution: Fill, filled: FilledOrder) -> Entry:
    return Entry(
        id=uuid7(),
        type=TransactionType.BUY if facts.side == OrderSide.BUY else TransactionType.SELL,
        executed_at=execution.executed_at,
        amount=filled.amount,
        commission=execution.commission,
        quantity=execution.quantity,
        price=execution.price,
        of_shares=True,
    )


@dataclass(frozen=True)
class Settled:
    """An order's current status; `rejected` is the order with the reason and its code, if just rejected."""

    status: OrderStatus
    rejected: tuple[OrderRow, str, str] | None = None


async def settle(ledger: LedgerTransaction, client: RequestOrigin, state: BrokerOrder) -> Settled | None:
    """Bring the order to the broker's state of it. Every fill of that state is on the ledger already.

    Return its current status; None if the order no longer exists.
    """
    order = await _held(ledger, state.client_order_id)
    if order is None:
        return None
    now = dt.datetime.now(dt.UTC)
    is_due = order.expires_at is not None and order.expires_at <= now
    stands = OrderStatus(order.status)
    status = rules.status_of(state.status, order.filled_quantity, order.quantity, is_due=is_due)
    if stands in OPEN and status in OPEN:
        due_at = now + LOOK_AFTER
        writes.set_work(ledger.batch, ledger.owner_id, order.id, min(due_at, order.expires_at or due_at))
    if status is stands or not rules.may_become(stands, status):
        return Settled(stands)
    values: dict[str, Any] = {"broker_order_id": state.broker_order_id}
    if status not in OPEN:
        shares = order.quantity - order.filled_quantity if order.side == OrderSide.SELL else ZERO
        ledger.change_portfolio(order.portfolio_id, reserved=-order.reserved_cash)
        ledger.reserve_shares(order.portfolio_id, order.instrument_id, -shares)
        values["reserved_cash"] = ZERO
    rejected = None
    if status is OrderStatus.REJECTED:
        values |= _rejection(order.symbol, state.rejection)
        rejected = (order, values["rejection_reason"], values["rejection_code"])
    _change(ledger, client, order.id, order, status, values)
    return Settled(status, rejected)


async def set_unknown(ledger: LedgerTransaction, client: RequestOrigin, id: UUID) -> None:
    """Note that nobody knows whether the broker has the order: it is looked up in a second."""
    order = await _held(ledger, id)
    if order is not None and order.status == OrderStatus.PENDING:
        due_at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
        writes.set_work(ledger.batch, ledger.owner_id, id, due_at)
        _change(ledger, client, id, order, OrderStatus.UNKNOWN, {})


def request_of(order: OrderRow) -> BrokerOrderRequest:
    """Return the order as it is sent to its broker, the same each time."""
    return BrokerOrderRequest(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=OrderSide(order.side),
        type=OrderType(order.type),
        time_in_force=TimeInForce(order.time_in_force),
        quantity=order.quantity,
        limit_price=order.limit_price,
        worst_price=order.worst_price,
        instrument_id=order.instrument_id,
    )


async def _held(ledger: LedgerTransaction, id: UUID) -> OrderRow | None:
    """Lock the portfolio of the order, and return the order."""
    order = await rows.find_order(ledger.connection, ledger.owner_id, id)
    if order is not None and await ledger.hold_order(id, order.portfolio_id):
        order = await rows.find_order(ledger.connection, ledger.owner_id, id)
    return order


def _change(
    ledger: LedgerTransaction,
    client: RequestOrigin,
    id: UUID,
    order: NotedOrder,
    status: OrderStatus,
    values: Mapping[str, Any],
    **details: object,
) -> None:
    writes.change_order(ledger.batch, ledger.owner_id, id, {**values, "status": status.value})
    if status not in OPEN:
        writes.set_work(ledger.batch, ledger.owner_id, id, None)
    note_order(ledger, client, status.lower(), id, order, **details)


def end(
    ledger: LedgerTransaction,
    client: RequestOrigin,
    id: UUID,
    order: NotedOrder,
    status: OrderStatus,
    values: Mapping[str, Any],
) -> None:
    """End a locked order that reserves nothing any more, with these columns changed."""
    _change(ledger, client, id, order, status, values)


def note_order(
    ledger: LedgerTransaction,
    client: RequestOrigin,
    word: str,
    id: UUID,
    order: NotedOrder,
    **details: object,
) -> None:
    """Add what became of an order to the audit log."""
    reported = {"side": order.side, "quantity": order.quantity, "symbol": order.symbol, **details}
    add_note(ledger, client, f"order.{word}", "Order", id, **reported)


def _rejection(symbol: str, rejection: Rejection | None) -> dict[str, Any]:
    """Return why the broker refused, as columns: a retry reports the same refusal."""
    assert rejection is not None, "a broker says why"
    domain_error: DomainError = OrderRejected(rejection.reason, (), broker_code=rejection.code)
    if rejection.code == NoPrice.code:
        domain_error = NoPrice(rejection.reason, ("symbol",), symbol=symbol)
    return {
        "rejection_code": rejection.code,
        "rejection_reason": rejection.reason,
        "rejection_facts": dump(domain_error),
    }

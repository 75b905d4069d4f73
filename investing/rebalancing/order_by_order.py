"""One step of a rebalance at a broker that takes order by order, in one transaction.

Sells go first; a buy is placed once the cash for it is available or, with whatever cash there is, once no
sell is open. Nothing here talks to the broker: the desk submits the order that a step has placed.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.rebalancing import running
from db.sessions import Session
from db.trading.ledger import LedgerTransaction
from db.trading.order_reads import OrderFacts, for_order
from db.vocabulary import LegStatus, OrderSide, OrderStatus, OrderType, RebalanceStatus, TimeInForce
from db.writing import raw_connection_of
from investing.actor import RequestOrigin
from investing.rebalancing.ending import end
from investing.rebalancing.starting import reason_of
from investing.rules.errors import DomainError, InsufficientCash, InvalidInput
from investing.rules.rebalancing.legs import ENDED, ZERO, affordable, leg_state, order_id_of
from investing.rules.trading.orders import OrderRequest, size_order
from investing.trading.placing import NewOrder, PartOf, TradingConfig, place

STEP_AGAIN = dt.timedelta(seconds=1)
"""How soon the next step of a rebalance is made that waits for its broker."""

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class NextOrder:
    """The result of a step: the order to submit, if any, and whether the rebalance has ended."""

    placed: UUID | None
    has_ended: bool


async def step(
    session: Session, owner_id: UUID, client: RequestOrigin, id: UUID, trading_config: TradingConfig
) -> NextOrder:
    """Record the outcome of the legs' orders, then place the next order or end the rebalance."""
    portfolio_id = await running.find_portfolio_of(session, owner_id, id)
    if portfolio_id is None:
        return NextOrder(None, True)
    ledger = LedgerTransaction(await raw_connection_of(session), owner_id)
    await ledger.hold([portfolio_id])
    record = await running.lock_rebalance(session, owner_id, id)
    if record is None or record["status"] != RebalanceStatus.RUNNING:
        await running.set_work(session, owner_id, id, None)
        return NextOrder(None, True)
    await _note_orders(session, owner_id, id)
    legs = await running.find_legs(session, owner_id, id)
    selling = any(leg["side"] == OrderSide.SELL and leg["status"] not in ENDED for leg in legs)
    for leg in legs:
        if leg["status"] == LegStatus.PLANNED:
            new = _NewLeg(session, ledger, client, id, portfolio_id, leg, trading_config)
            placed = await _place(new, selling=selling)
            if placed is not None:
                return NextOrder(placed, False)
    if all(leg["status"] in ENDED for leg in await running.find_legs(session, owner_id, id)):
        await end(session, owner_id, client, id)
        return NextOrder(None, True)
    await running.set_work(session, owner_id, id, dt.datetime.now(dt.UTC) + STEP_AGAIN)
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


@dataclass(frozen=True)
class _NewLeg:
    """A leg to place an order for, in a transaction that has locked the portfolio."""

    session: Session
    ledger: LedgerTransaction
    client: RequestOrigin
    id: UUID
    portfolio_id: UUID
    leg: Row
    trading_config: TradingConfig

    async def update(self, values: Mapping[str, Any]) -> None:
        """Change the leg."""
        key = (self.session, self.ledger.owner_id, self.id, self.leg["number"])
        await running.update_leg(*key, values)


async def _place(new: _NewLeg, *, selling: bool) -> UUID | None:
    """Place the order of a leg; return its id, None if the leg has to wait or is skipped."""
    leg = new.leg
    key = (new.ledger.connection, new.ledger.owner_id, new.portfolio_id)
    facts = await for_order(*key, None, leg["symbol"])
    assert facts is not None, "it is locked"
    try:
        return await _order(new, facts, leg["quantity"], None)
    except InsufficientCash as domain_error:
        if leg["side"] == OrderSide.BUY and selling:
            return None
        reason = reason_of(domain_error)
        quantity = _affordable(facts, leg, new.trading_config)
        if leg["side"] == OrderSide.BUY and quantity:
            return await _order(new, facts, quantity, reason)
    except DomainError as domain_error:
        reason = reason_of(domain_error)
    await new.update({"status": LegStatus.SKIPPED.value, "reason": reason})
    return None


async def _order(new: _NewLeg, facts: OrderFacts, quantity: Decimal, reason: str | None) -> UUID:
    leg = new.leg
    order_id = order_id_of(new.id, leg["number"])
    request = OrderRequest(OrderSide(leg["side"]), OrderType.MARKET, quantity, None, None, TimeInForce.DAY)
    order = NewOrder(new.portfolio_id, leg["symbol"], request)
    part_of = PartOf(new.id, order_id)
    now = dt.datetime.now(dt.UTC)
    await place(new.ledger, new.client, order, new.trading_config, now, part_of=part_of, facts=facts)
    await new.ledger.flush()
    await new.update({"status": LegStatus.SUBMITTED.value, "order_id": order_id, "reason": reason})
    return order_id


def _affordable(facts: OrderFacts, leg: Row, trading_config: TradingConfig) -> Decimal:
    """Return how much of a purchase the cash pays for that no other order has reserved."""
    cash = facts.cash_balance - facts.reserved_cash
    if cash <= 0:
        return ZERO
    assert facts.price is not None, "an order was sized with it"
    request = OrderRequest(OrderSide.BUY, OrderType.MARKET, None, cash, None, TimeInForce.DAY)
    fees = trading_config.brokers.named(facts.broker).fees
    try:
        return affordable(leg["quantity"], size_order(request, facts.price, fees).quantity)
    except InvalidInput:
        return ZERO

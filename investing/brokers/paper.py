"""The paper broker: real prices, simulated money. It comes with Graphfolio and is the default.

It fills at the quote, worsened by the slippage, and keeps its own orders in the database, so that several
server processes are one broker: rows are locked, and a tick is matched once.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from db.canonical import decimal
from db.ids import uuid7
from db.sessions import Session, Sessions
from db.trading import paper as paper_orders
from db.trading.paper import PaperFill, PaperOrderRow, PaperQuote
from db.vocabulary import BrokerOrderStatus, OrderSide, OrderType
from db.writing import RawConnection, raw_connection_of
from investing.brokers.protocol import BrokerOrder, BrokerOrderRequest, Fill, Rejection
from investing.rules.trading.matching import MatchedFill, OpenOrder, match_fill
from investing.rules.trading.orders import ZERO, BrokerFees


class PaperBroker:
    """A broker as `investing.brokers.protocol` describes it."""

    def __init__(self, sessions: Sessions, fees: BrokerFees, report_again_seconds: float = 5) -> None:
        """Create the broker. A fill not acknowledged after `report_again_seconds` is reported again."""
        self._sessions = sessions
        self._fees = fees
        self._report_again = dt.timedelta(seconds=report_again_seconds)

    @property
    def fees(self) -> BrokerFees:
        """What the broker charges, from the settings."""
        return self._fees

    async def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        """Fill at once what the quote and the size of a tick allow; the rest waits for further ticks."""
        async with self._sessions.broker_writers.plain() as connection:
            quote = await paper_orders.find_quote(connection, request.symbol, request.instrument_id)
            order, fill = _accepted(request, quote, self._fees)
            # Reported in the answer, and a little later once more in case the answer is lost.
            executed = None if fill is None else _executed(order, fill, self._report_again)
            if not await paper_orders.add_order(connection, order, executed):
                return await _found(connection, request.client_order_id)
        return _order(order, [] if executed is None else [executed])

    async def cancel(self, client_order_id: UUID) -> BrokerOrder:
        """Cancel an open order; an unknown client order id is used up, so that it cannot trade later."""
        placeholder = PaperOrderRow(
            client_order_id=client_order_id,
            id=uuid7(),
            instrument_id=None,
            side=None,
            type=None,
            quantity=ZERO,
            filled_quantity=ZERO,
            limit_price=None,
            worst_price=None,
            commission=ZERO,
            status=BrokerOrderStatus.CANCELLED.value,
        )
        async with self._sessions.broker_writers.begin(None) as connection:
            if not await paper_orders.add_order(connection, placeholder):
                row = await paper_orders.find_order(connection, client_order_id, lock=True)
                assert row is not None, "its key was taken"
                if row.status == BrokerOrderStatus.OPEN:
                    ended = {"status": BrokerOrderStatus.CANCELLED.value}
                    await paper_orders.change_order(connection, client_order_id, ended, None)
            return await _found(connection, client_order_id)

    async def find(self, client_order_id: UUID) -> BrokerOrder | None:
        """Return the order with all its fills, None if there is none."""
        async with self._sessions.broker_writers.plain() as connection:
            row = await paper_orders.find_order(connection, client_order_id)
            return None if row is None else await _with_fills(connection, row)

    async def executions(self, most: int = 500) -> Sequence[Fill]:
        """Match the orders whose instruments have ticked, and return the fills not yet acknowledged."""
        await self._match(most)
        async with self._sessions.broker_writers.plain() as connection:
            fills = await paper_orders.claim_fills(connection, self._report_again, most)
        return [_reported(fill) for fill in sorted(fills, key=lambda fill: fill.id)]

    async def acknowledge(self, executions: Sequence[Fill]) -> None:
        """Stop reporting these fills."""
        if executions:
            async with self._sessions.broker_writers.plain() as connection:
                await paper_orders.acknowledge(connection, [UUID(execution.id) for execution in executions])

    async def fill_all(
        self, session: Session, requests: Sequence[BrokerOrderRequest]
    ) -> Sequence[BrokerOrder]:
        """Fill each order at the quote, in the caller's transaction, regardless of the limit per tick."""
        fees = replace(self._fees, shares_per_tick=None)
        connection = await raw_connection_of(session)
        filled = []
        for request in requests:
            quote = await paper_orders.find_quote(connection, request.symbol, request.instrument_id)
            order, fill = _accepted(request, quote, fees)
            executed = None if fill is None else _executed(order, fill, None)
            if not await paper_orders.add_order(connection, order, executed):
                raise ValueError(f"The client order id {request.client_order_id} is already used.")
            filled.append(_order(order, [] if executed is None else [executed]))
        return filled

    async def _match(self, most: int) -> None:
        """Compare every open order with the quote, once for each tick."""
        while True:
            async with self._sessions.broker_writers.begin(None) as connection:
                ticked = await paper_orders.lock_ticked(connection, most)
                for order, price, as_of in ticked:
                    fill = match_fill(_open_order(order), price, self._fees)
                    changed = {"matched_as_of": as_of, **_after(order, fill)}
                    executed = None if fill is None else _executed(order, fill, dt.timedelta())
                    await paper_orders.change_order(connection, order.client_order_id, changed, executed)
            if len(ticked) < most:
                return


def _accepted(
    request: BrokerOrderRequest, quote: PaperQuote | None, fees: BrokerFees
) -> tuple[PaperOrderRow, MatchedFill | None]:
    """Return the order as it is stored, and what is filled of it at once."""
    order = PaperOrderRow(
        client_order_id=request.client_order_id,
        id=uuid7(),
        instrument_id=None if quote is None else quote.id,
        side=request.side.value,
        type=request.type.value,
        quantity=request.quantity,
        filled_quantity=ZERO,
        limit_price=request.limit_price,
        worst_price=request.worst_price,
        commission=ZERO,
        status=BrokerOrderStatus.OPEN.value,
        matched_as_of=None if quote is None else quote.as_of,
    )
    if quote is None:
        return _rejected(order, "UNKNOWN_SYMBOL", f"There is no instrument {request.symbol}."), None
    if quote.price is None:
        if request.type is OrderType.MARKET:
            return _rejected(order, "NO_PRICE", f"There is no price of {request.symbol}."), None
        return order, None
    fill = match_fill(_open_order(order), quote.price, fees)
    if request.side is OrderSide.BUY and request.type is OrderType.MARKET and not quote.price:
        reason = f"The price of {request.symbol} is 0, at which nothing can be bought."
        return _rejected(order, "PRICE_MOVED", reason), None
    if fill is None and request.type is OrderType.MARKET:
        at = decimal(quote.price)
        reason = f"The price of {request.symbol} moved beyond what was reserved, to {at}."
        return _rejected(order, "PRICE_MOVED", reason), None
    return order._replace(**_after(order, fill)), fill


def _rejected(order: PaperOrderRow, code: str, reason: str) -> PaperOrderRow:
    status = BrokerOrderStatus.REJECTED.value
    return order._replace(status=status, rejection_code=code, rejection_reason=reason)


class _AfterFill(TypedDict, total=False):
    """The columns of an order that a fill changes."""

    filled_quantity: Decimal
    commission: Decimal
    status: str


def _after(order: PaperOrderRow, fill: MatchedFill | None) -> _AfterFill:
    if fill is None:
        return {}
    filled = order.filled_quantity + fill.quantity
    is_done = filled == order.quantity
    return {
        "filled_quantity": filled,
        "commission": order.commission + fill.commission,
        "status": (BrokerOrderStatus.FILLED if is_done else BrokerOrderStatus.OPEN).value,
    }


def _executed(order: PaperOrderRow, fill: MatchedFill, due_in: dt.timedelta | None) -> PaperFill:
    """Return a fill as it is stored.

    It is reported from `due_in` on, or never if that is None.
    """
    now = dt.datetime.now(dt.UTC)
    due_at = None if due_in is None else now + due_in
    figures = (fill.quantity, fill.price, fill.commission)
    return PaperFill(uuid7(), order.client_order_id, *figures, now, due_at)


async def executions_in(connection: RawConnection, client_order_id: UUID) -> Sequence[Fill] | None:
    """Lock an order in the books until the caller's transaction ends; return its fills, None without it."""
    if await paper_orders.find_order(connection, client_order_id, lock=True) is None:
        return None
    return [_reported(fill) for fill in await paper_orders.fills_of(connection, client_order_id)]


async def _found(connection: RawConnection, client_order_id: UUID) -> BrokerOrder:
    order = await paper_orders.find_order(connection, client_order_id)
    assert order is not None, "it was just there"
    return await _with_fills(connection, order)


async def _with_fills(connection: RawConnection, order: PaperOrderRow) -> BrokerOrder:
    return _order(order, await paper_orders.fills_of(connection, order.client_order_id))


def _order(order: PaperOrderRow, fills: Sequence[PaperFill]) -> BrokerOrder:
    rejection = None
    if order.rejection_code is not None:
        assert order.rejection_reason is not None, "a refusal has a reason"
        rejection = Rejection(order.rejection_code, order.rejection_reason)
    status = BrokerOrderStatus(order.status)
    reported = [_reported(fill) for fill in fills]
    return BrokerOrder(order.client_order_id, str(order.id), status, reported, rejection)


def _reported(fill: PaperFill) -> Fill:
    figures = (fill.quantity, fill.price, fill.commission)
    return Fill(str(fill.id), fill.client_order_id, *figures, fill.executed_at)


def _open_order(order: PaperOrderRow) -> OpenOrder:
    assert order.side is not None, "it is open"
    assert order.type is not None, "it is open"
    return OpenOrder(
        OrderSide(order.side),
        OrderType(order.type),
        order.quantity,
        order.filled_quantity,
        order.limit_price,
        order.worst_price,
        order.commission,
    )

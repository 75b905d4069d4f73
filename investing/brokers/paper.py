"""The paper broker: real prices, make-believe money. It comes with Graphfolio and is its default.

It fills at the quote, worsened by the slippage, on books of its own in the database, so that several server
processes are one broker: rows are locked, and a tick is matched once.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session, Sessions
from db.trading import paper as books
from db.vocabulary import BrokerOrderStatus, OrderSide, OrderType
from investing.brokers.protocol import BrokerOrder, Execution, OrderRequest, Rejection
from investing.rules.matching import Fill, Resting, fill_of
from investing.rules.orders import ZERO, Terms


class PaperBroker:
    """A broker as `investing.brokers.protocol` describes it."""

    def __init__(self, sessions: Sessions, terms: Terms, tell_again_seconds: float = 5) -> None:
        """`tell_again_seconds` is how long a fill may stay unacknowledged before it is told again."""
        self._sessions = sessions
        self._terms = terms
        self._tell_again_seconds = tell_again_seconds

    @property
    def terms(self) -> Terms:
        """What it takes, by setting."""
        return self._terms

    async def submit(self, request: OrderRequest) -> BrokerOrder:
        """Fills at once what the quote and the size of a tick allow; the rest waits for further ticks."""
        async with self._sessions.begin(None) as session:
            quote = await books.find_quote(session, request.symbol)
            order, fill = _accepted(request, quote, self._terms)
            if not await books.add_order(session, order):
                return await _found(session, request.client_order_id)
            executions: list[Execution] = []
            if fill is not None:
                # Told in the answer, and a little later once more, in case that is lost.
                executions.append(
                    await _execute(session, request.client_order_id, fill, self._tell_again_seconds)
                )
        return _order(order, executions)

    async def cancel(self, client_order_id: UUID) -> BrokerOrder:
        """Ends what rests; a client order id that never came is burnt, so that it cannot come later."""
        async with self._sessions.begin(None) as session:
            burnt = {
                "client_order_id": client_order_id,
                "id": uuid7(),
                "status": BrokerOrderStatus.CANCELLED.value,
            }
            if not await books.add_order(session, burnt):
                row = await books.find_order(session, client_order_id, lock=True)
                assert row is not None, "its key was taken"
                if row["status"] == BrokerOrderStatus.OPEN:
                    await books.update_order(
                        session, client_order_id, {"status": BrokerOrderStatus.CANCELLED.value}
                    )
            return await _found(session, client_order_id)

    async def find(self, client_order_id: UUID) -> BrokerOrder | None:
        """The order with all its fills."""
        async with self._sessions.begin(None) as session:
            row = await books.find_order(session, client_order_id)
            return None if row is None else await _with_executions(session, row)

    async def executions(self, most: int = 500) -> Sequence[Execution]:
        """Matches what has ticked, and tells of the fills."""
        await self._match(most)
        async with self._sessions.begin(None) as session:
            rows = await books.claim_executions(session, self._tell_again_seconds, most)
        return [_execution(row) for row in sorted(rows, key=lambda row: row["id"])]

    async def acknowledge(self, executions: Sequence[Execution]) -> None:
        """Tells of these no more."""
        if executions:
            async with self._sessions.begin(None) as session:
                await books.acknowledge(session, [UUID(execution.id) for execution in executions])

    async def fill_all(self, session: Session, requests: Sequence[OrderRequest]) -> Sequence[BrokerOrder]:
        """Fills each at the quote, in the caller's transaction, however much of it one tick would fill."""
        terms = replace(self._terms, shares_per_tick=None)
        filled = []
        for request in requests:
            quote = await books.find_quote(session, request.symbol)
            order, fill = _accepted(request, quote, terms)
            if not await books.add_order(session, order):
                raise ValueError(f"The client order id {request.client_order_id} is used already.")
            executions = []
            if fill is not None:
                executions.append(await _execute(session, request.client_order_id, fill, None))
            filled.append(_order(order, executions))
        return filled

    async def _match(self, most: int) -> None:
        """Holds every resting order against the quote, once for each tick."""
        while True:
            async with self._sessions.begin(None) as session:
                rows = await books.lock_ticked(session, most)
                for row in rows:
                    fill = fill_of(_resting(row), row["price"], self._terms)
                    changed = {"matched_as_of": row["as_of"], **_after(row, fill)}
                    await books.update_order(session, row["client_order_id"], changed)
                    if fill is not None:
                        await _execute(session, row["client_order_id"], fill, 0)
            if len(rows) < most:
                return


def _accepted(
    request: OrderRequest, quote: Mapping[Any, Any] | None, terms: Terms
) -> tuple[dict[str, Any], Fill | None]:
    """The order as it goes into the books, and what is filled of it at once."""
    order: dict[str, Any] = {
        "client_order_id": request.client_order_id,
        "id": uuid7(),
        "side": request.side.value,
        "type": request.type.value,
        "quantity": request.quantity,
        "filled_quantity": ZERO,
        "limit_price": request.limit_price,
        "worst_price": request.worst_price,
        "commission": ZERO,
        "status": BrokerOrderStatus.OPEN.value,
    }
    if quote is None:
        return order | _rejected("UNKNOWN_SYMBOL", f"There is no instrument {request.symbol}."), None
    order |= {"instrument_id": quote["id"], "matched_as_of": quote["as_of"]}
    if quote["price"] is None:
        if request.type is OrderType.MARKET:
            return order | _rejected("NO_PRICE", f"There is no price of {request.symbol}."), None
        return order, None
    fill = fill_of(_resting(order), quote["price"], terms)
    if fill is None and request.type is OrderType.MARKET:
        at = quote["price"].normalize()
        reason = f"The price of {request.symbol} moved beyond what was reserved, to {at:f}."
        return order | _rejected("PRICE_MOVED", reason), None
    return order | _after(order, fill), fill


def _rejected(code: str, reason: str) -> dict[str, str]:
    return {
        "status": BrokerOrderStatus.REJECTED.value,
        "rejection_code": code,
        "rejection_reason": reason,
    }


def _after(order: Mapping[Any, Any], fill: Fill | None) -> dict[str, Any]:
    if fill is None:
        return {}
    filled: Decimal = order["filled_quantity"] + fill.quantity
    is_done = filled == order["quantity"]
    return {
        "filled_quantity": filled,
        "commission": order["commission"] + fill.commission,
        "status": (BrokerOrderStatus.FILLED if is_done else BrokerOrderStatus.OPEN).value,
    }


async def _execute(
    session: Session, client_order_id: UUID, fill: Fill, due_seconds: float | None
) -> Execution:
    """The fill in the books, to be told after so many seconds, or by nobody else."""
    now = dt.datetime.now(dt.UTC)
    id = uuid7()
    due_at = None if due_seconds is None else now + dt.timedelta(seconds=due_seconds)
    await books.add_execution(
        session, id, client_order_id, fill.quantity, fill.price, fill.commission, now, due_at
    )
    return Execution(str(id), client_order_id, fill.quantity, fill.price, fill.commission, now)


async def _found(session: Session, client_order_id: UUID) -> BrokerOrder:
    row = await books.find_order(session, client_order_id)
    assert row is not None, "it was just there"
    return await _with_executions(session, row)


async def _with_executions(session: Session, row: Mapping[Any, Any]) -> BrokerOrder:
    found = await books.executions_of(session, row["client_order_id"])
    return _order(row, [_execution(execution) for execution in found])


def _order(row: Mapping[Any, Any], executions: Sequence[Execution]) -> BrokerOrder:
    code = row.get("rejection_code")
    return BrokerOrder(
        row["client_order_id"],
        str(row["id"]),
        BrokerOrderStatus(row["status"]),
        executions,
        None if code is None else Rejection(code, row["rejection_reason"]),
    )


def _execution(row: Mapping[Any, Any]) -> Execution:
    return Execution(
        str(row["id"]),
        row["client_order_id"],
        row["quantity"],
        row["price"],
        row["commission"],
        row["executed_at"],
    )


def _resting(row: Mapping[Any, Any]) -> Resting:
    return Resting(
        OrderSide(row["side"]),
        OrderType(row["type"]),
        row["quantity"],
        row["filled_quantity"],
        row["limit_price"],
        row["worst_price"],
        row["commission"],
    )

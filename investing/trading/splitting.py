"""What a split makes of an owner's holdings and open orders, in one transaction.

The holding first goes back to the ex-date: the automatic entry is posted there, and all that is later again.
Open orders then are for new shares, or end where they cannot be.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.market.splits import find_splits
from db.sessions import Session
from db.trading import orders as rows
from db.trading import splits as reached
from db.trading.writes import find_position
from db.vocabulary import OrderSide, OrderStatus
from investing.actor import RequestOrigin
from investing.brokers.paper import executions_in
from investing.rules.market.market_hours import market_day
from investing.rules.trading.orders import BrokerFees, more_reserved
from investing.rules.trading.splits import ZERO, RestingOrder, SplitRatio, order_after
from investing.trading import orders
from investing.trading.holdings import load_holdings
from investing.trading.locking import lock_reached

ON_ITS_WAY = dt.timedelta(minutes=1)
"""An order that its broker does not have and that is younger than this may be on its way there."""

_FIRST = UUID(int=0)
_NOBODY = RequestOrigin(user_agent="graphfolio splits")

Row = Mapping[Any, Any]


async def follow(
    session: Session, owner_id: UUID, instrument_id: UUID, ex_date: dt.date, fees: BrokerFees
) -> bool:
    """Post the splits of an instrument, from one that has begun on, to an owner's holdings and open orders.

    Automatic entries that the splits of now do not make are taken back, and transfers converted by them.
    Return whether everything was done; False where an order is still on its way to its broker, and so has to
    be seen to in a minute. To do it again does nothing more.
    """
    found = await reached.find_starts(session, owner_id, instrument_id, ex_date)
    starts = {id: (at, _FIRST) for id, at in found.items()}
    locked = await lock_reached(session, owner_id, instrument_id, starts)
    splits = [SplitRatio(**row) for row in await find_splits(session, instrument_id)]
    waiting, is_whole = await _orders(session, owner_id, instrument_id, list(locked), splits)
    for order in waiting:
        await _reserve(session, order, ZERO, -_remaining(order))
    if starts:
        holdings = await load_holdings(session, owner_id, instrument_id, starts, aligned=True)
        holdings.post()
        await holdings.save(session)
    for order in waiting:
        await _follow_order(session, owner_id, order, _pending(order, splits), fees)
    await reached.mark_stale(session, owner_id, instrument_id)
    return is_whole


async def _orders(
    session: Session,
    owner_id: UUID,
    instrument_id: UUID,
    portfolio_ids: Sequence[UUID],
    splits: Sequence[SplitRatio],
) -> tuple[list[Row], bool]:
    """Return the open orders that are older than a split, with all their fills on the ledger.

    And whether that is all of them: one that is on its way to its broker is left out.
    """
    is_whole = True
    for order in await reached.lock_orders(session, owner_id, instrument_id, portfolio_ids):
        if not _pending(order, splits):
            continue
        executions = await executions_in(session, order["client_order_id"])
        # What was traded before the split was in old shares.
        for execution in executions or ():
            await orders.fill(session, owner_id, _NOBODY, execution, order["broker_order_id"])
        if executions is None and dt.datetime.now(dt.UTC) - order["submitted_at"] < ON_ITS_WAY:
            is_whole = False
    found = await reached.lock_orders(session, owner_id, instrument_id, portfolio_ids)
    if not is_whole:
        return [], False
    return [order for order in found if _pending(order, splits)], True


def _pending(order: Row, splits: Sequence[SplitRatio]) -> list[SplitRatio]:
    """Return the splits that the order does not follow yet, oldest first."""
    units_of = order["units_of"] or market_day(order["submitted_at"])
    today = market_day(dt.datetime.now(dt.UTC))
    followed = order["followed_splits"]
    return [split for split in splits if units_of < split.ex_date <= today and split.ex_date not in followed]


async def _follow_order(
    session: Session, owner_id: UUID, order: Row, splits: Sequence[SplitRatio], fees: BrokerFees
) -> None:
    """Make an order one for new shares, with its broker as well, or end it with the reason."""
    side = OrderSide(order["side"])
    after: RestingOrder | None = RestingOrder(
        side, order["quantity"], order["filled_quantity"], order["limit_price"], order["worst_price"]
    )
    for split in splits:
        if after is not None:
            after = order_after(after, split, whole_shares=not order["fractional_shares"])
    names = ", ".join(map(str, splits))
    if after is None:
        reason = f"After the {names} split nothing is left of this order that may be traded."
        return await _end(session, owner_id, order, reason)
    cash = more_reserved(order["quantity"], after.quantity, fees) if side is OrderSide.BUY else ZERO
    shares = after.quantity - after.filled if side is OrderSide.SELL else ZERO
    if not await _is_there(session, owner_id, order, cash, shares):
        return await _end(
            session, owner_id, order, f"There is too little for this order after the {names} split."
        )
    values = {
        "quantity": after.quantity,
        "limit_price": after.limit_price,
        "worst_price": after.worst_price,
        "followed_splits": [*order["followed_splits"], *(split.ex_date for split in splits)],
    }
    await reached.change_paper_order(session, order["client_order_id"], values)
    await rows.reserve(session, owner_id, order["portfolio_id"], order["instrument_id"], cash, shares)
    changed = values | {"reserved_cash": order["reserved_cash"] + cash}
    await rows.update_order(session, owner_id, order["id"], changed)
    facts = {"symbol": order["symbol"], "split": names, "newQuantity": after.quantity}
    await orders.note_order(session, owner_id, _NOBODY, "split", order, **facts)


async def _is_there(session: Session, owner_id: UUID, order: Row, cash: Decimal, shares: Decimal) -> bool:
    """Return whether the portfolio has so much more cash and so many shares that no order reserves."""
    trader = await rows.lock_trader(session, owner_id, order["portfolio_id"])
    assert trader is not None, "it is locked"
    free = trader["cash_balance"] - trader["reserved_cash"]
    if cash > free and not trader["margin"]:
        return False
    if not shares:
        return True
    held = await find_position(session, owner_id, order["portfolio_id"], order["instrument_id"])
    return held is not None and shares <= held["quantity"] - held["reserved_quantity"]


async def _end(session: Session, owner_id: UUID, order: Row, reason: str) -> None:
    await reached.change_paper_order(session, order["client_order_id"], {"status": "CANCELLED"})
    await _reserve(session, order, -order["reserved_cash"], ZERO)
    values = {"reserved_cash": ZERO, "rejection_code": "SPLIT", "rejection_reason": reason}
    await orders.end(session, owner_id, _NOBODY, order, OrderStatus.CANCELLED, values)


async def _reserve(session: Session, order: Row, cash: Decimal, shares: Decimal) -> None:
    shares = shares if order["side"] == OrderSide.SELL else ZERO
    await rows.reserve(
        session, order["owner_id"], order["portfolio_id"], order["instrument_id"], cash, shares
    )


def _remaining(order: Row) -> Decimal:
    remaining: Decimal = order["quantity"] - order["filled_quantity"]
    return remaining

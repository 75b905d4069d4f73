"""Apply a split to an owner's holdings and open orders, in one transaction.

The holding first goes back to the ex-date: the automatic entry is posted there, and everything later again.
Open orders then are for new shares, or end if that is impossible.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from db.market.splits import fetch_splits
from db.trading import history
from db.trading import ledger_reads as reads
from db.trading import ledger_writes as writes
from db.trading import splits as reached
from db.trading.ledger import LedgerTransaction
from db.trading.splits import SplitOrder
from db.vocabulary import OrderSide, OrderStatus
from investing.actor import RequestOrigin
from investing.audit import add_note
from investing.brokers.paper import executions_in
from investing.rules.market.market_hours import market_day
from investing.rules.trading.orders import BrokerFees, more_reserved
from investing.rules.trading.splits import ZERO, RestingOrder, SplitRatio, order_after
from investing.trading import orders
from investing.trading.holdings import load_holdings
from investing.trading.locking import hold_reached

ON_ITS_WAY = dt.timedelta(minutes=1)
"""An order that its broker does not have and that is younger than this may be on its way there."""

_FIRST = UUID(int=0)
_NOBODY = RequestOrigin(user_agent="graphfolio splits")


async def follow(ledger: LedgerTransaction, instrument_id: UUID, ex_date: dt.date, fees: BrokerFees) -> bool:
    """Post the splits of an instrument, from a given one on, to an owner's holdings and open orders.

    `ex_date` is that of a split that has begun. Return whether everything was done; False if an order is
    still on its way to its broker, and so must be handled in a minute. Repeating it does nothing more. Each
    step reads what the one before has written. Automatic entries that do not agree with the current splits
    are taken back, and transfers are converted by those splits.
    """
    key = (ledger.connection, ledger.owner_id, instrument_id)
    found = await reached.find_starts(*key, ex_date)
    starts: history.Starts = {id: (at, _FIRST) for id, at in found.items()}
    held = await hold_reached(ledger, instrument_id, starts)
    rows = await fetch_splits(ledger.connection, [instrument_id])
    splits = [SplitRatio(row["ex_date"], Decimal(row["quantity"]), Decimal(row["split_for"])) for row in rows]
    waiting, is_whole = await _orders(ledger, instrument_id, list(held), splits)
    for order in waiting:
        _reserve(ledger, order, ZERO, -_remaining(order))
    await ledger.flush()
    if starts:
        holdings = await load_holdings(ledger, instrument_id, starts, aligned=True)
        holdings.post()
        holdings.save(ledger)
        await ledger.flush()
    for order in waiting:
        await _follow_order(ledger, order, _pending(order, splits), fees)
        await ledger.flush()
    await reached.mark_stale(*key)
    return is_whole


async def unfollow(ledger: LedgerTransaction, instrument_id: UUID, split: SplitRatio) -> bool:
    """Take a split that is no longer the instrument's from an owner's holdings and open orders.

    Its automatic entries are reversed, and orders that have followed it end. Return whether anything had to
    be done. Raise InsufficientShares and InvalidInput if later entries need the shares.
    """
    key = (ledger.connection, ledger.owner_id, instrument_id)
    found = await reached.find_starts(*key, split.ex_date)
    starts: history.Starts = {id: (at, _FIRST) for id, at in found.items()}
    held = await hold_reached(ledger, instrument_id, starts)
    ended = await _end_followers(ledger, instrument_id, list(held), split)
    holdings = await load_holdings(ledger, instrument_id, starts, aligned=True)
    if not ended and not holdings.outdated:
        return False
    holdings.post()
    holdings.save(ledger)
    facts = {"exDate": split.ex_date, "ratio": str(split)}
    add_note(ledger, _NOBODY, "split.withdrawn", "Instrument", instrument_id, **facts)
    await ledger.flush()
    await reached.mark_stale(*key)
    return True


async def _end_followers(
    ledger: LedgerTransaction, instrument_id: UUID, portfolio_ids: Sequence[UUID], split: SplitRatio
) -> bool:
    """End the open orders that have followed the split, with all their fills on the ledger."""
    key = (ledger.connection, ledger.owner_id, instrument_id, portfolio_ids)
    followers = [order for order in await reached.lock_orders(*key) if _has_followed(order, split)]
    for order in followers:
        for execution in await executions_in(ledger.connection, order.client_order_id) or ():
            await orders.fill(ledger, _NOBODY, execution, order.broker_order_id)
            await ledger.flush()
    for order in await reached.lock_orders(*key):
        if _has_followed(order, split):
            reason = f"The {split} split that this order followed was withdrawn: place it again."
            await _end(ledger, order, reason)
            await ledger.flush()
    return bool(followers)


def _has_followed(order: SplitOrder, split: SplitRatio) -> bool:
    since, units_of = market_day(order.submitted_at), order.units_of or dt.date.min
    return split.ex_date in order.followed_splits or since < split.ex_date <= units_of


async def _orders(
    ledger: LedgerTransaction,
    instrument_id: UUID,
    portfolio_ids: Sequence[UUID],
    splits: Sequence[SplitRatio],
) -> tuple[list[SplitOrder], bool]:
    """Return the open orders that are older than a split, with all their fills on the ledger.

    Return also whether those are all: an order that is on its way to its broker is left out.
    """
    is_whole = True
    key = (ledger.connection, ledger.owner_id, instrument_id, portfolio_ids)
    for order in await reached.lock_orders(*key):
        if not _pending(order, splits):
            continue
        executions = await executions_in(ledger.connection, order.client_order_id)
        # What was traded before the split was in old shares.
        for execution in executions or ():
            await orders.fill(ledger, _NOBODY, execution, order.broker_order_id)
            await ledger.flush()
        if executions is None and dt.datetime.now(dt.UTC) - order.submitted_at < ON_ITS_WAY:
            is_whole = False
    found = await reached.lock_orders(*key)
    if not is_whole:
        return [], False
    return [order for order in found if _pending(order, splits)], True


def _pending(order: SplitOrder, splits: Sequence[SplitRatio]) -> list[SplitRatio]:
    """Return the splits that the order does not follow yet, oldest first."""
    units_of = order.units_of or market_day(order.submitted_at)
    today = market_day(dt.datetime.now(dt.UTC))
    followed = order.followed_splits
    return [split for split in splits if units_of < split.ex_date <= today and split.ex_date not in followed]


async def _follow_order(
    ledger: LedgerTransaction, order: SplitOrder, splits: Sequence[SplitRatio], fees: BrokerFees
) -> None:
    """Make an order one for new shares, with its broker as well, or end it with the reason."""
    side = OrderSide(order.side)
    after: RestingOrder | None = RestingOrder(
        side, order.quantity, order.filled_quantity, order.limit_price, order.worst_price
    )
    for split in splits:
        if after is not None:
            after = order_after(after, split, whole_shares=not order.fractional_shares)
    names = ", ".join(map(str, splits))
    if after is None:
        reason = f"After the {names} split nothing is left of this order that may be traded."
        return await _end(ledger, order, reason)
    cash = more_reserved(order.quantity, after.quantity, fees) if side is OrderSide.BUY else ZERO
    shares = after.quantity - after.filled if side is OrderSide.SELL else ZERO
    if not await _is_there(ledger, order, cash, shares):
        return await _end(ledger, order, f"There is too little for this order after the {names} split.")
    values = {
        "quantity": after.quantity,
        "limit_price": after.limit_price,
        "worst_price": after.worst_price,
        "followed_splits": [*order.followed_splits, *(split.ex_date for split in splits)],
    }
    await reached.change_paper_order(ledger.connection, order.client_order_id, values)
    _reserve(ledger, order, cash, shares)
    changed = values | {"reserved_cash": order.reserved_cash + cash}
    writes.change_order(ledger.batch, ledger.owner_id, order.id, changed)
    facts = {"split": names, "newQuantity": after.quantity}
    orders.note_order(ledger, _NOBODY, "split", order.id, order, **facts)


async def _is_there(ledger: LedgerTransaction, order: SplitOrder, cash: Decimal, shares: Decimal) -> bool:
    """Return whether the portfolio has so much more cash and so many shares that no order reserves."""
    key = (ledger.connection, ledger.owner_id)
    portfolio = (await reads.find_portfolios(*key, [order.portfolio_id]))[order.portfolio_id]
    if cash > portfolio.cash_balance - portfolio.reserved_cash and not portfolio.margin:
        return False
    if not shares:
        return True
    held = await history.find_positions(*key, order.instrument_id, [order.portfolio_id])
    return any(shares <= row.quantity - row.reserved_quantity for row in held)


async def _end(ledger: LedgerTransaction, order: SplitOrder, reason: str) -> None:
    await reached.change_paper_order(ledger.connection, order.client_order_id, {"status": "CANCELLED"})
    _reserve(ledger, order, -order.reserved_cash, ZERO)
    values = {"reserved_cash": ZERO, "rejection_code": "SPLIT", "rejection_reason": reason}
    orders.end(ledger, _NOBODY, order.id, order, OrderStatus.CANCELLED, values)


def _reserve(ledger: LedgerTransaction, order: SplitOrder, cash: Decimal, shares: Decimal) -> None:
    if cash:
        ledger.change_portfolio(order.portfolio_id, reserved=cash)
    if shares and order.side == OrderSide.SELL:
        ledger.reserve_shares(order.portfolio_id, order.instrument_id, shares)


def _remaining(order: SplitOrder) -> Decimal:
    return order.quantity - order.filled_quantity

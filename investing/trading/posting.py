"""Posting an entry: load what it touches, ask the ledger, write what it says.

The one way that cash and shares ever move. The caller has locked the account or the portfolio.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.sessions import Session
from db.trading import writes
from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientCash
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import Entry, Posting, check_fits, post_cash
from investing.rules.trading.splits import first_affected
from investing.trading.changes import HoldingChange
from investing.trading.holdings import load_holdings


@dataclass(frozen=True)
class CashLocation:
    """Where an entry belongs: a portfolio, or the account's unallotted cash where `portfolio_id` is None.

    `cash` is what may be spent there: what open orders have reserved is not part of it. `time_zone` is the
    account's, an IANA name: it decides which day an instant is on.
    """

    owner_id: UUID
    account_id: UUID
    portfolio_id: UUID | None
    currency: str
    cash: Decimal
    margin: bool
    time_zone: str
    reserved: Decimal = Decimal(0)

    @classmethod
    def of_portfolio(cls, owner_id: UUID, row: Mapping[Any, Any]) -> "CashLocation":
        """A locked portfolio."""
        reserved = row["reserved_cash"]
        available = row["cash_balance"] - reserved
        account_id, currency = row["account_id"], row["currency"]
        margin, time_zone = row["margin"], row["time_zone"]
        return cls(owner_id, account_id, row["id"], currency, available, margin, time_zone, reserved)

    @classmethod
    def of_account(cls, owner_id: UUID, row: Mapping[Any, Any]) -> "CashLocation":
        """A locked account's unallotted cash."""
        margin = row["account_type"] == "MARGIN"
        cash, time_zone = row["unallotted_cash"], row["time_zone"]
        return cls(owner_id, row["id"], None, row["currency"], cash, margin, time_zone)


@dataclass(frozen=True)
class FillReference:
    """The order that a trade fills, and the broker's name for that fill: no fill is posted twice."""

    order_id: UUID
    execution_id: str


async def post_entry(
    session: Session,
    place: CashLocation,
    entry: Entry,
    *,
    instrument_id: UUID | None = None,
    notes: str | None = None,
    transfer_id: UUID | None = None,
    fills: FillReference | None = None,
    now: bool = False,
    may_owe: bool = True,
) -> Posting:
    """Writes the transaction and all that follows from it.

    `fills` names the order and the execution that the entry comes from. `now` says that no other entry can
    be later, which saves looking; `may_owe` is False where cash may not go below zero even on margin. Raises
    InsufficientCash, InsufficientShares and InvalidInput.
    """
    entry = replace(entry, time_zone=place.time_zone)
    holdings = None
    if entry.of_shares:
        assert instrument_id is not None
        assert place.portfolio_id is not None
        assert transfer_id is None, "shares between one's own portfolios are moved by transfer_shares"
        new = [HoldingChange(place.portfolio_id, entry)]
        is_split = entry.type is TransactionType.SPLIT
        starts = {place.portfolio_id: first_affected(entry.executed_at) if is_split else entry.place}
        holdings = await load_holdings(session, place.owner_id, instrument_id, starts, new)
        posting = holdings.post(new)[entry.id]
    else:
        posting = post_cash(entry)
    checked = check_posting(place, posting, may_owe=may_owe)
    row = transaction_row(place, entry, posting, instrument_id, notes, transfer_id, fills)
    await writes.insert_transaction(session, row)
    if holdings is not None:
        await holdings.save(session)
    if posting.cash_delta or entry.of_shares:
        await move_cash(session, place, posting.cash_delta, entry.executed_at)
    if checked and not now:
        await check_later_cash(session, place, entry.executed_at, posting.cash_delta)
    return posting


def check_posting(place: CashLocation, posting: Posting, *, may_owe: bool = True) -> bool:
    """Raises InvalidInput and InsufficientCash where the place's cash cannot bear the posting today.

    Whether cash may not go below zero, so that what comes later has to bear it too.
    """
    check_fits(posting.cash_delta, place.cash + posting.cash_delta)
    checked = posting.cash_delta < 0 and not (place.margin and may_owe)
    if checked:
        check_cash(place.cash, posting.cash_delta)
    return checked


def transaction_row(
    place: CashLocation,
    entry: Entry,
    posting: Posting,
    instrument_id: UUID | None,
    notes: str | None,
    transfer_id: UUID | None = None,
    fills: FillReference | None = None,
) -> dict[str, Any]:
    """The row of `transactions` that a posted entry becomes."""
    row = {
        "cash_delta": posting.cash_delta,
        "quantity_delta": posting.quantity_delta,
        "cost_delta": posting.cost_delta,
        "realized_pnl": posting.realized_pnl,
        "realized_pnl_fifo": posting.realized_pnl_fifo,
        "owner_id": place.owner_id,
        "id": entry.id,
        "account_id": place.account_id,
        "portfolio_id": place.portfolio_id,
        "instrument_id": instrument_id,
        "transfer_id": transfer_id,
        "type": entry.type.value,
        "quantity": entry.quantity,
        "price": entry.price,
        "amount": entry.amount,
        "commission": entry.commission,
        "split_for": entry.split_for,
        "is_automatic": entry.is_automatic,
        "currency": place.currency,
        "executed_at": entry.executed_at,
        "notes": notes,
    }
    if fills is not None:
        row |= {"order_id": fills.order_id, "execution_id": fills.execution_id}
    return row


async def move_cash(session: Session, place: CashLocation, delta: Decimal, at: dt.datetime) -> None:
    """Writes that cash came or went at that instant, or shares of a portfolio; the rule has agreed."""
    if place.portfolio_id is None:
        await writes.add_account_cash(session, place.owner_id, place.account_id, delta)
    else:
        await writes.add_portfolio_cash(session, place.owner_id, place.portfolio_id, delta, at)


def check_cash(available: Decimal, delta: Decimal, on_date: dt.date | None = None) -> None:
    """Raises InsufficientCash where the delta would leave less than nothing."""
    if available + delta < 0:
        when = f" on {on_date}" if on_date else ""
        raise InsufficientCash(
            f"{-delta.normalize():f} is needed{when}, {available.normalize():f} is there.",
            ("amount",),
            required=-delta,
            available=available,
            on_date=on_date,
        )


async def check_later_cash(session: Session, place: CashLocation, since: dt.datetime, delta: Decimal) -> None:
    """Raises InsufficientCash, with the day, where a delta that is written leaves too little."""
    lowest = await writes.lowest_cash_since(
        session, place.owner_id, place.account_id, place.portfolio_id, since
    )
    check_cash(lowest["balance"] - delta, delta, day_of(lowest["executed_at"], place.time_zone))

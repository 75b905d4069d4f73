"""Post an entry: load what it touches, apply the ledger's rules, write the result.

This is the only way that cash and shares ever move. The caller has locked the account or the portfolio.
"""

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.trading import ledger_reads as reads
from db.trading.ledger import LedgerTransaction
from db.vocabulary import TransactionType
from investing.rules.errors import InsufficientCash
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import ZERO, Entry, Posting, check_fits, post_cash
from investing.rules.trading.splits import first_affected
from investing.trading.changes import HoldingChange
from investing.trading.holdings import Holdings, load_holdings
from investing.trading.transaction_rows import CashLocation, FillReference, transaction_row


@dataclass(frozen=True)
class Released:
    """The cash and the shares that a filled order no longer reserves."""

    cash: Decimal = ZERO
    quantity: Decimal = ZERO


NOTHING = Released()


async def post_entry(
    ledger: LedgerTransaction,
    place: CashLocation,
    entry: Entry,
    *,
    instrument_id: UUID | None = None,
    known: reads.HoldingState | None = None,
    notes: str | None = None,
    transfer_id: UUID | None = None,
    fills: FillReference | None = None,
    released: Released = NOTHING,
    now: bool = False,
    may_owe: bool = True,
) -> dict[str, Any]:
    """Add the entry and all that follows from it to what the transaction writes; return its row.

    `known` is what has been read of the holding already. `fills` names the order and the execution that the
    entry comes from, `released` what that order no longer reserves: `place` and `known` still include it.
    `now` says that no other entry can be later, which saves a read; `may_owe` is False if cash may not go
    below zero even on margin. Raise InsufficientCash, InsufficientShares and InvalidInput.
    """
    entry = replace(entry, time_zone=place.time_zone)
    place = replace(place, cash=place.cash + released.cash, reserved=place.reserved - released.cash)
    holdings = None
    if entry.of_shares:
        assert transfer_id is None, "shares between one's own portfolios are moved by transfer_shares"
        holdings, posting = await _post_shares(ledger, place, entry, instrument_id, known, released.quantity)
    else:
        posting = post_cash(entry)
    if check_posting(place, posting, may_owe=may_owe) and not now:
        await check_later_cash(ledger, place, entry.executed_at, posting.cash_delta)
    row = transaction_row(place, entry, posting, instrument_id, notes, transfer_id, fills)
    ledger.add_transaction(row)
    if holdings is not None:
        holdings.save(ledger)
    move_cash(ledger, place, posting.cash_delta, entry.executed_at, released.cash)
    return row


async def _post_shares(
    ledger: LedgerTransaction,
    place: CashLocation,
    entry: Entry,
    instrument_id: UUID | None,
    known: reads.HoldingState | None,
    released: Decimal,
) -> tuple[Holdings, Posting]:
    assert instrument_id is not None
    assert place.portfolio_id is not None
    start = entry.place
    if entry.type is TransactionType.SPLIT:
        # It may be one of the instrument's own splits, which only its history shows.
        known, start = None, first_affected(entry.executed_at)
    new = [HoldingChange(place.portfolio_id, entry)]
    starts = {place.portfolio_id: start}
    holdings = await load_holdings(ledger, instrument_id, starts, new, known=known)
    if released:
        holdings.release(place.portfolio_id, released)
        ledger.reserve_shares(place.portfolio_id, instrument_id, -released)
    return holdings, holdings.post(new)[entry.id]


def check_posting(place: CashLocation, posting: Posting, *, may_owe: bool = True) -> bool:
    """Raise InvalidInput or InsufficientCash if the place's cash does not cover the posting today.

    Return whether cash may not go below zero, in which case later days must cover it too.
    """
    check_fits(posting.cash_delta, place.cash + posting.cash_delta)
    checked = posting.cash_delta < 0 and not (place.margin and may_owe)
    if checked:
        check_cash(place.cash, posting.cash_delta)
    return checked


def move_cash(
    ledger: LedgerTransaction, place: CashLocation, delta: Decimal, at: dt.datetime, released: Decimal = ZERO
) -> None:
    """Add a movement of cash or of a portfolio's shares at that instant; the rule has accepted it."""
    if place.portfolio_id is None:
        if delta:
            ledger.change_account(place.account_id, delta)
    else:
        ledger.change_portfolio(place.portfolio_id, cash=delta, reserved=-released, since=at)


def check_cash(available: Decimal, delta: Decimal, on_date: dt.date | None = None) -> None:
    """Raise InsufficientCash if the delta would leave less than nothing."""
    if available + delta < 0:
        when = f" on {on_date}" if on_date else ""
        raise InsufficientCash(
            f"{-delta.normalize():f} is needed{when}, {available.normalize():f} is available.",
            ("amount",),
            required=-delta,
            available=available,
            on_date=on_date,
        )


async def check_later_cash(
    ledger: LedgerTransaction, place: CashLocation, since: dt.datetime, delta: Decimal
) -> None:
    """Raise InsufficientCash, with the day, if a delta that is not written yet would leave too little."""
    key = (ledger.owner_id, place.account_id, place.portfolio_id)
    lowest = await reads.lowest_cash_since(ledger.connection, *key, since)
    check_cash(lowest.balance, delta, day_of(lowest.executed_at, place.time_zone))

"""The quick way to post an entry: one statement has read what it needs, and one writes what follows.

The rules and the rows are those of the general way (`posting`, `holdings`, `derived`). What the quick way
does not do, such as to post later entries again, raises NotQuick before anything is written.
"""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from db.trading import batch_writes as writes
from db.trading import quick
from db.vocabulary import TransactionType
from db.write_batch import WriteBatch
from db.writing import RawConnection
from investing.idempotency import NotQuick
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import ZERO, Entry, Holding, Posting, post_cash
from investing.rules.trading.lots import TaxLot
from investing.trading.changes import HoldingChange
from investing.trading.holdings import OUT, Holdings
from investing.trading.posting import CashLocation, FillReference, check_cash, check_posting, transaction_row
from investing.trading.stored_lots import lot_of

Row = Mapping[Any, Any]


@dataclasses.dataclass(frozen=True)
class Released:
    """What an order that is filled has reserved no more, in cash and in shares."""

    cash: Decimal = ZERO
    quantity: Decimal = ZERO


NOTHING = Released()


async def post_quickly(
    connection: RawConnection,
    parts: WriteBatch,
    place: CashLocation,
    entry: Entry,
    row: Row,
    *,
    notes: str | None = None,
    fills: FillReference | None = None,
    released: Released = NOTHING,
    now: bool = False,
) -> dict[str, Any]:
    """Adds the writes of an entry in a locked portfolio, whose `row` is of `db.trading.quick`.

    `released` is reserved no more, as `place` has it already. The transaction's row. Raises NotQuick, and
    what `post_entry` raises.
    """
    assert place.portfolio_id is not None, "the quick way is for portfolios"
    entry = dataclasses.replace(entry, time_zone=place.time_zone)
    holdings = None
    if entry.of_shares:
        holdings = await _holdings(connection, place, entry, row, released)
        posting = holdings.post([HoldingChange(place.portfolio_id, entry)])[entry.id]
    else:
        posting = post_cash(entry)
    if check_posting(place, posting) and not now and row["is_followed"]:
        await _check_later_cash(connection, place, entry, posting)
    transaction = transaction_row(place, entry, posting, row["instrument_id"], notes, fills=fills)
    parts.insert("transactions", transaction)
    if holdings is not None:
        _save(parts, holdings, released.quantity)
    key = (place.owner_id, place.portfolio_id)
    writes.post_to_portfolio(parts, *key, posting.cash_delta, released.cash, entry.executed_at)
    return transaction


async def _holdings(
    connection: RawConnection, place: CashLocation, entry: Entry, row: Row, released: Released
) -> Holdings:
    """The holding as it is, which is as it was just before the entry."""
    if entry.type is TransactionType.SPLIT or row["is_overtaken"] or row["is_before_split"]:
        raise NotQuick
    portfolio_id, instrument_id = place.portfolio_id, row["instrument_id"]
    assert portfolio_id is not None
    if row["held_quantity"] is None:
        return Holdings.now(place.owner_id, instrument_id, portfolio_id, None, [], ZERO)
    held = Holding(row["held_quantity"], row["held_cost"], row["held_gain"], row["held_gain_fifo"])
    lots: list[TaxLot] = []
    if entry.type in OUT and held.quantity:
        wanted = min(entry.quantity or ZERO, held.quantity)
        found = await quick.oldest_lots(connection, place.owner_id, portfolio_id, instrument_id, wanted)
        lots = [lot_of(lot) for lot in found]
        if sum((lot.quantity for lot in lots), ZERO) < wanted:
            raise NotQuick
    reserved = row["held_reserved"] - released.quantity
    return Holdings.now(place.owner_id, instrument_id, portfolio_id, held, lots, reserved)


async def _check_later_cash(
    connection: RawConnection, place: CashLocation, entry: Entry, posting: Posting
) -> None:
    assert place.portfolio_id is not None
    lowest = await quick.lowest_cash_since(
        connection, place.owner_id, place.account_id, place.portfolio_id, entry.executed_at
    )
    on_date = day_of(lowest["executed_at"], place.time_zone)
    check_cash(lowest["balance"], posting.cash_delta, on_date)


def _save(parts: WriteBatch, holdings: Holdings, released: Decimal) -> None:
    changes = holdings.changes()
    later = (*changes.figures, *changes.gone_uses, *changes.gone_lots)
    assert not later, "there is nothing later that could change"
    (position,) = changes.positions
    writes.save_position(parts, position, released)
    writes.save_lots(parts, changes.lots)
    writes.add_uses(parts, changes.uses)

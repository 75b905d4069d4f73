"""Convert transfers of shares where a split has reached the shares of only one of their two sides.

This lasts hours with every split, as its ex-date begins in each account's time zone in turn. It lasts days
where an entry recorded by the owner represents the split, or where quantities were adjusted from the start.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from db.trading.history import OutRow
from db.trading.ledger import LedgerTransaction
from db.trading.split_places import SplitPlace, find_split_places
from db.vocabulary import TransactionType
from investing.rules.market.market_hours import day_of
from investing.rules.trading.splits import FIRST_PLACE, SplitPlaces, SplitRatio, converted
from investing.trading.changes import HoldingChange

_FIRST_ID = UUID(int=0)


@dataclass(frozen=True)
class _Sides:
    """The portfolios of a transfer, and the place of its incoming side on the ledger."""

    left: UUID
    reached: UUID
    at: tuple[dt.datetime, UUID]


async def load_ratios(
    ledger: LedgerTransaction,
    instrument_id: UUID,
    changes: Sequence[HoldingChange],
    outs: Sequence[OutRow],
    without: Collection[UUID],
) -> dict[UUID, Fraction]:
    """Return by transfer how many shares of its target one share of its source is, if not 1.

    `changes` are the entries that are posted, with new ones; `outs` are the outgoing sides that are not among
    them, and `without` the entries that count as reversed.
    """
    sides = _sides(changes, outs)
    if not sides:
        return {}
    portfolios = {id for each in sides.values() for id in (each.left, each.reached)}
    key = (ledger.connection, ledger.owner_id, instrument_id)
    rows = await find_split_places(*key, portfolios, without)
    splits = {row.ex_date: SplitRatio(row.ex_date, row.quantity, row.split_for) for row in rows}
    places: dict[UUID, dict[dt.date, tuple[dt.datetime, UUID]]] = defaultdict(dict)
    for row in rows:
        places[row.portfolio_id][row.ex_date] = _place(row, splits[row.ex_date], changes)
    ratios = {id: _ratio(each, splits.values(), places) for id, each in sides.items()}
    return {id: ratio for id, ratio in ratios.items() if ratio != 1}


def _sides(changes: Sequence[HoldingChange], outs: Sequence[OutRow]) -> dict[UUID, _Sides]:
    left = {row.transfer_id: row.portfolio_id for row in outs}
    for change in changes:
        if change.transfer_id is not None and change.entry.type is TransactionType.TRANSFER_OUT:
            left[change.transfer_id] = change.portfolio_id
    return {
        change.transfer_id: _Sides(left[change.transfer_id], change.portfolio_id, change.entry.place)
        for change in changes
        if change.transfer_id is not None and change.entry.type is TransactionType.TRANSFER_IN
    }


def _place(row: SplitPlace, split: SplitRatio, changes: Sequence[HoldingChange]) -> tuple[dt.datetime, UUID]:
    """Return the place from which the portfolio's shares are those after the split."""
    if row.id is not None and row.executed_at is not None:
        return row.executed_at, row.id
    for change in changes:
        entry = change.entry
        if change.stored is None and change.portfolio_id == row.portfolio_id and entry.split_for is not None:
            assert entry.quantity is not None, "a split has a quantity"
            if split.is_same(day_of(entry.executed_at, row.time_zone), entry.quantity, entry.split_for):
                return entry.place
    return FIRST_PLACE if row.is_adjusted else (row.begins, _FIRST_ID)


def _ratio(sides: _Sides, splits: Collection[SplitRatio], places: Mapping[UUID, SplitPlaces]) -> Fraction:
    return converted(splits, places[sides.left], places[sides.reached], sides.at)

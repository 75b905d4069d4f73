"""Lots: what is left of each purchase, used first in first out, and how every entry changes them.

Each change of a lot is kept as two deltas that can be reversed exactly. Costs are in the portfolio's
currency, quantities in shares.
"""

import datetime as dt
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from investing.rules.money import QUANTITY_PLACES, share

ZERO = Decimal(0)


class LotKey(NamedTuple):
    """The transaction that opened a lot, and which of its lots: a transfer brings in several."""

    transaction_id: UUID
    number: int = 0


@dataclass(frozen=True)
class TaxLot:
    """What is left of one purchase. A lot that was transferred keeps the time of its purchase."""

    transaction_id: UUID
    opened_at: dt.datetime
    quantity: Decimal
    cost: Decimal
    number: int = 0

    @property
    def key(self) -> LotKey:
        """The key that identifies the lot."""
        return LotKey(self.transaction_id, self.number)

    @property
    def age(self) -> tuple[dt.datetime, UUID, int]:
        """The sort key in which lots are used: the oldest purchase first."""
        return (self.opened_at, self.transaction_id, self.number)


@dataclass(frozen=True)
class LotChange:
    """What one entry did to one lot: a sale or a transfer out takes from it, a split multiplies it.

    `gain` is a sale's part of the proceeds minus the cost taken; None for anything else.
    """

    lot: LotKey
    opened_at: dt.datetime
    quantity_delta: Decimal
    cost_delta: Decimal
    gain: Decimal | None = None


def add(lots: list[TaxLot], lot: TaxLot) -> None:
    """Insert a lot in its place among the open ones."""
    insort(lots, lot, key=lambda other: other.age)


def take(lots: list[TaxLot], quantity: Decimal) -> list[LotChange]:
    """Take shares from the oldest lots, which hold enough; the last share of a lot takes all its cost."""
    uses = []
    used_up = 0
    for lot in lots:
        taken = min(quantity, lot.quantity)
        quantity -= taken
        cost = part_of(lot.cost, taken, lot.quantity)
        uses.append(LotChange(lot.key, lot.opened_at, -taken, -cost))
        if taken < lot.quantity:
            lots[used_up] = replace(lot, quantity=lot.quantity - taken, cost=lot.cost - cost)
        else:
            used_up += 1
        if not quantity:
            break
    assert not quantity, "the holding has as many shares as its lots"
    del lots[:used_up]
    return uses


def split(lots: list[TaxLot], new: Decimal, old: Decimal) -> list[LotChange] | None:
    """Make `new` shares of every `old` ones; return None and change nothing if too little is left.

    Rounding belongs to the position: all lots together are rounded once, so that three lots of 1 are exactly
    1 share after a split of 1 for 3. Each lot is rounded too and keeps at least the smallest part of a share;
    the difference that this makes goes to the largest lot, of equal ones the oldest.
    """
    whole = share(sum((lot.quantity for lot in lots), ZERO), new, old, QUANTITY_PLACES)
    after = [max(share(lot.quantity, new, old, QUANTITY_PLACES), QUANTITY_PLACES) for lot in lots]
    largest = max(range(len(after)), key=lambda index: (after[index], -index))
    after[largest] += whole - sum(after, ZERO)
    if after[largest] <= 0:
        return None
    uses = [
        LotChange(lot.key, lot.opened_at, quantity - lot.quantity, ZERO)
        for lot, quantity in zip(lots, after, strict=True)
    ]
    lots[:] = [replace(lot, quantity=quantity) for lot, quantity in zip(lots, after, strict=True)]
    return uses


def with_gains(uses: Sequence[LotChange], proceeds: Decimal) -> list[LotChange]:
    """Return a sale's lot changes with their gains, which add up exactly to net proceeds minus cost."""
    sold = -sum((use.quantity_delta for use in uses), ZERO)
    left = proceeds
    reported = []
    for index, use in enumerate(uses, 1):
        part = left if index == len(uses) else share(proceeds, -use.quantity_delta, sold)
        left -= part
        reported.append(replace(use, gain=part + use.cost_delta))
    return reported


def without(lots: Iterable[TaxLot], uses: Iterable[LotChange], opened_by: set[UUID]) -> list[TaxLot]:
    """Return the open lots as they were before the changes, without those that the given entries opened.

    `lots` holds every lot that was used, closed ones with a quantity of zero.
    """
    known = {lot.key: lot for lot in lots}
    for use in uses:
        lot = known[use.lot]
        known[use.lot] = replace(
            lot, quantity=lot.quantity - use.quantity_delta, cost=lot.cost - use.cost_delta
        )
    left = (lot for lot in known.values() if lot.quantity and lot.transaction_id not in opened_by)
    return sorted(left, key=lambda lot: lot.age)


def part_of(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return the part's share of a cost: all of it for the last share, so that a closed lot keeps no cost."""
    return cost if part == whole else share(cost, part, whole)

"""What changes a holding: entries with their portfolios, and the splits of its instrument that are due."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.trading import history
from db.trading.ledger import LedgerTransaction
from db.trading.split_places import SplitPlace, find_split_places
from db.vocabulary import TransactionType
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import Entry, Posting
from investing.rules.trading.splits import SplitRatio, automatic_id


@dataclass(frozen=True)
class HoldingChange:
    """An entry of a portfolio's holding.

    `transfer_id` is set where shares move between the owner's own portfolios. `stored` is how the entry was
    posted last, None for a new one.
    """

    portfolio_id: UUID
    entry: Entry
    transfer_id: UUID | None = None
    stored: Posting | None = None


@dataclass(frozen=True)
class DueSplit:
    """A split of the instrument as the automatic entry that it would be, and where that belongs."""

    change: HoldingChange
    account_id: UUID
    currency: str
    split: SplitRatio
    time_zone: str

    def is_stood_for_by(self, change: HoldingChange) -> bool:
        """Return whether this entry, recorded by the owner, is the same split."""
        entry = change.entry
        if change.portfolio_id != self.change.portfolio_id or entry.type is not TransactionType.SPLIT:
            return False
        assert entry.quantity is not None, "a split has a quantity"
        assert entry.split_for is not None, "a split has a ratio"
        return self.split.is_same(day_of(entry.executed_at, self.time_zone), entry.quantity, entry.split_for)


@dataclass(frozen=True)
class Splits:
    """The splits to post, by time, and the automatic entries to reverse for them."""

    due: Sequence[DueSplit] = ()
    outdated: Collection[UUID] = ()


async def load_splits(
    ledger: LedgerTransaction,
    instrument_id: UUID,
    starts: history.Starts,
    new: Collection[HoldingChange],
    without: Collection[UUID],
    later: Collection[UUID] | None,
) -> Splits:
    """Return the splits that no entry represents, stored or new, from those places on.

    An automatic entry represents its split even after its owner has reversed it. With `later`, the ids of the
    automatic entries from those places on, an entry is outdated if the instrument's current splits, in the
    account's current time zone, put it at another instant, give it another ratio, or no longer include it.
    """
    key = (ledger.connection, ledger.owner_id, instrument_id)
    rows = await history.due_splits(*key, starts, without)
    if not rows and not later:
        return Splits()
    automatic = _Automatic(instrument_id, await history.find_automatic(*key, list(starts)))
    if later:
        places = await find_split_places(*key, list(starts), without)
        automatic.outdate(places, later)
    due = []
    for row in rows:
        split = SplitRatio(row.ex_date, row.quantity, row.split_for)
        id = automatic.next_id(row.portfolio_id, split.ex_date)
        if id is None:
            continue
        entry = Entry(
            id=id,
            type=TransactionType.SPLIT,
            executed_at=row.executed_at,
            quantity=split.quantity,
            split_for=split.split_for,
            of_shares=True,
            is_automatic=True,
            time_zone=row.time_zone,
        )
        change = HoldingChange(row.portfolio_id, entry)
        each = DueSplit(change, row.account_id, row.currency, split, row.time_zone)
        if entry.place >= starts[change.portfolio_id] and not any(map(each.is_stood_for_by, new)):
            due.append(each)
    return Splits(due, automatic.outdated)


class _Automatic:
    """The automatic entries that portfolios have ever had for the splits of an instrument."""

    def __init__(self, instrument_id: UUID, rows: Sequence[history.AutomaticEntry]) -> None:
        self.outdated: set[UUID] = set()
        self._instrument_id = instrument_id
        self._rows = {row.id: row for row in rows}

    def outdate(self, places: Sequence[SplitPlace], later: Collection[UUID]) -> None:
        """Note which of the later entries differ from what the current splits would make them."""
        wanted = {
            (id, place.begins, place.quantity, place.split_for)
            for place in places
            for id in self._ids(place.portfolio_id, place.ex_date)
        }
        for id in later:
            row = self._rows[id]
            if (id, row.executed_at, row.quantity, row.split_for) not in wanted:
                self.outdated.add(id)

    def next_id(self, portfolio_id: UUID, ex_date: dt.date) -> UUID | None:
        """Return the id of the next entry for a split; None if one exists or its owner wants none."""
        ids = self._ids(portfolio_id, ex_date)
        for id in ids:
            row = self._rows[id]
            if row.is_refused or (not row.is_reversed and id not in self.outdated):
                return None
        return automatic_id(portfolio_id, self._instrument_id, ex_date, len(ids))

    def _ids(self, portfolio_id: UUID, ex_date: dt.date) -> list[UUID]:
        ids: list[UUID] = []
        while (id := automatic_id(portfolio_id, self._instrument_id, ex_date, len(ids))) in self._rows:
            ids.append(id)
        return ids

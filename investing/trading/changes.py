"""What changes a holding: entries with their portfolios, and the splits of its instrument that are due."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from db.sessions import Session
from db.trading import history
from db.vocabulary import TransactionType
from investing.rules.market.market_hours import day_of
from investing.rules.trading.ledger import Entry, Posting
from investing.rules.trading.splits import SplitRatio, automatic_id


@dataclass(frozen=True)
class HoldingChange:
    """An entry of a portfolio's holding; `transfer_id` where shares move between one's own portfolios.
    `stored` is how it was posted last, None for a new one.
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
        """Return whether this entry of the owner's own is the same split."""
        entry = change.entry
        if change.portfolio_id != self.change.portfolio_id or entry.type is not TransactionType.SPLIT:
            return False
        assert entry.quantity is not None, "a split has a quantity"
        assert entry.split_for is not None, "a split has a ratio"
        return self.split.is_same(day_of(entry.executed_at, self.time_zone), entry.quantity, entry.split_for)


async def load_due(
    session: Session,
    owner_id: UUID,
    instrument_id: UUID,
    starts: history.Starts,
    new: Collection[HoldingChange],
    without: Collection[UUID],
) -> Sequence[DueSplit]:
    """Return the splits that no entry stands for, stored or new, from those places on, by time.

    An automatic entry stands for its split also once its owner has reversed it.
    """
    rows = await history.due_splits(session, owner_id, instrument_id, starts, without)
    due = []
    for row in rows:
        split = SplitRatio(row["ex_date"], row["quantity"], row["split_for"])
        entry = Entry(
            id=automatic_id(row["portfolio_id"], instrument_id, split.ex_date),
            type=TransactionType.SPLIT,
            executed_at=row["executed_at"],
            quantity=split.quantity,
            split_for=split.split_for,
            of_shares=True,
            is_automatic=True,
            time_zone=row["time_zone"],
        )
        change = HoldingChange(row["portfolio_id"], entry)
        due.append(DueSplit(change, row["account_id"], row["currency"], split, row["time_zone"]))
    if not due:
        return ()
    posted = await history.posted(session, owner_id, [each.change.entry.id for each in due])
    return [
        each
        for each in due
        if each.change.entry.id not in posted
        and each.change.entry.place >= starts[each.change.portfolio_id]
        and not any(each.is_stood_for_by(change) for change in new)
    ]

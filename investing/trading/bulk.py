"""Post many entries of one portfolio at once: load what they touch, merge by the ledger's rules, write.

The rules are those of `posting`; what differs is that a holding is loaded and saved once, not for each entry.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.trading import imports
from db.trading.ledger import LedgerTransaction
from db.vocabulary import TransactionType
from investing.background import run_apart
from investing.rules.errors import InsufficientCash, InsufficientShares
from investing.rules.trading.import_rows import Content, fingerprint
from investing.rules.trading.ledger import ZERO, Entry, Posting
from investing.rules.trading.merging import Merged, NewEntry, Past, PastCash, PastEntry, merge
from investing.rules.trading.splits import first_affected
from investing.trading.changes import HoldingChange
from investing.trading.holdings import Holdings, load_holdings
from investing.trading.transaction_rows import CashLocation, transaction_row

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """An entry to post, with what is stored beside it."""

    entry: Entry
    instrument_id: UUID | None
    notes: str | None
    content: Content
    recorded: int
    """How many transactions of this content the ledger has already, also in imports that were reversed."""
    is_fixed: bool = False
    """Whether the file gives its place within its instant."""
    is_split_adjusted: bool = False
    """Whether its quantity is already adjusted to today's shares."""


class Batch:
    """Entries of one portfolio, which the caller has locked.

    They are in the order of time and then of `ordering.order_key`, with ids that ascend. Once they are
    merged, `lines` have the ids that the entries are written with.
    """

    def __init__(self, ledger: LedgerTransaction, place: CashLocation, lines: Sequence[BatchEntry]) -> None:
        assert place.portfolio_id is not None, "entries are imported into a portfolio"
        self._ledger = ledger
        self._place = place
        self.lines = [replace(line, entry=replace(line.entry, time_zone=place.time_zone)) for line in lines]
        self._key = (place.owner_id, place.portfolio_id)
        # What open orders have reserved is there on every past day; only the final balance must cover it.
        self._cash = place.cash + place.reserved
        self._loaded: dict[UUID, Holdings] = {}

    async def merge(self) -> Merged:
        """Return what the ledger says to each line, by its place; write nothing."""
        if not self.lines:
            return Merged()
        moves = await self._load(self.lines[0].entry.executed_at)
        return await run_apart(self._key[0], self._merged, moves)

    def _merged(self, moves: Sequence[tuple[dt.datetime, Decimal]]) -> Merged:
        new = [NewEntry(line.entry, line.instrument_id, line.is_fixed) for line in self.lines]
        merged = merge(self._past(moves), new)
        for place, entry in merged.entries.items():
            if entry is not self.lines[place].entry:
                self.lines[place] = replace(self.lines[place], entry=entry)
        return merged

    async def _load(self, first: dt.datetime) -> Sequence[tuple[dt.datetime, Decimal]]:
        """Load the holdings; return the movements of cash from this instant on."""
        moves = await imports.cash_moves_after(self._ledger.connection, *self._key, first)
        new: dict[UUID, list[HoldingChange]] = {}
        for line in self.lines:
            if line.entry.of_shares and line.instrument_id is not None:
                new.setdefault(line.instrument_id, []).append(HoldingChange(self._key[1], line.entry))
        for id, changes in new.items():
            starts = {self._key[1]: min(map(_first_affected, changes))}
            with_splits = not any(line.is_split_adjusted for line in self.lines)
            self._loaded[id] = await load_holdings(self._ledger, id, starts, changes, with_splits=with_splits)
        return moves

    def _past(self, moves: Sequence[tuple[dt.datetime, Decimal]]) -> Past:
        return Past(
            portfolio_id=self._key[1],
            cash=self._cash - sum((delta for _, delta in moves), ZERO),
            may_owe=self._place.margin,
            time_zone=self._place.time_zone,
            holdings={
                (portfolio_id, id): holding
                for id, loaded in self._loaded.items()
                for portfolio_id, holding in loaded.by_portfolio.items()
            },
            entries=[_past(id, change) for id, loaded in self._loaded.items() for change in loaded.later],
            moves=[PastCash(*move) for move in moves],
            splits=[_past(id, split.change) for id, loaded in self._loaded.items() for split in loaded.due],
            moved={id: moved for loaded in self._loaded.values() for id, moved in loaded.moved.items()},
            ratios={id: ratio for loaded in self._loaded.values() for id, ratio in loaded.ratios.items()},
        )

    def check_reserved(self, merged: Merged) -> None:
        """Raise InsufficientCash or InsufficientShares if too little is left for the open orders."""
        cash = self._cash + sum((posting.cash_delta for posting in merged.postings.values()), ZERO)
        if cash < self._place.reserved and not self._place.margin:
            raise InsufficientCash(
                f"Open orders have reserved {self._place.reserved.normalize():f}, the import would leave "
                f"{cash.normalize():f}: cancel an order first.",
                ("rows",),
                required=self._place.reserved,
                available=cash,
            )
        for id, loaded in self._loaded.items():
            for portfolio_id, reserved in loaded.reserved.items():
                left = merged.holdings[portfolio_id, id].quantity
                if left < reserved:
                    raise InsufficientShares(
                        f"Open orders have reserved {reserved.normalize():f} shares, the import would leave "
                        f"{left.normalize():f}: cancel an order first.",
                        ("rows",),
                        required=reserved,
                        available=left,
                    )

    async def save(self, merged: Merged, import_id: UUID, progress: Progress) -> None:
        """Write the entries that were not refused, a few thousand at a time, and what follows from them.

        The import is written with the first of them.
        """
        rows = await run_apart(self._key[0], self._rows, merged, import_id)
        for start in range(0, len(rows), imports.CHUNK):
            progress("Writing transactions", start, len(rows))
            if start:
                await self._ledger.flush()
            for row in rows[start : start + imports.CHUNK]:
                self._ledger.add_transaction(row)
        progress("Writing transactions", len(rows), len(rows))
        await run_apart(self._key[0], self._save_derived, merged)
        if merged.postings:
            cash = sum((posting.cash_delta for posting in merged.postings.values()), ZERO)
            first = self.lines[min(merged.postings)].entry.executed_at
            self._ledger.change_portfolio(self._key[1], cash=cash, since=first)

    def _rows(self, merged: Merged, import_id: UUID) -> list[dict[str, Any]]:
        """Return the rows of the new transactions."""
        written: Counter[Content] = Counter()
        rows: list[dict[str, Any]] = []
        for place in sorted(merged.postings):
            line = self.lines[place]
            written[line.content] += 1
            mark = fingerprint(self._key[1], line.content, line.recorded + written[line.content])
            row = self._transaction(line, merged.postings[place], mark)
            rows.append(row | {"import_id": import_id})
        return rows

    def _save_derived(self, merged: Merged) -> None:
        """Add what follows from the postings of new entries, one instrument at a time."""
        posted = [(self.lines[place], posting) for place, posting in merged.postings.items()]
        touched = set()
        for line, posting in posted:
            if line.entry.of_shares and line.instrument_id is not None:
                touched.add(line.instrument_id)
                self._loaded[line.instrument_id].derived.note(self._key[1], line.entry.id, posting)
        for id in sorted(touched):
            loaded = self._loaded[id]
            for split in loaded.due:
                if (posting_due := merged.automatic.get(split.change.entry.id)) is not None:
                    loaded.note_automatic(split.change, posting_due)
            loaded.save_automatic(self._ledger)
            for change in loaded.later:
                loaded.derived.note(change.portfolio_id, change.entry.id, merged.again[change.entry.id])
            holdings = {
                portfolio_id: merged.holdings[portfolio_id, id] for portfolio_id in loaded.by_portfolio
            }
            loaded.derived.save(self._ledger, id, holdings)
            loaded.mark_restated(self._ledger)

    def _transaction(self, line: BatchEntry, posting: Posting, mark: bytes) -> dict[str, Any]:
        row = transaction_row(self._place, line.entry, posting, line.instrument_id, line.notes, None)
        return row | {"fingerprint": mark, "is_split_adjusted": line.is_split_adjusted}


def _past(instrument_id: UUID, change: HoldingChange) -> PastEntry:
    return PastEntry(change.entry, change.portfolio_id, instrument_id, change.transfer_id)


def _first_affected(change: HoldingChange) -> tuple[dt.datetime, UUID]:
    entry = change.entry
    return first_affected(entry.executed_at) if entry.type is TransactionType.SPLIT else entry.place

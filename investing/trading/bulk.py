"""Many entries of one portfolio at once: load what they touch, merge by the ledger's rules, write.

The rules are those of `posting`; what differs is that a holding is loaded and saved once, not for each entry.
"""

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading import imports, writes
from db.vocabulary import TransactionType
from investing.rules.import_rows import Content, fingerprint
from investing.rules.ledger import ZERO, Entry, Holding, Lot, Posting
from investing.rules.merging import Merged, NewEntry, Past, PastCash, PastEntry, merge
from investing.rules.refusals import InsufficientCash, InsufficientShares
from investing.trading.posting import Place

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry to post, with what is stored beside it."""

    entry: Entry
    instrument_id: UUID | None
    notes: str | None
    content: Content
    recorded: int
    """How many transactions of this content the ledger has already."""


class Batch:
    """Entries in the order of time, for one portfolio that the caller has locked."""

    def __init__(self, session: Session, place: Place, lines: Sequence[Line]) -> None:
        assert place.portfolio_id is not None, "entries are imported into a portfolio"
        self._session = session
        self._place = place
        self._lines = lines
        self._key = (place.owner_id, place.portfolio_id)
        # What open orders have reserved is there on every day of the past; only the end must leave it.
        self._cash = place.cash + place.reserved
        self._reserved: dict[UUID, Decimal] = {}
        self._stored_lots: dict[UUID, dict[UUID, Lot]] = {}

    async def merge(self) -> Merged:
        """What the ledger says to each line, by its place; nothing is written."""
        if not self._lines:
            return Merged()
        past = await self._load(self._lines[0].entry.executed_at)
        return merge(past, [NewEntry(line.entry, line.instrument_id) for line in self._lines])

    async def _load(self, first: dt.datetime) -> Past:
        moves = await imports.cash_moves_after(self._session, *self._key, first)
        since: dict[UUID, dt.datetime] = {}
        for line in self._lines:
            if line.entry.of_shares and line.instrument_id is not None:
                since.setdefault(line.instrument_id, line.entry.executed_at)
        holdings, entries = await self._load_holdings(since)
        return Past(
            cash=self._cash - sum((delta for _, delta in moves), ZERO),
            may_owe=self._place.margin,
            holdings=holdings,
            entries=entries,
            moves=[PastCash(*move) for move in moves],
        )

    async def _load_holdings(
        self, since: Mapping[UUID, dt.datetime]
    ) -> tuple[dict[UUID, Holding], list[PastEntry]]:
        """The holdings as they are, or where entries come before others their history from the beginning."""
        latest = await imports.latest_share_changes(self._session, *self._key, list(since))
        positions = await imports.find_positions(self._session, *self._key, list(since))
        holdings: dict[UUID, Holding] = {}
        self._reserved = {id: row["reserved_quantity"] for id, row in positions.items()}
        for id, row in positions.items():
            if id not in latest or latest[id] <= since[id]:
                holdings[id] = Holding(row["quantity"], row["cost_basis"], row["realized_pnl"])
        for row in await imports.find_lots(self._session, *self._key, list(since)):
            lot = Lot(
                row["transaction_id"], row["opened_at"], row["remaining_quantity"], row["remaining_cost"]
            )
            self._stored_lots.setdefault(row["instrument_id"], {})[lot.transaction_id] = lot
            if lot.quantity and row["instrument_id"] in holdings:
                holdings[row["instrument_id"]].lots.append(lot)
        history: list[PastEntry] = []
        for id in latest.keys() - holdings.keys():
            rows = await writes.share_history(self._session, *self._key, id)
            history += [PastEntry(_entry(row), id, row["realized_pnl"]) for row in rows]
        return holdings, history

    def check_reserved(self, merged: Merged) -> None:
        """Raises InsufficientCash or InsufficientShares where too little is left for the open orders."""
        cash = self._cash + sum((posting.cash_delta for posting in merged.postings.values()), ZERO)
        if cash < self._place.reserved and not self._place.margin:
            raise InsufficientCash(
                f"Open orders have reserved {self._place.reserved.normalize():f}, the import would leave "
                f"{cash.normalize():f}: cancel an order first.",
                ("rows",),
                required=self._place.reserved,
                available=cash,
            )
        for id, reserved in self._reserved.items():
            left = merged.holdings[id].quantity if id in merged.holdings else reserved
            if left < reserved:
                raise InsufficientShares(
                    f"Open orders have reserved {reserved.normalize():f} shares, the import would leave "
                    f"{left.normalize():f}: cancel an order first.",
                    ("rows",),
                    required=reserved,
                    available=left,
                )

    async def save(self, merged: Merged, progress: Progress) -> None:
        """Writes the entries that were not refused, and all that follows from them."""
        written: Counter[Content] = Counter()
        rows: list[dict[str, Any]] = []
        for place in sorted(merged.postings):
            line = self._lines[place]
            written[line.content] += 1
            mark = fingerprint(self._key[1], line.content, line.recorded + written[line.content])
            rows.append(self._transaction(line, merged.postings[place], mark))
        for start in range(0, len(rows), imports.CHUNK):
            progress("Writing transactions", start, len(rows))
            await imports.insert_transactions(self._session, rows[start : start + imports.CHUNK])
        progress("Writing transactions", len(rows), len(rows))
        touched = {
            line.instrument_id
            for place, line in enumerate(self._lines)
            if place in merged.postings and line.entry.of_shares and line.instrument_id is not None
        }
        if touched:
            positions = [self._position(id, merged.holdings[id]) for id in sorted(touched)]
            await imports.save_positions(self._session, positions)
            lots = [row for id in touched for row in self._changed_lots(id, merged)]
            await imports.save_lots(self._session, lots)
        await writes.save_realized(self._session, self._key[0], merged.gains)
        cash = sum((posting.cash_delta for posting in merged.postings.values()), ZERO)
        await writes.add_portfolio_cash(self._session, *self._key, cash)

    def _transaction(self, line: Line, posting: Posting, mark: bytes) -> dict[str, Any]:
        entry = line.entry
        return {
            **dataclasses.asdict(posting),
            "owner_id": self._place.owner_id,
            "id": entry.id,
            "account_id": self._place.account_id,
            "portfolio_id": self._place.portfolio_id,
            "instrument_id": line.instrument_id,
            "type": entry.type.value,
            "quantity": entry.quantity,
            "price": entry.price,
            "amount": entry.amount,
            "commission": entry.commission,
            "split_for": entry.split_for,
            "currency": self._place.currency,
            "executed_at": entry.executed_at,
            "notes": line.notes,
            "fingerprint": mark,
        }

    def _position(self, instrument_id: UUID, holding: Holding) -> dict[str, Any]:
        owner_id, portfolio_id = self._key
        return {
            "owner_id": owner_id,
            "id": uuid7(),
            "portfolio_id": portfolio_id,
            "instrument_id": instrument_id,
            "quantity": holding.quantity,
            "cost_basis": holding.cost,
            "realized_pnl": holding.realized_pnl,
        }

    def _changed_lots(self, instrument_id: UUID, merged: Merged) -> list[dict[str, Any]]:
        """The lots that are not as they are stored; those that are used up stay, empty."""
        owner_id, portfolio_id = self._key
        stored = self._stored_lots.get(instrument_id, {})
        known = [*stored.values(), *merged.opened.get(instrument_id, [])]
        lots = {lot.transaction_id: dataclasses.replace(lot, quantity=ZERO, cost=ZERO) for lot in known}
        lots.update((lot.transaction_id, lot) for lot in merged.holdings[instrument_id].lots)
        return [
            {
                "owner_id": owner_id,
                "id": uuid7(),
                "portfolio_id": portfolio_id,
                "instrument_id": instrument_id,
                "transaction_id": lot.transaction_id,
                "opened_at": lot.opened_at,
                "remaining_quantity": lot.quantity,
                "remaining_cost": lot.cost,
            }
            for id, lot in lots.items()
            if stored.get(id) != lot
        ]


def _entry(row: Mapping[Any, Any]) -> Entry:
    return Entry(
        id=row["id"],
        type=TransactionType(row["type"]),
        executed_at=row["executed_at"],
        amount=row["amount"],
        commission=row["commission"],
        quantity=row["quantity"],
        price=row["price"],
        split_for=row["split_for"],
        of_shares=True,
    )

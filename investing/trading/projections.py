"""What follows from a holding's entries: as it is stored, as it has become, and writing the difference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading import revisions
from db.trading.writes import mark_splits
from investing.rules.trading.ledger import ZERO, Holding, Posting
from investing.rules.trading.lots import LotChange, LotKey, TaxLot

_UseKey = tuple[UUID, UUID, int]


@dataclass(frozen=True)
class ProjectionChanges:
    """Rows to write, figures of later transactions to refresh, and uses and lots that are none any more."""

    positions: Sequence[Mapping[str, Any]]
    figures: Sequence[Mapping[str, Any]]
    lots: Sequence[Mapping[str, Any]]
    gone_uses: Sequence[tuple[UUID, UUID, int]]
    uses: Sequence[Mapping[str, Any]]
    gone_lots: Sequence[LotKey]


@dataclass
class ProjectionDiff:
    """Stored positions, lots (each with its portfolio) and postings of later entries; and the new ones."""

    positions: Mapping[UUID, Holding]
    lots: Mapping[LotKey, tuple[UUID, TaxLot]]
    postings: Mapping[UUID, Posting | None]
    _now: dict[UUID, Posting] = field(default_factory=dict)
    _opened: dict[LotKey, tuple[UUID, TaxLot]] = field(default_factory=dict)

    def note(self, portfolio_id: UUID, id: UUID, posting: Posting) -> None:
        """Keeps how an entry is posted now."""
        self._now[id] = posting
        self._opened.update((lot.key, (portfolio_id, lot)) for lot in posting.opened)

    def changes(
        self, owner_id: UUID, instrument_id: UUID, holdings: Mapping[UUID, Holding]
    ) -> "ProjectionChanges":
        """What is to be written: what has become other than it is stored."""
        key = {"owner_id": owner_id, "instrument_id": instrument_id}
        lots = self._lots(holdings)
        before, after = _uses(self.postings), _uses(self._now)
        return ProjectionChanges(
            positions=[{**key, **row} for row in self._positions(holdings)],
            figures=list(self._figures()),
            lots=[{**key, **row} for row in _changed_lots(lots, self.lots)],
            gone_uses=[use for use in before if use not in after],
            uses=[
                {"owner_id": owner_id, **_use_row(id, use)}
                for id, use in after.items()
                if before.get(id) != use
            ],
            gone_lots=[lot for lot in self.lots if lot not in lots],
        )

    async def save(
        self, session: Session, owner_id: UUID, instrument_id: UUID, holdings: Mapping[UUID, Holding]
    ) -> None:
        """Writes what changed, in an order in which every row finds those that it points at."""
        changes = self.changes(owner_id, instrument_id, holdings)
        await revisions.save_positions(session, changes.positions)
        await revisions.save_derived(session, owner_id, changes.figures)
        await mark_splits(session, owner_id, self._restated(changes.figures))
        await revisions.save_lots(session, changes.lots)
        await revisions.delete_uses(session, owner_id, changes.gone_uses)
        await revisions.save_uses(session, changes.uses)
        await revisions.delete_lots(session, owner_id, changes.gone_lots)

    def _positions(self, holdings: Mapping[UUID, Holding]) -> Iterator[dict[str, Any]]:
        for portfolio_id, holding in holdings.items():
            figures = _figures(holding)
            stored = self.positions.get(portfolio_id)
            if stored is None or _figures(stored) != figures:
                yield {"portfolio_id": portfolio_id, "id": uuid7(), **figures}

    def _figures(self) -> Iterator[dict[str, Any]]:
        """Later entries whose figures are others now."""
        for id, stored in self.postings.items():
            now = self._now.get(id)
            # One that is reversed keeps its figures, which its reversal has with the other sign.
            if stored is not None and now is not None and _derived(stored) != _derived(now):
                yield {"transaction_id": id, **_derived(now)}

    def _restated(self, figures: Sequence[Mapping[str, Any]]) -> list[UUID]:
        """The splits among them that make another number of shares now."""
        stored = {id: posting.quantity_delta for id, posting in self.postings.items() if posting is not None}
        now = [(row["transaction_id"], row["quantity_delta"]) for row in figures]
        return [id for id, quantity_delta in now if quantity_delta != stored[id]]

    def _lots(self, holdings: Mapping[UUID, Holding]) -> dict[LotKey, tuple[UUID, TaxLot]]:
        """Every lot that there is now, used up or not."""
        open_now = {lot.key: lot for holding in holdings.values() for lot in holding.lots}
        there = {k: v for k, v in self.lots.items() if k.transaction_id not in self.postings} | self._opened
        return {
            key: (portfolio_id, open_now.get(key) or _used_up(lot))
            for key, (portfolio_id, lot) in there.items()
        }


def _figures(holding: Holding) -> dict[str, Any]:
    return {
        "quantity": holding.quantity,
        "cost_basis": holding.cost,
        "realized_pnl": holding.realized_pnl,
        "realized_pnl_fifo": holding.realized_pnl_fifo,
    }


def _derived(posting: Posting) -> dict[str, Any]:
    return {
        "quantity_delta": posting.quantity_delta,
        "cost_delta": posting.cost_delta,
        "realized_pnl": posting.realized_pnl,
        "realized_pnl_fifo": posting.realized_pnl_fifo,
    }


def _used_up(lot: TaxLot) -> TaxLot:
    return TaxLot(lot.transaction_id, lot.opened_at, ZERO, ZERO, lot.number)


def _changed_lots(
    now: Mapping[LotKey, tuple[UUID, TaxLot]], stored: Mapping[LotKey, tuple[UUID, TaxLot]]
) -> Iterator[dict[str, Any]]:
    for key, (portfolio_id, lot) in now.items():
        if stored.get(key) != (portfolio_id, lot):
            yield lot_row(lot) | {"portfolio_id": portfolio_id}


def lot_row(lot: TaxLot) -> dict[str, Any]:
    """The row of `lots` of a lot, but for the holding that it is part of."""
    return {
        "id": uuid7(),
        "transaction_id": lot.transaction_id,
        "number": lot.number,
        "opened_at": lot.opened_at,
        "remaining_quantity": lot.quantity,
        "remaining_cost": lot.cost,
    }


def _uses(postings: Mapping[UUID, Posting | None]) -> dict[_UseKey, LotChange]:
    return {
        (id, *use.lot): use for id, posting in postings.items() if posting is not None for use in posting.uses
    }


def _use_row(key: _UseKey, use: LotChange) -> dict[str, Any]:
    return {**use_row(use), "transaction_id": key[0]}


def use_row(use: LotChange) -> dict[str, Any]:
    """The row of `lot_uses` of a use, but for its transaction and owner."""
    return {
        "lot_transaction_id": use.lot.transaction_id,
        "lot_number": use.lot.number,
        "quantity_delta": use.quantity_delta,
        "cost_delta": use.cost_delta,
        "gain": use.gain,
    }

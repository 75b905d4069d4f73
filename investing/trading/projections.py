"""What follows from a holding's entries: as it is stored, as it has become, and writing the difference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from db.ids import uuid7
from db.trading.ledger import LedgerTransaction
from db.trading.ledger_writes import FiguresWrite, LotWrite, PositionWrite, UseWrite
from investing.rules.trading.ledger import ZERO, Holding, Posting
from investing.rules.trading.lots import LotChange, LotKey, TaxLot

_UseKey = tuple[UUID, UUID, int]


@dataclass
class ProjectionDiff:
    """Stored positions, lots (each with its portfolio) and postings of later entries; and the new ones."""

    positions: Mapping[UUID, Holding]
    lots: Mapping[LotKey, tuple[UUID, TaxLot]]
    postings: Mapping[UUID, Posting | None]
    _now: dict[UUID, Posting] = field(default_factory=dict)
    _opened: dict[LotKey, tuple[UUID, TaxLot]] = field(default_factory=dict)

    def note(self, portfolio_id: UUID, id: UUID, posting: Posting) -> None:
        """Keep how an entry is posted now."""
        self._now[id] = posting
        self._opened.update((lot.key, (portfolio_id, lot)) for lot in posting.opened)

    def save(self, ledger: LedgerTransaction, instrument_id: UUID, holdings: Mapping[UUID, Holding]) -> None:
        """Add what differs from what is stored to what the transaction writes."""
        lots = self._lots(holdings)
        before, after = _uses(self.postings), _uses(self._now)
        ledger.save_positions(list(self._positions(ledger.owner_id, instrument_id, holdings)))
        ledger.save_figures(list(self._figures()))
        ledger.save_lots(
            [
                _lot_write(ledger.owner_id, portfolio_id, instrument_id, lot)
                for key, (portfolio_id, lot) in lots.items()
                if self.lots.get(key) != (portfolio_id, lot)
            ],
            [key for key in self.lots if key not in lots],
        )
        ledger.save_uses(
            [
                _use_write(ledger.owner_id, key[0], use)
                for key, use in after.items()
                if before.get(key) != use
            ],
            [key for key in before if key not in after],
        )

    def _positions(
        self, owner_id: UUID, instrument_id: UUID, holdings: Mapping[UUID, Holding]
    ) -> Iterator[PositionWrite]:
        for portfolio_id, holding in holdings.items():
            stored = self.positions.get(portfolio_id)
            if stored is None or _figures(stored) != _figures(holding):
                ids = (owner_id, uuid7(), portfolio_id, instrument_id)
                yield PositionWrite(*ids, *_figures(holding))

    def _figures(self) -> Iterator[FiguresWrite]:
        """Yield the later entries whose figures have changed."""
        for id, stored in self.postings.items():
            now = self._now.get(id)
            # A reversed entry keeps its figures, which its reversal has with the other sign.
            if stored is not None and now is not None and _derived(id, stored) != _derived(id, now):
                yield _derived(id, now)

    def restated(self) -> list[UUID]:
        """Return the later entries that now move another number of shares: splits."""
        pairs = ((id, stored, self._now.get(id)) for id, stored in self.postings.items())
        return [
            id
            for id, stored, now in pairs
            if stored is not None and now is not None and stored.quantity_delta != now.quantity_delta
        ]

    def _lots(self, holdings: Mapping[UUID, Holding]) -> dict[LotKey, tuple[UUID, TaxLot]]:
        """Return every current lot, used up or not."""
        open_now = {lot.key: lot for holding in holdings.values() for lot in holding.lots}
        there = {k: v for k, v in self.lots.items() if k.transaction_id not in self.postings} | self._opened
        return {
            key: (portfolio_id, open_now.get(key) or _used_up(lot))
            for key, (portfolio_id, lot) in there.items()
        }


def _figures(holding: Holding) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return holding.quantity, holding.cost, holding.realized_pnl, holding.realized_pnl_fifo


def _derived(id: UUID, posting: Posting) -> FiguresWrite:
    gains = (posting.realized_pnl, posting.realized_pnl_fifo)
    return FiguresWrite(id, posting.quantity_delta, posting.cost_delta, *gains)


def _used_up(lot: TaxLot) -> TaxLot:
    return TaxLot(lot.transaction_id, lot.opened_at, ZERO, ZERO, lot.number)


def _lot_write(owner_id: UUID, portfolio_id: UUID, instrument_id: UUID, lot: TaxLot) -> LotWrite:
    ids = (owner_id, uuid7(), portfolio_id, instrument_id, lot.transaction_id)
    return LotWrite(*ids, lot.number, lot.opened_at, lot.quantity, lot.cost)


def _use_write(owner_id: UUID, transaction_id: UUID, use: LotChange) -> UseWrite:
    figures = (use.quantity_delta, use.cost_delta, use.gain)
    return UseWrite(owner_id, transaction_id, use.lot.transaction_id, use.lot.number, *figures)


def _uses(postings: Mapping[UUID, Posting | None]) -> dict[_UseKey, LotChange]:
    return {
        (id, *use.lot): use for id, posting in postings.items() if posting is not None for use in posting.uses
    }

"""The snapshots that one process has read lately, and which of them a price affects."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from investing.alerts.portfolio_snapshot import PortfolioSnapshot


@dataclass
class _Kept:
    snapshot: PortfolioSnapshot
    followed: frozenset[UUID]
    read_at: float
    valued_at: float


class SnapshotCache:
    """Snapshots by owner. Times are of the event loop's clock, in seconds."""

    def __init__(self, valued_seconds: float) -> None:
        """Create an empty cache. A snapshot is due at most once in `valued_seconds`."""
        self._valued_seconds = valued_seconds
        self._kept: dict[UUID, _Kept] = {}
        self._holders: dict[UUID, set[UUID]] = {}
        self._stale: set[UUID] = set()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def has_more(self) -> bool:
        """Whether some snapshots have yet to be compared with prices, now or in a moment."""
        return bool(self._stale)

    def keep(self, owner_id: UUID, snapshot: PortfolioSnapshot | None, read_at: float) -> None:
        """Store what a check that began at `read_at` read, replacing what was there; None for no rules."""
        self._drop(owner_id)
        if snapshot is None:
            return
        kept = self._kept[owner_id] = _Kept(snapshot, snapshot.followed, read_at, read_at)
        for instrument_id in kept.followed:
            self._holders.setdefault(instrument_id, set()).add(owner_id)
        if kept.followed:
            # Prices may have moved while it was being read.
            self._stale.add(owner_id)

    def due(self, moved: Collection[UUID], now: float) -> Iterator[tuple[UUID, PortfolioSnapshot]]:
        """Yield the snapshots that these instruments' prices affect; those valued a moment ago wait."""
        for instrument_id in moved:
            self._stale |= self._holders.get(instrument_id, set())
        for owner_id in list(self._stale):
            kept = self._kept.get(owner_id)
            if kept is None:
                self._stale.discard(owner_id)
            elif kept.valued_at + self._valued_seconds <= now:
                self._stale.discard(owner_id)
                kept.valued_at = now
                yield owner_id, kept.snapshot

    def forget(self, before: float) -> None:
        """Drop what was read before then."""
        for owner_id in [id for id, kept in self._kept.items() if kept.read_at < before]:
            self._drop(owner_id)

    def _drop(self, owner_id: UUID) -> None:
        kept = self._kept.pop(owner_id, None)
        self._stale.discard(owner_id)
        for instrument_id in kept.followed if kept else ():
            holders = self._holders[instrument_id]
            holders.discard(owner_id)
            if not holders:
                del self._holders[instrument_id]

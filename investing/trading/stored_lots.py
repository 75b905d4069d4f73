"""The stored lots that posting can touch; a long history's other lots are never read."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.sessions import Session
from db.trading import history
from db.vocabulary import TransactionType
from investing.rules.trading.ledger import ZERO, Entry
from investing.rules.trading.lots import LotKey, TaxLot

_OUT = (TransactionType.SELL, TransactionType.TRANSFER_OUT)
_LOTS_AT_ONCE = 200

StoredLots = dict[LotKey, tuple[UUID, TaxLot]]
"""Lots with the portfolios that they are in."""


async def load_lots(
    session: Session,
    owner_id: UUID,
    instrument_id: UUID,
    entries: Mapping[UUID, Sequence[Entry]],
    touched: Collection[UUID],
) -> StoredLots:
    """The lots that the `touched` transactions opened, used up or not, and by portfolio the oldest open ones,
    until they hold as many shares as its entries take.
    """
    lots: StoredLots = {}
    if touched:
        for row in await history.find_lots_of(session, owner_id, list(touched)):
            lots[LotKey(row["transaction_id"], row["number"])] = (row["portfolio_id"], lot_of(row))
    for id, its_entries in entries.items():
        await _add_oldest(session, (owner_id, id, instrument_id), _wanted(its_entries), lots)
    return lots


def _wanted(entries: Iterable[Entry]) -> Decimal | None:
    """How many shares these entries take at the most; None where a split changes every lot."""
    wanted = ZERO
    for entry in entries:
        if entry.type is TransactionType.SPLIT:
            return None
        if entry.type in _OUT:
            wanted += entry.quantity or ZERO
    return wanted


async def _add_oldest(
    session: Session, key: tuple[UUID, UUID, UUID], wanted: Decimal | None, lots: StoredLots
) -> None:
    """Adds the oldest open lots that no later entry has touched, until they hold as much as is wanted."""
    after = None
    while wanted is None or wanted > 0:
        rows = await history.find_open_lots(session, *key, after=after, limit=_LOTS_AT_ONCE)
        for row in rows:
            lot = lot_of(row)
            after = lot.age
            if lot.key in lots:
                continue
            lots[lot.key] = (key[1], lot)
            if wanted is not None:
                wanted -= lot.quantity
        if len(rows) < _LOTS_AT_ONCE:
            return


def lot_of(row: Mapping[Any, Any]) -> TaxLot:
    """The lot of a stored row."""
    return TaxLot(
        row["transaction_id"],
        row["opened_at"],
        row["remaining_quantity"],
        row["remaining_cost"],
        row["number"],
    )

"""The stored lots that posting can touch; a long history's other lots are never read."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from db.trading import history
from db.trading.ledger import LedgerTransaction
from db.vocabulary import TransactionType
from investing.rules.trading.ledger import ZERO, Entry
from investing.rules.trading.lots import LotKey, TaxLot

_OUT = (TransactionType.SELL, TransactionType.TRANSFER_OUT)

StoredLots = dict[LotKey, tuple[UUID, TaxLot]]
"""Lots with the portfolios that they are in."""


async def load_lots(
    ledger: LedgerTransaction,
    instrument_id: UUID,
    entries: Mapping[UUID, Sequence[Entry]],
    touched: Collection[UUID],
    held: Mapping[UUID, Decimal],
) -> StoredLots:
    """Return the lots that the `touched` transactions opened, used up or not, and the oldest open ones.

    For each portfolio, these are as many of the oldest open lots as hold the shares that its entries take,
    out of what is `held` there.
    """
    lots: StoredLots = {}
    if touched:
        for row in await history.find_lots_of(ledger.connection, ledger.owner_id, touched):
            lots[LotKey(row.transaction_id, row.number)] = (row.portfolio_id, lot_of(row))
    for id, its_entries in entries.items():
        # The open lots hold together what is held.
        known = sum((lot.quantity for at, lot in lots.values() if at == id), ZERO)
        wanted, left = _wanted(its_entries), held.get(id, ZERO) - known
        if left > 0:
            await _add_oldest(ledger, (id, instrument_id), wanted and min(wanted, left), known, lots)
    return lots


def _wanted(entries: Iterable[Entry]) -> Decimal | None:
    """Return how many shares these entries take at most; None if a split changes every lot."""
    wanted = ZERO
    for entry in entries:
        if entry.type is TransactionType.SPLIT:
            return None
        if entry.type in _OUT:
            wanted += entry.quantity or ZERO
    return wanted


async def _add_oldest(
    ledger: LedgerTransaction,
    key: tuple[UUID, UUID],
    wanted: Decimal | None,
    known: Decimal,
    lots: StoredLots,
) -> None:
    """Add the oldest open lots that no later entry has touched, until they hold as much as is wanted.

    `known` is how many shares those in `lots` hold already; they may be among the oldest.
    """
    after = None
    while wanted is None or wanted > 0:
        quantity = None if wanted is None else wanted + known
        rows = await history.oldest_lots(ledger.connection, ledger.owner_id, *key, quantity, after)
        for row in rows:
            lot = lot_of(row)
            after = lot.age
            if lot.key in lots:
                continue
            lots[lot.key] = (key[0], lot)
            if wanted is not None:
                wanted -= lot.quantity
        if len(rows) < history.LOTS_AT_ONCE and (wanted is None or not rows):
            return


def lot_of(row: history.LotRow) -> TaxLot:
    """Return the lot of a stored row."""
    return TaxLot(row.transaction_id, row.opened_at, row.remaining_quantity, row.remaining_cost, row.number)

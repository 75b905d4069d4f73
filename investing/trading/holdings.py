"""A holding as the database has it: loaded as of an entry, posted to, and written back where it changed."""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import uuid7
from db.sessions import Session
from db.trading import writes
from db.vocabulary import TransactionType
from investing.rules.ledger import ZERO, Entry, Holding, Lot, Posting, post
from investing.rules.refusals import InsufficientShares, InvalidInput

_IN = (TransactionType.BUY, TransactionType.TRANSFER_IN)
_OUT = (TransactionType.SELL, TransactionType.TRANSFER_OUT)

HoldingKey = tuple[UUID, UUID, UUID]
"""Owner, portfolio and instrument."""


class LoadedHolding:
    """A holding just before an entry, the lots as they are stored, and what came after the entry."""

    def __init__(
        self,
        key: HoldingKey,
        holding: Holding,
        stored_lots: Mapping[UUID, Lot],
        later: list[tuple[Entry, Decimal | None]],
        reserved: Decimal = ZERO,
    ) -> None:
        self._key = key
        self._reserved = reserved
        self._holding = holding
        self._stored_lots = stored_lots
        self._later = later
        self._gains: dict[UUID, Decimal] = {}

    def post(self, entry: Entry) -> Posting:
        """Posts the entry, and again all that came after it.

        Raises InsufficientShares, with the day, where that leaves too few shares for a later sale, and where
        it would take shares that open orders have reserved.
        """
        if entry.type in _OUT and not self._later and self._reserved:
            self._check_reserved(entry, entry.quantity or ZERO, self._holding.quantity)
        posting = post(self._holding, entry)
        for later, realized in self._later:
            if later.type is TransactionType.SPLIT:
                raise InvalidInput(
                    f"There is a split on {later.executed_at.date()}: entries before it cannot be added.",
                    ("executedAt",),
                )
            again = post(self._holding, later)
            if again.realized_pnl is not None and again.realized_pnl != realized:
                self._gains[later.id] = again.realized_pnl
        if posting.quantity_delta < 0:
            held = self._holding.quantity - posting.quantity_delta
            self._check_reserved(entry, -posting.quantity_delta, held)
        return posting

    def _check_reserved(self, entry: Entry, out: Decimal, held: Decimal) -> None:
        available = held - self._reserved
        if self._reserved and out > available:
            raise InsufficientShares(
                f"{out.normalize():f} shares would go, {available.normalize():f} are there that no open "
                "order has reserved: cancel one first.",
                ("quantity",),
                required=out,
                available=available,
            )

    async def save(self, session: Session) -> None:
        """Writes the position, and the lots and gains that changed."""
        owner_id, portfolio_id, instrument_id = self._key
        await writes.save_position(
            session,
            owner_id,
            portfolio_id,
            instrument_id,
            uuid7(),
            quantity=self._holding.quantity,
            cost_basis=self._holding.cost,
            realized_pnl=self._holding.realized_pnl,
        )
        await writes.save_lots(session, [self._lot_row(lot) for lot in self._changed_lots()])
        await writes.save_realized(session, owner_id, self._gains)

    def _changed_lots(self) -> list[Lot]:
        now = {lot.transaction_id: lot for lot in self._holding.lots}
        used_up = [
            dataclasses.replace(lot, quantity=ZERO, cost=ZERO)
            for id, lot in self._stored_lots.items()
            if id not in now and lot.quantity
        ]
        return used_up + [lot for id, lot in now.items() if self._stored_lots.get(id) != lot]

    def _lot_row(self, lot: Lot) -> dict[str, Any]:
        owner_id, portfolio_id, instrument_id = self._key
        return {
            "owner_id": owner_id,
            "id": uuid7(),
            "portfolio_id": portfolio_id,
            "instrument_id": instrument_id,
            "transaction_id": lot.transaction_id,
            "opened_at": lot.opened_at,
            "remaining_quantity": lot.quantity,
            "remaining_cost": lot.cost,
        }


async def load_holding(session: Session, key: HoldingKey, entry: Entry) -> LoadedHolding:
    """The holding that the entry finds. The caller has locked its portfolio."""
    latest = await writes.latest_share_change(session, *key)
    position = await writes.find_position(session, *key)
    if latest is not None and entry.executed_at < latest:
        reserved = ZERO if position is None else position["reserved_quantity"]
        return await _load_as_of(session, key, entry, reserved)
    # What comes in opens a lot and touches no other one, of which there may be thousands.
    needed = entry.type not in _IN
    lots = [_lot(row) for row in await writes.find_lots(session, *key, open_only=True)] if needed else []
    holding = Holding(lots=list(lots))
    if position is not None:
        holding.quantity = position["quantity"]
        holding.cost = position["cost_basis"]
        holding.realized_pnl = position["realized_pnl"]
    reserved = ZERO if position is None else position["reserved_quantity"]
    return LoadedHolding(key, holding, {lot.transaction_id: lot for lot in lots}, [], reserved)


async def _load_as_of(session: Session, key: HoldingKey, entry: Entry, reserved: Decimal) -> LoadedHolding:
    """The holding of the past, found by replaying what came before the entry."""
    holding = Holding()
    later: list[tuple[Entry, Decimal | None]] = []
    for row in await writes.share_history(session, *key):
        if row["executed_at"] <= entry.executed_at:
            post(holding, _entry(row))
        else:
            later.append((_entry(row), row["realized_pnl"]))
    lots = [_lot(row) for row in await writes.find_lots(session, *key, open_only=False)]
    return LoadedHolding(key, holding, {lot.transaction_id: lot for lot in lots}, later, reserved)


def _lot(row: Mapping[Any, Any]) -> Lot:
    return Lot(row["transaction_id"], row["opened_at"], row["remaining_quantity"], row["remaining_cost"])


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

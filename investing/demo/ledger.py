"""A ledger in memory for the demo: the real ledger's rules, with rows kept for later instead of written."""

import datetime as dt
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.ids import from_stamp, uuid7
from db.vocabulary import TransactionType
from investing.demo.prices import Market
from investing.rules.trading.entries import entry_of
from investing.rules.trading.ledger import ZERO, Holding, Posting, post, post_cash
from investing.rules.trading.lots import LotChange, TaxLot
from investing.rules.trading.splits import automatic_id
from investing.trading.posting import check_cash
from investing.trading.transaction_rows import CashLocation, transaction_row


class Ids:
    """Ids of transactions that sort in the order of events, even within one instant."""

    def __init__(self) -> None:
        self._used: Counter[int] = Counter()

    def next(self, at: dt.datetime) -> UUID:
        """Return the next id of this instant, which has room for 4096 of them."""
        milliseconds = int(at.timestamp()) * 1000
        location = self._used[milliseconds]
        self._used[milliseconds] += 1
        assert location < 4096, "an id has 12 bits below the millisecond"
        return from_stamp(milliseconds << 12 | location)


class DemoLedger:
    """The ledger of one location, initially empty; `transactions` are rows in the ledger's order."""

    def __init__(self, location: CashLocation, market: Market, ids: Ids, now: dt.datetime) -> None:
        self.location = location
        self.cash = ZERO
        self.holdings: dict[str, Holding] = {}
        self.transactions: list[dict[str, Any]] = []
        self._market, self._ids, self._now = market, ids, now
        self._lots: dict[UUID, tuple[str, TaxLot]] = {}
        self.lot_uses: list[dict[str, Any]] = []

    def record(
        self,
        type: TransactionType,
        at: dt.datetime,
        *,
        symbol: str | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        commission: Decimal = ZERO,
        split_for: Decimal | None = None,
        transfer_id: UUID | None = None,
        notes: str | None = None,
        ex_date: dt.date | None = None,
    ) -> Posting:
        """Post an entry as real trading would; raise what that raises.

        `ex_date` is given for a split of the instrument, which is posted automatically.
        """
        entry = entry_of(
            self._ids.next(at),
            type,
            at,
            self._now,
            has_symbol=symbol is not None,
            quantity=quantity,
            price=price,
            amount=amount,
            commission=commission,
            split_for=split_for,
        )
        if ex_date is not None and symbol is not None and self.location.portfolio_id is not None:
            id = automatic_id(self.location.portfolio_id, self._market.ids[symbol], ex_date)
            entry = replace(entry, id=id, is_automatic=True)
        if entry.of_shares and symbol is not None:
            posting = post(self.holdings.setdefault(symbol, Holding()), entry)
            self._lots.update((lot.transaction_id, (symbol, lot)) for lot in posting.opened)
            self._keep(entry.id, posting)
        else:
            posting = post_cash(entry)
        if posting.cash_delta < 0:
            check_cash(self.cash, posting.cash_delta, at.date())
        self.cash += posting.cash_delta
        instrument_id = None if symbol is None else self._market.ids[symbol]
        self.transactions.append(
            transaction_row(self.location, entry, posting, instrument_id, notes, transfer_id)
        )
        return posting

    def positions(self) -> list[dict[str, Any]]:
        """Return the rows of `positions`, including closed ones."""
        return [
            {
                **self._key(symbol),
                "id": uuid7(),
                "quantity": holding.quantity,
                "cost_basis": holding.cost,
                "realized_pnl": holding.realized_pnl,
                "realized_pnl_fifo": holding.realized_pnl_fifo,
            }
            for symbol, holding in self.holdings.items()
        ]

    def lots(self) -> list[dict[str, Any]]:
        """Return the rows of `lots`, one for each purchase; those that are used up have a quantity of 0."""
        left = {lot.transaction_id: lot for holding in self.holdings.values() for lot in holding.lots}
        return [
            {**self._key(symbol), **_lot_row(left.get(id) or replace(lot, quantity=ZERO, cost=ZERO))}
            for id, (symbol, lot) in self._lots.items()
        ]

    def _keep(self, id: UUID, posting: Posting) -> None:
        key = {"owner_id": self.location.owner_id, "transaction_id": id}
        self.lot_uses += [{**key, **_use_row(use)} for use in posting.uses]

    def _key(self, symbol: str) -> dict[str, Any]:
        return {
            "owner_id": self.location.owner_id,
            "portfolio_id": self.location.portfolio_id,
            "instrument_id": self._market.ids[symbol],
        }


def _lot_row(lot: TaxLot) -> dict[str, Any]:
    """Return the row of `lots` for a lot, without its holding."""
    return {
        "id": uuid7(),
        "transaction_id": lot.transaction_id,
        "number": lot.number,
        "opened_at": lot.opened_at,
        "remaining_quantity": lot.quantity,
        "remaining_cost": lot.cost,
    }


def _use_row(use: LotChange) -> dict[str, Any]:
    """Return the row of `lot_uses` for a change of a lot, without its transaction and owner."""
    return {
        "lot_transaction_id": use.lot.transaction_id,
        "lot_number": use.lot.number,
        "quantity_delta": use.quantity_delta,
        "cost_delta": use.cost_delta,
        "gain": use.gain,
    }

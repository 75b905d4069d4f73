"""A place of cash and shares in memory: the ledger's rules, with rows kept for later instead of written."""

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
from investing.rules.trading.lots import TaxLot
from investing.rules.trading.splits import automatic_id
from investing.trading.posting import CashLocation, check_cash, transaction_row
from investing.trading.projections import lot_row, use_row


class Ids:
    """Ids of transactions that sort as they happened, also those of one instant."""

    def __init__(self) -> None:
        self._used: Counter[int] = Counter()

    def next(self, at: dt.datetime) -> UUID:
        """The next id of this instant. It has room for 4096 of them."""
        milliseconds = int(at.timestamp()) * 1000
        place = self._used[milliseconds]
        self._used[milliseconds] += 1
        assert place < 4096, "an id has 12 bits below the millisecond"
        return from_stamp(milliseconds << 12 | place)


class DemoLedger:
    """One place, empty to begin with; `transactions` are rows in the order of the ledger."""

    def __init__(self, place: CashLocation, market: Market, ids: Ids, now: dt.datetime) -> None:
        self.place = place
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
        """Posts an entry as real trading would. Raises what that raises.

        `ex_date` is given for a split of the instrument's, which is posted by itself.
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
        if ex_date is not None and symbol is not None and self.place.portfolio_id is not None:
            id = automatic_id(self.place.portfolio_id, self._market.ids[symbol], ex_date)
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
            transaction_row(self.place, entry, posting, instrument_id, notes, transfer_id)
        )
        return posting

    def positions(self) -> list[dict[str, Any]]:
        """The rows of `positions`, closed ones too."""
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
        """The rows of `lots`, one for each purchase; nothing is left of those that are used up."""
        left = {lot.transaction_id: lot for holding in self.holdings.values() for lot in holding.lots}
        return [
            {**self._key(symbol), **lot_row(left.get(id) or replace(lot, quantity=ZERO, cost=ZERO))}
            for id, (symbol, lot) in self._lots.items()
        ]

    def _keep(self, id: UUID, posting: Posting) -> None:
        key = {"owner_id": self.place.owner_id, "transaction_id": id}
        self.lot_uses += [{**key, **use_row(use)} for use in posting.uses]

    def _key(self, symbol: str) -> dict[str, Any]:
        return {
            "owner_id": self.place.owner_id,
            "portfolio_id": self.place.portfolio_id,
            "instrument_id": self._market.ids[symbol],
        }

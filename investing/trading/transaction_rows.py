"""Where an entry belongs, and the row of `transactions` that it becomes there."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from db.trading import ledger_reads as reads
from db.vocabulary import AccountType
from investing.rules.trading.ledger import Entry, Posting


@dataclass(frozen=True)
class CashLocation:
    """Where an entry belongs: a portfolio, or the account's unallotted cash if `portfolio_id` is None.

    `cash` is what may be spent there: what open orders have reserved is not part of it. `time_zone` is the
    account's, an IANA name: it decides which day an instant is on.
    """

    owner_id: UUID
    account_id: UUID
    portfolio_id: UUID | None
    currency: str
    cash: Decimal
    margin: bool
    time_zone: str
    reserved: Decimal = Decimal(0)

    @classmethod
    def of_portfolio(cls, owner_id: UUID, row: reads.PortfolioState) -> "CashLocation":
        """Return the location of a locked portfolio."""
        available = row.cash_balance - row.reserved_cash
        return cls(
            owner_id,
            row.account_id,
            row.portfolio_id,
            row.currency,
            available,
            row.margin,
            row.time_zone,
            row.reserved_cash,
        )

    @classmethod
    def of_account(cls, owner_id: UUID, row: reads.AccountState) -> "CashLocation":
        """Return the location of a locked account's unallotted cash."""
        margin = row.account_type == AccountType.MARGIN
        return cls(owner_id, row.id, None, row.currency, row.unallotted_cash, margin, row.time_zone)


@dataclass(frozen=True)
class FillReference:
    """The order that a trade fills, and the broker's id of that fill: no fill is posted twice."""

    order_id: UUID
    execution_id: str


def transaction_row(
    place: CashLocation,
    entry: Entry,
    posting: Posting,
    instrument_id: UUID | None,
    notes: str | None,
    transfer_id: UUID | None = None,
    fills: FillReference | None = None,
) -> dict[str, Any]:
    """Return the row of `transactions` that a posted entry becomes."""
    row = {
        "cash_delta": posting.cash_delta,
        "quantity_delta": posting.quantity_delta,
        "cost_delta": posting.cost_delta,
        "realized_pnl": posting.realized_pnl,
        "realized_pnl_fifo": posting.realized_pnl_fifo,
        "owner_id": place.owner_id,
        "id": entry.id,
        "account_id": place.account_id,
        "portfolio_id": place.portfolio_id,
        "instrument_id": instrument_id,
        "transfer_id": transfer_id,
        "type": entry.type.value,
        "quantity": entry.quantity,
        "price": entry.price,
        "amount": entry.amount,
        "commission": entry.commission,
        "split_for": entry.split_for,
        "is_automatic": entry.is_automatic,
        "currency": place.currency,
        "executed_at": entry.executed_at,
        "notes": notes,
    }
    if fills is not None:
        row |= {"order_id": fills.order_id, "execution_id": fills.execution_id}
    return row

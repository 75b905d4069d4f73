"""Lots: what is left of each purchase, and what has used it."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from db.canonical import DecimalText
from db.portfolio.rows import ListedLotRow
from db.trading.listing_rows import LotUseRow
from graph.context import Info
from graph.ids import global_id
from graph.node import Node, refetched_by
from graph.portfolio.loaders import LotById

if TYPE_CHECKING:
    from graph.trading.types import Transaction

_Transaction = Annotated["Transaction", strawberry.lazy("graph.trading.types")]


async def _transaction(info: Info, id: Any) -> Any:
    from graph.trading.loaders import TransactionById
    from graph.trading.types import Transaction

    return Transaction.from_row(await info.context.loader(TransactionById).load_existing(id))


@strawberry.type(
    description="What is left of one purchase; sales use up the oldest lots first. Shares transferred from "
    "another portfolio of yours keep their lots. Amounts are in the position's currency."
)
class Lot(Node):
    row: strawberry.Private[ListedLotRow]
    opened_at: dt.datetime = strawberry.field(description="When the shares were bought.")
    quantity: DecimalText = strawberry.field(description="The number of shares left, after splits.")
    cost: DecimalText = strawberry.field(description="The cost of those shares, including buying fees.")

    @classmethod
    def from_row(cls, row: ListedLotRow) -> Self:
        """Return the lot of a row of the list of lots."""
        return cls(
            row=row,
            id=global_id("Lot", row["id"]),
            opened_at=row["opened_at"],
            quantity=row["quantity"],
            cost=row["cost"],
        )

    @strawberry.field(description="The purchase or transfer that brought in the shares.")
    async def transaction(self, info: Info) -> _Transaction:
        return await _transaction(info, self.row["transaction_id"])


@strawberry.type(
    description="What a transaction did to a lot. Amounts are in the transaction's currency. A split uses no "
    "shares: its quantity is negative if there are more shares afterwards, and its cost is 0."
)
class LotUse:
    row: strawberry.Private[LotUseRow]
    opened_at: dt.datetime = strawberry.field(description="When the lot's shares were bought.")
    quantity: DecimalText = strawberry.field(description="The number of shares that it used.")
    cost: DecimalText = strawberry.field(description="The cost of those shares.")
    gain: DecimalText | None = strawberry.field(
        description="The gain, for a sale: the shares' part of the net proceeds minus their cost. Null for "
        "anything else."
    )

    @classmethod
    def from_row(cls, row: LotUseRow) -> Self:
        """Return the use of a row of the list of uses."""
        return cls(
            row=row, opened_at=row["opened_at"], quantity=row["quantity"], cost=row["cost"], gain=row["gain"]
        )

    @strawberry.field(description="The purchase or transfer that brought in the lot's shares.")
    async def source(self, info: Info) -> _Transaction:
        return await _transaction(info, self.row["lot_transaction_id"])


refetched_by("Lot", LotById, Lot.from_row)

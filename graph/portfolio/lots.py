"""Lots: what is left of each purchase, and what took from it."""

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
    description="What is left of one purchase; sales use up the oldest first. Shares that came from another "
    "portfolio of yours keep the lots that they were. Amounts in the position's currency."
)
class Lot(Node):
    row: strawberry.Private[ListedLotRow]
    opened_at: dt.datetime = strawberry.field(description="When the shares were bought.")
    quantity: DecimalText = strawberry.field(description="How many shares are left, splits counted.")
    cost: DecimalText = strawberry.field(description="What those cost, buying fees included.")

    @classmethod
    def from_row(cls, row: ListedLotRow) -> Self:
        """The lot of a row of the list of lots."""
        return cls(
            row=row,
            id=global_id("Lot", row["id"]),
            opened_at=row["opened_at"],
            quantity=row["quantity"],
            cost=row["cost"],
        )

    @strawberry.field(description="What brought the shares in: the purchase, or the transfer.")
    async def transaction(self, info: Info) -> _Transaction:
        return await _transaction(info, self.row["transaction_id"])


@strawberry.type(
    description="What one transaction did to one lot. Amounts in the transaction's currency. A split takes "
    "nothing: its quantity is negative where there are more shares afterwards, and its cost 0."
)
class LotUse:
    row: strawberry.Private[LotUseRow]
    opened_at: dt.datetime = strawberry.field(description="When the lot's shares were bought.")
    quantity: DecimalText = strawberry.field(description="How many shares it took.")
    cost: DecimalText = strawberry.field(description="What those shares cost.")
    gain: DecimalText | None = strawberry.field(
        description="A sale's gain: their part of the net proceeds less their cost. Null for anything else."
    )

    @classmethod
    def from_row(cls, row: LotUseRow) -> Self:
        """The use of a row of the list of uses."""
        return cls(
            row=row, opened_at=row["opened_at"], quantity=row["quantity"], cost=row["cost"], gain=row["gain"]
        )

    @strawberry.field(description="What brought the lot's shares in: the purchase, or the transfer.")
    async def source(self, info: Info) -> _Transaction:
        return await _transaction(info, self.row["lot_transaction_id"])


refetched_by("Lot", LotById, Lot.from_row)

"""Lots: what is left of each purchase, and what has used it."""

import datetime as dt
from typing import Self

import strawberry

from db.canonical import DecimalText
from db.portfolio.rows import ListedLotRow
from db.trading.listing_rows import LotUseRow
from graph.context import Info
from graph.ids import global_id
from graph.loaders.portfolio import LotById
from graph.node import TRANSACTION, Node, refetched_by, related


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

    @strawberry.field(
        description="The purchase or transfer that brought in the shares.", graphql_type=TRANSACTION
    )
    async def transaction(self, info: Info) -> Node:
        return await related(info, TRANSACTION, self.row["transaction_id"])


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

    @strawberry.field(
        description="The purchase or transfer that brought in the lot's shares.", graphql_type=TRANSACTION
    )
    async def source(self, info: Info) -> Node:
        return await related(info, TRANSACTION, self.row["lot_transaction_id"])


refetched_by("Lot", LotById, Lot.from_row)

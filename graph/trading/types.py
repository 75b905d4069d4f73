"""Orders and transactions."""

import datetime as dt
from typing import Self

import strawberry

from db.canonical import DecimalText
from db.trading.listing_rows import ListedOrderRow, ListedTransactionRow
from graph.codes import RejectionCode, rejection_code_of
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.loaders.trading import (
    LotUseCountByTransaction,
    LotUsesByTransaction,
    OrderById,
    ReversalByTransaction,
    TransactionById,
    TransactionCountByOrder,
    TransactionsByOrder,
)
from graph.market.types import Instrument, instrument_with_id
from graph.node import ACCOUNT, PORTFOLIO, Node, refetched_by, related
from graph.scalars import CurrencyCode
from graph.trading.explanations import RealizedPnlExplanation, explain_sale
from graph.trading.lots import LotUse
from graph.vocabulary import (
    CostMethod,
    Method,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
    TransactionType,
)


@strawberry.type(description="An order to trade, and its result. Amounts are in the portfolio's currency.")
class Order(Node):
    row: strawberry.Private[ListedOrderRow]
    side: OrderSide = strawberry.field(description="Whether it buys or sells.")
    type: OrderType = strawberry.field(description="At what price it may trade.")
    status: OrderStatus = strawberry.field(description="Its status.")
    symbol: str = strawberry.field(description="The instrument's symbol.")
    quantity: DecimalText = strawberry.field(description="The number of shares to trade.")
    filled_quantity: DecimalText = strawberry.field(description="The number of shares traded so far.")
    limit_price: DecimalText | None = strawberry.field(description="The limit price, for a LIMIT order.")
    average_fill_price: DecimalText | None = strawberry.field(
        description="The average price of the shares traded; null before the first."
    )
    submitted_at: dt.datetime = strawberry.field(description="When it was placed.")
    updated_at: dt.datetime = strawberry.field(description="When it last changed.")
    notional: DecimalText | None = strawberry.field(
        description="The amount of cash to trade, if that was given instead of a quantity."
    )
    remaining_quantity: DecimalText = strawberry.field(
        description="The number of shares not traded; once it has ended, they will not be."
    )
    time_in_force: TimeInForce = strawberry.field(description="How long it stays open.")
    expires_at: dt.datetime | None = strawberry.field(description="When it expires; null for a GTC order.")
    reserved_cash: DecimalText = strawberry.field(description="The cash that it reserves while it is open.")
    version: int = strawberry.field(
        description="The version number, which starts at 1 and increases with each change."
    )
    rejection_code: RejectionCode | None = strawberry.field(
        description="Why it was rejected, or ended by a split, for programs."
    )
    rejection_reason: str | None = strawberry.field(
        description="Why it was rejected, or ended by a split, for people."
    )

    @classmethod
    def from_row(cls, row: ListedOrderRow) -> Self:
        """Return the order of a row of the list of orders."""
        return cls(
            row=row,
            id=global_id("Order", row["id"]),
            side=OrderSide(row["side"]),
            type=OrderType(row["type"]),
            status=OrderStatus(row["status"]),
            symbol=row["symbol"],
            quantity=row["quantity"],
            filled_quantity=row["filled_quantity"],
            limit_price=row["limit_price"],
            average_fill_price=row["average_fill_price"],
            submitted_at=row["submitted_at"],
            updated_at=row["updated_at"],
            notional=row["notional"],
            remaining_quantity=row["remaining_quantity"],
            time_in_force=TimeInForce(row["time_in_force"]),
            expires_at=row["expires_at"],
            reserved_cash=row["reserved_cash"],
            version=row["version"],
            rejection_code=rejection_code_of(row["rejection_code"]),
            rejection_reason=row["rejection_reason"],
        )

    @strawberry.field(description="The instrument that it trades.")
    async def instrument(self, info: Info) -> Instrument:
        return await instrument_with_id(info, self.row["instrument_id"])

    @strawberry.field(description="The portfolio that trades.", graphql_type=PORTFOLIO)
    async def portfolio(self, info: Info) -> Node:
        return await related(info, PORTFOLIO, self.row["portfolio_id"])

    @strawberry.field(description="Its fills, newest first.")
    async def transactions(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> "Connection[Transaction]":
        return await connect(
            info,
            TransactionsByOrder,
            TransactionCountByOrder,
            Transaction.from_row,
            self.row["id"],
            (first, after, last, before),
        )


@strawberry.type(
    description="An entry of the ledger. It never changes: mistakes are reversed. Amounts are in its "
    "currency."
)
class Transaction(Node):
    row: strawberry.Private[ListedTransactionRow]
    type: TransactionType = strawberry.field(description="The type of the transaction.")
    symbol: str | None = strawberry.field(
        description="The instrument's symbol; null if it concerns only cash."
    )
    quantity: DecimalText | None = strawberry.field(
        description="The number of shares; for a split, the new shares for each old one. Null if it concerns "
        "only cash."
    )
    price: DecimalText | None = strawberry.field(description="The price of a share.")
    amount: DecimalText = strawberry.field(description="The amount before commission, never negative.")
    commission: DecimalText = strawberry.field(description="The broker's commission.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")
    cash_delta: DecimalText = strawberry.field(description="The change in cash.")
    quantity_delta: DecimalText = strawberry.field(
        description="The change in the number of shares. For a transfer between portfolios it differs from "
        "`quantity` if a split had reached the shares of only one of them."
    )
    cost_delta: DecimalText = strawberry.field(
        description="The change in the position's cost basis, at average cost."
    )
    executed_at: dt.datetime = strawberry.field(description="When it happened.")
    is_automatic: bool = strawberry.field(
        description="Whether it is a split that was applied because the instrument has it; see "
        "Instrument.splits."
    )
    notes: str | None = strawberry.field(description="The owner's note.")
    import_id: strawberry.ID | None = strawberry.field(
        description="The id of the import that it came with; null if it came with none, and for a reversal."
    )

    @classmethod
    def from_row(cls, row: ListedTransactionRow) -> Self:
        """Return the transaction of a row of the list of transactions."""
        return cls(
            row=row,
            id=global_id("Transaction", row["id"]),
            type=TransactionType(row["type"]),
            symbol=row["symbol"],
            quantity=row["quantity"],
            price=row["price"],
            amount=row["amount"],
            commission=row["commission"],
            currency=CurrencyCode(row["currency"]),
            cash_delta=row["cash_delta"],
            quantity_delta=row["quantity_delta"],
            cost_delta=row["cost_delta"],
            executed_at=row["executed_at"],
            is_automatic=row["is_automatic"],
            notes=row["notes"],
            import_id=None if row["import_id"] is None else global_id("Import", row["import_id"]),
        )

    @strawberry.field(description="The realised gain of a sale, after commission. Null for anything else.")
    def realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> DecimalText | None:
        return self.row["realized_pnl_fifo" if method is CostMethod.FIFO else "realized_pnl"]

    @strawberry.field(
        description="How a sale's gain was computed. Null for anything else, for a reversal, and after it is "
        "reversed."
    )
    async def explain_realized_pnl(
        self, info: Info, method: Method = CostMethod.AVERAGE_COST
    ) -> RealizedPnlExplanation | None:
        return await explain_sale(info, self.row, method)

    @strawberry.field(description="What it did to lots, oldest first; empty after it is reversed.")
    async def lot_uses(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[LotUse]:
        page = (first, after, last, before)
        loaders = LotUsesByTransaction, LotUseCountByTransaction
        return await connect(info, *loaders, LotUse.from_row, self.row["id"], page)

    @strawberry.field(description="The transaction that this one reverses, if it is a reversal.")
    async def reverses(self, info: Info) -> "Transaction | None":
        if self.row["reverses_id"] is None:
            return None
        return Transaction.from_row(
            await info.context.loader(TransactionById).load_existing(self.row["reverses_id"])
        )

    @strawberry.field(description="The transaction that reverses this one, if any.")
    async def reversed_by(self, info: Info) -> "Transaction | None":
        row = await info.context.loader(ReversalByTransaction).load(self.row["id"])
        return None if row is None else Transaction.from_row(row)

    @strawberry.field(description="The instrument; null if it concerns only cash.")
    async def instrument(self, info: Info) -> Instrument | None:
        if self.row["instrument_id"] is None:
            return None
        return await instrument_with_id(info, self.row["instrument_id"])

    @strawberry.field(description="The account that it belongs to.", graphql_type=ACCOUNT)
    async def account(self, info: Info) -> Node:
        return await related(info, ACCOUNT, self.row["account_id"])

    @strawberry.field(
        description="The portfolio; null for the account's unallotted cash.", graphql_type=PORTFOLIO | None
    )
    async def portfolio(self, info: Info) -> Node | None:
        if self.row["portfolio_id"] is None:
            return None
        return await related(info, PORTFOLIO, self.row["portfolio_id"])

    @strawberry.field(description="The order that it is a fill of, if any.")
    async def order(self, info: Info) -> Order | None:
        if self.row["order_id"] is None:
            return None
        return Order.from_row(await info.context.loader(OrderById).load_existing(self.row["order_id"]))


refetched_by("Order", OrderById, Order.from_row)
refetched_by("Transaction", TransactionById, Transaction.from_row)

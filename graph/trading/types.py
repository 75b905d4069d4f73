"""Orders and transactions."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from db.canonical import DecimalText
from db.trading.listing_rows import ListedOrderRow, ListedTransactionRow
from graph.account.loaders import AccountById
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.market.loaders import InstrumentById
from graph.market.types import Instrument
from graph.node import Node, refetched_by
from graph.portfolio.explanations import RealizedPnlExplanation, explain_sale
from graph.portfolio.loaders import PortfolioById
from graph.portfolio.lots import LotUse
from graph.scalars import CurrencyCode
from graph.trading.loaders import (
    LotUseCountByTransaction,
    LotUsesByTransaction,
    OrderById,
    ReversalByTransaction,
    TransactionById,
    TransactionCountByOrder,
    TransactionsByOrder,
)
from graph.vocabulary import (
    CostMethod,
    Method,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
    TransactionType,
)

if TYPE_CHECKING:
    from graph.account.types import Account
    from graph.portfolio.types import Portfolio

_Account = Annotated["Account", strawberry.lazy("graph.account.types")]
_Portfolio = Annotated["Portfolio", strawberry.lazy("graph.portfolio.types")]


@strawberry.type(description="A wish to trade, and what became of it. Amounts in the portfolio's currency.")
class Order(Node):
    row: strawberry.Private[ListedOrderRow]
    side: OrderSide = strawberry.field(description="Which way it trades.")
    type: OrderType = strawberry.field(description="At what price it may trade.")
    status: OrderStatus = strawberry.field(description="Where it stands.")
    symbol: str = strawberry.field(description="The instrument's symbol.")
    quantity: DecimalText = strawberry.field(description="How many shares are wanted.")
    filled_quantity: DecimalText = strawberry.field(description="How many shares are traded.")
    limit_price: DecimalText | None = strawberry.field(description="The limit, for a LIMIT order.")
    average_fill_price: DecimalText | None = strawberry.field(
        description="The average price of what is traded, null before anything is."
    )
    submitted_at: dt.datetime = strawberry.field(description="When it was placed.")
    updated_at: dt.datetime = strawberry.field(description="When it last changed.")
    notional: DecimalText | None = strawberry.field(
        description="The cash that was to be traded, where that was given in place of a quantity."
    )
    remaining_quantity: DecimalText = strawberry.field(
        description="How many shares are not traded, and will not be once it has ended."
    )
    time_in_force: TimeInForce = strawberry.field(description="How long it stays open.")
    expires_at: dt.datetime | None = strawberry.field(
        description="When it ends by itself; null for a GTC order."
    )
    reserved_cash: DecimalText = strawberry.field(description="The cash that it holds back while it is open.")
    version: int = strawberry.field(description="Grows by one with each change, from 1.")
    rejection_code: str | None = strawberry.field(description="Why it was rejected, for programs.")
    rejection_reason: str | None = strawberry.field(description="Why it was rejected, for people.")

    @classmethod
    def from_row(cls, row: ListedOrderRow) -> Self:
        """The order of a row of the list of orders."""
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
            rejection_code=row["rejection_code"],
            rejection_reason=row["rejection_reason"],
        )

    @strawberry.field(description="The portfolio that trades.")
    async def portfolio(self, info: Info) -> _Portfolio:
        from graph.portfolio.types import Portfolio

        return Portfolio.from_row(
            await info.context.loader(PortfolioById).load_existing(self.row["portfolio_id"])
        )

    @strawberry.field(description="What it traded, newest first.")
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
    description="One entry of the ledger. It never changes: mistakes are reversed. Amounts in its currency."
)
class Transaction(Node):
    row: strawberry.Private[ListedTransactionRow]
    type: TransactionType = strawberry.field(description="What it did.")
    symbol: str | None = strawberry.field(description="The instrument's symbol, null for cash alone.")
    quantity: DecimalText | None = strawberry.field(
        description="How many shares; for a split, the new shares for each old one. Null for cash alone."
    )
    price: DecimalText | None = strawberry.field(description="The price of a share.")
    amount: DecimalText = strawberry.field(description="What it was worth before commission, never negative.")
    commission: DecimalText = strawberry.field(description="What the broker took.")
    currency: CurrencyCode = strawberry.field(description="The currency of its amounts.")
    cash_delta: DecimalText = strawberry.field(description="By how much cash changed.")
    quantity_delta: DecimalText = strawberry.field(description="By how much the number of shares changed.")
    cost_delta: DecimalText = strawberry.field(
        description="By how much the position's cost basis changed, on average cost."
    )
    executed_at: dt.datetime = strawberry.field(description="When it happened.")
    is_automatic: bool = strawberry.field(
        description="A split that was posted because the instrument had it: see Instrument.splits."
    )
    notes: str | None = strawberry.field(description="The owner's own words.")
    import_id: strawberry.ID | None = strawberry.field(
        description="The id of the import that it came with, null for any other, and for a reversal."
    )

    @classmethod
    def from_row(cls, row: ListedTransactionRow) -> Self:
        """The transaction of a row of the list of transactions."""
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

    @strawberry.field(
        description="What a sale gained over its cost, after commission. Null for anything else."
    )
    def realized_pnl(self, method: Method = CostMethod.AVERAGE_COST) -> DecimalText | None:
        return self.row["realized_pnl_fifo" if method is CostMethod.FIFO else "realized_pnl"]

    @strawberry.field(
        description="How a sale's gain came about. Null for anything else, for a reversal, and once it is "
        "reversed."
    )
    async def explain_realized_pnl(
        self, info: Info, method: Method = CostMethod.AVERAGE_COST
    ) -> RealizedPnlExplanation | None:
        return await explain_sale(info, self.row, method)

    @strawberry.field(description="What it did to lots, the oldest first; nothing once it is reversed.")
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

    @strawberry.field(description="The transaction that this one takes back, if it is a reversal.")
    async def reverses(self, info: Info) -> "Transaction | None":
        if self.row["reverses_id"] is None:
            return None
        return Transaction.from_row(
            await info.context.loader(TransactionById).load_existing(self.row["reverses_id"])
        )

    @strawberry.field(description="The transaction that takes this one back, if there is one.")
    async def reversed_by(self, info: Info) -> "Transaction | None":
        row = await info.context.loader(ReversalByTransaction).load(self.row["id"])
        return None if row is None else Transaction.from_row(row)

    @strawberry.field(description="The instrument, null for cash alone.")
    async def instrument(self, info: Info) -> Instrument | None:
        if self.row["instrument_id"] is None:
            return None
        return Instrument.from_row(
            await info.context.loader(InstrumentById).load_existing(self.row["instrument_id"])
        )

    @strawberry.field(description="The account that it belongs to.")
    async def account(self, info: Info) -> _Account:
        from graph.account.types import Account

        return Account.from_row(await info.context.loader(AccountById).load_existing(self.row["account_id"]))

    @strawberry.field(description="The portfolio, null for the account's unallotted cash.")
    async def portfolio(self, info: Info) -> _Portfolio | None:
        from graph.portfolio.types import Portfolio

        if self.row["portfolio_id"] is None:
            return None
        return Portfolio.from_row(
            await info.context.loader(PortfolioById).load_existing(self.row["portfolio_id"])
        )

    @strawberry.field(description="The order that it filled.")
    async def order(self, info: Info) -> Order | None:
        if self.row["order_id"] is None:
            return None
        return Order.from_row(await info.context.loader(OrderById).load_existing(self.row["order_id"]))


refetched_by("Order", OrderById, Order.from_row)
refetched_by("Transaction", TransactionById, Transaction.from_row)

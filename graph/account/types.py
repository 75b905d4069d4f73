"""Accounts."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Self

import strawberry

from db.account.rows import ListedAccountRow
from db.canonical import DecimalText
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id
from graph.loaders.account import AccountById, ValuesByAccount
from graph.loaders.allocation import WholeByAccount
from graph.loaders.auth import user_row
from graph.loaders.performance import PerformanceByAccount
from graph.loaders.portfolio import PortfolioCountByAccount, PortfoliosByAccount
from graph.loaders.trading import TransactionCountByAccount, TransactionsByAccount
from graph.node import USER, Node, object_of, refetched_by
from graph.portfolio.allocation import Allocation, Dimension, allocation
from graph.portfolio.performance import (
    BenchmarkSymbol,
    Performance,
    PerformanceFrom,
    PerformanceTo,
    RiskFree,
    performance,
)
from graph.portfolio.types import Portfolio
from graph.portfolio.unavailable import LeftOutByAccount, UnavailableValue, unavailable_values
from graph.scalars import CurrencyCode
from graph.trading.filters import TransactionsFilter, transactions_like
from graph.trading.types import Transaction
from graph.vocabulary import AccountType, AllocationDimension, Broker

Active = Annotated[
    bool | None, strawberry.argument(description="true for active ones only, false for archived ones only.")
]


@strawberry.type(description="Cash and portfolios at one broker. Amounts are in its currency.")
class Account(Node):
    row: strawberry.Private[ListedAccountRow]
    name: str = strawberry.field(description="Its name, unique among the owner's.")
    broker: Broker = strawberry.field(description="Who holds its assets.")
    account_type: AccountType = strawberry.field(description="How it may use cash.")
    currency: CurrencyCode = strawberry.field(description="The currency of all its amounts.")
    initial_balance: DecimalText = strawberry.field(description="The cash that it was opened with.")
    cash_balance: DecimalText = strawberry.field(
        description="All its cash: unallotted cash and the cash of its portfolios."
    )
    unallotted_cash: DecimalText = strawberry.field(description="Its cash that is not in any portfolio.")
    time_zone: str = strawberry.field(
        description="The IANA time zone, such as Europe/Berlin, that decides which day a moment belongs to."
    )
    is_paper: bool = strawberry.field(description="Whether it is a paper account, with simulated money.")
    is_active: bool = strawberry.field(description="False once it is archived.")
    created_at: dt.datetime = strawberry.field(description="When it was opened.")

    @classmethod
    def from_row(cls, row: ListedAccountRow) -> Self:
        """Return the account of a row of the list of accounts."""
        return cls(
            row=row,
            id=global_id("Account", row["id"]),
            name=row["name"],
            broker=Broker(row["broker"]),
            account_type=AccountType(row["account_type"]),
            currency=CurrencyCode(row["currency"]),
            initial_balance=row["initial_balance"],
            cash_balance=row["cash_balance"],
            unallotted_cash=row["unallotted_cash"],
            time_zone=row["time_zone"],
            is_paper=row["is_paper"],
            is_active=row["is_active"],
            created_at=row["created_at"],
        )

    @strawberry.field(description="The value of its positions; one without a price counts as zero.")
    async def market_value(self, info: Info) -> DecimalText:
        return (await info.context.loader(ValuesByAccount).load(self.row["id"]))["market_value"]

    @strawberry.field(description="Market value plus cash.")
    async def total_value(self, info: Info) -> DecimalText:
        return (await info.context.loader(ValuesByAccount).load(self.row["id"]))["total_value"]

    @strawberry.field(
        description="What its market value and total value leave out: each instrument that it holds and that "
        "can be valued by neither a quote nor a trade of yours. Empty if they are complete."
    )
    async def unavailable(self, info: Info) -> list[UnavailableValue]:
        return await unavailable_values(info, LeftOutByAccount, self.row["id"])

    @strawberry.field(description="Its performance between two days, computed from daily snapshots.")
    async def performance(
        self,
        info: Info,
        from_: PerformanceFrom = None,
        to: PerformanceTo = None,
        benchmark: BenchmarkSymbol = None,
        risk_free: RiskFree = Decimal(0),
    ) -> Performance:
        return await performance(
            info, PerformanceByAccount, self.row["id"], (from_, to), benchmark, risk_free
        )

    @strawberry.field(description="Its allocation at the latest prices.")
    async def allocation(self, info: Info, by: Dimension = AllocationDimension.ASSET_CLASS) -> Allocation:
        return await allocation(info, WholeByAccount, self.row["id"], by)

    @strawberry.field(description="The user who owns it.", graphql_type=USER)
    async def owner(self, info: Info) -> Node:
        return object_of(USER, user_row(await info.context.viewer()))

    @strawberry.field(description="Its portfolios, oldest first.")
    async def portfolios(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        is_active: Active = None,
    ) -> Connection[Portfolio]:
        return await connect(
            info,
            PortfoliosByAccount,
            PortfolioCountByAccount,
            Portfolio.from_row,
            self.row["id"],
            (first, after, last, before),
            is_active=is_active,
        )

    @strawberry.field(description="The ledger of the account and all its portfolios, newest first.")
    async def transactions(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: TransactionsFilter = None,
    ) -> Connection[Transaction]:
        return await connect(
            info,
            TransactionsByAccount,
            TransactionCountByAccount,
            Transaction.from_row,
            self.row["id"],
            (first, after, last, before),
            **transactions_like(filter),
        )


refetched_by("Account", AccountById, Account.from_row)

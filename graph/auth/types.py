"""Users, and the fields and lists of a user."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

import strawberry

from db.account.rows import UserSummaryRow
from db.auth.rows import UserRow
from db.canonical import DecimalText
from graph.account.types import Account, Active
from graph.alerts.severities import MinSeverity, at_least
from graph.alerts.types import Alert, AlertCounts, AlertRule
from graph.auth.records import ApiKey, AuditEntry
from graph.connections import After, Before, Connection, First, Last, connect
from graph.context import Info
from graph.ids import global_id, id_of
from graph.loaders.account import AccountCountByUser, AccountsByUser, SummaryByUser
from graph.loaders.alerts import (
    AlertCountByUser,
    AlertRuleCountByUser,
    AlertRulesByUser,
    AlertsByUser,
    UnacknowledgedByUser,
)
from graph.loaders.allocation import WholeByUser
from graph.loaders.auth import (
    ApiKeyCountByUser,
    ApiKeysByUser,
    AuditEntryCountByUser,
    AuditLogByUser,
    UserById,
    user_row,
)
from graph.loaders.market import WatchlistCountByUser, WatchlistsByUser
from graph.loaders.notifications import (
    NotificationDestinationCountByUser,
    NotificationDestinationsByUser,
)
from graph.loaders.performance import PerformanceByUser
from graph.loaders.trading import ImportCountByUser, ImportsByUser
from graph.market.types import Watchlist
from graph.node import Node, refetched_by
from graph.notifications.types import NotificationDestination
from graph.permissions import IsSelf, guarded
from graph.portfolio.allocation import Allocation, Dimension, allocation
from graph.portfolio.performance import (
    BenchmarkSymbol,
    Performance,
    PerformanceFrom,
    PerformanceTo,
    RiskFree,
    performance,
)
from graph.portfolio.unavailable import LeftOutByUser, UnavailableValue, unavailable_values
from graph.scalars import CurrencyCode
from graph.trading.imports import Import
from graph.vocabulary import AlertKind, AllocationDimension
from investing.alerts.following import latest_position
from investing.auth.types import Viewer

_Kind = Annotated[AlertKind | None, strawberry.argument(description="Only those of this kind.")]
_PortfolioId = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only those about this portfolio.")
]
_Since = Annotated[dt.datetime | None, strawberry.argument(description="Only those at or after this time.")]
_Acknowledged = Annotated[
    bool | None,
    strawberry.argument(description="true for acknowledged ones only, false for the others only."),
]


@strawberry.type(description="Totals over the accounts in the user's own currency.")
class UserSummary:
    row: strawberry.Private[UserSummaryRow]
    currency: CurrencyCode = strawberry.field(description="The currency of the sums: the user's own.")
    account_count: int = strawberry.field(description="The number of accounts.")
    other_currency_account_count: int = strawberry.field(
        description="The number of accounts in other currencies, which are not included in the sums."
    )
    portfolio_count: int = strawberry.field(description="The number of portfolios.")
    position_count: int = strawberry.field(description="The number of open positions.")
    cash_balance: DecimalText = strawberry.field(description="Cash, in accounts and in portfolios.")
    market_value: DecimalText = strawberry.field(description="The value of the positions.")
    total_value: DecimalText = strawberry.field(description="Market value plus cash.")

    @classmethod
    def from_row(cls, row: UserSummaryRow) -> Self:
        """Return the summary of a row of the view."""
        return cls(
            row=row,
            currency=CurrencyCode(row["currency"]),
            account_count=row["account_count"],
            other_currency_account_count=row["other_currency_account_count"],
            portfolio_count=row["portfolio_count"],
            position_count=row["position_count"],
            cash_balance=row["cash_balance"],
            market_value=row["market_value"],
            total_value=row["total_value"],
        )

    @strawberry.field(
        description="What the sums leave out: each instrument that can be valued by neither a quote nor a "
        "trade of yours, and each currency whose accounts are not included. Empty if they are "
        "complete."
    )
    async def unavailable(self, info: Info) -> list[UnavailableValue]:
        return await unavailable_values(info, LeftOutByUser, self.row["owner_id"])


@strawberry.type(description="A user. Administrators can list users, but see none of their holdings.")
class User(Node):
    row: strawberry.Private[UserRow]
    username: str = strawberry.field(description="The username.")
    email: str = strawberry.field(description="The e-mail address, which also works for logging in.")
    full_name: str | None = strawberry.field(description="The full name.")
    is_admin: bool = strawberry.field(description="Whether this is an administrator.")
    is_active: bool = strawberry.field(description="Whether this user may log in.")
    created_at: dt.datetime = strawberry.field(description="When the user registered.")
    last_login_at: dt.datetime | None = strawberry.field(description="When the user last logged in.")

    @classmethod
    def from_row(cls, row: UserRow) -> Self:
        """Return the user of a row of the list of users."""
        return cls(
            row=row,
            id=global_id("User", row["id"]),
            username=row["username"],
            email=row["email"],
            full_name=row["full_name"],
            is_admin=row["is_admin"],
            is_active=row["is_active"],
            created_at=row["created_at"],
            last_login_at=row["last_login_at"],
        )

    @classmethod
    def from_viewer(cls, viewer: Viewer) -> Self:
        """Return the viewer, whose row was read already to check the login."""
        return cls.from_row(user_row(viewer))

    @strawberry.field(
        description="The IANA time zone, such as Europe/Berlin, that decides which day a moment belongs to "
        "in figures about all accounts.",
        extensions=[guarded(IsSelf())],
    )
    def time_zone(self) -> str:
        zone: str = self.row["time_zone"]
        return zone

    @strawberry.field(description="Totals over all accounts.", extensions=[guarded(IsSelf())])
    async def summary(self, info: Info) -> UserSummary:
        return UserSummary.from_row(await info.context.loader(SummaryByUser).load(self.row["id"]))

    @strawberry.field(description="The accounts, oldest first.", extensions=[guarded(IsSelf())])
    async def accounts(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        is_active: Active = None,
    ) -> Connection[Account]:
        return await connect(
            info,
            AccountsByUser,
            AccountCountByUser,
            Account.from_row,
            self.row["id"],
            (first, after, last, before),
            is_active=is_active,
        )

    @strawberry.field(
        description="Its performance between two days, computed from daily snapshots.",
        extensions=[guarded(IsSelf())],
    )
    async def performance(
        self,
        info: Info,
        from_: PerformanceFrom = None,
        to: PerformanceTo = None,
        benchmark: BenchmarkSymbol = None,
        risk_free: RiskFree = Decimal(0),
    ) -> Performance:
        return await performance(info, PerformanceByUser, self.row["id"], (from_, to), benchmark, risk_free)

    @strawberry.field(
        description="The allocation of everything together, at the latest prices.",
        extensions=[guarded(IsSelf())],
    )
    async def allocation(self, info: Info, by: Dimension = AllocationDimension.ASSET_CLASS) -> Allocation:
        return await allocation(info, WholeByUser, self.row["id"], by)

    @strawberry.field(description="The watchlists, oldest first.", extensions=[guarded(IsSelf())])
    async def watchlists(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Watchlist]:
        page = (first, after, last, before)
        return await connect(
            info, WatchlistsByUser, WatchlistCountByUser, Watchlist.from_row, self.row["id"], page
        )

    @strawberry.field(description="The alerts, newest first.", extensions=[guarded(IsSelf())])
    async def alerts(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        min_severity: MinSeverity = None,
        acknowledged: _Acknowledged = None,
        kind: _Kind = None,
        portfolio_id: _PortfolioId = None,
        since: _Since = None,
    ) -> Connection[Alert]:
        return await connect(
            info,
            AlertsByUser,
            AlertCountByUser,
            Alert.from_row,
            self.row["id"],
            (first, after, last, before),
            severities=at_least(min_severity),
            acknowledged=acknowledged,
            kind=kind and kind.value,
            portfolio_id=portfolio_id and (id_of("Portfolio", portfolio_id) or UUID(int=0)),
            since=since,
        )

    @strawberry.field(
        description="The cursor of the newest alert, from which `alerts(after:)` resumes. Query it before "
        "the list of alerts, so that nothing is missed between the two.",
        extensions=[guarded(IsSelf())],
    )
    async def alerts_cursor(self, info: Info) -> str:
        async with info.context.reading() as connection:
            return (await latest_position(connection, self.row["id"])).cursor

    @strawberry.field(
        description="The number of alerts that are not acknowledged, by severity.",
        extensions=[guarded(IsSelf())],
    )
    async def alert_counts(self, info: Info) -> AlertCounts:
        return AlertCounts.from_counts(await info.context.loader(UnacknowledgedByUser).load(self.row["id"]))

    @strawberry.field(description="The alert rules, oldest first.", extensions=[guarded(IsSelf())])
    async def alert_rules(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[AlertRule]:
        page = (first, after, last, before)
        return await connect(
            info, AlertRulesByUser, AlertRuleCountByUser, AlertRule.from_row, self.row["id"], page
        )

    @strawberry.field(
        description="The destinations that alerts can be sent to, oldest first.",
        extensions=[guarded(IsSelf())],
    )
    async def notification_destinations(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[NotificationDestination]:
        return await connect(
            info,
            NotificationDestinationsByUser,
            NotificationDestinationCountByUser,
            NotificationDestination.from_row,
            self.row["id"],
            (first, after, last, before),
        )

    @strawberry.field(
        description="The imports that recorded something, newest first. Each can be reversed as a whole with "
        "reverseImport.",
        extensions=[guarded(IsSelf())],
    )
    async def imports(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Import]:
        page = (first, after, last, before)
        return await connect(info, ImportsByUser, ImportCountByUser, Import.from_row, self.row["id"], page)

    @strawberry.field(
        description="The stored credentials for brokers, oldest first.", extensions=[guarded(IsSelf())]
    )
    async def api_keys(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[ApiKey]:
        page = (first, after, last, before)
        return await connect(info, ApiKeysByUser, ApiKeyCountByUser, ApiKey.from_row, self.row["id"], page)

    @strawberry.field(
        description="The audit log: what the user did, newest first.", extensions=[guarded(IsSelf())]
    )
    async def audit_log(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[AuditEntry]:
        page = (first, after, last, before)
        return await connect(
            info, AuditLogByUser, AuditEntryCountByUser, AuditEntry.from_row, self.row["id"], page
        )


refetched_by("User", UserById, User.from_row)

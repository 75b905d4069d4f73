"""All permissions on one page.

Every root field is guarded by permission classes from here, or is one of `PUBLIC_FIELDS`. Below the root
nothing needs to be checked again: every statement names the viewer as the owner, and the database refuses the
rest.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from strawberry.permission import BasePermission, PermissionExtension
from strawberry.types import Info as AnyInfo

from graph.context import Context
from graph.errors import BadUserInput, Forbidden
from graph.ids import id_of
from graph.loaders import ById
from graph.loaders.account import AccountById
from graph.loaders.alerts import AlertById, AlertRuleById
from graph.loaders.auth import ApiKeyById
from graph.loaders.market import WatchlistById
from graph.loaders.notifications import DeliveryById, NotificationDestinationById
from graph.loaders.portfolio import PortfolioById
from graph.loaders.rebalancing import RebalanceById
from graph.loaders.trading import ImportById, OrderById, TransactionById
from graph.missing import log_missing

PUBLIC_FIELDS = frozenset({"Mutation.register", "Mutation.login", "Mutation.refreshToken", "Mutation.logout"})
"""Root fields that need no login, such as those for logging in."""


class IsAuthenticated(BasePermission):
    """Requires a login that is still valid; raises Unauthenticated otherwise."""

    async def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        await info.context.viewer()
        return True


class IsAuthenticatedWhenWriting(IsAuthenticated):
    """Requires the same of a mutation whose transaction checks the login in its first statement.

    The token's signature is checked here, and the rest is not read twice. For mutations that write with
    `db.trading.ledger.transact` and the actor's login.
    """

    async def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        info.context.viewer_login.defer_check()
        return True


class IsAdmin(BasePermission):
    """Requires an administrator's login; raises Forbidden for anybody else's."""

    async def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        viewer = await info.context.viewer()
        if not viewer.is_admin:
            raise Forbidden("This is for administrators.")
        return True


class IsSelf(BasePermission):
    """Requires that the user is the viewer: an administrator who lists users does not see what they own."""

    def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        if source.row["id"] != info.context.viewer_id:
            raise Forbidden("Only the user sees this.")
        return True


class Owns(BasePermission):
    """Requires that an id in the arguments, or each of a list of them, is the viewer's, or is not given.

    If one is not, the guard answers with a NotFound, for another owner's object just as for a missing one.
    With `locked`, the mutation itself answers so, from the row that it locks as the viewer's: here it is only
    checked that the id is of this type, so that the row is not read twice.
    """

    type_name: ClassVar[str]
    loader: ClassVar[type[ById[Any]]]

    def __init__(self, *path: str, locked: bool = False) -> None:
        self.path = path
        self.locked = locked

    async def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        given = self.given(kwargs)
        if given is None:
            return True
        if info.context.viewer_login.unchecked is None:
            await info.context.viewer()
        ids = self._ids(given)
        if self.locked and len(ids) == len(given):
            return True
        rows = await info.context.loader(self.loader).load_many(ids) if len(ids) == len(given) else [None]
        if None in rows:
            log_missing(info, self.type_name, ids)
        return None not in rows

    def log_missing(self, info: AnyInfo[Context, Any], kwargs: Mapping[str, Any]) -> None:
        """Log what the mutation itself has not found, as this permission does."""
        log_missing(info, self.type_name, self._ids(self.given(kwargs) or []))

    def given(self, kwargs: Mapping[str, Any]) -> list[str] | None:
        """Return the ids in the arguments, None if none are given."""
        value: Any = kwargs
        for name in self.path:
            value = value[name] if isinstance(value, Mapping) else getattr(value, name)
        return value if value is None or isinstance(value, list) else [value]

    def _ids(self, given: list[str]) -> list[UUID]:
        return [id for text in given if (id := id_of(self.type_name, text)) is not None]

    def on_unauthorized(self) -> None:
        """Raise BadUserInput if there is no payload for a NotFound: at a field, or in a stream."""
        raise BadUserInput(f"There is no such {self.type_name.lower()}.")


class OwnsAccount(Owns):
    """An account of the viewer's."""

    type_name = "Account"
    loader = AccountById


class OwnsPortfolio(Owns):
    """A portfolio of the viewer's."""

    type_name = "Portfolio"
    loader = PortfolioById


class OwnsImport(Owns):
    """An import of the viewer's."""

    type_name = "Import"
    loader = ImportById


class OwnsOrder(Owns):
    """An order of the viewer's."""

    type_name = "Order"
    loader = OrderById


class OwnsTransaction(Owns):
    """A transaction of the viewer's."""

    type_name = "Transaction"
    loader = TransactionById


class OwnsRebalance(Owns):
    """A rebalance of the viewer's."""

    type_name = "Rebalance"
    loader = RebalanceById


class OwnsAlert(Owns):
    """Alerts of the viewer's."""

    type_name = "Alert"
    loader = AlertById


class OwnsApiKey(Owns):
    """A broker's credentials of the viewer's."""

    type_name = "ApiKey"
    loader = ApiKeyById


class OwnsAlertRule(Owns):
    """An alert rule of the viewer's."""

    type_name = "AlertRule"
    loader = AlertRuleById


class OwnsNotificationDestination(Owns):
    """A destination of the viewer's."""

    type_name = "NotificationDestination"
    loader = NotificationDestinationById


class OwnsDelivery(Owns):
    """A delivery of one of the viewer's alerts."""

    type_name = "Delivery"
    loader = DeliveryById


class OwnsWatchlist(Owns):
    """A watchlist of the viewer's."""

    type_name = "Watchlist"
    loader = WatchlistById


def guarded(*permissions: BasePermission) -> PermissionExtension:
    """Guard a field by these permissions, without printing them as directives, which the contract lacks."""
    return PermissionExtension(permissions=list(permissions), use_directives=False)

"""Who may do what, on one page.

Every root field is guarded by permission classes from here, or is one of `PUBLIC_FIELDS`. Below the root
nothing needs asking again: every statement names the viewer as the owner, and the database refuses the rest.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from strawberry.permission import BasePermission, PermissionExtension
from strawberry.types import Info as AnyInfo

from graph.account.loaders import AccountById
from graph.alerts.loaders import AlertById, AlertRuleById
from graph.auth.loaders import ApiKeyById
from graph.context import Context
from graph.errors import BadUserInput, Forbidden
from graph.ids import id_of
from graph.loaders import ById
from graph.market.loaders import WatchlistById
from graph.missing import log_missing
from graph.notifications.loaders import DeliveryById, NotificationDestinationById
from graph.portfolio.loaders import PortfolioById
from graph.rebalancing.loaders import RebalanceById
from graph.trading.loaders import ImportById, OrderById, TransactionById

PUBLIC_FIELDS = frozenset({"Mutation.register", "Mutation.login", "Mutation.refreshToken", "Mutation.logout"})
"""Root fields that need no login: they are the door."""


class IsAuthenticated(BasePermission):
    """A login that is still good; raises Unauthenticated otherwise."""

    async def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        await info.context.viewer()
        return True


class IsAdmin(BasePermission):
    """An administrator's login; raises Forbidden for anybody else's."""

    async def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        viewer = await info.context.viewer()
        if not viewer.is_admin:
            raise Forbidden("This is for administrators.")
        return True


class IsSelf(BasePermission):
    """The user's own things: an administrator who lists users sees who they are, not what they own."""

    def has_permission(self, source: Any, info: AnyInfo[Context, Any], **kwargs: Any) -> bool:
        if source.row["id"] != info.context.viewer_id:
            raise Forbidden("Only the user sees this.")
        return True


class Owns(BasePermission):
    """An id in the arguments, or a list of them, that names something of the viewer's, or is not given.

    Where one does not, the guard answers with a NotFound, for another owner's thing just as for none. With
    `locked`, the mutation itself answers so, from the row that it locks as the viewer's: here is only seen
    that it is an id of this type, and the row is not read twice.
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
        await info.context.viewer()
        ids = self._ids(given)
        if self.locked and len(ids) == len(given):
            return True
        rows = await info.context.loader(self.loader).load_many(ids) if len(ids) == len(given) else [None]
        if None in rows:
            log_missing(info, self.type_name, ids)
        return None not in rows

    def log_missing(self, info: AnyInfo[Context, Any], kwargs: Mapping[str, Any]) -> None:
        """Log what the mutation itself has not found, as this does."""
        log_missing(info, self.type_name, self._ids(self.given(kwargs) or []))

    def given(self, kwargs: Mapping[str, Any]) -> list[str] | None:
        """Return the ids in the arguments, None where none are given."""
        value: Any = kwargs
        for name in self.path:
            value = value[name] if isinstance(value, Mapping) else getattr(value, name)
        return value if value is None or isinstance(value, list) else [value]

    def _ids(self, given: list[str]) -> list[UUID]:
        return [id for text in given if (id := id_of(self.type_name, text)) is not None]

    def on_unauthorized(self) -> None:
        """Where there is no payload for a NotFound: a field, or a stream, that answers with an error."""
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
    """A field that only these permissions open; not printed as directives, which the contract has none of."""
    return PermissionExtension(permissions=list(permissions), use_directives=False)

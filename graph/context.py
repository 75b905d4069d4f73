"""What one operation knows: who asks, and the loaders that read on their behalf."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import strawberry

from db.sessions import Connection, Sessions
from graph.errors import Forbidden, Unauthenticated
from graph.server import client as http
from investing.auth.service import Door
from investing.auth.types import Client, NotLoggedIn, Viewer
from investing.market.floor import Floor
from investing.notifications.destinations import Destinations
from investing.trading.desk import Desk

if TYPE_CHECKING:
    from graph.loaders import Loader

LoaderT = TypeVar("LoaderT", bound="Loader[Any, Any]")


@dataclass(frozen=True)
class Services:
    """What every operation shares: made once, when the server starts."""

    sessions: Sessions
    door: Door
    desk: Desk
    destinations: Destinations
    floor: Floor


class Context:
    """One operation. Never shared by two: loaders remember what they have read."""

    def __init__(self, services: Services, token: str | None, client: http.Client) -> None:
        self.sessions = services.sessions
        self.door = services.door
        self.desk = services.desk
        self.destinations = services.destinations
        self.floor = services.floor
        self.client = Client(client.ip_address, client.user_agent)
        self._token = token
        self._viewer: Viewer | None = None
        self._loaders: dict[type, Any] = {}

    async def viewer(self) -> Viewer:
        """Who asks, checked against the database once an operation. Raises Unauthenticated for nobody."""
        if self._viewer is None:
            if self._token is None:
                raise Unauthenticated
            try:
                self._viewer = await self.door.viewer(self._token)
            except NotLoggedIn:
                raise Unauthenticated("Your login has ended: log in again.") from None
        return self._viewer

    def use(self, token: str) -> None:
        """Goes on as the user who has just logged in."""
        self._token, self._viewer = token, None
        self.forget()

    async def look_again(self) -> None:
        """Before each event of a stream: who asks is checked anew, and nothing read before is remembered.

        Raises Unauthenticated once the login has ended or its user is shut out.
        """
        self._viewer = None
        self.forget()
        await self.viewer()

    @property
    def viewer_id(self) -> UUID:
        """Whose rows are read. Only below a field whose permission has awaited `viewer`."""
        if self._viewer is None:
            raise Unauthenticated
        return self._viewer.id

    def reading(self, *, as_administrator: bool = False) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees the viewer's rows; an administrator's also sees who the users are."""
        if as_administrator and not (self._viewer and self._viewer.is_admin):
            raise Forbidden
        return self.sessions.reading(self.viewer_id, as_administrator=as_administrator)

    def loader(self, kind: type[LoaderT]) -> LoaderT:
        """This operation's loader of the kind."""
        loader = self._loaders.get(kind)
        if loader is None:
            loader = self._loaders[kind] = kind(self)
        return loader

    def forget(self) -> None:
        """Drops what was read: after a write, and before each event of a stream."""
        self._loaders.clear()


Info = strawberry.Info[Context, None]

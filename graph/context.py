"""The context of one operation: the viewer, and the loaders that read on the viewer's behalf."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import strawberry

from db.outages import Outage
from db.sessions import Connection, Sessions, is_away
from db.vocabulary import Topic
from graph.errors import Forbidden, Unauthenticated
from graph.server import client as http
from investing.actor import RequestOrigin
from investing.auth.api_keys import ApiKeys
from investing.auth.service import AuthService
from investing.auth.types import NotLoggedIn, Viewer
from investing.market.watches import Watches
from investing.notifications.destinations import Destinations
from investing.notifier import Notifier, wait
from investing.prices.ingest import PriceIngest
from investing.rebalancing.optimiser.pool import Optimiser
from investing.rebalancing.rebalancer import Rebalancer
from investing.trading.desk import Desk
from investing.trading.placing import TradingConfig

if TYPE_CHECKING:
    from graph.loaders import Loader

logger = logging.getLogger("graphfolio")
_checking = Outage(logger, "Checking the logins of streams")
LoaderT = TypeVar("LoaderT", bound="Loader[Any, Any]")
ReadT = TypeVar("ReadT")

AWAY_SECONDS = 15.0
"""How long a stream that has begun waits while the database is down before it ends with an error."""
_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class Services:
    """What all operations share: made once, when the server starts."""

    sessions: Sessions
    auth_service: AuthService
    desk: Desk
    rebalancer: Rebalancer
    trading_config: TradingConfig
    optimiser: Optimiser
    destinations: Destinations
    api_keys: ApiKeys
    ingest: PriceIngest
    notifier: Notifier
    watches: Watches
    events_per_second: float
    time_zone: str


class Context:
    """The context of one operation. Never shared by two: loaders cache what they have read."""

    def __init__(self, services: Services, token: str | None, client: http.ClientConnection) -> None:
        self.sessions = services.sessions
        self.auth_service = services.auth_service
        self.desk = services.desk
        self.rebalancer = services.rebalancer
        self.trading_config = services.trading_config
        self.optimiser = services.optimiser
        self.destinations = services.destinations
        self.api_keys = services.api_keys
        self.ingest = services.ingest
        self.notifier = services.notifier
        self.watches = services.watches
        self.events_per_second = services.events_per_second
        self.time_zone = services.time_zone
        self.client = RequestOrigin(client.ip_address, client.user_agent)
        self._token = token
        self._viewer: Viewer | None = None
        self._looked_at = 0.0
        self._loaders: dict[type, Any] = {}

    async def viewer(self) -> Viewer:
        """Return the viewer, checked against the database once per operation.

        Raise Unauthenticated if there is none.
        """
        if self._viewer is None:
            if self._token is None:
                raise Unauthenticated
            try:
                self._viewer = await self.auth_service.viewer(self._token)
            except NotLoggedIn:
                raise _login_has_ended() from None
            self._looked_at = asyncio.get_running_loop().time()
        return self._viewer

    def switch_token(self, token: str) -> None:
        """Continue as the user who has just logged in."""
        self._token, self._viewer = token, None
        self.forget()

    async def recheck_login(self) -> None:
        """Check the login again before an event of a stream, and forget everything read before.

        Raise Unauthenticated if the login has ended or its user is disabled.
        """
        self._viewer = None
        self.forget()
        await self.viewer()

    async def look_again_after(self, seconds: float) -> bool:
        """Recheck the login unless it was checked less than `seconds` ago; return whether it was checked."""
        self.forget()
        is_due = asyncio.get_running_loop().time() - self._looked_at > seconds
        if is_due:
            await self.recheck_login()
        return is_due

    async def retry_while_down(self, read: Callable[..., Awaitable[ReadT]], *arguments: Any) -> ReadT:
        """Read for a stream that has begun; retry for a while if the database is down.

        So a stream keeps its place while PostgreSQL restarts. If each of thousands ended with an error, their
        reconnecting would delay all of them. After a while it does end, so that a client can look for a
        server that works. Raise what `read` raises.
        """
        loop = asyncio.get_running_loop()
        # A random delay, so that they do not all end at the same moment either.
        give_up_at = loop.time() + AWAY_SECONDS * random.uniform(0.7, 1)
        while True:
            try:
                return await read(*arguments)
            except Exception as error:
                if not is_away(error) or loop.time() > give_up_at:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS * random.uniform(0.5, 1))

    @property
    def expires_at(self) -> dt.datetime | None:
        """Return when the login ends by itself; None before `viewer` was awaited."""
        return None if self._viewer is None else self._viewer.expires_at

    @asynccontextmanager
    async def login(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Check and hold the login of a stream; yield a callable that returns if the login ends early.

        That happens if its user has logged out, or was disabled. Raise Unauthenticated.
        """
        if self._token is None:
            raise Unauthenticated
        try:
            user_id = self.auth_service.user_of(self._token)
        except NotLoggedIn:
            raise _login_has_ended() from None
        # Subscribe before checking: no end of the login can be missed in between, and one check is enough.
        with self.notifier.listening(user_id, Topic.LOGINS) as changed:
            await self.viewer()
            yield partial(self._ended, changed)

    async def _ended(self, changed: asyncio.Event) -> None:
        await wait(changed)
        while not await self._is_over():
            await wait(changed)

    async def _is_over(self) -> bool:
        """Return whether the login has ended; wait while the database is down, when no event is sent."""
        while True:
            try:
                await self.recheck_login()
                _checking.over()
                return False
            except Unauthenticated:
                _checking.over()
                return True
            except Exception as error:
                # One line for all streams, however many of them check again each second.
                _checking.began(error)
                await asyncio.sleep(1)

    @property
    def user_id(self) -> UUID | None:
        """Return the viewer's id for the log, if the viewer has been determined."""
        return None if self._viewer is None else self._viewer.id

    @property
    def viewer_id(self) -> UUID:
        """Return whose rows are read. Valid only below a field whose permission has awaited `viewer`."""
        if self._viewer is None:
            raise Unauthenticated
        return self._viewer.id

    def reading(self, *, as_administrator: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Open a connection that sees the viewer's rows; an administrator's also sees who the users are."""
        if as_administrator and not (self._viewer and self._viewer.is_admin):
            raise Forbidden
        return self.sessions.reading(self.viewer_id, as_administrator=as_administrator)

    def loader(self, kind: type[LoaderT]) -> LoaderT:
        """Return this operation's loader of the kind."""
        loader = self._loaders.get(kind)
        if loader is None:
            loader = self._loaders[kind] = kind(self)
        return loader

    def forget(self) -> None:
        """Clear what was read: after a write, and before each event of a stream."""
        self._loaders.clear()


def _login_has_ended() -> Unauthenticated:
    return Unauthenticated("Your login has ended: log in again.")


Info = strawberry.Info[Context, None]

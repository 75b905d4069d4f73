"""The context of one operation: the services, the viewer's login, and the loaders."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from uuid import UUID

import strawberry

from db.row_counts import RowCounts
from db.sessions import Connection, is_away
from graph.device import Device
from graph.errors import Unauthenticated
from graph.loaders import Loader
from graph.row_counts import NOTHING
from graph.services import Services
from graph.viewer import ViewerLogin
from investing.actor import RequestOrigin
from investing.auth.types import Viewer

LoaderT = TypeVar("LoaderT", bound=Loader[Any, Any])
ReadT = TypeVar("ReadT")

AWAY_SECONDS = 15.0
"""How long a stream that has begun waits while the database is down before it ends with an error."""
_AGAIN_SECONDS = 0.2


class Context:
    """The context of one operation. Never shared by two: loaders cache what they have read."""

    def __init__(
        self, services: Services, token: str | None, origin: RequestOrigin, device: Device | None = None
    ) -> None:
        self.services = services
        self.client = origin
        self.device = device or Device()
        self._login = ViewerLogin(services.sessions, services.auth_service, services.notifier, token)
        self._loaders: dict[type, Any] = {}

    async def viewer(self) -> Viewer:
        """Return the viewer, checked against the database once per operation.

        Raise Unauthenticated if there is none.
        """
        return await self._login.viewer()

    @property
    def viewer_login(self) -> ViewerLogin:
        """Return the viewer's login, for a mutation whose transaction checks it."""
        return self._login

    @property
    def viewer_id(self) -> UUID:
        """Return whose rows are read.

        Valid only below a field whose permission has awaited `viewer`, or deferred that to a transaction.
        """
        return self._login.viewer_id

    @property
    def user_id(self) -> UUID | None:
        """Return the viewer's id for the log, if the viewer has been determined."""
        return self._login.user_id

    @property
    def expires_at(self) -> dt.datetime | None:
        """Return when the login ends by itself; None before `viewer` was awaited."""
        return self._login.expires_at

    async def row_counts(self) -> RowCounts:
        """Return how many rows the viewer has; without a valid login there is nothing to read."""
        try:
            viewer = await self.viewer()
        except Unauthenticated:
            return NOTHING
        return await self.services.row_counts.of(viewer.id)

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection that sees the viewer's rows."""
        return self._login.reading()

    def login(self) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        """Check and hold the login of a stream; give a callable that returns if the login ends early.

        Raise Unauthenticated.
        """
        return self._login.held()

    def switch_token(self, token: str) -> None:
        """Continue as the user who has just logged in."""
        self._login.switch_token(token)
        self.forget()

    async def recheck_login(self) -> None:
        """Check the login again before an event of a stream, and forget everything read before.

        Raise Unauthenticated if the login has ended or its user is disabled.
        """
        self.forget()
        await self._login.recheck()

    async def look_again_after(self, seconds: float) -> bool:
        """Recheck the login unless it was checked less than `seconds` ago; return whether it was checked."""
        self.forget()
        is_due = self._login.seconds_since_check() > seconds
        if is_due:
            await self._login.recheck()
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

    def loader(self, kind: type[LoaderT]) -> LoaderT:
        """Return this operation's loader of the kind."""
        loader = self._loaders.get(kind)
        if loader is None:
            loader = self._loaders[kind] = kind(self._login)
        return loader

    def wrote(self) -> None:
        """Count the viewer's rows anew before the next query: something was written."""
        if self.user_id is not None:
            self.services.row_counts.forget(self.user_id)

    def forget(self) -> None:
        """Clear what was read: after a write, and before each event of a stream."""
        self._loaders.clear()


Info = strawberry.Info[Context, None]

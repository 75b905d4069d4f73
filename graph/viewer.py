"""The login that an operation runs under: whose rows it reads, and whether that is still so."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from uuid import UUID

from db.outages import Outage
from db.sessions import Connection, Sessions
from db.vocabulary import Topic
from db.writing import UncheckedLogin
from graph.errors import Forbidden, Unauthenticated
from investing.auth.service import AuthService
from investing.auth.types import NotLoggedIn, Viewer
from investing.notifier import Notifier, wait

logger = logging.getLogger("graphfolio")
_checking = Outage(logger, "Checking the logins of streams")


class ViewerLogin:
    """A token and, once it is checked, its user: the viewer.

    A mutation whose transaction checks the login itself takes the token's word until then (`defer_check`).
    """

    def __init__(
        self, sessions: Sessions, auth_service: AuthService, notifier: Notifier, token: str | None
    ) -> None:
        self._sessions = sessions
        self._auth_service = auth_service
        self._notifier = notifier
        self._token = token
        self._viewer: Viewer | None = None
        self._claimed_id: UUID | None = None
        self.unchecked: UncheckedLogin | None = None
        """The login that the mutation which is running has to check; None if `viewer` was awaited for it."""
        self._checked_at = 0.0

    async def viewer(self) -> Viewer:
        """Return the viewer, checked against the database the first time. Raise Unauthenticated."""
        return self._viewer or await self.recheck()

    def defer_check(self) -> None:
        """Let the next transaction check the login; until then its rows are read and nothing is answered.

        Whoever defers the check confirms it before they answer (`confirm`). Raise Unauthenticated.
        """
        if self._token is None:
            raise Unauthenticated
        try:
            claims = self._auth_service.claims(self._token)
        except NotLoggedIn:
            raise self.has_ended() from None
        self._claimed_id = claims.user_id
        self.unchecked = UncheckedLogin(claims.session_id)

    async def confirm(self) -> None:
        """Check the login now if the check was deferred and no transaction has made it.

        Raise Unauthenticated.
        """
        if self.unchecked is not None and not self.unchecked.has_been_checked:
            await self.recheck()
        self.unchecked = None

    def has_ended(self) -> Unauthenticated:
        """Return the error for a login that has ended, and read nothing for it from now on."""
        self._viewer = self._claimed_id = self.unchecked = None
        return Unauthenticated("Your login has ended: log in again.")

    async def recheck(self) -> Viewer:
        """Check the login against the database, and return the viewer as it is now.

        Until the answer is here the former viewer stands: whoever reads meanwhile is not cut off. Raise
        Unauthenticated if the login has ended or its user is disabled.
        """
        if self._token is None:
            raise Unauthenticated
        try:
            self._viewer = await self._auth_service.viewer(self._token)
        except NotLoggedIn:
            raise self.has_ended() from None
        self._checked_at = asyncio.get_running_loop().time()
        return self._viewer

    def seconds_since_check(self) -> float:
        """Return how long ago the login was checked."""
        return asyncio.get_running_loop().time() - self._checked_at

    def switch_token(self, token: str) -> None:
        """Continue as the user who has just logged in."""
        self._token = token
        self._viewer = self._claimed_id = self.unchecked = None

    @property
    def expires_at(self) -> dt.datetime | None:
        """Return when the login ends by itself; None before `viewer` was awaited."""
        return None if self._viewer is None else self._viewer.expires_at

    @property
    def user_id(self) -> UUID | None:
        """Return the viewer's id for the log, if the viewer has been determined."""
        return self._claimed_id if self._viewer is None else self._viewer.id

    @property
    def viewer_id(self) -> UUID:
        """Return whose rows are read.

        Valid only below a field whose permission has awaited `viewer` or called `defer_check`.
        """
        id = self.user_id
        if id is None:
            raise Unauthenticated
        return id

    def reading(self, *, as_administrator: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Open a connection that sees the viewer's rows; an administrator's also sees who the users are."""
        if as_administrator and not (self._viewer and self._viewer.is_admin):
            raise Forbidden
        return self._sessions.reading(self.viewer_id, as_administrator=as_administrator)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Check and hold the login of a stream; yield a callable that returns if the login ends early.

        That happens if its user has logged out, or was disabled. Raise Unauthenticated.
        """
        if self._token is None:
            raise Unauthenticated
        try:
            user_id = self._auth_service.user_of(self._token)
        except NotLoggedIn:
            raise self.has_ended() from None
        # Subscribe before checking: no end of the login can be missed in between, and one check is enough.
        with self._notifier.listening(user_id, Topic.LOGINS) as changed:
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
                await self.recheck()
                _checking.over()
                return False
            except Unauthenticated:
                # Maybe only the token's time is over, which the database was not asked for.
                return True
            except Exception as error:
                # One line for all streams, however many of them check again each second.
                _checking.began(error)
                await asyncio.sleep(1)

"""PostgreSQL as the transport between notifiers: LISTEN and NOTIFY."""

import asyncio
from collections.abc import Callable, Collection

import asyncpg

from db.notifier.subjects import Subject, pages, subjects_on
from db.sessions import CONNECT_SECONDS, Sessions

CHANNEL = "graphfolio_changes"
_ALIVE_SECONDS = 5.0


class PostgresTransport:
    """A connection of its own that listens; notifications are sent over any connection of the pool."""

    def __init__(self, sessions: Sessions, url: str) -> None:
        """Initialize with the `url` of PostgreSQL itself: a pooler in between may drop notifications."""
        self._sessions = sessions
        self._url = url

    async def listen(
        self,
        received: Callable[[Collection[Subject]], None],
        connected: Callable[[], None] = lambda: None,
    ) -> None:
        """Pass on what is published until the connection breaks; then raise OSError.

        `connected` is called once nothing is missed from then on.
        The connection is checked now and then, because a network that drops all packets reports no error.
        """
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "graphfolio-notifier"},
        )
        try:
            await connection.add_listener(
                CHANNEL, lambda *published: received(list(subjects_on(str(published[3]))))
            )
            connected()
            while True:
                await asyncio.sleep(_ALIVE_SECONDS)
                await connection.fetchval("SELECT true", timeout=_ALIVE_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.terminate()

    async def publish(self, subjects: Collection[Subject]) -> None:
        """Notify all listeners, this process included; call it after a commit, never in a transaction."""
        async with self._sessions.nobody() as connection:
            await connection.execute(
                "SELECT pg_notify($1, published) FROM unnest($2::text[]) AS published",
                CHANNEL,
                pages(subjects),
            )

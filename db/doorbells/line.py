"""PostgreSQL as the line between doorbells: LISTEN and NOTIFY."""

import asyncio
from collections.abc import Callable, Collection

import asyncpg

from db.doorbells.bells import Bell, bells_on, pages
from db.sessions import CONNECT_SECONDS, Sessions

CHANNEL = "graphfolio_doorbell"
_ALIVE_SECONDS = 5.0


class PostgresLine:
    """One connection of its own that listens; what is said goes over any connection of the pool."""

    def __init__(self, sessions: Sessions, url: str) -> None:
        """`url` leads to PostgreSQL itself: a pooler between them may drop what is notified."""
        self._sessions = sessions
        self._url = url

    async def listen(self, heard: Callable[[Collection[Bell]], None]) -> None:
        """Passes on what is said until the line breaks; then raises OSError.

        Asked now and then whether it is there, because a network that swallows everything says nothing.
        """
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "graphfolio-doorbell"},
        )
        try:
            await connection.add_listener(CHANNEL, lambda *said: heard(list(bells_on(str(said[3])))))
            while True:
                await asyncio.sleep(_ALIVE_SECONDS)
                await connection.fetchval("SELECT true", timeout=_ALIVE_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.terminate()

    async def say(self, bells: Collection[Bell]) -> None:
        """Tells everybody who listens, this process too. After a commit, never in a transaction."""
        async with self._sessions.nobody() as connection:
            await connection.execute(
                "SELECT pg_notify($1, said) FROM unnest($2::text[]) AS said", CHANNEL, pages(bells)
            )

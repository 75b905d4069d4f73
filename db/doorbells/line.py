"""PostgreSQL as the line between doorbells: LISTEN and NOTIFY, and the counters for what those miss."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from uuid import UUID

import asyncpg

from db.sessions import CONNECT_SECONDS, Sessions
from db.vocabulary import Topic

Bell = tuple[UUID, Topic]
"""Whose doorbell, and about what."""

CHANNEL = "graphfolio_doorbell"
# PostgreSQL takes 8,000 bytes; a bell takes 40 at the most.
_BELLS_IN_ONE = 150
_ALIVE_SECONDS = 5.0

_RINGS = """
SELECT d.owner_id, d.topic, d.rings
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS known (owner_id, topic, rings)
JOIN doorbells d USING (owner_id, topic)
WHERE d.rings <> known.rings
"""


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
            await connection.add_listener(CHANNEL, lambda *said: heard(list(_read(str(said[3])))))
            while True:
                await asyncio.sleep(_ALIVE_SECONDS)
                await connection.fetchval("SELECT true", timeout=_ALIVE_SECONDS)
        except asyncpg.PostgresError as error:
            raise ConnectionError(str(error)) from error
        except asyncpg.InterfaceError as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.terminate()

    async def say(self, bells: Collection[Bell]) -> None:
        """Tells everybody who listens, this process too. After a commit, never in a transaction."""
        texts = [f"{topic.value}:{owner_id.hex}" for owner_id, topic in bells]
        pages = [",".join(texts[at : at + _BELLS_IN_ONE]) for at in range(0, len(texts), _BELLS_IN_ONE)]
        async with self._sessions.nobody() as connection:
            await connection.execute(
                "SELECT pg_notify($1, said) FROM unnest($2::text[]) AS said", CHANNEL, pages
            )

    async def rings(self, known: Mapping[Bell, int]) -> Mapping[Bell, int]:
        """The counters that are not as they are known here; one statement for everybody."""
        owners, topics, counts = (
            [owner_id for owner_id, _ in known],
            [topic.value for _, topic in known],
            list(known.values()),
        )
        async with self._sessions.nobody() as connection:
            rows = await connection.fetch(_RINGS, owners, topics, counts)
        return {(row["owner_id"], Topic(row["topic"])): row["rings"] for row in rows}


def _read(payload: str) -> Iterator[Bell]:
    """The bells of a notification; whatever else somebody sends on the channel is passed over."""
    for text in payload.split(","):
        topic, _, owner_id = text.partition(":")
        try:
            yield UUID(owner_id), Topic(topic)
        except ValueError:
            continue

"""The people of the tests: two who own something everywhere, and those who may not come in."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from db.sessions import Sessions
from investing.auth.administration import set_active
from investing.auth.keys import KeyRing
from investing.auth.tokens import AccessTokens
from tests.conftest import execute
from tests.graph.ownership import people, stored
from tests.graph.ownership.asking import Caller, Reply
from tests.graph.ownership.people import Person

MARKET = (
    "INSERT INTO instruments (id, symbol, name, asset_class, currency) "
    "VALUES (gen_random_uuid(), 'AAPL', 'Apple', 'EQUITY', 'USD'), "
    "(gen_random_uuid(), 'IBM', 'IBM', 'EQUITY', 'USD')",
    "INSERT INTO quotes SELECT id, 110, now() FROM instruments",
    "INSERT INTO instrument_splits SELECT id, date '1990-01-02', 2, 1 FROM instruments",
    "INSERT INTO price_bars (instrument_id, date, close) SELECT id, day, close FROM instruments, "
    "(VALUES (date '2024-02-28', 100), ('2024-02-29', 100), ('2024-03-01', 110)) AS b(day, close)",
    "INSERT INTO pgqueuer_schedules (expression, entrypoint) VALUES ('* * * * *', 'any')",
    "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint) VALUES (1, 'failed', 1, 'any')",
)


@dataclass(frozen=True)
class World:
    """Everybody there is. `outsiders` are tokens that open nothing, by what is wrong with them."""

    holder: Person
    stranger: Person
    gone: Person
    outsiders: dict[str, str | None]
    superuser_url: str

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Fails where anything in the database is another after the block than before it."""
        before = stored.checksums(self.superuser_url)
        yield
        assert stored.checksums(self.superuser_url) == before

    def same(self, document: str, foreign: dict[str, Any], missing: dict[str, Any], *sent: str) -> Reply:
        """The stranger's answer about another's thing, the same to the byte as about nobody's.

        `sent` are the ids of both; an answer may repeat them. Nothing else of the holder's may be in it.
        """
        answer = self.stranger.caller.ask(self.stranger.token, document, foreign)
        expected = self.stranger.caller.ask(self.stranger.token, document, missing)
        assert answer.without(*sent) == expected.without(*sent)
        assert self.holder.leaks_into(answer, sent) == []
        return answer


@pytest.fixture(scope="module")
async def market(superuser_url: str) -> None:
    """Instruments with a price."""
    await execute(superuser_url, *MARKET)


@pytest.fixture(scope="module")
def caller(server_url: str) -> Iterator[Caller]:
    """A line to the server."""
    line = Caller(server_url)
    yield line
    line.close()


@pytest.fixture(scope="module")
def residents(caller: Caller, superuser_url: str, market: None) -> list[Person]:
    """Three who own something in every table."""
    return [people.settle(people.register(caller), superuser_url) for _ in range(3)]


@pytest.fixture(scope="module")
async def world(residents: list[Person], sessions: Sessions, ring: KeyRing, superuser_url: str) -> World:
    """Two of them, and one who was shut out after the login."""
    holder, stranger, gone = residents
    await set_active(sessions, gone.canary, False)
    async with sessions.reading(holder.owner_id) as connection:
        session_id = await connection.fetchval(
            "SELECT family_id FROM refresh_tokens WHERE owner_id = $1", holder.owner_id
        )
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    expired, _ = AccessTokens(ring, "graphfolio", "graphfolio").issue(holder.owner_id, session_id, long_ago)
    forged, _ = AccessTokens(KeyRing.generate(), "graphfolio", "graphfolio").issue(
        holder.owner_id, session_id, dt.datetime.now(dt.UTC)
    )
    outsiders = {
        "nobody": None,
        "deactivated": gone.token,
        "expired": expired,
        "forged": forged,
        "garbage": "garbage",
    }
    return World(holder, stranger, gone, outsiders, superuser_url)

"""What a compiled query answers when its statement cannot end well."""

import json
from typing import Any

import asyncpg
import pytest

from db.tree_connections import TreeConnections
from graph.server.serving import ServedSchema
from tests.graph.compiler.both import Both
from tests.graph.ownership.people import Person

QUERY = "{ me { username accounts { totalCount } } }"


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that the resolvers have answered."""
    asked: list[str] = []
    execute = ServedSchema.execute

    async def note(schema: ServedSchema, query: str, **more: Any) -> Any:
        asked.append(query)
        return await execute(schema, query, **more)

    monkeypatch.setattr(ServedSchema, "execute", note)
    return asked


async def test_a_statement_that_takes_too_long_is_not_tried_again(
    both: Both, person: Person, monkeypatch: pytest.MonkeyPatch, resolved: list[str]
) -> None:
    fetch = TreeConnections.fetch

    async def slow(connections: TreeConnections, sql: str, *rest: Any) -> Any:
        # PostgreSQL's own time-out: of the statement itself, on its own connection.
        limited = "SELECT $1 || $2::uuid::text || set_config('statement_timeout', '20ms', false)"
        await fetch(connections, limited, *rest)
        try:
            return await fetch(connections, f"{sql}, pg_sleep(600) x", *rest)
        finally:
            await fetch(connections, limited.replace("20ms", "30s"), *rest)

    monkeypatch.setattr(TreeConnections, "fetch", slow)
    answer = await both.compiled(person.token, QUERY)
    (error,) = json.loads(answer.body)["errors"]
    assert error["extensions"]["code"] == "TIMEOUT"
    assert answer.status == 504
    assert resolved == []


async def test_a_backend_that_is_ended_costs_one_answer_at_most(
    both: Both, person: Person, superuser_url: str
) -> None:
    """The resolvers answer instead; the next one has a new connection."""
    first = await both.compiled(person.token, QUERY)
    superuser = await asyncpg.connect(superuser_url)
    await superuser.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'WITH v AS%'"
    )
    await superuser.close()
    assert [await both.compiled(person.token, QUERY) for _ in range(3)] == [first] * 3


async def test_a_statement_that_fails_is_left_to_the_resolvers(
    both: Both, person: Person, monkeypatch: pytest.MonkeyPatch, resolved: list[str]
) -> None:
    first = await both.compiled(person.token, QUERY)

    async def broken(*_: Any) -> Any:
        raise asyncpg.UndefinedColumnError("no such column")

    monkeypatch.setattr(TreeConnections, "fetch", broken)
    assert await both.compiled(person.token, QUERY) == first
    assert resolved == [QUERY]

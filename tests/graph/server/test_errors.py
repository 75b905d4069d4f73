"""What a client learns if PostgreSQL gives up: a code that says to retry, and nothing of the statement."""

from uuid import uuid4

import pytest
from graphql import GraphQLError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.sessions import Session, Sessions
from graph.server.errors import present

LOCK = text("LOCK TABLE watchlists IN SHARE ROW EXCLUSIVE MODE")
WAITS = (
    ("SET LOCAL lock_timeout = '50ms'", LOCK),
    ("SET LOCAL statement_timeout = '50ms'", text("SELECT pg_sleep(5)")),
)


async def stop(session: Session, limit: str, statement: object) -> GraphQLError:
    """The error of a statement that reaches its limit."""
    await session.execute(text(limit))
    with pytest.raises(DBAPIError) as raised:
        await session.execute(statement)  # type: ignore[call-overload]
    await session.rollback()
    return GraphQLError("in the way", path=["deposit"], original_error=raised.value)


@pytest.mark.parametrize(("limit", "statement"), WAITS, ids=["lock", "statement"])
async def test_a_wait_that_was_too_long(sessions: Sessions, limit: str, statement: object) -> None:
    async with sessions.begin(uuid4()) as holder:
        await holder.execute(LOCK)
        async with sessions.begin(uuid4()) as session:
            error = await stop(session, limit, statement)
    assert present([error], "1") == [
        {
            "message": "Something else holds what this needs, or there is too much of it: try again.",
            "path": ["deposit"],
            "extensions": {"code": "TIMEOUT"},
        }
    ]

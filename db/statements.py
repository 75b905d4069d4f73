"""Counting the SQL statements that one piece of work sends, over whichever connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import Engine, event

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection


class StatementCount:
    """How many statements were sent, those that begin and end a transaction among them."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = 0


_counts: ContextVar[StatementCount | None] = ContextVar("statement_count", default=None)


def count_statements() -> StatementCount:
    """Count what this task sends from now on, and the tasks that it starts."""
    count = StatementCount()
    _counts.set(count)
    return count


@contextmanager
def uncounted() -> Iterator[None]:
    """Do not count what the block sends: the set-up of a connection is nobody's."""
    before = _counts.set(None)
    try:
        yield
    finally:
        _counts.reset(before)


def _note(*_: object) -> None:
    count = _counts.get()
    if count is not None:
        count.sent += 1


class CountedConnection(Connection):
    """A connection whose statements are counted."""

    __slots__ = ()

    async def execute(self, *arguments: Any, **options: Any) -> str:
        """Count, and do what asyncpg does."""
        _note()
        return await super().execute(*arguments, **options)

    async def executemany(self, *arguments: Any, **options: Any) -> None:
        """Count, and do what asyncpg does."""
        _note()
        await super().executemany(*arguments, **options)

    async def fetch(self, *arguments: Any, **options: Any) -> Any:
        """Count, and do what asyncpg does."""
        _note()
        return await super().fetch(*arguments, **options)

    async def fetchrow(self, *arguments: Any, **options: Any) -> Any:
        """Count, and do what asyncpg does."""
        _note()
        return await super().fetchrow(*arguments, **options)

    async def fetchval(self, *arguments: Any, **options: Any) -> Any:
        """Count, and do what asyncpg does."""
        _note()
        return await super().fetchval(*arguments, **options)


def count_statements_of(engine: Engine) -> None:
    """Count what SQLAlchemy sends too, which goes past these methods."""
    event.listen(engine, "before_cursor_execute", _note)

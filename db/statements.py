"""Counting the SQL statements that one piece of work sends, over any connection."""

from __future__ import annotations

import time
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
    """The number of statements sent, with those that begin and end a transaction, and how long they took.

    `seconds` also has what threads have computed for the same piece of work.
    """

    __slots__ = ("seconds", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.seconds = 0.0


_counts: ContextVar[StatementCount | None] = ContextVar("statement_count", default=None)


def count_statements() -> StatementCount:
    """Count the statements that this task, and the tasks that it starts, send from now on."""
    count = StatementCount()
    _counts.set(count)
    return count


@contextmanager
def uncounted() -> Iterator[None]:
    """Exclude the block's statements from the count: the set-up of a connection belongs to no request."""
    before = _counts.set(None)
    try:
        yield
    finally:
        _counts.reset(before)


def note_statement(*_: object) -> None:
    """Count one statement of this task."""
    count = _counts.get()
    if count is not None:
        count.sent += 1


def note_seconds(seconds: float) -> None:
    """Add to the time that this task has used elsewhere than in the event loop."""
    count = _counts.get()
    if count is not None:
        count.seconds += seconds


class CountedConnection(Connection):
    """A connection whose statements are counted."""

    __slots__ = ()

    async def execute(self, *arguments: Any, **options: Any) -> str:
        """Count the statement, and call asyncpg's method."""
        note_statement()
        began = time.perf_counter()
        try:
            return await super().execute(*arguments, **options)
        finally:
            note_seconds(time.perf_counter() - began)

    async def executemany(self, *arguments: Any, **options: Any) -> None:
        """Count the statement, and call asyncpg's method."""
        note_statement()
        began = time.perf_counter()
        try:
            return await super().executemany(*arguments, **options)
        finally:
            note_seconds(time.perf_counter() - began)

    async def fetch(self, *arguments: Any, **options: Any) -> Any:
        """Count the statement, and call asyncpg's method."""
        note_statement()
        began = time.perf_counter()
        try:
            return await super().fetch(*arguments, **options)
        finally:
            note_seconds(time.perf_counter() - began)

    async def fetchrow(self, *arguments: Any, **options: Any) -> Any:
        """Count the statement, and call asyncpg's method."""
        note_statement()
        began = time.perf_counter()
        try:
            return await super().fetchrow(*arguments, **options)
        finally:
            note_seconds(time.perf_counter() - began)

    async def fetchval(self, *arguments: Any, **options: Any) -> Any:
        """Count the statement, and call asyncpg's method."""
        note_statement()
        began = time.perf_counter()
        try:
            return await super().fetchval(*arguments, **options)
        finally:
            note_seconds(time.perf_counter() - began)


def count_statements_of(engine: Engine) -> None:
    """Count the statements that SQLAlchemy sends, which bypass these methods."""
    event.listen(engine, "before_cursor_execute", note_statement)

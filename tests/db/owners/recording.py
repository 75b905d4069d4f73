"""A database that only keeps what it is sent: in place of asyncpg's connections and SQLAlchemy's sessions."""

from __future__ import annotations

import datetime as dt
import re
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import Insert
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import SAWarning
from sqlglot import parse_one

import db

ROOT = Path(db.__file__).parent
ID = UUID(int=7)
NOW = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]

# A function that goes on until there is no more has to come to an end.
_MOST = 10


class Site(NamedTuple):
    """A place of `db` that sends a statement."""

    file: str
    line: int


class Sent(NamedTuple):
    """A statement: where it is sent, of which function that was called, and its SQL with `$1` for a value."""

    site: Site
    caller: str
    sql: str


class Recorder:
    """What has been sent so far."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.caller = ""
        self.finds_rows = True
        self.before = 0
        """How many had been sent when the caller was called."""

    def keep(self, statement: object, parameters: object = None) -> Result:
        """Keep a statement with the place in `db` that sends it; return what it finds."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not frame.f_code.co_filename.startswith(str(ROOT)):
            frame = frame.f_back
        assert frame is not None, "only db sends statements"
        site = Site(str(Path(frame.f_code.co_filename).relative_to(ROOT)), _line(frame))
        sql = _sql(statement, parameters)
        self.sent.append(Sent(site, self.caller, sql))
        return Result(sql, 1 if self.finds_rows and len(self.sent) - self.before <= _MOST else 0)


def _line(frame: FrameType) -> int:
    """Return where the call begins, which is above the frame's own line when it is several lines long."""
    line = list(frame.f_code.co_positions())[frame.f_lasti // 2][0]
    assert line is not None
    return line


def _sql(statement: Any, parameters: Any) -> str:
    if isinstance(statement, str):
        return statement
    row = parameters[0] if isinstance(parameters, list) and parameters else parameters
    keys = list(row) if row and isinstance(statement, Insert) else None
    with warnings.catch_warnings():
        # A key without a default, of a row whose columns are made up.
        warnings.simplefilter("ignore", SAWarning)
        return str(statement.compile(dialect=_DIALECT, column_keys=keys))


class Row(dict[Any, Any]):
    """A row that has every column: a value of the kind that a column of that name has."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def __missing__(self, name: object) -> Any:
        return _value_of(str(name))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _value_of(name)

    def __iter__(self) -> Iterator[Any]:
        statement: Any = parse_one(self._sql, read="postgres")
        returning = statement.args.get("returning")
        columns = statement.selects if returning is None else returning.expressions
        return (_value_of(column.alias_or_name) for column in columns)


class Columns(dict[Any, Any]):
    """A row to write, whose type does not say which columns it has: some, and any that is asked for."""

    def __missing__(self, name: object) -> Any:
        return _value_of(str(name))


def _value_of(name: str) -> Any:
    if name == "symbol":
        return "old"
    if name.endswith("id"):
        return ID
    if name.endswith("_at"):
        return NOW
    if name.endswith(("date", "day", "since", "until", "_from", "first", "last")):
        return NOW.date()
    return [] if name.endswith("s") else Decimal(1)


class Result(list[Any]):
    """The rows that a statement finds, with SQLAlchemy's ways to take them."""

    rowcount = 1

    def __init__(self, sql: str, size: int) -> None:
        super().__init__(Row(sql) for _ in range(size))
        self._sql = sql

    def all(self) -> Result:
        return self

    mappings = tuples = all

    def scalars(self) -> Result:
        found = Result(self._sql, 0)
        found += [ID for _ in self]
        return found

    def first(self) -> Any:
        return self[0] if self else None

    one_or_none = first

    def one(self) -> Any:
        return self[0] if self else Row(self._sql)

    def scalar_one(self) -> Any:
        return NOW.date() if re.search(r"(min|max)\(\w*date\)", self._sql) else 1

    def scalar_one_or_none(self) -> Any:
        return self.scalar_one() if self else None


async def _awaited(value: Any) -> Any:
    return value


class Connection:
    """In place of asyncpg's connection, also for isinstance."""

    __class__: Any = asyncpg.Connection

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    # None of these is a coroutine, so that the place that calls them is just above in the stack.
    def fetch(self, sql: str, *_: object, **__: object) -> Awaitable[Any]:
        return _awaited(list(self._recorder.keep(sql)))

    def fetchrow(self, sql: str, *_: object, **__: object) -> Awaitable[Any]:
        return _awaited(self._recorder.keep(sql).first())

    def fetchval(self, sql: str, *_: object, **__: object) -> Awaitable[Any]:
        return _awaited(self._recorder.keep(sql).scalar_one_or_none())

    def execute(self, sql: str, *_: object, **__: object) -> Awaitable[Any]:
        self._recorder.keep(sql)
        return _awaited("UPDATE 1")

    executemany = execute

    def cursor(self, sql: str, *_: object, **__: object) -> AsyncIterator[Any]:
        return _each(self._recorder.keep(sql))

    def copy_to_table(self, *_: object, **__: object) -> Awaitable[Any]:
        return _awaited("COPY 1")

    copy_records_to_table = copy_to_table

    def transaction(self, **_: object) -> Transaction:
        return Transaction()

    def close(self) -> Awaitable[Any]:
        return _awaited(None)


class Transaction:
    """In place of asyncpg's transaction."""

    async def start(self) -> None: ...

    async def commit(self) -> None: ...

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


async def _each(rows: list[Any]) -> AsyncIterator[Any]:
    for row in rows:
        yield row


class Session:
    """In place of SQLAlchemy's session, and of what leads from it to asyncpg's connection."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.info: dict[Any, Any] = {}

    def execute(self, statement: object, parameters: object = None, **_: object) -> Awaitable[Any]:
        return _awaited(self._recorder.keep(statement, parameters))

    def scalar(self, statement: object, parameters: object = None, **_: object) -> Awaitable[Any]:
        return _awaited(self._recorder.keep(statement, parameters).scalar_one_or_none())

    def scalars(self, statement: object, parameters: object = None, **_: object) -> Awaitable[Any]:
        return _awaited(self._recorder.keep(statement, parameters).scalars())

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        yield

    def connection(self) -> Awaitable[Any]:
        return _awaited(self)

    get_raw_connection = connection

    @property
    def driver_connection(self) -> Connection:
        return Connection(self._recorder)


class Sessions:
    """In place of `db.sessions.Sessions`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @asynccontextmanager
    async def reading(self, *_: object, **__: object) -> AsyncIterator[Connection]:
        yield Connection(self._recorder)

    nobody = reading

    @asynccontextmanager
    async def begin(self, *_: object, **__: object) -> AsyncIterator[Session]:
        yield Session(self._recorder)

    async def transact(self, _: object, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return await work(Session(self._recorder))

    async def write(self, _: object, __: object, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return await work(Connection(self._recorder))

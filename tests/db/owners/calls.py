"""Every statement that `db` can send: its functions are called with made-up arguments, and with connections
that only keep what they are given.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import asyncpg

import db
from db.pages import Listing, Page, fetch_by_ids, fetch_counts, fetch_pages
from db.write_batch import WriteBatch
from tests.db.owners.making import WAYS, Maker, Profile, hints
from tests.db.owners.recording import ID, ROOT, Connection, Recorder, Sent, Site

NOT_CALLED = {
    "db.notifier.transport": "sends NOTIFY, over a connection of its own",
    "db.jobs.scheduler": "sends what PgQueuer has about its own tables",
    "db.pages": "called with each list instead",
    "db.write_batch": "called by whoever adds batch",
    "db.health": "asks nothing of any table",
    "db.schema": "asks for the schema's version",
    "db.server": "starts PostgreSQL",
    "db.sessions": "opens connections",
    "db.statements": "counts what others send",
    "db.writing": "begins and ends transactions",
}
_SENDING = {
    "execute",
    "executemany",
    "fetch",
    "fetchrow",
    "fetchval",
    "scalar",
    "scalars",
    "stream",
    "cursor",
}
# Columns of a row to write whose type does not say which there are; the owner may be given beside it.
_COLUMNS: tuple[dict[str, Any], ...] = (
    {"owner_id": ID, "id": ID},
    {"owner_id": ID, "id": ID, "flows": ""},
    {},
)


class Function(NamedTuple):
    """A function of `db`, or a method of a class of it."""

    name: str
    call: Any
    owner: type | None = None


async def statements() -> list[Sent]:
    """Call everything in `db` that sends statements, in each profile; return what was sent."""
    recorder = Recorder()

    async def connect(*_: object, **__: object) -> Connection:
        return Connection(recorder)

    with patch.object(asyncpg, "connect", connect):
        for function in functions():
            for profile in Profile:
                await _call(recorder, function, profile)
    await _page(recorder)
    return recorder.sent


async def _call(recorder: Recorder, function: Function, profile: Profile) -> None:
    recorder.caller, recorder.finds_rows = function.name, profile is not Profile.EMPTY
    for columns in _COLUMNS:
        recorder.before = len(recorder.sent)
        maker = Maker(recorder, profile, columns)
        first = [] if function.owner is None else [maker.make(function.owner)]
        try:
            given = maker.arguments(function.call, is_method=bool(first))
            await _run_out(function.call(*first, **given))
            for one in first:
                if hasattr(one, "flush"):
                    await one.flush()
            connection: Any = Connection(recorder)
            for batch in given.values():
                if isinstance(batch, WriteBatch) and batch._sql:
                    await batch.write(connection)
        except Exception:
            # What was made up is not always what a function can take; what it did not send is noticed.
            continue
        return


async def _run_out(called: Any) -> None:
    if inspect.isasyncgen(called):
        async for _ in called:
            pass
    elif hasattr(called, "__aenter__"):
        async with called:
            pass
    elif inspect.isawaitable(called):
        await called


async def _page(recorder: Recorder) -> None:
    """Read each list in every way in which lists are read, with all its filters."""
    connection: Any = Connection(recorder)
    for name, listing in listings():
        recorder.caller, recorder.finds_rows = name, False
        keys = tuple(None for _ in listing.order)
        page = Page(7, after=keys, before=keys, filters=tuple((name, None) for name in listing.filters))
        for one in (page, Page(7)):
            await fetch_pages(connection, listing, ID, [ID], one)
            await fetch_counts(connection, listing, ID, [ID], one)
        await fetch_by_ids(connection, listing, ID, [ID])


def listings() -> list[tuple[str, Listing[Any]]]:
    """Return all lists, by name."""
    return [
        (f"{module.__name__}.{name}", value)
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, Listing)
    ]


def functions() -> Iterator[Function]:
    """Yield the public functions of `db` that take a way to the database, and the methods of such classes."""
    for module in modules():
        for name, value in list(vars(module).items()):
            if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            path = f"{module.__name__}.{name}"
            if inspect.isfunction(value) and _sends(value):
                yield Function(path, value)
            elif inspect.isclass(value) and "__init__" in vars(value) and _sends(value.__init__):
                for key, method in vars(value).items():
                    if inspect.isfunction(method) and not key.startswith("_"):
                        yield Function(f"{path}.{key}", method, value)


def _sends(function: Any) -> bool:
    known = hints(function)
    return "owner_url" in known or any(
        hint in WAYS or (isinstance(hint, type) and "__init__" in vars(hint) and _holds_a_way(hint))
        for hint in known.values()
    )


def _holds_a_way(kind: Any) -> bool:
    try:
        return kind is WriteBatch or any(hint in WAYS for hint in hints(kind.__init__).values())
    except NameError:
        # What names types for mypy alone is what opens connections.
        return False


def modules() -> list[ModuleType]:
    """Return the modules of `db` whose functions are called."""
    names = [one.name for one in pkgutil.walk_packages(db.__path__, "db.")]
    return [importlib.import_module(name) for name in names if not name.startswith(tuple(NOT_CALLED))]


def sites() -> dict[Site, str]:
    """Return every place of these modules that sends a statement, with the function that it stands in."""
    found = {}
    for module in modules():
        path = Path(str(module.__file__))
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.AsyncFunctionDef):
                for line in _sending(function):
                    found[Site(str(path.relative_to(ROOT)), line)] = f"{module.__name__}.{function.name}"
    return found


def _sending(function: ast.AsyncFunctionDef) -> Iterator[int]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in _SENDING:
                yield node.lineno

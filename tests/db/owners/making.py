"""Arguments for any function of `db`, made up from their types."""

from __future__ import annotations

import collections.abc as abc
import dataclasses
import datetime as dt
import enum
import inspect
import types
import typing
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from db.claims import DELIVERIES
from db.sessions import Sessions
from tests.db.owners import recording
from tests.db.owners.recording import ID, NOW, Columns, Recorder

WAYS: dict[Any, Any] = {
    AsyncSession: recording.Session,
    asyncpg.Connection: recording.Connection,
    Sessions: recording.Sessions,
}
"""The ways to the database, and what stands for them."""

_VALUES: dict[Any, Any] = {
    UUID: ID,
    str: "AAPL",
    bytes: b"7",
    int: 7,
    float: 7.0,
    bool: True,
    Decimal: Decimal(7),
    dt.datetime: NOW,
    dt.date: NOW.date(),
    dt.time: NOW.time(),
    dt.timedelta: dt.timedelta(1),
    type(None): None,
}
# Where not just any value will do.
_BY_NAME = {"table": "api_keys", "queue": DELIVERIES}
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
_SETS = (set, frozenset, abc.Set)


class Profile(enum.Enum):
    """Which statements a function sends depends on what it is given."""

    FULL = "everything there is"
    SPARSE = "nothing that may be left out"
    EMPTY = "empty collections, and no row is found"


@dataclasses.dataclass(frozen=True)
class Maker:
    """Makes values up. `columns` is what it gives for a row to write, whose columns its type does not say."""

    recorder: Recorder
    profile: Profile
    columns: abc.Mapping[str, Any]

    def arguments(self, function: Any, *, is_method: bool = False) -> dict[str, Any]:
        """Return a value for each of a function's parameters."""
        known = hints(function)
        parameters = list(inspect.signature(function).parameters.values())[is_method:]
        return {
            one.name: _BY_NAME.get(one.name) or self.make(known.get(one.name, Any), one.name)
            for one in parameters
            if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        }

    def make(self, hint: Any, name: str = "") -> Any:
        """Return a value of the type."""
        if hint in WAYS:
            return WAYS[hint](self.recorder)
        if hint is str and name:
            return name
        if hint in _VALUES:
            return _VALUES[hint]
        origin = typing.get_origin(hint)
        if origin is not None:
            return self._generic(origin, typing.get_args(hint), name)
        if isinstance(hint, type) and hint is not Any:
            return self._instance(hint)
        return recording.Row("")

    def _generic(self, origin: Any, arguments: tuple[Any, ...], name: str) -> Any:
        if origin in (typing.Union, types.UnionType):
            some = [one for one in arguments if one is not type(None)]
            is_absent = len(some) < len(arguments) and self.profile is not Profile.FULL
            return None if is_absent else self.make(some[0], name)
        if origin in (typing.Literal, typing.Annotated, type):
            return arguments[0] if origin is not typing.Annotated else self.make(arguments[0], name)
        if origin is abc.Callable:
            return lambda *_: None
        if origin is tuple and arguments[-1] is not Ellipsis:
            return tuple(self.make(one) for one in arguments)
        return self._collection(origin, arguments, name)

    def _collection(self, origin: Any, arguments: tuple[Any, ...], name: str) -> Any:
        if origin in _MAPPINGS and arguments[1] in (Any, object):
            return Columns(self.columns)
        size = 0 if self.profile is Profile.EMPTY else 1
        if origin in _MAPPINGS:
            return {self.make(arguments[0]): self.make(arguments[1]) for _ in range(size)}
        made = [self.make(arguments[0], name) for _ in range(size)]
        return set(made) if origin in _SETS else tuple(made) if origin is tuple else made

    def _instance(self, kind: Any) -> Any:
        if issubclass(kind, enum.Enum):
            return next(iter(kind))
        if typing.is_typeddict(kind) or dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
            return kind(**{key: self.make(hint, key) for key, hint in hints(kind).items()})
        return kind(**self.arguments(kind.__init__, is_method=True))


def hints(of: Any) -> dict[str, Any]:
    """Return the types of a function's parameters, or of a class's fields."""
    found = typing.get_type_hints(of)
    found.pop("return", None)
    return found

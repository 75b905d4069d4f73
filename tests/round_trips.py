"""Counting round trips: what is really sent over every connection that is opened meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest


class Trips:
    """The statements that went over asyncpg's raw connections; SQLAlchemy's are not among them."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.written = 0
        """How many rows those statements wrote at the most, by the arrays that they were given."""

    def note(self, record: asyncpg.connection.LoggedQuery) -> None:
        """Take one down, but for the driver's questions what an array is, once for each connection."""
        if "typeinfo" not in record.query and "'jit'" not in record.query:
            self.sent.append(" ".join(record.query.split()))
            if record.query.startswith("WITH part_0"):
                self.written += sum(len(value) for value in record.args or () if isinstance(value, list))

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """Yield the statements of the block."""
        self.sent.clear()
        self.written = 0
        yield self.sent


@contextmanager
def watched() -> Iterator[Trips]:
    """Note what goes over the connections that are opened inside."""
    trips, connect = Trips(), asyncpg.connect

    async def connect_and_watch(*arguments: Any, **options: Any) -> Any:
        connection = await connect(*arguments, **options)
        connection.add_query_logger(trips.note)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", connect_and_watch)
        yield trips

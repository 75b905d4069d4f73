"""Several writes in one statement: a data-modifying CTE for each table, all of one snapshot.

No part sees what another has written, and no row may be written by two of them. Foreign keys are checked
after all parts are done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from db.writing import RawConnection

_PLACES = [f"${number}" for number in range(1, 301)]


class WriteBatch:
    """The writes of one statement under construction; the same parts give the same SQL, prepared once."""

    def __init__(self) -> None:
        self._sql: list[str] = []
        self._values: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._sql)

    def add(self, sql: str, *values: object) -> None:
        """Add a part, with `{}` for each value in order; a dictionary is written as JSON."""
        first = len(self._values)
        places = _PLACES[first : first + len(values)]
        if len(places) < len(values):
            places = [f"${number}" for number in range(first + 1, first + len(values) + 1)]
        for number, value in enumerate(values):
            if isinstance(value, dict):
                # As text, so that the connection's JSON encoding does not matter.
                value = orjson.dumps(value).decode()
                places[number] += "::text::jsonb"
            self._values.append(value)
        self._sql.append(sql.format(*places))

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Add the insertion of a row into a table."""
        places = ", ".join(["{}"] * len(row))
        self.add(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())

    async def write(self, connection: RawConnection) -> None:
        """Run the statement."""
        await connection.execute(f"{self._with} SELECT", *self._values)

    async def count_first(self, connection: RawConnection) -> int:
        """Run the statement, and return how many rows its first part (`part_0` to the others) returns."""
        count: int = await connection.fetchval(f"{self._with} SELECT count(*) FROM part_0", *self._values)
        return count

    @property
    def _with(self) -> str:
        return "WITH " + ", ".join(f"part_{n} AS ({sql})" for n, sql in enumerate(self._sql))

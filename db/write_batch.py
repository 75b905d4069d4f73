"""Several writes in one statement: a data-modifying part for each table, all of one snapshot.

No part sees what another has written, and no row may be written by two of them. Foreign keys are checked when
all are done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from db.writing import RawConnection


class WriteBatch:
    """The writes of one statement, under way. The same parts are the same SQL, which is prepared once."""

    def __init__(self) -> None:
        self._sql: list[str] = []
        self._values: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._sql)

    def add(self, sql: str, *values: object) -> None:
        """Add a part; `{}` stands for each value, in their order. A dictionary is written as JSON."""
        places = []
        for value in values:
            is_json = isinstance(value, dict)
            # As text, so that it does not matter how the connection writes JSON.
            self._values.append(orjson.dumps(value).decode() if is_json else value)
            places.append(f"${len(self._values)}::text::jsonb" if is_json else f"${len(self._values)}")
        self._sql.append(sql.format(*places))

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Adds a row of a table."""
        places = ", ".join(["{}"] * len(row))
        self.add(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())

    async def write(self, connection: RawConnection) -> None:
        """Runs the statement."""
        await connection.execute(f"{self._with} SELECT", *self._values)

    async def count_first(self, connection: RawConnection) -> int:
        """Runs the statement. How many rows the first part, `part_0` for the others, returns."""
        count: int = await connection.fetchval(f"{self._with} SELECT count(*) FROM part_0", *self._values)
        return count

    @property
    def _with(self) -> str:
        return "WITH " + ", ".join(f"part_{n} AS ({sql})" for n, sql in enumerate(self._sql))

"""The counts of users' rows are kept for a while, and not beyond a write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from graph.row_counts import NOTHING, SECONDS, KnownRowCounts

ANNA, BEN, CARL = (UUID(int=number) for number in range(3))


class Reading:
    """Stands for the database: each reading finds one account more than the last, when it is let go on."""

    def __init__(self) -> None:
        self.readings = 0
        self.now = 0.0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.counts = KnownRowCounts(self, most=2, clock=lambda: self.now)  # type: ignore[arg-type]

    @asynccontextmanager
    async def reading(self, user_id: UUID) -> AsyncIterator[Any]:
        yield self

    async def fetchrow(self, *_: object) -> tuple[int, ...]:
        self.readings += 1
        found = NOTHING._replace(accounts=self.readings)
        await self.go_on.wait()
        return found

    async def accounts(self, user_id: UUID) -> int:
        return (await self.counts.of(user_id)).accounts


async def test_counts_are_read_once_in_a_while() -> None:
    reading = Reading()
    assert reading.counts.find(ANNA) is None
    assert await reading.accounts(ANNA) == 1
    assert await reading.accounts(ANNA) == 1
    assert reading.counts.find(ANNA) == NOTHING._replace(accounts=1)
    reading.now = SECONDS
    assert await reading.accounts(ANNA) == 1
    reading.now = SECONDS + 1
    assert reading.counts.find(ANNA) is None
    assert await reading.accounts(ANNA) == 2


async def test_who_has_written_is_counted_anew() -> None:
    reading = Reading()
    assert await reading.accounts(ANNA) == 1
    assert await reading.accounts(BEN) == 2
    reading.counts.forget(ANNA)
    assert [await reading.accounts(ANNA), await reading.accounts(BEN)] == [3, 2]


async def test_counts_that_were_read_during_a_write_are_not_kept() -> None:
    reading = Reading()
    reading.go_on.clear()
    first = asyncio.create_task(reading.accounts(ANNA))
    await asyncio.sleep(0)
    reading.counts.forget(ANNA)
    second = asyncio.create_task(reading.accounts(ANNA))
    await asyncio.sleep(0)
    reading.go_on.set()
    assert [await first, await second] == [1, 2]
    assert await reading.accounts(ANNA) == 2
    assert reading.readings == 2


async def test_the_users_that_are_remembered_are_bounded() -> None:
    reading = Reading()
    assert [await reading.accounts(user) for user in (ANNA, BEN, CARL)] == [1, 2, 3]
    assert [reading.counts.find(user) is None for user in (ANNA, BEN, CARL)] == [True, False, False]

"""What fields of one operation share when they wait for the same key of a loader."""

import asyncio
from typing import Any

import pytest

from graph.loaders import Loader


class Slow(Loader[int, int]):
    """Answers when it may."""

    go_on: asyncio.Event
    asked: list[list[int]]

    async def batch_load_fn(self, keys: list[int]) -> list[int]:
        self.asked.append(keys)
        await self.go_on.wait()
        return [key * 10 for key in keys]


async def test_a_field_that_is_cancelled_takes_nothing_from_its_siblings() -> None:
    """As graphql-core cancels the fields beside one that has failed."""
    login: Any = None
    loader = Slow(login)
    loader.go_on, loader.asked = asyncio.Event(), []

    async def load() -> int:
        return await loader.load(1)

    cancelled, other = asyncio.create_task(load()), asyncio.create_task(load())
    while not loader.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    loader.go_on.set()
    assert (await other, loader.asked) == (10, [[1]])

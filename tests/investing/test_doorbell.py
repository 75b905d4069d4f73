"""Doorbells: who is woken here, and what is said to other processes."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from uuid import UUID

import pytest

from db.doorbells.bells import Bell
from db.doorbells.queries import rings
from db.sessions import Sessions
from db.vocabulary import Topic
from investing import doorbell
from investing.doorbell import SOON_SECONDS, Doorbell
from tests.faults.waiting import until
from tests.waiting import PATIENCE

HOLDER, STRANGER = UUID(int=1), UUID(int=2)


class Paper:
    """A line that writes down what is said."""

    def __init__(self) -> None:
        self.said: list[list[Bell]] = []

    async def listen(self, heard: Callable[[Collection[Bell]], None]) -> None:
        await asyncio.Event().wait()

    async def say(self, bells: Collection[Bell]) -> None:
        self.said.append(list(bells))

    async def until_said(self, times: int) -> None:
        """Wait until something was said so many times."""

        async def has() -> bool:
            return len(self.said) >= times

        await until(has, PATIENCE)


async def test_portfolios_are_said_together_and_with_orders(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trade that rings for its order says both in one; one that does not waits for others."""
    asked: list[Bell] = []

    async def overheard(sessions: Sessions, known: Mapping[Bell, int]) -> Mapping[Bell, int]:
        asked.extend(known)
        return await rings(sessions, known)

    monkeypatch.setattr(doorbell, "rings", overheard)
    bell, line = Doorbell(), Paper()
    joined = asyncio.create_task(bell.run(line, sessions))
    await asyncio.sleep(0.01)
    with (
        bell.listening(HOLDER, Topic.PORTFOLIOS, Topic.ORDERS) as both,
        bell.listening(STRANGER, Topic.PORTFOLIOS) as other,
    ):
        for _ in range(50):
            bell.ring(HOLDER, Topic.PORTFOLIOS)
            assert both.is_set()
            await asyncio.sleep(0)
        assert (other.is_set(), line.said) == (False, [])
        bell.ring(STRANGER, Topic.PORTFOLIOS)
        await line.until_said(1)
        assert line.said == [[(HOLDER, Topic.PORTFOLIOS), (STRANGER, Topic.PORTFOLIOS)]]
        both.clear()
        bell.ring(HOLDER, Topic.PORTFOLIOS)
        bell.ring(HOLDER, Topic.ORDERS)
        await line.until_said(2)
        assert line.said[1:] == [[(HOLDER, Topic.PORTFOLIOS), (HOLDER, Topic.ORDERS)]]
        await asyncio.sleep(1.5 * SOON_SECONDS)
        assert len(line.said) == 2
        assert bell.listeners == 3
        # The counters are asked only about what is counted.
        async with asyncio.timeout(PATIENCE):
            while not asked:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert set(asked) == {(HOLDER, Topic.ORDERS)}
    assert bell.listeners == 0
    joined.cancel()
    with suppress(asyncio.CancelledError):
        await joined

"""The notifier: who is woken here, and what is said to other processes."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from uuid import UUID

import pytest

from db.notifier.queries import changed_counts
from db.notifier.subjects import Subject
from db.sessions import Sessions
from db.vocabulary import Topic
from investing.notifier import SOON_SECONDS, Notifier
from tests.faults.waiting import until
from tests.waiting import PATIENCE

HOLDER, STRANGER = UUID(int=1), UUID(int=2)


def listeners(notifier: Notifier) -> int:
    """Return how many listen here."""
    return sum(len(events) for events in notifier._waiting.values())


class Paper:
    """A line that writes down what is said."""

    def __init__(self) -> None:
        self.said: list[list[Subject]] = []

    async def listen(self, heard: Callable[[Collection[Subject]], None]) -> None:
        await asyncio.Event().wait()

    async def publish(self, subjects: Collection[Subject]) -> None:
        self.said.append(list(subjects))

    async def until_said(self, times: int) -> None:
        """Wait until something was said so many times."""

        async def has() -> bool:
            return len(self.said) >= times

        await until(has, PATIENCE)


async def test_portfolios_are_said_together_and_with_orders(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trade that notifies its order says both in one; one that does not waits for others."""
    asked: list[Subject] = []

    async def overheard(sessions: Sessions, known: Mapping[Subject, int]) -> Mapping[Subject, int]:
        asked.extend(known)
        return await changed_counts(sessions, known)

    monkeypatch.setattr("investing.notifier.changed_counts", overheard)
    notifier, line = Notifier(), Paper()
    joined = asyncio.create_task(notifier.run(line, sessions))
    await asyncio.sleep(0.01)
    with (
        notifier.listening(HOLDER, Topic.PORTFOLIOS, Topic.ORDERS) as both,
        notifier.listening(STRANGER, Topic.PORTFOLIOS) as other,
    ):
        for _ in range(50):
            notifier.notify(HOLDER, Topic.PORTFOLIOS)
            assert both.is_set()
            await asyncio.sleep(0)
        assert (other.is_set(), line.said) == (False, [])
        notifier.notify(STRANGER, Topic.PORTFOLIOS)
        await line.until_said(1)
        assert line.said == [[(HOLDER, Topic.PORTFOLIOS), (STRANGER, Topic.PORTFOLIOS)]]
        both.clear()
        notifier.notify(HOLDER, Topic.PORTFOLIOS)
        notifier.notify(HOLDER, Topic.ORDERS)
        await line.until_said(2)
        assert line.said[1:] == [[(HOLDER, Topic.PORTFOLIOS), (HOLDER, Topic.ORDERS)]]
        await asyncio.sleep(1.5 * SOON_SECONDS)
        assert len(line.said) == 2
        assert listeners(notifier) == 3
        # The counters are read only for what is counted.
        async with asyncio.timeout(PATIENCE):
            while not asked:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert set(asked) == {(HOLDER, Topic.ORDERS)}
    assert listeners(notifier) == 0
    joined.cancel()
    with suppress(asyncio.CancelledError):
        await joined

"""The notifier: who is woken here, and what is said to other processes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from uuid import UUID, uuid4

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

    async def listen(
        self, heard: Callable[[Collection[Subject]], None], connected: Callable[[], None]
    ) -> None:
        connected()
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


class Failing:
    """A transport, and counters, that fail until they are mended; `tried` says how often they were used."""

    def __init__(self) -> None:
        self.is_mended = False
        self.tried: Counter[str] = Counter()

    async def _use(self, what: str) -> None:
        self.tried[what] += 1
        if not self.is_mended:
            raise ConnectionError("gone")

    async def listen(
        self, heard: Callable[[Collection[Subject]], None], connected: Callable[[], None]
    ) -> None:
        await self._use("listen")
        connected()
        await asyncio.Event().wait()

    async def publish(self, subjects: Collection[Subject]) -> None:
        await self._use("publish")

    async def counts(self, sessions: Sessions, known: Mapping[Subject, int]) -> Mapping[Subject, int]:
        await self._use("poll")
        return {}


async def test_an_outage_ends_when_something_answers_and_not_before(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each part asks again by itself, even if nobody listens any more and nothing is to be published."""
    failing, owner_id = Failing(), uuid4()
    monkeypatch.setattr("investing.notifier.changed_counts", failing.counts)
    monkeypatch.setattr("investing.notifier._AGAIN_SECONDS", 0.01)
    notifier = Notifier()
    joined = asyncio.create_task(notifier.run(failing, sessions))
    with notifier.listening(owner_id, Topic.ORDERS):
        await asyncio.sleep(0)
        notifier.notify(owner_id, Topic.ORDERS)

        async def has_failed() -> bool:
            return min(failing.tried[what] for what in ("listen", "publish", "poll")) >= 3

        await until(has_failed, PATIENCE)
    all_outages = (*notifier.outages, *notifier.transport_outages)
    assert [outage.is_on for outage in all_outages] == [True] * 3
    said = [record.getMessage() for record in caplog.records]
    assert sorted(said) == [
        "Listening for changes does not work: ConnectionError: gone",
        "Polling the change counters does not work: ConnectionError: gone",
        "Publishing changes does not work: ConnectionError: gone",
    ]
    failing.is_mended = True

    async def is_over() -> bool:
        return not any(outage.is_on for outage in all_outages)

    await until(is_over, PATIENCE)
    assert sorted(record.getMessage() for record in caplog.records[3:]) == [
        "Listening for changes works again.",
        "Polling the change counters works again.",
        "Publishing changes works again.",
    ]
    joined.cancel()
    await asyncio.gather(joined, return_exceptions=True)

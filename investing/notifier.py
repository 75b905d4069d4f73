"""Change notifications: something of an owner's has changed, read it again.

A notification carries no data and may come twice. Within a process it arrives at once; between processes a
transport carries it, and where the transport fails, a poll of the counters each second finds what was missed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from db.notifier.queries import changed_counts
from db.notifier.subjects import Subject
from db.outages import Outage
from db.sessions import Sessions
from db.vocabulary import COUNTED_TOPICS, Topic

logger = logging.getLogger("graphfolio.changes")

POLL_SECONDS = 1.0
SOON_SECONDS = 0.2
"""So long a ring that is not counted waits for others, so that trades do not each cost a statement more."""
_AGAIN_SECONDS = 0.25


class Transport(Protocol):
    """What carries rings between processes: PostgreSQL's NOTIFY, or NATS."""

    async def listen(self, received: Callable[[Collection[Subject]], None]) -> None:
        """Passes on what is said, its own too, until it breaks. Raises OSError then."""

    async def publish(self, subjects: Collection[Subject]) -> None:
        """Tells every process that listens. May lose them, or raise OSError, where it is broken."""


class Notifier:
    """Rings for an owner and a topic. Belongs to one event loop; `run` joins it to other processes."""

    def __init__(self) -> None:
        self._waiting: dict[Subject, set[asyncio.Event]] = {}
        self._followers: dict[Topic, list[Callable[[UUID], None]]] = {}
        self._counts: dict[Subject, int] = {}
        # In the order of their coming, each once: what rings while others are being told joins the next lot.
        self._unpublished: dict[Subject, None] = {}
        self._is_to_publish = asyncio.Event()
        self._is_joined = False
        self._soon: asyncio.TimerHandle | None = None
        self._receiving = Outage(logger, "Listening for changes")
        self._publishing = Outage(logger, "Publishing changes")
        self._polling = Outage(logger, "Polling the change counters")
        self.outages = (self._polling,)
        """While one of these lasts, changes made by other processes are not noticed."""
        self.transport_outages = (self._receiving, self._publishing)
        """While one of these lasts, they are noticed by the poll of each second."""

    def notify(self, owner_id: UUID, topic: Topic) -> None:
        """Wakes everybody who listens for this, everywhere; only after the commit that they are to see."""
        self._wake([(owner_id, topic)])
        for follower in self._followers.get(topic, ()):
            follower(owner_id)
        if self._is_joined:
            self._unpublished[owner_id, topic] = None
            if topic in COUNTED_TOPICS:
                self._is_to_publish.set()
            elif self._soon is None:
                self._soon = asyncio.get_running_loop().call_later(SOON_SECONDS, self._publish_the_rest)

    def follow(self, topic: Topic, follower: Callable[[UUID], None]) -> None:
        """Call this with each owner who is notified of the topic here; it must not take long."""
        self._followers.setdefault(topic, []).append(follower)

    @contextmanager
    def listening(self, owner_id: UUID, *topics: Topic) -> Iterator[asyncio.Event]:
        """An event that is set by every ring about one of these from now on."""
        event = asyncio.Event()
        for topic in topics:
            self._waiting.setdefault((owner_id, topic), set()).add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._unsubscribe((owner_id, topic), event)

    async def run(self, transport: Transport, sessions: Sessions) -> None:
        """Stay joined to the other processes for ever, through every outage of the transport.

        `sessions` lead to the counters, which stay in the database whatever the transport is.
        """
        self._is_joined = True
        async with asyncio.TaskGroup() as group:
            for work, outage in (
                (lambda: transport.listen(self._wake), self._receiving),
                (lambda: self._publish(transport), self._publishing),
                (lambda: self._look(sessions), self._polling),
            ):
                group.create_task(_restarted(work, outage))

    def _unsubscribe(self, subject: Subject, event: asyncio.Event) -> None:
        waiting = self._waiting[subject]
        waiting.discard(event)
        if not waiting:
            del self._waiting[subject]
            self._counts.pop(subject, None)

    def _publish_the_rest(self) -> None:
        self._soon = None
        # What has gone along with others meanwhile need not be said again.
        if self._unpublished:
            self._is_to_publish.set()

    def _wake(self, subjects: Collection[Subject]) -> None:
        for subject in subjects:
            for event in self._waiting.get(subject, ()):
                event.set()

    async def _publish(self, transport: Transport) -> None:
        while True:
            await self._is_to_publish.wait()
            self._is_to_publish.clear()
            subjects, self._unpublished = list(self._unpublished), {}
            # What is lost here is found by a look at the counters.
            await transport.publish(subjects)

    async def _look(self, sessions: Sessions) -> None:
        while True:
            known = {
                subject: self._counts.get(subject, 0)
                for subject in self._waiting
                if subject[1] in COUNTED_TOPICS
            }
            if known:
                found = await changed_counts(sessions, known)
                self._counts.update(
                    (subject, count) for subject, count in found.items() if subject in self._waiting
                )
                self._wake(list(found))
            await asyncio.sleep(POLL_SECONDS)


async def _restarted(work: Callable[[], Awaitable[None]], outage: Outage) -> None:
    """Begin anew after every outage."""
    while True:
        with outage.lasting():
            await work()
        await asyncio.sleep(_AGAIN_SECONDS)


async def wait(event: asyncio.Event, seconds: float | None = None) -> None:
    """Waits for the subject, or for so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()

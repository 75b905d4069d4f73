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
"""How long an uncounted notification waits for others, so that not every trade costs one more statement."""
_AGAIN_SECONDS = 0.25


class Transport(Protocol):
    """What carries notifications between processes: PostgreSQL's NOTIFY, or NATS."""

    async def listen(
        self, received: Callable[[Collection[Subject]], None], connected: Callable[[], None]
    ) -> None:
        """Pass on what is published, by this process too, until the connection breaks; then raise OSError.

        `connected` is called, once or again and again, while nothing is missed.
        """

    async def publish(self, subjects: Collection[Subject]) -> None:
        """Publish to every process that listens. It may lose notifications, or raise OSError, when broken."""


class Notifier:
    """Notifications by owner and topic.

    It belongs to one event loop; `run` connects it to other processes.
    """

    def __init__(self) -> None:
        self._waiting: dict[Subject, set[asyncio.Event]] = {}
        self._followers: dict[Topic, list[Callable[[UUID], None]]] = {}
        self._counts: dict[Subject, int] = {}
        # In order of arrival, each once: a notification during a publication joins the next one.
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
        """While one of these lasts, they are noticed only by polling, once a second."""

    def notify(self, owner_id: UUID, topic: Topic) -> None:
        """Wake everybody who listens for this, in all processes; call it only after the commit to be seen."""
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
        """Return an event that is set by every notification about one of these topics from now on."""
        event = asyncio.Event()
        for topic in topics:
            self._waiting.setdefault((owner_id, topic), set()).add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._unsubscribe((owner_id, topic), event)

    async def run(self, transport: Transport, sessions: Sessions) -> None:
        """Stay connected to the other processes for ever, through every fault of the transport.

        `sessions` give access to the counters, which are in the database whatever the transport is.
        """
        self._is_joined = True
        async with asyncio.TaskGroup() as group:
            for work, outage in (
                (lambda: transport.listen(self._wake, self._receiving.over), self._receiving),
                (lambda: self._publish(transport), self._publishing),
                (lambda: self._poll(sessions), self._polling),
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
        # Notifications published together with others meanwhile need not be repeated.
        if self._unpublished:
            self._is_to_publish.set()

    def _wake(self, subjects: Collection[Subject]) -> None:
        for subject in subjects:
            for event in self._waiting.get(subject, ()):
                event.set()

    async def _publish(self, transport: Transport) -> None:
        while True:
            # After an outage nothing is published at once, to see whether it is over.
            if not self._publishing.is_on:
                await self._is_to_publish.wait()
            self._is_to_publish.clear()
            subjects, self._unpublished = list(self._unpublished), {}
            # What is lost here is found by polling the counters.
            await transport.publish(subjects)
            self._publishing.over()

    async def _poll(self, sessions: Sessions) -> None:
        while True:
            known = {
                subject: self._counts.get(subject, 0)
                for subject in self._waiting
                if subject[1] in COUNTED_TOPICS
            }
            # During an outage of it even if nobody waits, to see whether it is over.
            if known or self._polling.is_on:
                found = await changed_counts(sessions, known)
                self._counts.update(
                    (subject, count) for subject, count in found.items() if subject in self._waiting
                )
                self._wake(list(found))
                self._polling.over()
            await asyncio.sleep(POLL_SECONDS)


async def _restarted(work: Callable[[], Awaitable[None]], outage: Outage) -> None:
    """Run the work, and start it again after every outage."""
    while True:
        with outage.lasting():
            await work()
        await asyncio.sleep(_AGAIN_SECONDS)


async def wait(event: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for the event, but at most this many seconds; then clear it."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()

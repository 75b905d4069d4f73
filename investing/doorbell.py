"""Doorbells: something has happened to somebody, look again.

A ring carries nothing and may come twice. Within a process it is at once; between processes a line carries
it, and where the line fails, a look at the counters each second finds what was missed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from db.doorbells.bells import Bell
from db.doorbells.queries import rings
from db.outages import Outage
from db.sessions import Sessions
from db.vocabulary import COUNTED_TOPICS, Topic

logger = logging.getLogger("graphfolio.doorbell")

POLL_SECONDS = 1.0
SOON_SECONDS = 0.2
"""So long a ring that is not counted waits for others, so that trades do not each cost a statement more."""
_AGAIN_SECONDS = 0.25


class Line(Protocol):
    """What carries rings between processes: PostgreSQL's NOTIFY, or NATS."""

    async def listen(self, heard: Callable[[Collection[Bell]], None]) -> None:
        """Passes on what is said, its own too, until it breaks. Raises OSError then."""

    async def say(self, bells: Collection[Bell]) -> None:
        """Tells every process that listens. May lose them, or raise OSError, where it is broken."""


class Doorbell:
    """Rings for an owner and a topic. Belongs to one event loop; `run` joins it to other processes."""

    def __init__(self) -> None:
        self._waiting: dict[Bell, set[asyncio.Event]] = {}
        self._rings: dict[Bell, int] = {}
        # In the order of their coming, each once: what rings while others are being told joins the next lot.
        self._unsaid: dict[Bell, None] = {}
        self._is_to_say = asyncio.Event()
        self._is_joined = False
        self._soon: asyncio.TimerHandle | None = None

    def ring(self, owner_id: UUID, topic: Topic) -> None:
        """Wakes everybody who listens for this, everywhere; only after the commit that they are to see."""
        self._wake([(owner_id, topic)])
        if self._is_joined:
            self._unsaid[owner_id, topic] = None
            if topic in COUNTED_TOPICS:
                self._is_to_say.set()
            elif self._soon is None:
                self._soon = asyncio.get_running_loop().call_later(SOON_SECONDS, self._say_the_rest)

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
                self._hang_up((owner_id, topic), event)

    @property
    def listeners(self) -> int:
        """How many listen here."""
        return sum(len(events) for events in self._waiting.values())

    async def run(self, line: Line, sessions: Sessions) -> None:
        """Stays joined to the other processes for ever, through every fault of the line.

        `sessions` lead to the counters, which stay in the database whatever the line is.
        """
        self._is_joined = True
        async with asyncio.TaskGroup() as group:
            for work, what in (
                (lambda: line.listen(self._wake), "Hearing doorbells"),
                (lambda: self._say(line), "Ringing doorbells elsewhere"),
                (lambda: self._look(sessions), "Looking at doorbells"),
            ):
                group.create_task(_for_ever(work, Outage(logger, what)))

    def _hang_up(self, bell: Bell, event: asyncio.Event) -> None:
        waiting = self._waiting[bell]
        waiting.discard(event)
        if not waiting:
            del self._waiting[bell]
            self._rings.pop(bell, None)

    def _say_the_rest(self) -> None:
        self._soon = None
        # What has gone along with others meanwhile need not be said again.
        if self._unsaid:
            self._is_to_say.set()

    def _wake(self, bells: Collection[Bell]) -> None:
        for bell in bells:
            for event in self._waiting.get(bell, ()):
                event.set()

    async def _say(self, line: Line) -> None:
        while True:
            await self._is_to_say.wait()
            self._is_to_say.clear()
            bells, self._unsaid = list(self._unsaid), {}
            # What is lost here is found by a look at the counters.
            await line.say(bells)

    async def _look(self, sessions: Sessions) -> None:
        while True:
            known = {bell: self._rings.get(bell, 0) for bell in self._waiting if bell[1] in COUNTED_TOPICS}
            if known:
                found = await rings(sessions, known)
                self._rings.update((bell, count) for bell, count in found.items() if bell in self._waiting)
                self._wake(list(found))
            await asyncio.sleep(POLL_SECONDS)


async def _for_ever(work: Callable[[], Awaitable[None]], outage: Outage) -> None:
    """Begins anew after every fault."""
    while True:
        with outage.lasting():
            await work()
        await asyncio.sleep(_AGAIN_SECONDS)


async def rung(event: asyncio.Event, seconds: float | None = None) -> None:
    """Waits for the bell, or for so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()

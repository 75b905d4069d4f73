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
from db.sessions import Sessions
from db.vocabulary import Topic

logger = logging.getLogger("graphfolio.doorbell")

POLL_SECONDS = 1.0
_AGAIN_SECONDS = 0.25
_LOGGED_AGAIN_SECONDS = 10.0


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

    def ring(self, owner_id: UUID, topic: Topic) -> None:
        """Wakes everybody who listens for this, everywhere; only after the commit that they are to see."""
        self._wake([(owner_id, topic)])
        if self._is_joined:
            self._unsaid[owner_id, topic] = None
            self._is_to_say.set()

    @contextmanager
    def listening(self, owner_id: UUID, topic: Topic) -> Iterator[asyncio.Event]:
        """An event that is set by every ring from now on."""
        bell = (owner_id, topic)
        event = asyncio.Event()
        self._waiting.setdefault(bell, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[bell]
            waiting.discard(event)
            if not waiting:
                del self._waiting[bell]
                self._rings.pop(bell, None)

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
                (lambda: line.listen(self._wake), "heard"),
                (lambda: self._say(line), "told"),
                (lambda: self._look(sessions), "looked at"),
            ):
                group.create_task(_for_ever(work, what))

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
            known = {bell: self._rings.get(bell, 0) for bell in self._waiting}
            if known:
                found = await rings(sessions, known)
                self._rings.update((bell, count) for bell, count in found.items() if bell in self._waiting)
                self._wake(list(found))
            await asyncio.sleep(POLL_SECONDS)


async def _for_ever(work: Callable[[], Awaitable[None]], what: str) -> None:
    """Begins anew after every fault, which is logged once for each time that it had worked in between."""
    loop = asyncio.get_running_loop()
    failed_at = -_LOGGED_AGAIN_SECONDS
    while True:
        try:
            await work()
        except Exception as error:
            if loop.time() - failed_at > _LOGGED_AGAIN_SECONDS:
                logger.warning("Doorbells cannot be %s: %s", what, error)
            failed_at = loop.time()
        await asyncio.sleep(_AGAIN_SECONDS)


async def rung(event: asyncio.Event, seconds: float | None = None) -> None:
    """Waits for the bell, or for so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()

"""The supervisor: runs every service for as long as the process lives, and restarts whatever ends.

A service that ends with an error, or ends at all, is logged with its traceback and run again after a pause
that doubles each time. It counts as failing from then on, until it has run well for a while.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from db.outages import Outage

logger = logging.getLogger("graphfolio.runtime")

END_SECONDS = 10.0
"""How long the services have, together, to end once they are cancelled."""


@dataclass(frozen=True)
class Restarts:
    """When a service that has ended is run again, in seconds."""

    first: float = 0.5
    """The pause before the first restart; each further one is twice as long."""
    longest: float = 30.0
    settled: float = 10.0
    """How long a service must run until it counts as working, and its next pause is the first one again."""


STANDARD = Restarts()


@dataclass(frozen=True)
class Service:
    """Something that runs for ever; `run` makes one attempt at it, and begins from scratch each time.

    `is_critical` says that without it answers would be wrong or writes lost. While one of `outages` lasts,
    the service does not do its work, although it runs; `lesser_outages` only slow it down. `finish_seconds`
    is for a service that returns by itself once the supervisor is stopping: it may take so long before it is
    cancelled.
    """

    name: str
    run: Callable[[], Awaitable[object]]
    is_critical: bool = False
    outages: Sequence[Outage] = ()
    lesser_outages: Sequence[Outage] = ()
    finish_seconds: float = 0


@dataclass
class _Supervised:
    service: Service
    is_failing: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    settling: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def is_working(self) -> bool:
        """Return whether it runs and does its work."""
        return not self.is_failing and not any(outage.is_on for outage in self.service.outages)


class Supervisor:
    """Runs services until its block ends; then waits for those that finish, and cancels the rest."""

    def __init__(self, restarts: Restarts = STANDARD) -> None:
        self.stopping = asyncio.Event()
        """Set at the end of the block, before anything is cancelled."""
        self._restarts = restarts
        self._supervised: list[_Supervised] = []

    async def __aenter__(self) -> "Supervisor":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every service. One that does not end is logged, and left to the end of the event loop."""
        self.stopping.set()
        try:
            await _wait(
                (each for each in self._supervised if each.service.finish_seconds),
                max((each.service.finish_seconds for each in self._supervised), default=0),
            )
        finally:
            for each in self._supervised:
                if each.task is not None:
                    each.task.cancel()
            for each in await _wait(self._supervised, END_SECONDS):
                logger.error("The service %s does not end.", each.service.name)

    def start(self, service: Service) -> None:
        """Run a service from now on."""
        supervised = _Supervised(service)
        supervised.task = asyncio.create_task(self._keep(supervised), name=service.name)
        self._supervised.append(supervised)

    @property
    def broken(self) -> tuple[str, ...]:
        """Return the names of the critical services that do not do their work."""
        return tuple(
            each.service.name for each in self._supervised if each.service.is_critical and not each.is_working
        )

    @property
    def degraded(self) -> tuple[str, ...]:
        """Return the names of all services that do not do their work, or not as well as they could."""
        return tuple(
            each.service.name
            for each in self._supervised
            if not each.is_working or any(outage.is_on for outage in each.service.lesser_outages)
        )

    async def _keep(self, supervised: _Supervised) -> None:
        clock = asyncio.get_running_loop().time
        pause = self._restarts.first
        while True:
            began = clock()
            error = await self._run(supervised)
            if self.stopping.is_set():
                if error is not None:
                    logger.error("The service %s failed.", supervised.service.name, exc_info=error)
                return
            if clock() - began >= self._restarts.settled:
                pause = self._restarts.first
            supervised.is_failing = True
            how = "ended, which it should not have" if error is None else "failed"
            logger.error(
                "The service %s %s; it begins anew in %g s.",
                supervised.service.name,
                how,
                pause,
                exc_info=error,
            )
            try:
                async with asyncio.timeout(pause):
                    await self.stopping.wait()
                return
            except TimeoutError:
                pause = min(2 * pause, self._restarts.longest)

    def _settle_later(self, supervised: _Supervised) -> None:
        """Settle a service when it has run for a while, and as long again while an outage of it lasts."""

        def settle() -> None:
            if any(outage.is_on for outage in supervised.service.outages):
                self._settle_later(supervised)
            else:
                _settle(supervised)

        supervised.settling = asyncio.get_running_loop().call_later(self._restarts.settled, settle)

    async def _run(self, supervised: _Supervised) -> BaseException | None:
        """Run a service once; return the error that it ended with."""
        self._settle_later(supervised)
        try:
            await supervised.service.run()
        except asyncio.CancelledError as error:
            # A service that lets the cancellation of one of its own tasks through has failed like any other.
            current = asyncio.current_task()
            if self.stopping.is_set() or (current is not None and current.cancelling()):
                raise
            return error
        except Exception as error:
            return error
        finally:
            if supervised.settling is not None:
                supervised.settling.cancel()
        return None


def _settle(supervised: _Supervised) -> None:
    """Note that a restarted service works again."""
    if supervised.is_failing:
        supervised.is_failing = False
        logger.warning("The service %s works again.", supervised.service.name)


async def _wait(supervised: Iterable[_Supervised], seconds: float) -> Sequence[_Supervised]:
    """Wait until they have ended; return those that have not by then."""
    tasks = {each.task: each for each in supervised if each.task is not None}
    if not tasks:
        return ()
    _, pending = await asyncio.wait(tasks, timeout=seconds)
    return [tasks[task] for task in pending]

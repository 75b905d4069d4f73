"""Scheduled jobs, each run by one process at a time, by PgQueuer's scheduler on our own connections.

PgQueuer keeps a row for each job: the next time that it is due, and a heartbeat while it runs. A missed run
is caught up once, and a run whose process has died is taken over after 30 seconds without a heartbeat.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from db.outages import Outage, is_no_outage
from db.sessions import Sessions

logger = logging.getLogger("graphfolio.jobs")
AGAIN_SECONDS = 1.0


class Job(NamedTuple):
    """Recurring work; `times` is a cron expression, in which a sixth field counts seconds.

    `work` returns how much it did, if it knows.
    """

    name: str
    times: str
    work: Callable[[], Awaitable[int | None]]


class _Connections:
    """PgQueuer's driver; it sets no viewer, since a job's row has no owner."""

    def __init__(self, sessions: Sessions, outage: Outage) -> None:
        self._sessions = sessions
        self._outage = outage
        self.shutdown = asyncio.Event()

    async def fetch(self, query: str, *arguments: object) -> list[dict[str, object]]:
        async with self._sessions.reading(None) as connection:
            rows = [dict(row) for row in await connection.fetch(query, *arguments)]
        self._outage.over()
        return rows

    async def execute(self, query: str, *arguments: object) -> str:
        async with self._sessions.reading(None) as connection:
            status: str = await connection.execute(query, *arguments)
        self._outage.over()
        return status

    async def __aenter__(self) -> _Connections:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the connections open: they are not the driver's own."""


def scheduler_outage() -> Outage:
    """Return the outage that `run_scheduler` logs by."""
    return Outage(logger, "Keeping the times of the jobs")


async def run_scheduler(
    sessions: Sessions, jobs: Sequence[Job], stop: asyncio.Event, outage: Outage | None = None
) -> None:
    """Run the jobs, each at its times, until `stop` is set; finish the jobs that are running then.

    A fault of a job is logged, and the job runs again at its next time. While the database is away no job
    runs, and all continue by themselves when it is back; `outage` logs that meanwhile.
    """
    outage = outage or scheduler_outage()
    # It takes 0.4 seconds to import, which neither a start nor the requests meanwhile have to wait for.
    await asyncio.to_thread(importlib.import_module, "pgqueuer.core.applications")
    while not stop.is_set():
        with outage.lasting():
            await _manager(sessions, jobs, stop, outage).run()
        if not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), AGAIN_SECONDS)
            except TimeoutError:
                pass


def _manager(sessions: Sessions, jobs: Sequence[Job], stop: asyncio.Event, outage: Outage) -> Any:
    from pgqueuer.adapters.persistence.queries import Queries
    from pgqueuer.core.sm import SchedulerManager

    driver: Any = _Connections(sessions, outage)
    manager = SchedulerManager(Queries(driver))
    manager.shutdown = stop
    for job in jobs:
        manager.schedule(job.name, job.times, accepts_context=False)(_logged(job))
    return manager


def _logged(job: Job) -> Callable[[object], Awaitable[None]]:
    """Return the function that runs a job, and logs a line if it did something or failed."""
    outage = Outage(logger, f"The job {job.name}")

    async def run(_: object) -> None:
        began, done, outcome, level = time.perf_counter(), None, "done", logging.DEBUG
        try:
            done = await job.work()
            outage.over()
            level = logging.INFO if done else logging.DEBUG
        except Exception as error:
            outage.began(error)
            outcome = "failed"
        duration_ms = round((time.perf_counter() - began) * 1000, 1)
        fields = {"job": job.name, "duration_ms": duration_ms, "outcome": outcome, "done": done}
        logger.log(level, "job", extra=fields)

    return run


# It would log an outage each second.
logging.getLogger("pgqueuer").addFilter(is_no_outage)

"""Jobs at their times: one process runs each, what was missed is caught up once, and faults end nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from db.jobs.scheduler import Job, run_scheduler
from db.sessions import Sessions, open_sessions
from tests.faults.waiting import until
from tests.investing.exchange import Exchange
from tests.waiting import PATIENCE

EVERY_SECOND = "* * * * * *"


@asynccontextmanager
async def running(
    sessions: Sessions, name: str, work: Callable[[], Awaitable[int | None]]
) -> AsyncIterator[asyncio.Event]:
    """The rounds of one process, with one job."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_scheduler(sessions, [Job(name, EVERY_SECOND, work)], stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def test_one_of_several_runs_each_round(app_url: str, exchange: Exchange) -> None:
    active, most, runs = 0, 0, 0

    async def work() -> None:
        nonlocal active, most, runs
        active, runs = active + 1, runs + 1
        most = max(most, active)
        await asyncio.sleep(0.3)
        active -= 1

    async def some() -> bool:
        return runs >= 4

    # Each on connections of its own, as other processes would be.
    async with open_sessions(app_url, size=2) as one, open_sessions(app_url, size=2) as two:
        async with running(exchange.sessions, "one", work), running(one, "one", work):
            async with running(two, "one", work):
                await until(some, 60)
    assert most == 1
    assert active == 0


async def test_what_was_missed_is_caught_up_once(exchange: Exchange) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1

    async def ran() -> bool:
        return runs > 0

    async with running(exchange.sessions, "daily", work):
        await until(ran, 30)
    # As if nobody had been there for a week, and the last one had died at its work.
    await exchange.run(
        "UPDATE pgqueuer_schedules SET status = 'picked', expression = '0 0 1 1 *', "
        "next_run = now() - interval '7 days', heartbeat = now() - interval '7 days' "
        "WHERE entrypoint = 'daily'"
    )
    runs = 0
    stop = asyncio.Event()
    jobs = [Job("daily", "0 0 1 1 *", work)]
    task = asyncio.create_task(run_scheduler(exchange.sessions, jobs, stop))
    await until(ran, 30)
    await asyncio.sleep(1)
    stop.set()
    await asyncio.wait_for(task, PATIENCE)
    assert runs == 1
    assert await exchange.value(
        "SELECT status = 'queued' AND next_run > now() FROM pgqueuer_schedules WHERE entrypoint = 'daily'"
    )


async def test_a_job_that_fails_runs_again(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        raise RuntimeError("not today")

    async def twice() -> bool:
        return runs >= 2

    async with running(exchange.sessions, "failing", work):
        await until(twice, 30)
    # Once, however often it fails.
    (told,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.getMessage() == "The job failing does not work: RuntimeError: not today"
    assert told.exc_info is not None


async def test_a_job_is_a_line_where_it_did_something(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    did = [3, 0, None]

    async def work() -> int | None:
        return did.pop(0) if did else 0

    async def finished() -> bool:
        return not did

    with caplog.at_level(logging.INFO, "graphfolio"):
        async with running(exchange.sessions, "counting", work):
            await until(finished, PATIENCE)
    told = [vars(record) for record in caplog.records if record.getMessage() == "job"]
    assert [(line["job"], line["outcome"], line["done"]) for line in told] == [("counting", "done", 3)]
    assert told[0]["duration_ms"] >= 0


async def test_told_to_stop_it_finishes_what_runs(exchange: Exchange) -> None:
    done = asyncio.Event()
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.sleep(1)
        done.set()

    async with running(exchange.sessions, "slow", work) as stop:
        await asyncio.wait_for(begun.wait(), PATIENCE)
        stop.set()
    assert done.is_set()
    assert await exchange.value("SELECT status::text FROM pgqueuer_schedules WHERE entrypoint = 'slow'") == (
        "queued"
    )


async def test_the_jobs_go_on_when_the_connections_are_lost(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1

    async def some() -> bool:
        return runs > before

    before = 0
    with caplog.at_level(logging.CRITICAL):
        async with running(exchange.sessions, "lasting", work):
            await until(some, 30)
            for _ in range(3):
                await exchange.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                before = runs
                # Where a run was under way, it is taken over once its heartbeat is 30 seconds old.
                await until(some, 75)

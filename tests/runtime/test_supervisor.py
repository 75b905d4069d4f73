"""What ends is begun anew, told with its traceback, and counted as failing meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from db.outages import Outage
from runtime import supervisor as module
from runtime.supervisor import Restarts, Service, Supervisor
from tests.waiting import PATIENCE

QUICK = Restarts(first=0.01, longest=0.04, settled=0.05)
NEVER = Restarts(first=0.001, longest=0.001, settled=1000)


class Plan:
    """A service whose attempts are told one by one; after the last of them it runs for ever."""

    def __init__(self, *attempts: Callable[[], Awaitable[None]]) -> None:
        self._attempts = list(attempts)
        self.started = 0
        self.was_cancelled = False
        self.is_running = asyncio.Event()

    async def run(self) -> None:
        self.started += 1
        if self.started <= len(self._attempts):
            await self._attempts[self.started - 1]()
            return
        self.is_running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


async def fail() -> None:
    raise KeyError("a bug")


async def end() -> None:
    await asyncio.sleep(0)


async def leak_a_cancellation() -> None:
    inner = asyncio.create_task(asyncio.sleep(1000))
    inner.cancel()
    await inner


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(1000))
        group.create_task(fail())


async def until(found: Callable[[], bool]) -> None:
    """Look now and then until it is true."""
    async with asyncio.timeout(PATIENCE):
        while not found():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def errors(caplog: pytest.LogCaptureFixture) -> list[tuple[str, type[BaseException] | None]]:
    return [
        (record.getMessage(), record.exc_info[0] if record.exc_info else None)
        for record in caplog.records
        if record.levelno >= logging.ERROR
    ]


@pytest.mark.parametrize(
    ("attempt", "how", "kind"),
    [
        (fail, "failed", KeyError),
        (in_a_group, "failed", ExceptionGroup),
        (leak_a_cancellation, "failed", asyncio.CancelledError),
        (end, "ended, which it should not have", None),
    ],
)
async def test_what_ends_begins_anew(
    caplog: pytest.LogCaptureFixture,
    attempt: Callable[[], Awaitable[None]],
    how: str,
    kind: type[BaseException] | None,
) -> None:
    plan = Plan(attempt)
    async with Supervisor(QUICK) as supervisor:
        supervisor.start(Service("watch", plan.run))
        await plan.is_running.wait()
    assert errors(caplog) == [(f"The service watch {how}; it begins anew in 0.01 s.", kind)]
    if kind is not None:
        assert "Traceback" in caplog.text
    assert (plan.started, plan.was_cancelled) == (2, True)


async def test_the_pause_doubles_up_to_the_longest(caplog: pytest.LogCaptureFixture) -> None:
    plan = Plan(fail, fail, fail, fail)
    async with Supervisor(QUICK) as supervisor:
        supervisor.start(Service("watch", plan.run))
        await plan.is_running.wait()
    assert [line.split(" anew in ")[1] for line, _ in errors(caplog)] == [
        "0.01 s.",
        "0.02 s.",
        "0.04 s.",
        "0.04 s.",
    ]


async def test_the_pause_is_short_again_after_a_while_of_work(caplog: pytest.LogCaptureFixture) -> None:
    async def work_and_fail() -> None:
        await asyncio.sleep(0.06)
        raise KeyError("a bug")

    plan = Plan(fail, fail, work_and_fail)
    async with Supervisor(Restarts(first=0.001, longest=1, settled=0.05)) as supervisor:
        supervisor.start(Service("watch", plan.run))
        await plan.is_running.wait()
    assert [line.split(" anew in ")[1] for line, _ in errors(caplog)] == ["0.001 s.", "0.002 s.", "0.001 s."]


async def test_it_is_failing_until_it_has_run_well(caplog: pytest.LogCaptureFixture) -> None:
    plan, other = Plan(fail), Plan()
    async with Supervisor(QUICK) as supervisor:
        supervisor.start(Service("ticker", plan.run, is_critical=True))
        supervisor.start(Service("jobs", other.run))
        assert (supervisor.broken, supervisor.degraded) == ((), ())
        await plan.is_running.wait()
        assert (supervisor.broken, supervisor.degraded) == (("ticker",), ("ticker",))
        await until(lambda: not supervisor.degraded)
        assert supervisor.broken == ()
    assert caplog.records[-1].getMessage() == "The service ticker works again."
    assert other.started == 1


async def test_it_does_not_work_again_in_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """A service that waits for the database runs, and yet does nothing."""
    plan, outage = Plan(fail), Outage(logging.getLogger("graphfolio.tests"), "Watching")
    outage.began("gone")
    async with Supervisor(Restarts(first=0.001, longest=0.001, settled=0.001)) as supervisor:
        supervisor.start(Service("watch", plan.run, outages=[outage]))
        await plan.is_running.wait()
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert supervisor.degraded == ("watch",)
        outage.over()
        await until(lambda: not supervisor.degraded)
    assert [record.getMessage() for record in caplog.records][-2:] == [
        "Watching works again.",
        "The service watch works again.",
    ]


async def test_one_that_is_not_critical_only_degrades() -> None:
    plan = Plan(fail)
    async with Supervisor(NEVER) as supervisor:
        supervisor.start(Service("jobs", plan.run))
        await plan.is_running.wait()
        assert (supervisor.broken, supervisor.degraded) == ((), ("jobs",))


async def test_outages_count() -> None:
    outage, lesser = (Outage(logging.getLogger("graphfolio.tests"), work) for work in ("Reading", "Hearing"))
    async with Supervisor(NEVER) as supervisor:
        supervisor.start(Service("notifier", Plan().run, True, [outage], [lesser]))
        lesser.began("gone")
        assert (supervisor.broken, supervisor.degraded) == ((), ("notifier",))
        outage.began("gone")
        assert (supervisor.broken, supervisor.degraded) == (("notifier",), ("notifier",))
        outage.over()
        lesser.over()
        assert (supervisor.broken, supervisor.degraded) == ((), ())


async def test_what_finishes_by_itself_may_do_so_before_anything_is_cancelled() -> None:
    others, done = Plan(), []

    async with Supervisor(NEVER) as supervisor:

        async def finish() -> None:
            await supervisor.stopping.wait()
            await asyncio.sleep(0)
            done.append(others.was_cancelled)

        supervisor.start(Service("jobs", finish, finish_seconds=5))
        supervisor.start(Service("orders", others.run))
        await others.is_running.wait()
    assert (done, others.was_cancelled, others.started) == ([False], True, 1)


async def test_what_does_not_finish_in_time_is_cancelled() -> None:
    plan = Plan()
    async with Supervisor(NEVER) as supervisor:
        supervisor.start(Service("jobs", plan.run, finish_seconds=0.01))
        await plan.is_running.wait()
    assert plan.was_cancelled


async def test_a_pause_ends_with_the_process() -> None:
    plan = Plan(fail)
    async with asyncio.timeout(PATIENCE), Supervisor(Restarts(first=1000)) as supervisor:
        supervisor.start(Service("jobs", plan.run, finish_seconds=500))
        await until(lambda: supervisor.degraded != ())
    assert plan.started == 1


async def test_what_fails_or_hangs_at_the_end_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "END_SECONDS", 0.01)
    let_go = asyncio.Event()

    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("a bug")

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await let_go.wait()

    async with Supervisor(NEVER) as supervisor:
        supervisor.start(Service("orders", fail_at_the_end))
        supervisor.start(Service("sender", hang))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert errors(caplog) == [
        ("The service orders failed.", KeyError),
        ("The service sender does not end.", None),
    ]
    let_go.set()
    await asyncio.sleep(0)

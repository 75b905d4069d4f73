"""A loop that is blocked is told, with what ran; one that is not, is not."""

import asyncio
import logging
import threading
import time
from typing import Any

import pytest

from runtime import loop_watch
from runtime.loop_watch import LoopWatch
from tests.waiting import PATIENCE


def busy(until: threading.Event) -> None:
    """Block the loop."""
    deadline = time.monotonic() + PATIENCE
    while not until.is_set():
        assert time.monotonic() < deadline


async def test_a_blocked_loop_is_logged_with_what_blocked_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = threading.Event()
    place = loop_watch._place

    def noted(thread_id: int) -> str:
        found = place(thread_id)
        seen.set()
        return found

    monkeypatch.setattr(loop_watch, "_place", noted)
    caplog.set_level(logging.WARNING, "graphfolio.runtime")
    watch = asyncio.create_task(LoopWatch(0.1).run())
    await asyncio.sleep(0)
    # As long as it takes until the watch has looked.
    busy(seen)
    async with asyncio.timeout(PATIENCE):
        while not caplog.records:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch
    found: Any = caplog.records[0]
    assert found.message == "the event loop was blocked"
    assert found.blocked_ms >= 100
    assert " busy < test_loop_watch.py:" in found.by
    assert "by" not in vars(logging.makeLogRecord({}))


async def test_the_watch_ends_with_its_task() -> None:
    # Others may end meanwhile, so they are not counted.
    before = set(threading.enumerate())
    watch = asyncio.create_task(LoopWatch(60).run())
    await asyncio.sleep(0)
    (thread,) = set(threading.enumerate()) - before
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch
    async with asyncio.timeout(PATIENCE):
        while thread.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0.005)

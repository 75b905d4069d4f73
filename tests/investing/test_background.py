"""What computes at length: apart from the loop, in turn between users, and no longer than somebody waits."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from investing.background import BackgroundThreads
from tests.waiting import PATIENCE


def forever() -> None:
    """Compute without an end, and without ever waiting."""
    while True:
        pass


async def freed(threads: BackgroundThreads) -> None:
    """Wait until nothing runs."""
    async with asyncio.timeout(PATIENCE):
        while threads.running:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def started(work: Callable[[], object], threads: BackgroundThreads, owner: str) -> asyncio.Task[object]:
    """Run something, and return once it has begun."""
    begun = threading.Event()

    def run() -> object:
        begun.set()
        return work()

    task = asyncio.create_task(threads.run(owner, run))
    async with asyncio.timeout(PATIENCE):
        while not begun.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return task


async def test_what_is_computed_comes_back_and_so_does_what_is_raised() -> None:
    threads = BackgroundThreads(1)
    assert await threads.run("somebody", divmod, 17, 5) == (3, 2)
    assert await threads.run("somebody", int, "z", base=36) == 35
    with pytest.raises(ZeroDivisionError):
        await threads.run("somebody", divmod, 1, 0)


async def test_the_loop_goes_on_while_something_computes() -> None:
    threads = BackgroundThreads(1)
    task = await started(forever, threads, "somebody")
    for _ in range(100):
        await asyncio.sleep(0)
    assert threads.running == 1
    task.cancel()
    await freed(threads)


async def test_a_computation_that_nobody_waits_for_ends_and_frees_its_thread() -> None:
    threads = BackgroundThreads(1)
    task = await started(forever, threads, "somebody")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await threads.run("somebody", divmod, 17, 5) == (3, 2)


async def test_a_computation_that_takes_too_long_ends_with_the_time_limit() -> None:
    threads = BackgroundThreads(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await threads.run("somebody", forever)
    await freed(threads)


async def test_what_is_interrupted_undoes_what_it_began() -> None:
    threads = BackgroundThreads(1)
    undone = threading.Event()

    def work() -> None:
        try:
            forever()
        except Exception:  # an interruption is none
            pytest.fail("it was caught")
        finally:
            undone.set()

    task = await started(work, threads, "somebody")
    task.cancel()
    await freed(threads)
    assert undone.is_set()


async def test_one_who_gives_up_in_line_is_never_computed() -> None:
    threads = BackgroundThreads(1)
    first = await started(forever, threads, "somebody")
    done: list[str] = []
    waiting = [asyncio.create_task(threads.run("other", done.append, name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    first.cancel()
    await waiting[1]
    assert done == ["b"]


async def test_users_take_turns_however_much_one_of_them_asks_for() -> None:
    threads = BackgroundThreads(1)
    first = await started(forever, threads, "busy")
    done: list[str] = []
    tasks = [
        asyncio.create_task(threads.run(owner, done.append, f"{owner} {n}"))
        for owner in ("busy", "other", "third")
        for n in range(2)
    ]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(*tasks)
    assert done == ["busy 0", "other 0", "third 0", "busy 1", "other 1", "third 1"]


async def test_one_user_has_one_thread_and_leaves_the_others_to_others() -> None:
    threads = BackgroundThreads(2)
    first = await started(forever, threads, "busy")
    second = asyncio.create_task(threads.run("busy", forever))
    assert await threads.run("other", divmod, 17, 5) == (3, 2)
    assert threads.running == 1
    for task in (second, first):
        task.cancel()
    await freed(threads)


async def test_an_interruption_reaches_nothing_but_its_own_computation() -> None:
    threads = BackgroundThreads(1)

    async def short(n: int) -> int:
        return await threads.run("somebody", sum, range(n))

    # Cancelled at every moment: in line, while it computes, and while it ends.
    for n in range(300):
        task = asyncio.create_task(short(10 * n))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        task.cancel()
        assert await threads.run("other", divmod, 17, 5) == (3, 2)
    await freed(threads)
    assert len(threads._threads) == 1
    assert threads._threads[0].is_alive()

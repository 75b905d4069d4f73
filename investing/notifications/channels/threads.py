"""Threads for blocking calls that may hang."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def in_thread(work: Callable[[], ResultT]) -> ResultT:
    """Run `work` in a thread of its own, and return or raise what it does.

    When this is cancelled, nobody waits for the thread: it does not take a place in a pool from later calls,
    and it does not delay the end of the process, which joins the threads of pools.
    """
    done: Future[ResultT] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    # From here on it cannot be cancelled: otherwise setting a late result would be an error.
    done.set_running_or_notify_cancel()
    threading.Thread(target=run, name="notifications", daemon=True).start()
    return await asyncio.wrap_future(done)
